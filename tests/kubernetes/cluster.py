"""A real Kubernetes on this machine, for as long as a test session lasts.

It is etcd, the API server, the controller manager, the scheduler, kube-proxy, CoreDNS, and one or two nodes with a
kubelet on containerd, in namespaces of their own: clusters of two test processes or two checkouts do not see one
another, and nothing of a cluster outlives its test process. Admission is as by default, with quotas, limit ranges and
the pod security standards.

Limits: nobody enforces a NetworkPolicy; nodes share one network namespace, and so the ports of pods in the host's
network; pods reach this machine, and nothing beyond it; there is no storage class. Clients must not go through a proxy
to reach 198.18.0.0/15.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import shutil
import time
from collections.abc import Sequence

from kubernetes import client

from tests.kubernetes import (
    control_plane,
    credentials,
    enclosure,
    forwarding,
    images,
    node,
    objects,
    simulation,
    supervisor,
)

_GPUS = "nvidia.com/gpu"
_TOKEN_SECONDS = 3600


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guard:
    """A service on this machine's localhost that knows users and their rights, by Kubernetes' webhooks.

    Attributes:
        url: Where it is, `https://localhost:...`, with the paths `identify` and `authorize`.
        authority: The certificate that its own is signed by.
    """

    url: str
    authority: pathlib.Path

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2])


class Cluster:
    """One cluster; `Cluster.start(folder)` makes it, `stop` ends it.

    Attributes:
        kubeconfig: The kubeconfig of an administrator; it is good on this machine, in all its processes.
        objects: The cluster's objects, as the administrator sees them.
        host_address: Where pods find what listens on all addresses of this machine.
        address: Where pods find the ports that `forward` was called for.
        nodes: The real nodes by their names, `node1` and `node2`.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        for name in ("configuration/registries", "logs"):
            (folder / name).mkdir(parents=True)
        self._namespaces = enclosure.Enclosure(folder)
        self._control_plane = control_plane.ControlPlane(self._namespaces, folder)
        self.host_address = f"{supervisor.build_subnet(self._namespaces.number, 0)}.1"
        self.address = self._control_plane.address
        self.kubeconfig = self.write_kubeconfig("admin", credentials.ADMINISTRATORS)
        self.objects = objects.Objects(self.kubeconfig)
        self.nodes: dict[str, node.Node] = {}
        self._forwards: dict[int, forwarding.Forward] = {}
        self._gpus: dict[str, int] = {}
        self._simulated = 0

    @property
    def server(self) -> str:
        """The address of its API server."""
        return self._control_plane.server

    @property
    def authority(self) -> bytes:
        """The certificate that the API server's own is signed by."""
        return (self.folder / "credentials" / "authority.crt").read_bytes()

    @classmethod
    def start(
        cls,
        folder: pathlib.Path,
        *,
        nodes: int = 1,
        kwok_nodes: int = 0,
        guard: Guard | None = None,
        provider: node.CredentialProvider | None = None,
    ) -> Cluster:
        """Starts a cluster, and waits until all its nodes are ready.

        Args:
            folder: Is made; settings and logs of all components stay in it.
            nodes: How many real nodes: 1 or 2.
            kwok_nodes: How many simulated ones, as of `add_simulated_nodes`.
            guard: Whom the API server asks about tokens that are not its own, and about the rights of who has them.
            provider: What logs nodes in to registries for which a pod has no pull secret.

        Raises:
            EnclosureError: A component did not start; the end of its log is in the text.
        """
        assert nodes in {1, 2}, f"{nodes} nodes; 1 and 2 are possible"
        cluster = cls(folder)
        try:
            if guard is not None:
                cluster.forward(guard.port)
                cluster._control_plane.trust(guard.url, guard.authority)
            for port in provider.ports if provider is not None else ():
                cluster.forward(port)
            cluster._start(nodes, provider)
            if kwok_nodes:
                cluster.add_simulated_nodes(kwok_nodes)
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def stop(self) -> None:
        """Ends everything, and removes all but settings and logs."""
        for forward in self._forwards.values():
            forward.close()
        self._forwards.clear()
        self.objects.close()
        self._namespaces.close()

    def write_kubeconfig(self, user: str, group: str = "") -> pathlib.Path:
        """Writes a kubeconfig for a user, who may do what a RoleBinding of the test's grants the user, or the group."""
        return self._control_plane.credentials.write_user(self.folder / f"{user}.kubeconfig", user, group)

    def write_service_account_kubeconfig(self, namespace: str, name: str) -> pathlib.Path:
        """Writes a kubeconfig with a token of a service account, good for an hour."""
        body = client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=_TOKEN_SECONDS)
        )
        api = client.CoreV1Api(self.objects.client)
        answer = api.create_namespaced_service_account_token(name, namespace, body)
        assert answer.status is not None
        file = self.folder / f"{namespace}-{name}.kubeconfig"
        return self._control_plane.credentials.write_token(file, name, str(answer.status.token), namespace)

    def forward(self, port: int) -> str:
        """Makes a port of this machine's 127.0.0.1 be the same port inside; gives the address that pods use.

        Nodes find it on their own 127.0.0.1, too: an image is pulled from a registry of this machine by the name by
        which it was pushed.
        """
        if port not in self._forwards:
            self._forwards[port] = forwarding.Forward(self._namespaces.listen(port), port)
        return f"{self.address}:{port}"

    def name_registry(self, name: str, url: str, authority: pathlib.Path | None = None) -> None:
        """Makes nodes pull images of the registry `name` from `url`, and trust its certificate's authority, if given.

        Pods' pull secrets name `name`.
        """
        folder = self.folder / "configuration" / "registries" / name
        folder.mkdir()
        lines = [f'[host."{url}"]', 'capabilities = ["pull", "resolve"]']
        if authority is not None:
            shutil.copyfile(authority, folder / "authority.crt")
            place = supervisor.FOLDER / "configuration" / "registries" / name / "authority.crt"
            lines.append(f'ca = "{place}"')
        (folder / "hosts.toml").write_text("\n".join([*lines, ""]))

    def load_image(self, archive: pathlib.Path) -> None:
        """Gives the images of an archive, as of `docker save`, to all real nodes."""
        place = self.folder / "state" / "image.tar"
        shutil.copyfile(archive, place)
        for each in self.nodes.values():
            self.run(each.build_ctr("images", "import", str(supervisor.STATE / place.name)))
        place.unlink()

    def run(self, argv: Sequence[str], *, seconds: float = 300) -> str:
        """Runs a program in the cluster's namespaces to its end; gives what it printed.

        Raises:
            EnclosureError: It failed.
        """
        process = self._namespaces.start(f"run-{time.monotonic_ns()}", list(argv))
        process.wait(seconds)
        said = process.log.read_text(errors="replace")
        process.log.unlink()
        if process.find_end() != 0:
            raise enclosure.EnclosureError(f"`{' '.join(argv)}` failed with exit code {process.find_end()}: {said}")
        return said

    def give_gpus(self, name: str, count: int) -> None:
        """Makes a node have GPUs for the scheduler; no device is in the containers that get them."""
        resources = {_GPUS: str(count)}
        self.objects.patch_status("v1", "Node", name, {"capacity": resources, "allocatable": resources})
        self._gpus[name] = count

    def evict(self, namespace: str, pod: str) -> None:
        """Evicts a pod through the Eviction API, as `kubectl drain` does: it gets the condition DisruptionTarget."""
        body = client.V1Eviction(metadata=client.V1ObjectMeta(name=pod, namespace=namespace))
        client.CoreV1Api(self.objects.client).create_namespaced_pod_eviction(pod, namespace, body)

    def kill_kubelet(self, name: str) -> None:
        """Kills a node's kubelet; its containers go on, and after 20 s the node is no longer ready."""
        self.nodes[name].kill_kubelet()

    def restart_kubelet(self, name: str) -> None:
        """Starts the kubelet of a node again, and waits until it has spoken; the node has its GPUs then."""
        before = self.objects.read("v1", "Node", name)
        assert before is not None
        last = _find_heartbeat(before)
        self.nodes[name].start_kubelet()
        self.objects.wait_for("v1", "Node", name, lambda node: _find_heartbeat(node) != last)
        self._wait_ready(name)
        if name in self._gpus:  # a kubelet that starts forgets what no device plugin tells it
            self.give_gpus(name, self._gpus[name])

    def stop_apiserver(self) -> None:
        """Kills the API server; pods go on."""
        self._control_plane.stop_apiserver()

    def start_apiserver(self) -> None:
        """Starts the API server again, at the same address with the same objects, and waits until it is ready."""
        self._control_plane.start_apiserver()

    def add_simulated_nodes(self, count: int) -> None:
        """Adds nodes of 96 cores, 1 TiB and 8 GPUs, on which each pod of a Job ends well at once, and waits for them.

        They are for pods that have `simulation.TOLERATION` and `simulation.NODE_SELECTOR`.
        """
        if not self._simulated:
            simulation.write_configuration(self.folder / "configuration")
            self._namespaces.start("simulation", simulation.build_kwok(self.address))
        added = [simulation.build_node(self._simulated + place) for place in range(1, count + 1)]
        self._simulated += count
        for each in added:
            self.objects.apply(each)
        for each in added:
            self._wait_ready(each["metadata"]["name"])

    def _start(self, count: int, provider: node.CredentialProvider | None) -> None:
        self._control_plane.start_store()
        for place in range(1, count + 1):
            made = node.Node(self._namespaces, self._control_plane.credentials, self.folder, place, provider)
            self.nodes[made.name] = made
            made.start_containerd()
        self._control_plane.start_apiserver()
        self._control_plane.start_controllers()
        for each in self.nodes.values():
            assert each.containerd is not None
            control_plane.wait_until(functools.partial(self._has_runtime, each), each.containerd)
        self._load_pause()
        for each in self.nodes.values():
            each.start_kubelet()
        for name in self.nodes:
            self._wait_ready(name)
        self._control_plane.start_network()
        self.objects.wait_for("v1", "ServiceAccount", "default", bool, namespace="default")

    def _has_runtime(self, each: node.Node) -> bool:
        try:
            self.run(each.build_ctr("version"), seconds=10)
        except enclosure.EnclosureError:
            return False
        return True

    def _load_pause(self) -> None:
        program = shutil.which("pause")
        assert program is not None, "the program pause is not on PATH: run `make cluster`"
        archive = self.folder / "state" / "pause.tar"
        images.write_image(archive, node.PAUSE_IMAGE, {"/pause": pathlib.Path(program)}, entrypoint=("/pause",))
        self.load_image(archive)

    def _wait_ready(self, name: str) -> None:
        try:
            self.objects.wait_for("v1", "Node", name, is_ready, seconds=control_plane.START_SECONDS)
        except TimeoutError as error:
            kubelet = self.nodes[name].kubelet if name in self.nodes else None
            raise enclosure.EnclosureError(f"{error}\n{kubelet.quote_log() if kubelet else ''}") from error


def is_ready(thing: objects.Object) -> bool:
    """Whether a node or a pod has the condition Ready."""
    return has_condition(thing, "Ready")


def has_condition(thing: objects.Object, name: str) -> bool:
    """Whether an object has a condition, as a Job has `Complete` or `Failed`."""
    found = thing.get("status", {}).get("conditions", [])
    return any(each["type"] == name and each["status"] == "True" for each in found)


def _find_heartbeat(thing: objects.Object) -> str:
    """When a node's kubelet last spoke of the node's condition."""
    return next(str(each["lastHeartbeatTime"]) for each in thing["status"]["conditions"] if each["type"] == "Ready")
