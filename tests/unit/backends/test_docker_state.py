from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from aml_infra.backends import docker_request, docker_state
from aml_infra.backends.base import RunState, Status
from aml_infra.spec import Resources, RunInput, RunSpec

SPEC = RunSpec(
    name="train",
    source_digest="s",
    command=("python", "train.py"),
    image="image:1",
    image_identity="sha256:1",
    secrets={"TOKEN": "hunter2"},
    parameters={"lr": "0.01"},
    inputs={"pets": RunInput(path="/data/pets", version="d")},
    resources=Resources(cpus=1),
    timeout_minutes=1.5,
)
NEVER = "0001-01-01T00:00:00Z"
CREATED = {"Status": "created", "StartedAt": NEVER, "FinishedAt": NEVER}
RUNNING = {"Status": "running", "FinishedAt": NEVER}
NOT_STARTED = {**CREATED, "ExitCode": 127, "Error": "no such program"}
HALF_STARTED = {**CREATED, "ExitCode": 128, "Error": f"task {'d9' * 32}: already exists"}
"""What a daemon says that was killed while it started a container, and is asked to start it again."""


def at(second: float) -> datetime.datetime:
    """A moment of the minute in which all runs of these tests happen."""
    return datetime.datetime(2026, 1, 1, 10, 0, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=second)


def write(moment: datetime.datetime) -> str:
    """The moment as Docker writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def build_answer(workers: int = 1, rank: int = 0, /, **state: Any) -> dict[str, Any]:
    """An answer of ``GET /containers/{id}/json`` for a worker of a run with a time limit; it ended well by default."""
    spec = dataclasses.replace(SPEC, workers=workers)
    return {
        "Config": {"Labels": docker_request.build_request(spec, 2)["containers"][rank]["Labels"]},
        "State": {
            "Status": "exited",
            "ExitCode": 0,
            "Error": "",
            "OOMKilled": False,
            "StartedAt": write(at(0)),
            "FinishedAt": write(at(30)),
            **state,
        },
    }


def read(*states: dict[str, Any] | None, canceled: bool = False) -> RunState:
    """The state of a run whose workers are in ``states``; None for one that is gone."""
    answers = [build_answer(len(states), rank, **state) for rank, state in enumerate(states) if state is not None]
    return docker_state.read_state(answers, canceled=canceled)


@pytest.mark.parametrize(
    ("state", "status", "exit_code"),
    [
        ({}, Status.COMPLETED, 0),
        ({"ExitCode": 3}, Status.FAILED, 3),
        ({"ExitCode": 137, "OOMKilled": True}, Status.FAILED, 137),
        ({"ExitCode": 124}, Status.FAILED, 124),
        ({"ExitCode": 124, "FinishedAt": write(at(84.9))}, Status.FAILED, 124),
        ({"ExitCode": 124, "FinishedAt": write(at(85.1))}, Status.TIMED_OUT, 124),
        ({"ExitCode": 124, "FinishedAt": write(at(90.2))}, Status.TIMED_OUT, 124),
        ({"ExitCode": 137, "FinishedAt": write(at(120.2))}, Status.TIMED_OUT, 137),
        ({"ExitCode": 137}, Status.NOT_RESPONDING, 137),
        ({"ExitCode": 143}, Status.NOT_RESPONDING, 143),
        ({"ExitCode": 143, "FinishedAt": write(at(90.2))}, Status.TIMED_OUT, 143),
        (RUNNING, Status.RUNNING, None),
        ({"Status": "paused"}, Status.RUNNING, None),
        (CREATED, Status.QUEUED, None),
        (NOT_STARTED, Status.FAILED, 127),
        (HALF_STARTED, Status.NOT_RESPONDING, 128),
        ({"Status": "dead"}, Status.NOT_RESPONDING, 0),
        ({"Status": "removing"}, Status.NOT_RESPONDING, 0),
    ],
)
def test_states_of_a_container(state: dict[str, Any], status: Status, exit_code: int | None) -> None:
    """Each way a container can be is one status of a run; what was killed, and by nobody of us, is the machine's."""
    found = read(state)

    assert (found.status, found.exit_code) == (status, exit_code)
    assert (found.finished_at is not None) is (status.is_final and "Error" not in state)


