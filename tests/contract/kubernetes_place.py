"""A namespace of a real Kubernetes with a volume and a registry, for the contract of backends."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import pathlib
import socket
import ssl
import tempfile
import urllib.parse
from collections.abc import Iterator

import pytest
import trustme
import yaml

from aml_infra.backends import kubernetes_api, kubernetes_follower, kubernetes_workload
from aml_infra.backends.base import Record
from aml_infra.backends.kubernetes import KubernetesBackend
from aml_infra.backends.kubernetes_layout import Place
from tests.docker_daemon import open_docker
from tests.fault_proxy import FaultProxy
from tests.kubernetes.cluster import Cluster, Guard
from tests.kubernetes.node import CredentialProvider
from tests.local_registry import USER, LocalRegistry, open_registry

NAMESPACE = "runs"
CLAIM = "kept"
PULL_SECRET = "registry-login"  # noqa: S105 (a name)
PASSWORD = "sesame-open-2231"  # noqa: S105 (of a registry that lives as long as a test)
BASE = "debian:bookworm-slim"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubernetesPlace:
    """Where Jobs run.

    Attributes:
        cluster: the Kubernetes.
        registry: holds their images.
        kept: the folder that the volume is.
        image: one that has a shell.
        authority: whom the clients of a proxy trust.
        runtime: of Kubeflow Trainer, where runs are TrainJobs.
    """

    cluster: Cluster
    registry: LocalRegistry
    kept: pathlib.Path
    image: str
    authority: trustme.CA
    runtime: str = ""

    @property
    def place(self) -> Place:
        """What the backend is told."""
        return Place(namespace=NAMESPACE, claim=CLAIM, pull_secret=PULL_SECRET, runtime=self.runtime)

    def open_api(self, kubeconfig: pathlib.Path | None = None) -> kubernetes_api.KubernetesApi:
        """Another client of the API server, an administrator's unless a kubeconfig says otherwise."""
        path = kubeconfig or self.cluster.kubeconfig
        return kubernetes_api.open_api({"kubeconfig": str(path), "namespace": NAMESPACE})

    def write_docker_config(self, folder: pathlib.Path) -> pathlib.Path:
        """A folder with Docker's settings of somebody who has logged in to the registry."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.registry.address: {"auth": login}}}))
        return folder

    def open_backend(self) -> KubernetesBackend:
        """Another client of the service."""
        return KubernetesBackend(self.open_api(), self.place)

    def open_proxy(self) -> FaultProxy:
        """Stands before the API server, as an administrator; its clients need no login."""
        server, login = self._read_login()
        identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(identity)
        return FaultProxy(("127.0.0.1", 0), server, identity=identity, login=login)

    def _read_login(self) -> tuple[tuple[str, int], ssl.SSLContext]:
        """Where the API server is, and how an administrator comes to it."""
        content = yaml.safe_load(self.cluster.kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        trusted = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=trusted)
        context.check_hostname = False
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"".join(base64.b64decode(user[f"client-{each}-data"]) for each in ("certificate", "key")))
            file.flush()
            context.load_cert_chain(file.name)
        server = urllib.parse.urlsplit(cluster["server"])
        return (str(server.hostname), int(server.port or 0)), context

    def open_backend_behind(self, proxy: FaultProxy, folder: pathlib.Path) -> KubernetesBackend:
        """A client that asks through a proxy."""
        path = folder / "kubeconfig"
        trusted = base64.b64encode(self.authority.cert_pem.bytes()).decode()
        server = {"server": f"https://127.0.0.1:{proxy.address[1]}", "certificate-authority-data": trusted}
        context = {"name": "proxy", "context": {"cluster": "proxy", "user": ""}}
        content = {"apiVersion": "v1", "kind": "Config", "current-context": "proxy", "users": []}
        path.write_text(
            json.dumps({**content, "clusters": [{"name": "proxy", "cluster": server}], "contexts": [context]})
        )
        return KubernetesBackend(self.open_api(path), self.place)

    def aim(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lets the clients in this process look often."""
        monkeypatch.setattr(kubernetes_follower, "LOOK_SECONDS", 0.5)

    def read_log(self, record: Record) -> str:
        """The log, or all of several workers, each line with its worker's rank."""
        found = self._locate(record.log_path)
        if found.is_file():
            return found.read_text()
        return "".join(
            f"[{each.parent.parent.name}] {line}"
            for each in sorted(found.glob("*/store/std_log.txt"))
            for line in each.read_text().splitlines(keepends=True)
        )

    def read_output(self, record: Record, name: str) -> str:
        """A file in the outputs of a run."""
        return self.read_uri(record.outputs_path, name)

    def read_uri(self, uri: str, name: str) -> str:
        """A file in a folder of the volume, by the folder's URI."""
        return (self._locate(uri) / name).read_text()

    def _locate(self, uri: str) -> pathlib.Path:
        return self.kept / uri.removeprefix(f"pvc://{CLAIM}/")

    def count_blobs(self) -> int:
        """How many blobs and manifests the registry has."""
        return len(list((self.kept.parent / "registry").rglob("blobs/sha256/*/*")))

    def make_volume(self, name: str) -> pathlib.Path:
        """A volume for the one claim of the class ``name``; gives its folder."""
        folder = self.kept.parent / name
        _make_volume(self.cluster, name, folder)
        return folder

    def remove_namespace(self, name: str) -> None:
        """Removes a namespace with all that is in it, and the volume of its name, soon."""
        for kind in ("Namespace", "PersistentVolume"):
            self.cluster.objects.delete("v1", kind, name)

    def lose_machine(self, name: str) -> None:
        """Kills the container of a run, as a machine does that is switched off."""
        (pod,) = self.cluster.objects.list_all("v1", "Pod", NAMESPACE, labels=f"aml-infra.run={name}")
        container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
        node = self.cluster.nodes[pod["spec"]["nodeName"]]
        self.cluster.run(node.build_ctr("tasks", "kill", "--all", "--signal", "SIGKILL", container))

    def count_runs(self, run_id: str, *, going: bool) -> int:
        """How many there are of a run: ConfigMaps or Jobs, whichever are more; of those that go on, pods."""
        api, selector = self.open_api(), f"aml-infra.run={run_id}"
        if going:
            return len(api.list("v1/pods", selector, field_selector="status.phase=Running"))
        return max(len(api.list(kind, selector)) for kind in ("v1/configmaps", "batch/v1/jobs"))

    def clean(self) -> None:
        """Ends the runs that go on still."""
        api = self.open_api()
        kinds = ["batch/v1/jobs", "v1/pods", "v1/secrets", "v1/configmaps"]
        for kind in [*([kubernetes_workload.TRAIN_JOBS] if self.runtime else []), *kinds]:
            for each in api.list(kind, "aml-infra.run"):
                api.delete(kind, each["metadata"]["name"])


