"""A real Kubernetes on this machine, for as long as a test session lasts.

It is etcd, the API server, the controller manager, the scheduler, and one or two nodes with a kubelet on containerd, in
namespaces of their own: two clusters at a time, of two test processes or two checkouts, do not see one another, and
nothing of a cluster outlives its test process.

Limits: nobody enforces a NetworkPolicy; nodes share one network namespace, and so the ports of pods in the host's
network; pods reach this machine, and nothing beyond it.
"""

from __future__ import annotations

import functools
import pathlib
import shutil
import time
from collections.abc import Callable, Sequence

import requests

from tests.kubernetes import components, credentials, enclosure, images, node, objects, supervisor

_START_SECONDS = 60
_POLL_SECONDS = 0.05


class Cluster:
    """One cluster; `Cluster.start(folder)` makes it, `stop` ends it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.enclosure = enclosure.Enclosure(folder)
        self.nodes: list[node.Node] = []
        link = supervisor.build_subnet(self.enclosure.number, 0)
        self.host_address = f"{link}.1"
        """Where pods, and nodes, find what listens on all addresses of this machine."""
        self.address = f"{link}.2"
        """Where this machine, and pods, find what listens in the network of the nodes."""
        self.server = f"https://{self.address}:{components.API_PORT}"
        self.kubeconfig = folder / "kubeconfig"
        """The kubeconfig of an administrator; it is good on this machine, and in pods."""
        self._processes: list[enclosure.Process] = []

    @classmethod
    def start(cls, folder: pathlib.Path, *, nodes: int = 1) -> Cluster:
        """Starts a cluster with so many nodes, and waits until each is ready.

        Args:
            folder: Is made; logs of all components stay in it.
            nodes: 1 or 2.

        Raises:
            EnclosureError: a component did not start; the end of its log is in the text.
        """
        folder.mkdir(parents=True)
        cluster = cls(folder)
        try:
            cluster._start(nodes)
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def stop(self) -> None:
        """Ends everything, and removes all but settings and logs; may be called again."""
        if hasattr(self, "objects"):
            self.objects.close()
        self.enclosure.close()

    def load_image(self, archive: pathlib.Path) -> None:
        """Gives the images of an archive, as of `docker save`, to all nodes."""
        place = self.folder / "state" / "image.tar"
        shutil.copyfile(archive, place)
        inside = str(supervisor.STATE / "image.tar")
        for each in self.nodes:
            self.run(each.build_ctr("images", "import", "--no-unpack", inside))
        place.unlink()

    def run(self, argv: Sequence[str], *, seconds: float = 300) -> str:
        """Runs a program in the cluster's namespaces to its end; gives what it printed.

        Raises:
            EnclosureError: it failed.
        """
        name = f"run-{time.monotonic_ns()}"
        process = self.enclosure.start(name, list(argv))
        process.wait(seconds)
        said = process.log.read_text(errors="replace")
        process.log.unlink()
        if process.find_end() != 0:
            raise enclosure.EnclosureError(f"`{' '.join(argv)}` failed with exit code {process.find_end()}: {said}")
        return said

    def _start(self, nodes: int) -> None:
        self._write_credentials(nodes)
        self._start_control_plane()
        self._start_nodes(nodes)

    def _write_credentials(self, nodes: int) -> None:
        link, services = (supervisor.build_subnet(self.enclosure.number, part) for part in (0, 3))
        made = credentials.Credentials(self.folder / "credentials", self.server)
        self.credentials = made
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        made.issue("apiserver", "127.0.0.1", self.address, f"{services}.1", *names, group=credentials.ADMINISTRATORS)
        for name in ("controller-manager", "scheduler"):
            made.write_user(self.folder / "credentials" / f"{name}.kubeconfig", f"system:kube-{name}")
        for place in range(1, nodes + 1):
            name, user = f"node{place}", f"system:node:node{place}"
            made.issue(name, name, f"{link}.{place + 1}")
            made.write_user(self.folder / "credentials" / f"{name}.kubeconfig", user, "system:nodes")
        made.write_user(self.kubeconfig, "admin", credentials.ADMINISTRATORS)

    def _start_control_plane(self) -> None:
        self.etcd = self.enclosure.start("etcd", components.build_etcd())
        self.start_apiserver()
        self.objects = objects.Objects(self.kubeconfig)
        for name, argv in (
            ("controller-manager", components.build_controller_manager()),
            ("scheduler", components.build_scheduler()),
        ):
            self._processes.append(self.enclosure.start(name, argv))

    def start_apiserver(self) -> None:
        """Starts the API server, and waits until it is ready."""
        services = supervisor.build_subnet(self.enclosure.number, 3)
        argv = components.build_apiserver(self.address, f"{services}.0/24")
        self.apiserver = self.enclosure.start("apiserver", argv)
        self._wait_until(self._answers, self.apiserver)

    def _answers(self) -> bool:
        keys = self.folder / "credentials"
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(
                    f"{self.server}/readyz", verify=str(keys / "authority.crt"), timeout=5,
                    cert=(str(keys / "apiserver.crt"), str(keys / "apiserver.key")),
                )  # fmt: skip
        except (requests.ConnectionError, requests.Timeout):
            return False
        return answer.ok

    def _has_runtime(self, each: node.Node) -> bool:
        try:
            self.run(each.build_ctr("version"), seconds=10)
        except enclosure.EnclosureError:
            return False
        return True

    def _start_nodes(self, count: int) -> None:
        link = supervisor.build_subnet(self.enclosure.number, 0)
        (self.folder / "configuration" / "registries").mkdir(parents=True)
        pause = self.folder / "state" / "pause.tar"
        program = shutil.which("pause")
        assert program is not None, "the program pause is not on PATH: run `make cluster`"
        images.write_image(pause, node.PAUSE_IMAGE, {"/pause": pathlib.Path(program)}, entrypoint=("/pause",))
        for place in range(1, count + 1):
            made = node.Node(self.enclosure, self.folder, place, f"{link}.{place + 1}")
            self.nodes.append(made)
            made.start_containerd()
        for each in self.nodes:
            assert each.containerd is not None
            self._wait_until(functools.partial(self._has_runtime, each), each.containerd)
        self.load_image(pause)
        for each in self.nodes:
            each.start_kubelet()
        for each in self.nodes:
            self.wait_ready(each)

    def _wait_until(self, answers: Callable[[], bool], process: enclosure.Process) -> None:
        """Asks a process until it answers, or has ended."""
        deadline = time.monotonic() + _START_SECONDS
        while not answers():
            ended = self.enclosure.wait(lambda: process.find_end() is not None, _POLL_SECONDS)
            if ended or time.monotonic() > deadline:
                words = "ended" if ended else f"does not answer in {_START_SECONDS} s"
                raise enclosure.EnclosureError(f"{process.name} {words}; {process.quote_log()}")

    def wait_ready(self, each: node.Node) -> None:
        """Waits until a node's kubelet says that the node is ready."""
        try:
            self.objects.wait_for("v1", "Node", each.name, is_ready, seconds=_START_SECONDS)
        except TimeoutError as error:
            assert each.kubelet is not None
            raise enclosure.EnclosureError(f"{error}\n{each.kubelet.quote_log()}") from error


def is_ready(thing: objects.Object) -> bool:
    """Whether a node or a pod has the condition Ready."""
    return has_condition(thing, "Ready")


def has_condition(thing: objects.Object, name: str) -> bool:
    """Whether an object has a condition, as a Job has `Complete` or `Failed`."""
    found = thing.get("status", {}).get("conditions", [])
    return any(each["type"] == name and each["status"] == "True" for each in found)