@pytest.mark.parametrize(("seconds", "status"), [(1.4, Status.FAILED), (1.6, Status.TIMED_OUT)])
def test_a_short_limit_is_told_from_a_script_that_ends_early(seconds: float, status: Status) -> None:
    """By half of its time."""
    spec = dataclasses.replace(SPEC, timeout_minutes=0.05)
    answer = build_answer(ExitCode=124, FinishedAt=write(at(seconds)))
    answer["Config"]["Labels"] = docker_request.build_request(spec, 2)["containers"][0]["Labels"]

    assert docker_state.read_state([answer], canceled=False).status is status


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({}, ""),
        ({"ExitCode": 3}, ""),
        ({"ExitCode": 137, "OOMKilled": True}, "it ran out of memory; raise memory_gb, or use smaller batches"),
        (
            {"ExitCode": 124, "FinishedAt": write(at(90))},
            "it was stopped after 1.5 minutes, its timeout_minutes",
        ),
        ({"ExitCode": 137}, "it was killed from outside, as when Docker or the machine is restarted"),
        (NOT_STARTED, "the container could not be started: no such program"),
        (HALF_STARTED, "Docker was restarted while it started the container"),
        ({"Status": "dead"}, "its container is dead"),
    ],
)
def test_a_failure_has_a_reason(state: dict[str, Any], reason: str) -> None:
    """In words that say what to do, where the exit code alone does not."""
    assert read(state).reason == reason


@pytest.mark.parametrize(
    "state",
    [{"ExitCode": 143}, {"ExitCode": 137}, {}],
)
def test_a_stopped_container_with_the_mark_was_canceled(state: dict[str, Any]) -> None:
    """What we stopped is not a failure of the script, and none that ended well has completed."""
    assert read(state, canceled=True).status is Status.CANCELED


def test_identity_times_and_spec_are_read_from_the_answer() -> None:
    """All comes from the labels and the state, in UTC; of secrets there are only names."""
    found = read({"StartedAt": "2026-01-01T10:00:00.123456789Z", "FinishedAt": "2026-01-01T10:00:30.5Z"})

    assert (found.run_id, found.attempt, found.fingerprint) == (SPEC.run_id, 2, SPEC.fingerprint)
    assert (found.started_at, found.finished_at) == (at(0.123456), at(30.5))
    assert found.spec == SPEC.describe()


def test_a_command_that_ends_at_once_has_not_ended_before_it_started() -> None:
    """The daemon notes both by itself, and may be late with the start."""
    found = read({"StartedAt": write(at(2)), "FinishedAt": write(at(1))})

    assert (found.started_at, found.finished_at) == (at(1), at(1))


def test_a_container_of_before_there_were_workers_is_read() -> None:
    """Its labels say neither its rank nor what was submitted."""
    answer = build_answer()
    for label in (docker_request.RANK_LABEL, docker_request.WORKERS_LABEL, docker_request.SPEC_LABEL):
        del answer["Config"]["Labels"][label]

    found = docker_state.read_state([answer], canceled=False)

    assert (found.status, found.spec) == (Status.COMPLETED, {})
    assert (docker_state.read_rank(answer), docker_state.count_workers(answer)) == (0, 1)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((CREATED, CREATED), Status.QUEUED),
        ((RUNNING, CREATED), Status.RUNNING),
        ((RUNNING, RUNNING), Status.RUNNING),
        (({}, RUNNING), Status.RUNNING),
        (({"ExitCode": 1}, RUNNING), Status.RUNNING),
        ((RUNNING, NOT_STARTED), Status.RUNNING),
        ((RUNNING, None), Status.RUNNING),
    ],
)
def test_a_run_goes_on_while_one_of_its_workers_does(states: tuple[dict[str, Any] | None, ...], status: Status) -> None:
    """What has become of the others is told when all have ended."""
    found = read(*states)

    assert found.status is status
    assert (found.finished_at, found.exit_code, found.reason) == (None, None, "")


def test_a_run_has_completed_when_all_workers_have() -> None:
    """From the first start to the last end."""
    found = read({"StartedAt": write(at(2)), "FinishedAt": write(at(20))}, {"FinishedAt": write(at(40))})

    assert (found.status, found.exit_code, found.reason) == (Status.COMPLETED, 0, "")
    assert (found.started_at, found.finished_at) == (at(0), at(40))


@pytest.mark.parametrize(
    ("states", "status", "exit_code", "reason"),
    [
        (
            ({"ExitCode": 143, "FinishedAt": write(at(11))}, {"ExitCode": 3, "FinishedAt": write(at(10))}),
            Status.FAILED,
            3,
            "worker 1 failed first",
        ),
        (
            ({}, {"ExitCode": 137, "OOMKilled": True}),
            Status.FAILED,
            137,
            "worker 1: it ran out of memory; raise memory_gb, or use smaller batches",
        ),
        (
            (
                {"ExitCode": 124, "FinishedAt": write(at(90.1))},
                {"ExitCode": 124, "FinishedAt": write(at(90.2))},
            ),
            Status.TIMED_OUT,
            124,
            "worker 0: it was stopped after 1.5 minutes, its timeout_minutes",
        ),
        (
            ({"ExitCode": 143, "FinishedAt": write(at(10))}, {"ExitCode": 1, "FinishedAt": write(at(11))}),
            Status.NOT_RESPONDING,
            143,
            "worker 0: it was killed from outside, as when Docker or the machine is restarted",
        ),
        (
            ({"ExitCode": 143, "FinishedAt": write(at(11))}, NOT_STARTED),
            Status.FAILED,
            127,
            "worker 1: the container could not be started: no such program",
        ),
        (
            (NOT_STARTED, NOT_STARTED),
            Status.FAILED,
            127,
            "worker 0: the container could not be started: no such program",
        ),
    ],
)
def test_the_worker_that_failed_first_decides(
    states: tuple[dict[str, Any], ...], status: Status, exit_code: int, reason: str
) -> None:
    """The others were stopped because of it; one that could not even start failed before all that did."""
    found = read(*states)

    assert (found.status, found.exit_code, found.reason) == (status, exit_code, reason)


