"""One scene per backend: how to make a run that prints, fails, lasts or logs metrics there."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shlex
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from aml_infra import source
from aml_infra.backends import fake
from aml_infra.backends.base import Backend, Record, RunState
from aml_infra.backends.docker import DockerBackend
from aml_infra.backends.records import RecordStore
from aml_infra.source import Snapshot
from aml_infra.spec import RunSpec
from tests.api_faults import Fault, Faults
from tests.contract import kubernetes_place, learning_place
from tests.contract.kubernetes_place import KubernetesPlace
from tests.contract.learning_place import LOG_METRICS, PYTHON_IMAGE, LearningPlace
from tests.docker_daemon import find_socket, open_docker
from tests.fault_proxy import FaultProxy
from tests.kubernetes import trainer

SERVICES = ("docker", "azureml", "kubernetes")
BACKENDS = ("fake", *SERVICES)
BREAKS = 3
"""How often a connection is cut where a scene's are."""


@dataclasses.dataclass
class Scene:
    """A backend, a spec that it can run, and its source.

    Attributes:
        kind: which backend.
        folder: for all that the scene needs.
        lines: what each worker prints.
        exit_codes: of the first attempt, the second and so on.
        lasting: whether it goes on until it is stopped.
        metrics: what it logs with MLflow.
        changes: of the spec.
        learning: the workspace of Azure Machine Learning, where it is in one.
        cluster: the namespace of Kubernetes, likewise.
        backend: one client of the service; ``open_another`` gives a second one.
        spec: a run named for this test only.
        snapshot: its source.
    """

    kind: str
    folder: pathlib.Path
    lines: Sequence[str] = ("one", "two")
    exit_codes: Sequence[int] = (0,)
    lasting: bool = False
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    learning: LearningPlace | None = None
    cluster: KubernetesPlace | None = None

    @property
    def service(self) -> LearningPlace | KubernetesPlace | None:
        """What keeps all that there is of a run, where it is not this machine."""
        return self.learning or self.cluster

    def __post_init__(self) -> None:
        self.source = self.folder / "src"
        self.source.mkdir()
        self.script = fake.Script(
            lines=tuple(self.lines),
            exit_codes=tuple(self.exit_codes),
            running=tuple(range(1, 10)) if self.lasting else (),
            metrics=self.metrics,
            outputs={"result.txt": "content\n", **{f"{name}/weights": "1 2\n" for name in self._list_outputs()}},
        )
        (self.source / "train.sh").write_text(self._build_script())
        if self.metrics and self.learning is None:
            write_tracking_store(self.source / "mlruns.tar", self.metrics)
        self.snapshot: Snapshot = source.take_snapshot(self.source)
        self.spec = dataclasses.replace(
            RunSpec(
                name=f"c{uuid.uuid4().hex[:8]}",
                source_digest=self.snapshot.digest,
                command=("sh", "train.sh"),
                image=self._find_image(),
                image_identity=f"sha256:{'1' * 64}",
            ),
            **self.changes,
        )
        self.backend = self.open_another()

    def _find_image(self) -> str:
        if self.cluster is not None:
            return self.cluster.image
        return PYTHON_IMAGE if self.metrics and self.learning is not None else "debian:bookworm-slim"

    def _list_outputs(self) -> Sequence[str]:
        """Names of the outputs that have one."""
        return sorted(self.changes.get("outputs", ()))

    def _build_script(self) -> str:
        """What the fake's script is to it, for a backend that runs something."""
        printing = "".join(f"echo {line}\n" for line in self.lines)
        codes = " ".join(str(code) for code in self.exit_codes)
        logging = "tar -xf mlruns.tar -C ${MLFLOW_TRACKING_URI#file://}\n" if self.metrics else ""
        if self.metrics and self.learning is not None:
            metrics = json.dumps([{"key": key, "value": value} for key, value in self.metrics.items()])
            logging = f"python3 -c {shlex.quote(LOG_METRICS)} {shlex.quote(metrics)}\n"
        lasting = "while :; do sleep 0.1; done\n" if self.lasting else ""
        writing = "".join(f'echo 1 2 > "$AML_INFRA_OUTPUT_{name}/weights"\n' for name in self._list_outputs())
        return (
            f"{printing}echo content > outputs/result.txt\n{writing}{logging}{lasting}"
            f"set -- {codes}\nshift $((AML_INFRA_ATTEMPT - 1))\nexit $1\n"
        )

    def write_script(self, text: str) -> None:
        """Makes ``text`` the training, for a backend that runs something."""
        (self.source / "train.sh").write_text(text)
        self.take_snapshot()

    def take_snapshot(self) -> None:
        """Makes what is in the source now what is run."""
        self.snapshot = source.take_snapshot(self.source)
        self.spec = dataclasses.replace(self.spec, source_digest=self.snapshot.digest)

    def open_another(self, **script: Any) -> Backend:
        """Another client of the same service, as another process has; ``script`` is what is different to a fake one."""
        if self.service is not None:
            return self.service.open_backend()
        records = RecordStore(self.folder / "data")
        if self.kind == "docker":
            return DockerBackend(records)
        return fake.FakeBackend(records, dataclasses.replace(self.script, **script))

    def submit(self, attempt: int = 1) -> RunState:
        """Submits an attempt, and gives its state."""
        self.backend.submit(self.spec, attempt, self.snapshot)
        return self.describe()

    def submit_through(self, backend: Backend) -> RunState:
        """Submits the first attempt by another client."""
        backend.submit(self.spec, 1, self.snapshot)
        return self.describe()

    def describe(self) -> RunState:
        """The newest attempt, which there must be."""
        state = self.backend.describe(self.spec.run_id)
        assert state is not None
        return state

    def run_to_end(self, attempt: int = 1) -> list[str]:
        """Submits an attempt and gives its log."""
        self.submit(attempt)
        return self.follow()

    def follow(self) -> list[str]:
        """The log of the newest attempt, to its end."""
        return list(self.backend.follow(self.describe()))

    def read_log(self, record: Record) -> str:
        """The whole log of a run that was collected."""
        if self.service is not None:
            return self.service.read_log(record)
        return pathlib.Path(record.log_path).read_text(encoding="utf-8")

    def read_output(self, record: Record, name: str) -> str:
        """A file that a run which was collected has written to its outputs."""
        if self.service is not None:
            return self.service.read_output(record, name)
        return (pathlib.Path(record.outputs_path) / name).read_text(encoding="utf-8")

    def read_named_output(self, record: Record, output: str, name: str) -> str:
        """A file in an output that has a name."""
        path = record.output_paths[output]
        if self.service is not None:
            return self.service.read_uri(path, name)
        return (pathlib.Path(path) / name).read_text(encoding="utf-8")

    def lose_machine(self) -> None:
        """Ends the run from outside, as a machine does that fails."""
        if self.service is not None:
            self.service.lose_machine(self.spec.run_id)
        elif self.kind == "docker":
            open_docker().kill(self.spec.run_id, "SIGKILL")
        else:
            self.backend = self.open_another(running=(), lost=(1,))


