"""Two `up` at the same time are one run, on each backend: of two stacks, and of one stack from two machines."""

from __future__ import annotations

import contextlib
import pathlib
import uuid
from collections.abc import Iterator

import pytest

from tests.faults.docker_place import DockerPlace
from tests.faults.grounds import Grounds, open_grounds
from tests.faults.places import COMPLETED, Place
from tests.faults.schedules import BACKENDS
from tests.integration.projects import Project, read_until

WAITING_SCRIPT = "echo started\nuntil [ -e outputs/go ]; do sleep 0.1; done\necho finished\n"


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """The services, each started when it is first needed."""
    with open_grounds(tmp_path_factory.mktemp("grounds")) as opened:
        yield opened


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest, grounds: Grounds, tmp_path: pathlib.Path) -> Iterator[Place]:
    """Each backend; two machines have a Docker daemon and the records of its runs in common, if they have anything."""
    if request.param != "docker":
        yield grounds.open(request.param)
        return
    with contextlib.closing(DockerPlace(tmp_path / "data")) as made:
        yield made


@pytest.fixture
def clones(place: Place, tmp_path: pathlib.Path) -> Iterator[tuple[Project, Project]]:
    """Two projects with the same training, each in a folder and with a state of its own."""
    name = f"t{uuid.uuid4().hex[:8]}"
    made = (make_clone(place, tmp_path / "first", name), make_clone(place, tmp_path / "second", name))
    yield made
    place.clean(name)


def make_clone(place: Place, folder: pathlib.Path, name: str) -> Project:
    """A project without a stack."""
    clone = Project(folder, name, folder / "data")
    clone.environment.update(place.environment)
    clone.write_script(WAITING_SCRIPT)
    clone.write_args(**place.build_args(), triggers={"test": name})
    return clone


def test_two_stacks_train_once(place: Place, clones: tuple[Project, Project]) -> None:
    """One submits, the other joins; both show the log and succeed."""
    for clone in clones:
        clone.make_stack()

    processes = [clone.start_up() for clone in clones]
    for process in processes:
        read_until(process, "started")
    place.let_go(clones[0].name)
    outputs = [process.communicate(timeout=600)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    assert all("finished" in output for output in outputs)
    assert [each.status for each in place.list_attempts(clones[0].name)] == [COMPLETED]
    assert clones[0].outputs()["run_id"] == clones[1].outputs()["run_id"]


def test_one_stack_from_two_machines_trains_once(place: Place, clones: tuple[Project, Project]) -> None:
    """The second is told who holds the lock, and changes nothing; when the first is done, it has nothing to do."""
    first, second = clones
    second.environment["PULUMI_BACKEND_URL"] = first.environment["PULUMI_BACKEND_URL"]
    first.pulumi("stack", "init", "test")
    second.pulumi("stack", "select", "test")

    process = first.start_up()
    read_until(process, "started")
    refused = second.up(fails=True)
    place.let_go(first.name)
    output, _ = process.communicate(timeout=600)
    again = second.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")

    assert "the stack is currently locked by 1 lock(s)" in refused
    assert process.returncode == 0, output
    assert "2 unchanged" in again
    assert [each.status for each in place.list_attempts(first.name)] == [COMPLETED]