@pytest.mark.parametrize(("canceled", "status"), [(True, Status.CANCELED), (False, Status.NOT_RESPONDING)])
def test_a_run_whose_worker_is_gone_has_not_completed(canceled: bool, status: Status) -> None:
    """Whatever became of the others; it was removed by us, or behind our back."""
    found = read({}, None, {"ExitCode": 1}, canceled=canceled)

    assert (found.status, found.exit_code, found.reason) == (status, None, "the container of worker 1 is gone")


def test_canceled_workers_make_a_canceled_run() -> None:
    """Each ended by our stop, or well before it."""
    assert read({"ExitCode": 143}, {"ExitCode": 143}, canceled=True).status is Status.CANCELED
    assert read({}, {}, canceled=True).status is Status.CANCELED


@pytest.mark.parametrize(
    ("states", "first"),
    [
        (({}, {}), None),
        (({}, RUNNING), None),
        (({"ExitCode": 1, "FinishedAt": write(at(9))}, {"ExitCode": 1, "FinishedAt": write(at(10))}), 0),
        (({"ExitCode": 1, "FinishedAt": write(at(10))}, {"ExitCode": 1, "FinishedAt": write(at(9))}), 1),
        (({"ExitCode": 1}, {"ExitCode": 1}), 0),
        (({"ExitCode": 143}, NOT_STARTED), 1),
        (({}, {"Status": "dead"}), 1),
    ],
)
def test_the_first_that_failed_is_found(states: tuple[dict[str, Any], ...], first: int | None) -> None:
    """By the time of its end; of two at the same time the lower rank; none if none has failed."""
    answers = [build_answer(len(states), rank, **state) for rank, state in enumerate(states)]

    assert docker_state.find_first_failed(answers) == first


@pytest.mark.parametrize(
    ("state", "has_failed", "has_run"),
    [
        ({}, False, True),
        (RUNNING, False, True),
        (CREATED, False, False),
        (NOT_STARTED, True, False),
        ({"ExitCode": 1}, True, True),
        ({"Error": "device is gone"}, True, True),
        ({"Status": "dead"}, True, True),
        ({"Status": "removing"}, True, True),
    ],
)
def test_what_has_failed_and_what_has_run(state: dict[str, Any], has_failed: bool, has_run: bool) -> None:
    """One that could not be started has failed without having run."""
    answer = build_answer(**state)

    assert (docker_state.has_failed(answer), docker_state.has_run(answer)) == (has_failed, has_run)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T10:00:00Z", at(0)),
        ("2026-01-01T10:00:00.5Z", at(0.5)),
        ("2026-01-01T10:00:00.1234Z", at(0.1234)),
        ("2026-01-01T10:00:00.123456789Z", at(0.123456)),
        ("2026-01-01T11:00:00.123456789+01:00", at(0.123456)),
        (NEVER, None),
    ],
)
def test_moments_are_read_as_docker_writes_them(text: str, moment: datetime.datetime | None) -> None:
    """With nanoseconds, or with trailing zeros cut; the year 1 means never."""
    assert docker_state.parse_moment(text) == moment


@pytest.mark.parametrize(
    ("reference", "digest"),
    [
        ("python:3.12", "sha256:hub"),
        ("docker.io/library/python:3.12", "sha256:hub"),
        ("library/python", "sha256:hub"),
        ("docker.io/python:3.12", "sha256:hub"),
        ("acr.example/team/python:3.12", "sha256:acr"),
        ("localhost:5000/python", "sha256:id"),
        ("team/python", "sha256:id"),
        ("python@sha256:pinned", "sha256:pinned"),
    ],
)
def test_an_image_has_the_digest_of_the_repository_it_is_named_by(reference: str, digest: str) -> None:
    """However Docker Hub's name is spelt; another registry's digest is not taken for it."""
    image = {"Id": "sha256:id", "RepoDigests": ["acr.example/team/python@sha256:acr", "python@sha256:hub"]}

    assert docker_state.read_image_digest(reference, image) == digest