class Stage:
    """Makes scenes on one kind of backend."""

    def __init__(
        self,
        kind: str,
        folder: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        learning: LearningPlace | None = None,
        cluster: KubernetesPlace | None = None,
    ) -> None:
        self.kind = kind
        self.learning = learning
        self.cluster = cluster
        self.service: LearningPlace | KubernetesPlace | None = learning or cluster
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._is_closed = False
        self.scenes: list[Scene] = []
        self.proxies: list[FaultProxy] = []
        # MLflow 3 asks to be told that its file store is wanted.
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        if kind == "docker":
            # Before a test takes the daemon away: its client serves to clean up too.
            open_docker()
        self._socket = find_socket()
        if self.service is not None:
            self.service.aim(monkeypatch)

    def __call__(
        self,
        *,
        lines: Sequence[str] = ("one", "two"),
        exit_codes: Sequence[int] = (0,),
        lasting: bool = False,
        metrics: Mapping[str, float] | None = None,
        **changes: Any,
    ) -> Scene:
        """A scene of its own run; ``changes`` are of its spec."""
        folder = self._folder / f"scene{len(self.scenes)}"
        folder.mkdir()
        scene = Scene(
            self.kind, folder, lines, exit_codes, lasting, metrics or {}, changes, self.learning, self.cluster
        )
        self.scenes.append(scene)
        return scene

    def cut_connections(self, scene: Scene) -> Fault | None:
        """From now on the first connections that a log is read over are cut in the middle of it.

        Returns:
            What counts them; nothing does so of a fake one.
        """
        if self.kind == "fake":
            scene.backend = scene.open_another(breaks=BREAKS)
            return None
        path, host = {
            "docker": ("/logs\\?", ""),
            "kubernetes": ("/exec\\?", ""),
            "azureml": ("user_logs/", r".*\.blob\.core\.windows\.net"),
        }[self.kind]
        return self.open_faults(scene).add(Fault("cut", path, "GET", times=BREAKS, host=host))

    def open_faults(self, scene: Scene) -> Faults:
        """What goes wrong from now on between the scene's backend and its service."""
        if self.learning is not None:
            return self.learning.azure.cloud.faults
        if self.cluster is not None:
            proxy = self.cluster.open_proxy()
            scene.backend = self.cluster.open_backend_behind(proxy, scene.folder)
        else:
            proxy = FaultProxy(str(self._folder / f"proxy{len(self.proxies)}.sock"), self._socket)
            self._monkeypatch.setenv("DOCKER_HOST", f"unix://{proxy.address}")
        self.proxies.append(proxy)
        return proxy.faults

    def count_runs(self, scene: Scene, *, going: bool = False) -> int:
        """How many the service has for the scene's run, whatever their names; only those that go on if so asked."""
        run_id = scene.spec.run_id
        if self.service is not None:
            return self.service.count_runs(run_id, going=going)
        return len(open_docker().containers(all=not going, filters={"label": f"aml-infra.run={run_id}"}))

    def close_service(self) -> None:
        """From now on the service cannot be reached."""
        self._monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        if self.cluster is not None:
            self.cluster.cluster.stop_apiserver()
            self._is_closed = True
        else:
            self._monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    def clean(self) -> None:
        """Removes what the scenes have made."""
        for proxy in self.proxies:
            proxy.close()
        if self.cluster is not None and self._is_closed:
            self.cluster.cluster.start_apiserver()
        if self.service is not None:
            self.service.clean()
        if self.kind != "docker":
            return
        client = open_docker()
        for scene in self.scenes:
            for container in client.containers(all=True):
                label = container["Labels"].get("aml-infra.run", "")
                if label == scene.spec.run_id or any(scene.spec.run_id in name for name in container["Names"]):
                    client.remove_container(container["Id"], force=True, v=True)
            for network in client.networks(filters={"label": f"aml-infra.run={scene.spec.run_id}"}):
                client.remove_network(network["Id"])


