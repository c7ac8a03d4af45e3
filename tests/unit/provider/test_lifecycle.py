from __future__ import annotations

import dataclasses
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aml_infra import source
from aml_infra.backends.base import Record, RunState, Status, Tell, tell_nobody
from aml_infra.backends.fake import FakeBackend, Script
from aml_infra.backends.records import RecordStore
from aml_infra.errors import BackendUnavailable, NotReadyYet, RunConflict, SourceChanged
from aml_infra.provider import lifecycle
from aml_infra.provider.lifecycle import Interruption, Policy, RunFailed, RunUnfinished
from aml_infra.source import Snapshot
from aml_infra.spec import RunSpec


class Scene:
    """A folder with a training, a fake backend and what the user was told."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.source = folder / "src"
        self.source.mkdir()
        (self.source / "train.py").write_text("x")
        self.records = RecordStore(folder / "data")
        self.said: list[str] = []
        self.snapshots = 0
        self.spec = RunSpec(
            name="train",
            source_digest=source.take_snapshot(self.source).digest,
            command=("python", "train.py"),
            image="image",
            image_identity="sha256:1",
        )

    def backend(self, script: Script | None = None) -> FakeBackend:
        """A client of the one fake service, as each process has its own."""
        return FakeBackend(self.records, script or Script())

    def take_snapshot(self) -> Snapshot:
        """Counts how often the source is read."""
        self.snapshots += 1
        return source.take_snapshot(self.source)

    def ensure(
        self,
        backend: FakeBackend,
        interruption: Interruption | None = None,
        left_going: int | None = None,
        **policy: Any,
    ) -> Record:
        """``lifecycle.ensure`` of the scene's run, which is waited for."""
        seen = lifecycle.ensure(
            backend,
            self.spec,
            self.take_snapshot,
            self.said.append,
            interruption or Interruption(),
            Policy(**policy),
            left_going=left_going,
        )
        assert seen.record is not None
        return seen.record


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    """A scene in which nothing was run yet."""
    return Scene(tmp_path)


def test_an_absent_run_is_submitted_and_followed(scene: Scene) -> None:
    """The user sees that it trains, and its log; the record has its metrics."""
    record = scene.ensure(scene.backend(Script(lines=("a", "b"), metrics={"accuracy": 0.9})))

    assert record.state.status is Status.COMPLETED
    assert record.metrics == {"accuracy": 0.9}
    assert "\n".join(scene.said).splitlines() == [f"train: submitting run {scene.spec.run_id}, attempt 1", "a", "b"]


