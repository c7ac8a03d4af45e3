"""What every backend guarantees (``aml_infra.backends.base``), on each of them by name."""

from __future__ import annotations

import json
import pathlib
import threading

import pytest

from aml_infra import source
from aml_infra.backends.base import AlreadySubmitted, Status
from aml_infra.errors import SourceChanged
from aml_infra.spec import Demand, Resources, RunInput, RunOutput
from tests.contract.conftest import BREAKS, Stage


def test_a_request_is_pure_and_holds_no_secret(stage: Stage) -> None:
    """The same spec gives the same plain data, with the service out of reach, and only names of secrets."""
    scene = stage(secrets={"TOKEN": "planted-marker"}, parameters={"lr": "0.01"}, workers=2)
    stage.close_service()

    requests = [json.dumps(backend.build_request(scene.spec, 2)) for backend in (scene.backend, scene.open_another())]

    assert requests[0] == requests[1]
    assert "--lr=0.01" in requests[0]
    assert "TOKEN" in requests[0]
    assert "planted-marker" not in requests[0]


def test_a_run_that_was_never_submitted_is_absent(stage: Stage) -> None:
    """None, and no error: the service said that there is none."""
    scene = stage()

    assert scene.backend.describe(scene.spec.run_id) is None


def test_a_run_completes_with_its_whole_log(stage: Stage) -> None:
    """Every line, in order, from the first."""
    scene = stage(lines=[str(number) for number in range(500)])

    lines = scene.run_to_end()
    state = scene.describe()

    assert lines == [str(number) for number in range(500)]
    assert (state.status, state.exit_code, state.attempt) == (Status.COMPLETED, 0, 1)
    assert state.fingerprint == scene.spec.fingerprint
    assert state.started_at is not None
    assert state.finished_at is not None
    assert state.started_at <= state.finished_at


def test_a_state_says_what_was_submitted(stage: Stage) -> None:
    """All of the spec but the values of secrets, so that a run can be imported by its id."""
    scene = stage(
        environment={"A": "1"}, secrets={"TOKEN": "planted-marker"}, parameters={"lr": "0.01"}, triggers={"t": "1"}
    )

    state = scene.submit()

    assert state.spec == json.loads(json.dumps(scene.spec.describe()))
    assert state.spec["secrets"] == ["TOKEN"]
    scene.follow()


def test_no_line_is_lost_or_repeated_where_the_connection_was(stage: Stage) -> None:
    """Cut in the middle of the log, again and again: every line comes, once and in order, and the end is seen."""
    scene = stage(lines=[f"line-{number}" for number in range(500)])
    state = scene.submit()
    cuts = stage.cut_connections(scene)

    lines = list(scene.backend.follow(state))

    assert lines == [f"line-{number}" for number in range(500)]
    assert cuts is None or cuts.hits == BREAKS
    assert scene.describe().status is Status.COMPLETED


def test_each_line_of_several_workers_has_its_rank(stage: Stage) -> None:
    """Those of one worker in order and whole; the run has ended when all have."""
    scene = stage(workers=2, lines=[str(number) for number in range(100)])

    lines = scene.run_to_end()
    state = scene.describe()
    record = scene.backend.collect(state)

    for rank in (0, 1):
        prefix = f"[{rank}] "
        own = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
        assert own == [str(number) for number in range(100)]
    assert state.status is Status.COMPLETED
    assert sorted(scene.read_log(record).splitlines()) == sorted(lines)


def test_a_run_that_its_machine_failed_is_not_responding(stage: Stage) -> None:
    """Not failed: its command may be right, and another attempt may succeed."""
    scene = stage(lasting=True)
    lines = scene.backend.follow(scene.submit())
    assert next(lines) == "one"

    scene.lose_machine()

    assert scene.follow() == ["one", "two"]
    assert scene.describe().status is Status.NOT_RESPONDING


def test_metrics_and_outputs_are_collected(stage: Stage) -> None:
    """The last value of each metric, and the files as they were written."""
    scene = stage(metrics={"accuracy": 0.5, "loss": 1.25})
    scene.run_to_end()

    record = scene.backend.collect(scene.describe())

    assert record.metrics == {"accuracy": 0.5, "loss": 1.25}
    assert scene.read_output(record, "result.txt") == "content\n"
    assert record.image_digest.startswith("sha256:")


def test_outputs_that_have_a_name_are_collected(stage: Stage) -> None:
    """Each is a folder that the run finds by a variable, and whoever reads the record by its path."""
    scene = stage(outputs={"model": RunOutput(), "table": RunOutput(mode="upload")})
    scene.run_to_end()

    record = scene.backend.collect(scene.describe())

    assert sorted(record.output_paths) == ["model", "table"]
    assert scene.read_named_output(record, "model", "weights") == "1 2\n"
    assert scene.read_named_output(record, "table", "weights") == "1 2\n"