@contextlib.contextmanager
def open_place(
    folder: pathlib.Path, guard: Guard | None = None, provider: CredentialProvider | None = None
) -> Iterator[KubernetesPlace]:
    """A cluster of one node with one namespace, in which pods must be restricted; the rest is as of ``Cluster``."""
    folder.mkdir()
    (folder / "registry").mkdir()
    kept = folder / "kept"
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(open_registry(folder / "registry", PASSWORD, _find_port()))
        cluster = Cluster.start(folder / "cluster", guard=guard, provider=provider)
        stack.callback(cluster.stop)
        cluster.forward(int(registry.address.rpartition(":")[2]))
        _make_namespace(cluster, registry, kept)
        yield KubernetesPlace(
            cluster=cluster,
            registry=registry,
            kept=kept,
            image=_push_base(registry),
            authority=trustme.CA(),
        )


def _make_namespace(cluster: Cluster, registry: LocalRegistry, kept: pathlib.Path) -> None:
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    size = {"requests": {"storage": "1Gi"}}
    objects = cluster.objects
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    _make_volume(cluster, CLAIM, kept)
    objects.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": NAMESPACE},
            "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": CLAIM, "resources": size},
        }
    )
    objects.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": PULL_SECRET, "namespace": NAMESPACE},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json.dumps({"auths": {registry.address: {"auth": login}}})},
        }
    )


def _make_volume(cluster: Cluster, name: str, folder: pathlib.Path) -> None:
    folder.mkdir()
    # Whoever pods run as can write, as to a volume that takes an owner.
    folder.chmod(0o777)
    cluster.objects.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany"],
                "storageClassName": name,
                "hostPath": {"path": str(folder)},
            },
        }
    )


def _push_base(registry: LocalRegistry) -> str:
    """Puts the image into the registry; gives its reference, by digest."""
    client = open_docker()
    name = f"{registry.address}/base"
    client.tag(BASE, name, "1")
    login = {"username": USER, "password": PASSWORD}
    said = list(client.push(name, "1", stream=True, decode=True, auth_config=login))
    client.remove_image(f"{name}:1")
    assert not [line for line in said if "error" in line], said
    digest = registry.find_digest("base", "1")
    return f"{name}@{digest}"


def _find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