def test_a_service_that_is_not_ready_yet_is_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user sees what is waited for, and the source is read anew, as it may have changed; Ctrl-C ends the wait."""
    monkeypatch.setattr(lifecycle, "READY_SECONDS", 0.01)

    class New(FakeBackend):
        refusals = 2

        def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:
            self.refusals -= 1
            if self.refusals >= 0:
                raise NotReadyYet("roles do not count yet")
            super().submit(spec, attempt, snapshot, tell)

    interruption = Interruption()
    interruption.raise_()
    with pytest.raises(NotReadyYet):
        scene.ensure(New(scene.records, Script()), interruption)
    record = scene.ensure(New(scene.records, Script()))

    assert record.state.status is Status.COMPLETED
    assert scene.said.count("roles do not count yet; trying again in 0 s") == 3
    assert scene.snapshots == 4


def test_a_completed_run_is_adopted(scene: Scene) -> None:
    """Nothing is submitted, and the source is not even read."""
    first = scene.ensure(scene.backend())

    second = scene.ensure(scene.backend())

    assert second == first
    assert scene.snapshots == 1
    assert scene.said[-1].startswith("adopt: ")


def test_a_failed_run_is_told_and_tried_again(scene: Scene) -> None:
    """The first `ensure` fails with code and tail; the next makes attempt 2, and both records stay."""
    script = Script(lines=("boom",), exit_codes=(3, 0))

    with pytest.raises(RunFailed, match=r"(?s)Failed, exit code 3.*boom.*whole log") as failed:
        scene.ensure(scene.backend(script))
    record = scene.ensure(scene.backend(script))

    assert failed.value.record.state.attempt == 1
    assert record.state.attempt == 2
    assert scene.records.read(scene.spec.run_id) is not None


def test_an_uncollected_failure_is_collected_before_the_next_attempt(scene: Scene) -> None:
    """A client that died before it collected loses no record."""
    scene.backend().submit(scene.spec, 1, scene.take_snapshot())

    scene.ensure(scene.backend(Script(exit_codes=(1, 0))))

    first = scene.records.read(scene.spec.run_id)
    assert first is not None
    assert first.state.status is Status.FAILED


def test_a_running_run_is_joined(scene: Scene) -> None:
    """A second client submits nothing and waits for the same end."""
    backend = scene.backend(Script(running=(1,)))
    backend.submit(scene.spec, 1, scene.take_snapshot())
    joined = threading.Event()
    scene_said = scene.said

    def say(text: str) -> None:
        scene_said.append(text)
        if text == "training":
            joined.set()

    def stop() -> None:
        joined.wait(10)
        backend.cancel(scene.spec.run_id)

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(RunFailed, match="Canceled"):
        lifecycle.ensure(backend, scene.spec, scene.take_snapshot, say, Interruption())
    thread.join()

    assert scene.said[0].startswith(f"join: run {scene.spec.run_id} is running")
    assert scene.snapshots == 1


def test_the_second_of_two_submitters_joins(scene: Scene) -> None:
    """Losing the race is not an error."""

    class Raced(FakeBackend):
        def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:
            super().submit(spec, attempt, snapshot)
            super().submit(spec, attempt, snapshot)

    record = scene.ensure(Raced(scene.records, Script()))

    assert record.state.attempt == 1
    assert "join: another client has just submitted it" in scene.said


def test_an_interruption_leaves_the_run_going(scene: Scene) -> None:
    """The wait ends, the message says how to join again, and nothing is canceled."""
    backend = scene.backend(Script(running=(1,)))
    interruption = Interruption()
    interruption.raise_()

    with pytest.raises(RunUnfinished, match="goes on; the next `pulumi up` joins it") as caught:
        scene.ensure(backend, interruption)
    state = backend.describe(scene.spec.run_id)

    assert caught.value.state.status is Status.RUNNING
    assert state is not None
    assert state.status is Status.RUNNING
    backend.cancel(scene.spec.run_id)


def test_a_service_that_goes_away_while_following_is_no_failure(scene: Scene) -> None:
    """The run is unfinished, not failed: nobody knows."""

    class Away(FakeBackend):
        def follow(self, state: RunState, tell: Tell = tell_nobody) -> Iterator[str]:
            yield "a line"
            raise BackendUnavailable("no answer")

    with pytest.raises(RunUnfinished, match="no answer"):
        scene.ensure(Away(scene.records, Script()))
    assert "a line" in scene.said


def test_a_defect_does_not_cost_the_run(scene: Scene) -> None:
    """Whatever goes wrong once it was submitted is told with its kind, and the run is in the state."""

    class Broken(FakeBackend):
        def collect(self, state: RunState) -> Record:
            raise LookupError("a defect")

    with pytest.raises(RunUnfinished, match="unexpected LookupError: a defect"):
        scene.ensure(Broken(scene.records, Script()))


def test_the_tail_of_a_log_of_megabytes_is_short(scene: Scene) -> None:
    """The engine takes no error of megabytes, and nobody reads one."""
    backend = scene.backend(Script(lines=tuple("x" * 500_000 for _ in range(20)), exit_codes=(3,)))

    with pytest.raises(RunFailed) as failed:
        scene.ensure(backend)

    assert "exit code 3" in str(failed.value)
    assert len(str(failed.value)) < 16 * 1024


def test_a_service_that_does_not_answer_submits_nothing(scene: Scene) -> None:
    """Not being able to ask is not absence."""

    class Away(FakeBackend):
        def describe(self, run_id: str) -> None:
            raise BackendUnavailable("no answer")

    with pytest.raises(BackendUnavailable):
        scene.ensure(Away(scene.records, Script()))
    assert scene.snapshots == 0


def test_a_name_held_by_another_fingerprint_is_refused(scene: Scene) -> None:
    """The whole fingerprint is compared, not only the part that is in the name."""

    class Clash(FakeBackend):
        def describe(self, run_id: str) -> RunState | None:
            state = super().describe(run_id)
            return dataclasses.replace(state, fingerprint="other") if state is not None else None

    backend = Clash(scene.records, Script())
    backend.submit(scene.spec, 1, scene.take_snapshot())

    with pytest.raises(RunConflict, match="rename the job"):
        scene.ensure(backend)


def test_a_source_that_changed_is_not_submitted(scene: Scene) -> None:
    """What is shipped is what was fingerprinted."""
    snapshot = scene.take_snapshot()
    (scene.source / "train.py").write_text("y")

    with pytest.raises(SourceChanged):
        lifecycle.ensure(scene.backend(), scene.spec, lambda: snapshot, scene.said.append, Interruption())
    assert scene.backend().describe(scene.spec.run_id) is None


def test_explain_says_what_would_happen(scene: Scene) -> None:
    """Train, try again, join or adopt, each with its reason."""
    script = Script(exit_codes=(1, 0))
    sentences = [lifecycle.explain(scene.backend(script), scene.spec)]
    with pytest.raises(RunFailed):
        scene.ensure(scene.backend(script))
    sentences.append(lifecycle.explain(scene.backend(script), scene.spec))
    scene.backend(script).submit(scene.spec, 2, scene.take_snapshot())
    sentences.append(lifecycle.explain(scene.backend(Script(running=(2,))), scene.spec))
    scene.ensure(scene.backend(script))
    sentences.append(lifecycle.explain(scene.backend(script), scene.spec))

    assert [sentence.partition(":")[0] for sentence in sentences] == ["train", "train", "join", "adopt"]
    assert "attempt 2, since attempt 1 ended as Failed, exit code 1" in sentences[1]


def test_explain_foretells_a_failure_that_nobody_saw(scene: Scene) -> None:
    """`ensure` would tell it first, and train only then."""
    backend = scene.backend(Script(exit_codes=(3,)))
    backend.submit(scene.spec, 1, scene.take_snapshot())

    sentence = lifecycle.explain(backend, scene.spec, left_going=1)

    assert sentence.startswith("fail: ")
    assert "is Failed, exit code 3" in sentence


def test_end_cancels_a_running_run_only_where_asked(scene: Scene) -> None:
    """Retained runs go on; canceled ones leave a record."""
    backend = scene.backend(Script(running=(1,)))
    backend.submit(scene.spec, 1, scene.take_snapshot())

    lifecycle.end(backend, scene.spec.run_id, cancel=False)
    kept = backend.describe(scene.spec.run_id)
    lifecycle.end(backend, scene.spec.run_id, cancel=True)
    record = scene.records.read(scene.spec.run_id)

    assert kept is not None
    assert kept.status is Status.RUNNING
    assert record is not None
    assert record.state.status is Status.CANCELED


def test_end_removes_nothing_of_a_run_that_still_ends(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is seen, that is: what it has printed is in no record yet."""
    backend = scene.backend(Script(running=(1,)))
    backend.submit(scene.spec, 1, scene.take_snapshot())
    removed: list[str] = []
    monkeypatch.setattr(backend, "cancel", lambda _: None)
    monkeypatch.setattr(backend, "remove", removed.append)

    lifecycle.end(backend, scene.spec.run_id, cancel=True)

    assert scene.records.read(scene.spec.run_id) is None
    assert removed == []