def test_data_that_changed_is_refused_and_leaves_nothing(stage: Stage, tmp_path: pathlib.Path) -> None:
    """No run under a fingerprint that is not its own."""
    data = tmp_path / "data.csv"
    data.write_text("1,2\n")
    given = RunInput(path=str(data), version=source.take_data_snapshot(data).digest)
    scene = stage(inputs={"table": given})
    data.write_text("3,4\n")

    with pytest.raises(SourceChanged, match="inputs\\['table'\\]"):
        scene.backend.submit(scene.spec, 1, scene.snapshot)
    assert scene.backend.describe(scene.spec.run_id) is None


def test_the_log_of_a_run_that_ended_can_be_followed_again(stage: Stage) -> None:
    """From the first line, to a client that joins late."""
    scene = stage()
    first = scene.run_to_end()

    assert scene.follow() == first == ["one", "two"]


def test_a_failing_command_is_a_failed_run(stage: Stage) -> None:
    """With its exit code."""
    scene = stage(exit_codes=[3])
    scene.run_to_end()

    state = scene.backend.describe(scene.spec.run_id)

    assert state is not None
    assert (state.status, state.exit_code) == (Status.FAILED, 3)


def test_the_newest_attempt_is_described(stage: Stage) -> None:
    """Attempt 2 hides attempt 1, collected or not."""
    scene = stage(exit_codes=[3, 0])
    scene.run_to_end()
    first = scene.backend.describe(scene.spec.run_id)
    assert first is not None
    scene.backend.collect(first)
    scene.run_to_end(attempt=2)

    state = scene.backend.describe(scene.spec.run_id)

    assert state is not None
    assert (state.status, state.attempt) == (Status.COMPLETED, 2)


def test_of_two_submitters_one_wins(stage: Stage) -> None:
    """The other is told so, whoever it is."""
    scene = stage()
    scene.backend.submit(scene.spec, 1, scene.snapshot)

    with pytest.raises(AlreadySubmitted):
        scene.open_another().submit(scene.spec, 1, scene.snapshot)
    assert scene.follow() == ["one", "two"]


def test_of_many_submitters_at_once_one_wins(stage: Stage) -> None:
    """Exactly one, though all start together."""
    scene = stage()
    start = threading.Barrier(4)
    won: list[bool] = []

    def submit() -> None:
        backend = scene.open_another()
        start.wait()
        try:
            backend.submit(scene.spec, 1, scene.snapshot)
        except AlreadySubmitted:
            won.append(False)
        else:
            won.append(True)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False, False, False, True]
    assert scene.follow() == ["one", "two"]


def test_a_source_that_changed_is_refused_and_leaves_nothing(stage: Stage) -> None:
    """No run under a fingerprint that is not its own."""
    scene = stage()
    (scene.source / "train.sh").write_text("other")

    with pytest.raises(SourceChanged):
        scene.backend.submit(scene.spec, 1, scene.snapshot)
    assert scene.backend.describe(scene.spec.run_id) is None


def test_a_running_run_is_running_until_it_is_canceled(stage: Stage) -> None:
    """Canceling ends it for whoever follows it, and its status says why it ended; twice is once."""
    scene = stage(lasting=True)
    lines = scene.backend.follow(scene.submit())
    first = [next(lines), next(lines)]
    before = scene.describe()

    scene.backend.cancel(scene.spec.run_id)
    scene.backend.cancel(scene.spec.run_id)
    rest = list(lines)
    after = scene.open_another().describe(scene.spec.run_id)

    assert before.status is Status.RUNNING
    assert (first, rest) == (["one", "two"], [])
    assert after is not None
    assert after.status is Status.CANCELED


def test_a_record_is_made_once_and_outlives_the_run(stage: Stage) -> None:
    """Collected, removed, collected again by another client: the same record, and the run is still known."""
    scene = stage()
    scene.run_to_end()
    state = scene.backend.describe(scene.spec.run_id)
    assert state is not None

    record = scene.backend.collect(state)
    scene.backend.remove(scene.spec.run_id)
    scene.backend.remove(scene.spec.run_id)
    other = scene.open_another()

    assert other.collect(state) == record
    assert other.describe(scene.spec.run_id) == state
    assert record.state.spec["name"] == scene.spec.name
    assert scene.read_log(record) == "one\ntwo\n"
    assert scene.backend.read_tail(record, 4) == b"two\n"


def test_cancel_and_remove_of_an_absent_run_are_harmless(stage: Stage) -> None:
    """Whatever is gone already needs no second end."""
    scene = stage()

    scene.backend.cancel(scene.spec.run_id)
    scene.backend.remove(scene.spec.run_id)


def test_remove_leaves_a_run_that_has_not_ended(stage: Stage) -> None:
    """Only cancel stops a run."""
    scene = stage(lasting=True)
    next(scene.backend.follow(scene.submit()))

    scene.backend.remove(scene.spec.run_id)

    assert scene.describe().status is Status.RUNNING
    scene.backend.cancel(scene.spec.run_id)


def test_too_much_is_refused_with_the_property(stage: Stage) -> None:
    """More processors than there are, or GPUs where there are none."""
    problems = stage().backend.find_problems(Demand(resources=Resources(cpus=1000, gpus=8)))

    assert [problem.path for problem in problems] == ["cpus", "gpus"]
