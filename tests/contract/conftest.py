"""One scene per backend: how to make a run that prints, fails, lasts or logs metrics there."""

from __future__ import annotations

import dataclasses
import pathlib
import uuid
from collections.abc import Iterator, Sequence

import pytest

from aml_infra import source
from aml_infra.backends import fake
from aml_infra.backends.base import Backend
from aml_infra.backends.docker import DockerBackend
from aml_infra.backends.records import RecordStore
from aml_infra.source import Snapshot
from aml_infra.spec import RunSpec
from tests.docker_daemon import open_docker


@dataclasses.dataclass
class Scene:
    """A backend, a spec that it can run, and its source.

    Attributes:
        backend: one client of the service; ``open_another`` gives a second one.
        spec: a run named for this test only.
        snapshot: its source.
    """

    kind: str
    folder: pathlib.Path
    lines: Sequence[str] = ("one", "two")
    exit_codes: Sequence[int] = (0,)
    lasting: bool = False

    def __post_init__(self) -> None:
        self.source = self.folder / "src"
        self.source.mkdir()
        printing = "".join(f"echo {line}\n" for line in self.lines)
        codes = " ".join(str(code) for code in self.exit_codes)
        lasting = "sleep 300\n" if self.lasting else ""
        (self.source / "train.sh").write_text(
            f"{printing}echo content > outputs/result.txt\n{lasting}"
            f"set -- {codes}\nshift $((AML_INFRA_ATTEMPT - 1))\nexit $1\n"
        )
        self.snapshot: Snapshot = source.take_snapshot(self.source)
        self.spec = RunSpec(
            name=f"c{uuid.uuid4().hex[:8]}",
            source_digest=self.snapshot.digest,
            command=("sh", "train.sh"),
            image="debian:bookworm-slim",
            image_identity="sha256:1",
        )
        self.backend = self.open_another()

    def open_another(self) -> Backend:
        """Another client of the same service, as another process has."""
        records = RecordStore(self.folder / "data")
        if self.kind == "docker":
            return DockerBackend(records)
        running = tuple(range(1, 10)) if self.lasting else ()
        return fake.FakeBackend(
            records, fake.Script(lines=tuple(self.lines), exit_codes=tuple(self.exit_codes), running=running)
        )

    def run_to_end(self, attempt: int = 1) -> list[str]:
        """Submits an attempt and gives its log."""
        self.backend.submit(self.spec, attempt, self.snapshot)
        return self.follow()

    def follow(self) -> list[str]:
        """The log of the newest attempt, to its end."""
        state = self.backend.describe(self.spec.run_id)
        assert state is not None
        return list(self.backend.follow(state))


class Stage:
    """Makes scenes on one kind of backend."""

    def __init__(self, kind: str, folder: pathlib.Path) -> None:
        self._kind = kind
        self._folder = folder
        self.scenes: list[Scene] = []

    def __call__(
        self, *, lines: Sequence[str] = ("one", "two"), exit_codes: Sequence[int] = (0,), lasting: bool = False
    ) -> Scene:
        """A scene of its own run."""
        folder = self._folder / f"scene{len(self.scenes)}"
        folder.mkdir()
        scene = Scene(self._kind, folder, lines, exit_codes, lasting)
        self.scenes.append(scene)
        return scene


@pytest.fixture(params=["fake", "docker"])
def stage(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Stage]:
    """A stage on every backend by name; what it made is gone afterwards."""
    stage = Stage(request.param, tmp_path)
    yield stage
    if request.param == "docker":
        client = open_docker()
        for scene in stage.scenes:
            label = f"aml-infra.run={scene.spec.run_id}"
            for container in client.containers(all=True, filters={"label": label}):
                client.remove_container(container["Id"], force=True, v=True)