def test_end_of_a_run_that_is_gone_is_harmless(scene: Scene) -> None:
    """Deleting twice is deleting once."""
    lifecycle.end(scene.backend(), scene.spec.run_id, cancel=True)


def test_ctrl_c_stops_the_run_where_asked(scene: Scene) -> None:
    """With `on_interrupt` set to `cancel` the run is stopped, its record is kept, and the update has failed."""
    backend = scene.backend(Script(running=(1,)))
    interruption = Interruption()
    interruption.raise_()

    with pytest.raises(RunFailed, match="Canceled"):
        scene.ensure(backend, interruption, on_interrupt="cancel")
    record = scene.records.read(scene.spec.run_id)

    assert record is not None
    assert record.state.status is Status.CANCELED
    assert any("on_interrupt is 'cancel'" in line for line in scene.said)


def test_a_lost_machine_is_retried(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as asked; what was lost has its record, and the user is told of each."""
    monkeypatch.setattr(lifecycle, "RETRY_SECONDS", 0.0)

    record = scene.ensure(scene.backend(Script(lost=(1, 2))), retries=2)

    assert record.state.attempt == 3
    assert [line.partition(" in ")[0] for line in scene.said if "retry" in line] == ["retry 1 of 2", "retry 2 of 2"]
    lost = scene.records.read(scene.spec.run_id)
    assert lost is not None
    assert lost.state.status is Status.NOT_RESPONDING


@pytest.mark.parametrize(
    ("script", "status"), [(Script(lost=(1, 2)), "NotResponding"), (Script(exit_codes=(1, 0)), "Failed")]
)
def test_retries_end(scene: Scene, script: Script, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the last one; and none is made for a command that failed, which would fail again."""
    monkeypatch.setattr(lifecycle, "RETRY_SECONDS", 0.0)

    with pytest.raises(RunFailed, match=status):
        scene.ensure(scene.backend(script), retries=1)

    assert scene.snapshots == (2 if status == "NotResponding" else 1)


@pytest.mark.parametrize(
    ("asked", "attempts"), [(("Failed",), 2), (("NotResponding", "Failed"), 2), (("TimedOut",), 1)]
)
def test_what_else_is_retried_is_asked_for(
    scene: Scene, asked: tuple[str, ...], attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that fails by chance, say; all others are told at once."""
    monkeypatch.setattr(lifecycle, "RETRY_SECONDS", 0.0)

    with pytest.raises(RunFailed, match="exit code 1"):
        scene.ensure(scene.backend(Script(exit_codes=(1, 1))), retries=1, retry_on=asked)

    assert scene.snapshots == attempts


def test_ctrl_c_ends_the_pause_before_a_retry(scene: Scene) -> None:
    """Nothing is submitted any more, and the failure is told."""
    interruption = Interruption()

    class Interrupted(FakeBackend):
        def collect(self, state: RunState) -> Record:
            interruption.raise_()
            return super().collect(state)

    with pytest.raises(RunFailed, match="NotResponding"):
        scene.ensure(Interrupted(scene.records, Script(lost=(1,))), interruption, retries=5)
    assert scene.snapshots == 1


def test_pauses_grow_and_are_spread() -> None:
    """So that many clients of one service do not come back at once."""
    assert [lifecycle.find_pause(retry, 0) for retry in (0, 1, 2, 50)] == [5, 10, 20, 300]
    assert lifecycle.find_pause(1, 1) == 5


def test_without_waiting_a_run_is_left_going(scene: Scene) -> None:
    """The first `ensure` submits, the second sees that it still runs, and the third its end."""
    going, ended = Script(running=(1,)), Script(metrics={"a": 1})

    def ensure(script: Script) -> lifecycle.Seen:
        return lifecycle.ensure(
            scene.backend(script),
            scene.spec,
            scene.take_snapshot,
            scene.said.append,
            Interruption(),
            Policy(wait=False),
        )

    seen = [ensure(going), ensure(going), ensure(ended)]

    assert [one.state.status for one in seen] == [Status.RUNNING, Status.RUNNING, Status.COMPLETED]
    assert [one.record is not None for one in seen] == [False, False, True]
    assert scene.snapshots == 1


def test_a_run_that_is_not_waited_for_is_tended(scene: Scene) -> None:
    """Once for each `ensure` that joins it; what is then known of it is what came of that."""
    tended = []

    class Tended(FakeBackend):
        def tend(self, state: RunState) -> None:
            tended.append(state.attempt)
            self.cancel(state.run_id)

    backend = Tended(scene.records, Script(running=(1,)))
    backend.submit(scene.spec, 1, scene.take_snapshot())

    with pytest.raises(RunFailed, match="Canceled"):
        scene.ensure(backend, wait=False)
    assert tended == [1]


def test_a_failure_that_nobody_saw_is_told_before_it_is_tried_again(scene: Scene) -> None:
    """A run that was left going and has failed since fails the update, with its log; only then comes an attempt."""
    script = Script(lines=("boom",), exit_codes=(3, 0))
    scene.backend().submit(scene.spec, 1, scene.take_snapshot())

    with pytest.raises(RunFailed, match="boom"):
        scene.ensure(scene.backend(script), left_going=1)
    record = scene.ensure(scene.backend(script))

    assert record.state.attempt == 2


def test_metrics_that_miss_what_is_required_fail_the_update_and_keep_the_run(scene: Scene) -> None:
    """It is not repeated: neither with the same gate, nor with one that it meets."""
    backend = scene.backend(Script(metrics={"accuracy": 0.87}))

    for _ in range(2):
        with pytest.raises(RunFailed, match=r"accuracy is 0.87, required >= 0.9; the run is kept"):
            scene.ensure(backend, require_metrics=("accuracy >= 0.9",))
    record = scene.ensure(backend, require_metrics=("accuracy >= 0.8",))

    assert record.state.attempt == 1
    assert scene.snapshots == 1


def test_a_secret_that_a_run_prints_is_not_shown(scene: Scene) -> None:
    """Neither in the log that streams, nor in the tail of a failure."""
    scene.spec = dataclasses.replace(scene.spec, secrets={"TOKEN": "s3cr3t-value", "SHORT": "a"})
    script = Script(lines=("token is s3cr3t-value, a",), exit_codes=(1,))

    with pytest.raises(RunFailed) as failed:
        scene.ensure(scene.backend(script))

    assert "token is [secret], a" in scene.said
    assert "token is [secret], a" in str(failed.value)
    assert "s3cr3t" not in str(failed.value)


@pytest.mark.parametrize("value", ["planted-1\n", " planted-1 ", "planted-1\nplanted-2", "planted-1\r\nplanted-2\r\n"])
def test_each_line_of_a_secret_is_hidden(scene: Scene, value: str) -> None:
    """A key in a file has several lines, and a token that was read from one ends in a line end."""
    scene.spec = dataclasses.replace(scene.spec, secrets={"KEY": value})

    with pytest.raises(RunFailed) as failed:
        scene.ensure(scene.backend(Script(lines=tuple(value.splitlines()), exit_codes=(1,))))

    assert any("[secret]" in said for said in scene.said)
    assert "planted" not in f"{scene.said} {failed.value}"


def test_a_lost_answer_to_submit_trains_once(scene: Scene) -> None:
    """A look says that it took effect, and the run is joined."""
    record = scene.ensure(scene.backend(Script(lost_answers=1)))

    assert record.state.attempt == 1
    assert scene.snapshots == 1
    assert any(said.startswith("join: run") and "though the answer was lost" in said for said in scene.said)


def test_a_submit_without_effect_is_no_run(scene: Scene) -> None:
    """A look says that there is none: the update fails, and nothing is in the state."""

    class Away(FakeBackend):
        def submit(self, *_: Any) -> None:
            raise BackendUnavailable("no answer")

    with pytest.raises(BackendUnavailable, match="no answer"):
        scene.ensure(Away(scene.records, Script()))


def test_a_run_that_may_have_been_submitted_is_in_the_state(scene: Scene) -> None:
    """The service is gone before and after: the run may go on, so that it must not be forgotten."""

    class Leaving(FakeBackend):
        is_away = False

        def submit(self, *given: Any) -> None:
            super().submit(*given)
            self.is_away = True
            raise BackendUnavailable("no answer")

        def describe(self, run_id: str) -> RunState | None:
            if self.is_away:
                raise BackendUnavailable("no answer")
            return super().describe(run_id)

    with pytest.raises(RunUnfinished, match="whether it was submitted is not known") as caught:
        scene.ensure(Leaving(scene.records, Script()))
    record = scene.ensure(scene.backend())

    assert (caught.value.state.status, caught.value.state.attempt) == (Status.QUEUED, 1)
    assert caught.value.state.spec == record.state.spec
    assert scene.snapshots == 1


def test_explain_says_what_changed(scene: Scene) -> None:
    """Before what would be done about it."""
    backend = scene.backend()

    would_train = lifecycle.explain(backend, scene.spec, "train.py changed; lr 0.01 -> 0.02")
    scene.ensure(backend)
    would_adopt = lifecycle.explain(backend, scene.spec, "train.py changed")

    assert would_train == f"train: train.py changed; lr 0.01 -> 0.02; run {scene.spec.run_id} would be new"
    assert would_adopt.startswith(f"adopt: train.py changed; run {scene.spec.run_id} finished")
