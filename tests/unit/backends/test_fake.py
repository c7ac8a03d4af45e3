from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from aml_infra import source
from aml_infra.backends import fake
from aml_infra.backends.base import AlreadySubmitted, RunGone, RunState, Status
from aml_infra.backends.fake import FakeBackend, Script
from aml_infra.backends.records import RecordStore
from aml_infra.errors import BackendUnavailable, InvalidInput, RunNotSubmitted, SourceChanged
from aml_infra.spec import Demand, Resources, RunInput, RunSpec


class Stage:
    """A source, some data, and the fake with a script."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.source = folder / "src"
        self.source.mkdir()
        (self.source / "train.py").write_text("x")
        self.data = folder / "pets"
        self.data.mkdir()
        (self.data / "cat.jpg").write_text("cat")
        self.records = RecordStore(folder / "data")
        self.snapshot = source.take_snapshot(self.source)
        self.spec = RunSpec(
            name="train",
            source_digest=self.snapshot.digest,
            command=("python", "train.py"),
            image="image:1",
            image_identity="sha256:1",
            inputs={
                "pets": RunInput(path=str(self.data), version=source.take_data_snapshot(self.data).digest),
                "labels": RunInput(path="s3://bucket/labels.csv", version="3"),
            },
        )

    def open(self, **script: Any) -> FakeBackend:
        """A client of the one service."""
        return FakeBackend(self.records, Script(**script))

    def submit(self, backend: FakeBackend, attempt: int = 1) -> RunState:
        """Submits an attempt and gives its state."""
        backend.submit(self.spec, attempt, self.snapshot)
        state = backend.describe(self.spec.run_id)
        assert state is not None
        return state


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Stage:
    """A stage on which nothing was run yet."""
    return Stage(tmp_path)


def test_attempts_end_as_the_script_says(stage: Stage) -> None:
    """The codes attempt by attempt; the last one stays. Each attempt follows on the record of the one before."""
    backend = stage.open(exit_codes=(3, 0), lost=(2,))
    ends = []
    for attempt in (1, 2, 3):
        state = stage.submit(backend, attempt)
        backend.collect(state)
        ends.append((state.attempt, state.status, state.exit_code))

    assert ends == [(1, Status.FAILED, 3), (2, Status.NOT_RESPONDING, None), (3, Status.COMPLETED, 0)]


@pytest.mark.parametrize("attempt", [2, 3])
def test_an_attempt_that_does_not_follow_is_refused(stage: Stage, attempt: int) -> None:
    """A lifecycle that miscounts is found out."""
    backend = stage.open()

    with pytest.raises(RunNotSubmitted, match=f"attempt {attempt} does not follow on attempt 0"):
        backend.submit(stage.spec, attempt, stage.snapshot)

    assert backend.describe(stage.spec.run_id) is None


def test_an_attempt_is_submitted_once(stage: Stage) -> None:
    """Whether or not it was collected, and by whomever."""
    stage.submit(stage.open())
    with pytest.raises(AlreadySubmitted):
        stage.submit(stage.open())

    backend = stage.open()
    state = backend.describe(stage.spec.run_id)
    assert state is not None
    backend.collect(state)
    backend.remove(stage.spec.run_id)
    with pytest.raises(AlreadySubmitted):
        stage.submit(stage.open())


def test_a_source_that_changed_is_refused(stage: Stage) -> None:
    """As by a real service, which would be shipped something else."""
    (stage.source / "train.py").write_text("y")

    with pytest.raises(SourceChanged, match="src"):
        stage.submit(stage.open())


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_an_input_that_changed_is_refused(stage: Stage, change: str) -> None:
    """By its name and path; nothing is submitted."""
    if change == "edit":
        (stage.data / "cat.jpg").write_text("dog!")
    else:
        (stage.data / "cat.jpg").unlink()
        stage.data.rmdir()
    backend = stage.open()

    with pytest.raises(SourceChanged, match=r"inputs\['pets'\]: .*pets' changed while `pulumi up` ran"):
        stage.submit(backend)

    assert backend.describe(stage.spec.run_id) is None


def test_an_image_that_is_not_known_is_refused(stage: Stage) -> None:
    """With those there are; any is known where the script does not say."""
    backend = stage.open(images={"debian:12": "sha256:d"})

    with pytest.raises(InvalidInput, match=r"'image:1' does not exist; there are \['debian:12'\]"):
        stage.submit(backend)

    assert backend.identify_image("debian:12") == "sha256:d"
    assert stage.open().identify_image("image:1") == "sha256:fake-image:1"


def test_a_lost_answer_leaves_the_run(stage: Stage) -> None:
    """Submit took effect, and nobody was told: the state is there for who asks."""
    backend = stage.open(lost_answers=1)

    with pytest.raises(BackendUnavailable):
        stage.submit(backend)
    state = backend.describe(stage.spec.run_id)

    assert state is not None
    assert state.attempt == 1
    with pytest.raises(AlreadySubmitted):
        stage.submit(backend)


@pytest.mark.parametrize("breaks", [0, 1, 3, 9])
def test_a_log_is_whole_however_often_the_connection_breaks(stage: Stage, breaks: int) -> None:
    """Every line once and in order, also where it breaks more often than there are lines."""
    backend = stage.open(lines=("1", "2", "3", "4"), breaks=breaks)

    assert list(backend.follow(stage.submit(backend))) == ["1", "2", "3", "4"]


def test_each_worker_prints_with_its_rank(stage: Stage) -> None:
    """In the log that is followed, and in the one that is kept."""
    stage.spec = dataclasses.replace(stage.spec, workers=2)
    backend = stage.open(lines=("a", "b"))
    state = stage.submit(backend)

    lines = list(backend.follow(state))
    record = backend.collect(state)

    assert lines == ["[0] a", "[1] a", "[0] b", "[1] b"]
    assert pathlib.Path(record.log_path).read_text().splitlines() == lines


def test_a_state_has_what_was_submitted(stage: Stage) -> None:
    """Also once it is a record; no value of a secret is kept anywhere."""
    stage.spec = dataclasses.replace(stage.spec, secrets={"TOKEN": "hunter2"}, parameters={"lr": "0.01"})
    backend = stage.open()
    state = stage.submit(backend)
    record = backend.collect(state)

    assert state.spec == record.state.spec == stage.spec.describe()
    kept = [path.read_text() for path in stage.records.folder.rglob("*") if path.is_file()]
    assert kept
    assert not any("hunter2" in text for text in kept)


def test_a_request_is_what_would_be_run(stage: Stage) -> None:
    """The command and the variables are completed as for a real service, with paths of this machine."""
    stage.spec = dataclasses.replace(
        stage.spec, command=("train", "${{inputs.pets}}"), parameters={"lr": "1"}, secrets={"TOKEN": "hunter2"}
    )

    request = stage.open().build_request(stage.spec, 2)

    assert request["command"] == ["train", str(stage.data), "--lr=1"]
    assert request["environment"]["AML_INFRA_INPUT_labels"] == "s3://bucket/labels.csv"
    assert request["environment"]["AML_INFRA_ATTEMPT"] == "2"
    assert "hunter2" not in json.dumps(request)


def test_a_run_that_lasts_can_be_canceled_by_another_client(stage: Stage) -> None:
    """Once is enough, and twice is harmless; it stays canceled when it is collected and removed."""
    backend, other = stage.open(running=(1,)), stage.open(running=(1,))
    assert stage.submit(backend).status is Status.RUNNING

    for _ in range(2):
        other.cancel(stage.spec.run_id)
    state = backend.describe(stage.spec.run_id)

    assert state is not None
    assert list(backend.follow(state)) == ["training"]
    assert (backend.collect(state).state.status, state.exit_code) == (Status.CANCELED, 143)


def test_a_run_that_goes_on_is_not_removed(stage: Stage) -> None:
    """Only what has ended is."""
    backend = stage.open(running=(1,))
    stage.submit(backend)

    backend.remove(stage.spec.run_id)

    assert backend.describe(stage.spec.run_id) is not None


def test_what_was_removed_cannot_be_collected(stage: Stage) -> None:
    """Unless it was before."""
    backend = stage.open()
    state = stage.submit(backend)
    backend.remove(stage.spec.run_id)

    with pytest.raises(RunGone):
        backend.collect(state)
    assert backend.describe(stage.spec.run_id) is None


def test_a_machine_has_what_the_script_says(stage: Stage) -> None:
    """Workers share processors, and not memory; there are no GPUs."""
    backend = stage.open(cpus=2, memory_gb=4)

    problems = backend.find_problems(Demand(resources=Resources(cpus=2, memory_gb=3, gpus=1), workers=2))

    assert [problem.path for problem in problems] == ["memory_gb", "gpus"]


def test_the_script_comes_as_an_option(tmp_path: pathlib.Path) -> None:
    """As JSON, in which lists are the script's tuples."""
    options = {"data_folder": str(tmp_path), "script": json.dumps({"lines": ["a"], "exit_codes": [2], "cpus": 3})}

    backend = fake.open_backend(options)

    assert backend._script == Script(lines=("a",), exit_codes=(2,), cpus=3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"speed": "1"}, "backend_options: has 'speed'; allowed are data_folder, script"),
        ({"script": '{"line": ["a"]}'}, "backend_options.script: has 'line'; allowed are lines, exit_codes"),
        ({"data_folder": "relative"}, "backend_options.data_folder: is 'relative'; give an absolute path"),
    ],
)
def test_what_the_fake_does_not_know_is_refused(options: dict[str, str], told: str) -> None:
    """A typo in a test's script must not be a test of something else."""
    with pytest.raises(InvalidInput) as caught:
        fake.open_backend(options)

    assert told in str(caught.value)