@pytest.fixture(scope="session")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LearningPlace]:
    """One workspace for all, as its services take seconds to start; runs have names of their own."""
    with learning_place.open_place(tmp_path_factory.mktemp("azure")) as place:
        yield place


@pytest.fixture(scope="session")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesPlace]:
    """One namespace for all, likewise."""
    with kubernetes_place.open_place(tmp_path_factory.mktemp("kubernetes") / "place") as place:
        yield place


@pytest.fixture(scope="session")
def trainer_namespace(namespace: KubernetesPlace) -> KubernetesPlace:
    """The same namespace, where runs are TrainJobs."""
    trainer.install(namespace.cluster)
    return dataclasses.replace(namespace, runtime=trainer.RUNTIME)


@pytest.fixture(params=BACKENDS)
def stage(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on every backend by name; what it made is gone afterwards."""
    yield from make_stage(request, tmp_path, monkeypatch)


def make_stage(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A stage on the backend that ``request`` has as its parameter; what it made is gone when it is asked for more."""
    learning = request.getfixturevalue("learning") if request.param == "azureml" else None
    cluster = request.getfixturevalue("namespace") if request.param == "kubernetes" else None
    stage = Stage(request.param, tmp_path, monkeypatch, learning, cluster)
    yield stage
    stage.clean()


@pytest.fixture(params=SERVICES)
def service_stage(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A stage on every backend that asks a service."""
    yield from make_stage(request, tmp_path, monkeypatch)


@pytest.fixture
def azureml_stage(learning: LearningPlace, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on Azure Machine Learning, for what is particular to it."""
    stage = Stage("azureml", tmp_path, monkeypatch, learning)
    yield stage
    stage.clean()


@pytest.fixture
def kubernetes_stage(
    namespace: KubernetesPlace, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A stage on Kubernetes, for what is particular to it."""
    stage = Stage("kubernetes", tmp_path, monkeypatch, cluster=namespace)
    yield stage
    stage.clean()


@pytest.fixture
def trainer_stage(
    trainer_namespace: KubernetesPlace, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A stage on Kubernetes with Kubeflow Trainer, for what is particular to it."""
    stage = Stage("kubernetes", tmp_path, monkeypatch, cluster=trainer_namespace)
    yield stage
    stage.clean()


@pytest.fixture
def docker_stage(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on Docker, for what is particular to it."""
    stage = Stage("docker", tmp_path, monkeypatch)
    yield stage
    stage.clean()


def write_tracking_store(archive: pathlib.Path, metrics: Mapping[str, float]) -> None:
    """Makes an archive of MLflow's file store, empty folders and all, with one run that has logged ``metrics``."""
    from mlflow import MlflowClient

    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive, "w") as tar:
        client = MlflowClient(tracking_uri=pathlib.Path(folder).as_uri())
        run = client.create_run(client.create_experiment("contract"))
        for name, value in metrics.items():
            client.log_metric(run.info.run_id, name, value)
        client.set_terminated(run.info.run_id)
        tar.add(folder, ".")
