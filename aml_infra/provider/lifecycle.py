"""The life of a training run: get it, join it or submit it, and see it to its end.

Nothing here knows Pulumi or any service: a ``Backend`` is given, and a ``say`` that tells the user.

        describe ──► Completed ───────────────────────► collect ──► adopted
           │  │
           │  └────► Queued, Running ──► follow ──┐
           ▼                                      ▼
     none, or failed ──► submit ──► follow ──► describe ──► collect ──► Completed, or RunFailed
           ▲                │                     ▲                          │
           │                └── another was first ┘                          │
           └───────────── it ended as in retry_on, and retries are left ────┘
"""

from __future__ import annotations

import dataclasses
import datetime
import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from aml_infra import metric_gate, rules
from aml_infra.backends.base import AlreadySubmitted, Backend, Record, RunGone, RunState, Status
from aml_infra.errors import AmlInfraError, BackendUnavailable, NotReadyYet, RunConflict
from aml_infra.source import Snapshot
from aml_infra.spec import RunSpec

TAIL_LINES = 20
"""Lines of the log in the error of a run that failed."""

TAIL_WIDTH = 500
TAIL_BYTES = 64 * 1024

READY_SECONDS = 30.0
"""Pause before a service is asked again that could not take a run yet."""

BURST_LINES = 20
"""Lines that came while one was being said are said one by one up to this number, and together beyond it."""

RETRY_SECONDS = 5.0
"""Pause before the first retry; each one after it is twice as long, up to ``LONGEST_RETRY_SECONDS``."""

LONGEST_RETRY_SECONDS = 300.0

SHORTEST_SECRET = 4
"""A shorter one is not masked: its text would be in half of all words."""

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """What is done about a run. None of it is part of the fingerprint.

    Attributes:
        wait: whether its end is waited for.
        retries: how many more attempts are made where the machine failed, and not the command.
        retry_on: after which ends that is so.
        on_interrupt: ``detach`` leaves it going after Ctrl-C, ``cancel`` stops it.
        require_metrics: what its metrics must be, as in ``accuracy >= 0.9``.
    """

    wait: bool = True
    retries: int = 0
    retry_on: tuple[str, ...] = rules.RETRY_ON_DEFAULT
    on_interrupt: str = "detach"
    require_metrics: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Seen:
    """What came of a run: how it is, and its record if it completed."""

    state: RunState
    record: Record | None = None


class RunFailed(AmlInfraError):
    """The run ended in anything but success, or without the metrics that are required.

    Attributes:
        record: what is kept of it.
    """

    def __init__(self, message: str, record: Record) -> None:
        super().__init__(message)
        self.record = record


class RunUnfinished(AmlInfraError):
    """The run was submitted or joined, and its end was not seen: it may go on.

    Attributes:
        state: what was last known of it.
    """

    def __init__(self, message: str, state: RunState) -> None:
        super().__init__(message)
        self.state = state


class Interruption:
    """Ends every wait in this process when the user presses Ctrl-C. The runs go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[queue.SimpleQueue[Any]] = set()
        self._raised = False

    def raise_(self) -> None:
        """Wakes everything that waits, now and later."""
        with self._lock:
            self._raised = True
            for lines in self._waiting:
                lines.put(self)

    def watch(self, lines: queue.SimpleQueue[Any]) -> None:
        """Puts itself into ``lines`` when it is raised."""
        with self._lock:
            self._waiting.add(lines)
            if self._raised:
                lines.put(self)

    def pause(self, seconds: float) -> bool:
        """Waits for so long; gives whether it was raised in the meantime."""
        wake: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.watch(wake)
        try:
            wake.get(timeout=seconds)
        except queue.Empty:
            return False
        finally:
            self.forget(wake)
        return True

    def forget(self, lines: queue.SimpleQueue[Any]) -> None:
        """The opposite of ``watch``."""
        with self._lock:
            self._waiting.discard(lines)


def explain(backend: Backend | None, spec: RunSpec, because: str = "", left_going: int | None = None) -> str:
    """What ``ensure`` would do now, in a sentence, for preview.

    Args:
        backend: where; None where that is not known yet.
        spec: what.
        because: what has changed since the last run, in words, where that is known.
        left_going: the attempt that was going when the user last heard of the run.
    """
    changed = f"{because}; " if because else ""
    if backend is None:
        return f"train: {changed}run {spec.run_id}, when its compute is there, if it was not trained already"
    state = _describe(backend, spec)
    if state is None:
        what = f"run {spec.run_id} would be new" if because else f"run {spec.run_id} has not been submitted yet"
        return f"train: {changed}{what}"
    if state.status is Status.COMPLETED:
        return f"adopt: {changed}run {state.name} finished{_format_age(state)}; nothing will be trained"
    if not state.status.is_final:
        return f"join: {changed}run {state.name} is {state.status.value.lower()}"
    if state.attempt == left_going:
        return f"fail: {describe_end(state)}; `pulumi up` shows its log, and the one after it trains again"
    return f"train: {changed}attempt {state.attempt + 1}, since attempt {state.attempt} ended as {_format_end(state)}"


def ensure(
    backend: Backend,
    spec: RunSpec,
    take_snapshot: Callable[[], Snapshot],
    say: Say,
    interruption: Interruption,
    policy: Policy = Policy(),
    *,
    because: str = "",
    left_going: int | None = None,
) -> Seen:
    """A completed run of ``spec``; trains only if there is none.

    Args:
        backend: where.
        spec: what.
        take_snapshot: reads the source; called only if the run is submitted.
        say: tells the user one or more lines of text.
        interruption: ends the wait.
        policy: what is done about it.
        because: what has changed since the last run, in words, where that is known.
        left_going: the attempt that was going when the user last heard of the run: if it has failed since, that is
            told, and not hidden behind another attempt.

    Raises:
        RunFailed: it ended in anything but success.
        RunUnfinished: it was submitted or joined, and its end was not seen.
        AmlInfraError: it was not submitted.
    """
    mask = _build_mask(spec)
    attempt = _Attempt(backend, spec, take_snapshot, lambda text: say(mask(text)), interruption, policy, because)
    for retry in range(policy.retries + 1):
        try:
            return attempt.make(left_going)
        except RunFailed as error:
            failed = error.record.state
            told = RunFailed(mask(str(error)), error.record)
            if failed.status.value not in policy.retry_on or retry == policy.retries:
                raise told from error
            seconds = find_pause(retry, random.random())  # noqa: S311 (no secret)
            say(
                f"retry {retry + 1} of {policy.retries} in {seconds:.0f} s: "
                f"attempt {failed.attempt} ended as {_format_end(failed)}"
            )
            if interruption.pause(seconds):
                raise told from error
            left_going = None
    raise AssertionError("unreachable")


def find_pause(retry: int, chance: float) -> float:
    """Seconds before retry ``retry``, counted from 0: doubled each time, and less up to half of it by ``chance``."""
    return float(min(RETRY_SECONDS * 2**retry, LONGEST_RETRY_SECONDS) * (1 - chance / 2))


def require_metrics(record: Record, conditions: tuple[str, ...]) -> Record:
    """``record``, if its metrics are what they must be.

    Raises:
        RunFailed: they are not. The run is kept as it is, and not repeated.
    """
    unmet = metric_gate.find_unmet(conditions, record.metrics)
    if unmet:
        raise RunFailed(
            f"run {record.state.name} completed, and misses require_metrics: {'; '.join(unmet)}; "
            "the run is kept and will not be repeated: change what is trained, or require_metrics",
            record,
        )
    return record


def end(backend: Backend, run_id: str, *, cancel: bool) -> None:
    """Lets go of a run: cancels it where asked, and frees what its service holds. Records stay."""
    state = backend.describe(run_id)
    if cancel and state is not None and not state.status.is_final:
        backend.cancel(run_id)
        state = backend.describe(run_id)
    if state is not None:
        if not state.status.is_final:
            # It is to go on, is still ending, or is seen as it was: what has no record is not removed.
            return
        backend.collect(state)
    backend.remove(run_id)


def describe_end(state: RunState) -> str:
    """How a run ended, in a phrase that holds nothing of its log."""
    return f"run {state.name} is {_format_end(state)}"


def describe_failure(backend: Backend, record: Record) -> str:
    """The error text of a run that did not complete: what, why, the log's tail, the next step."""
    state = record.state
    tail = "".join(f"\n    {line}" for line in _read_tail(backend, record))
    shown = f"\n  last lines of the log:{tail}" if tail else ""
    portal = f"\n  portal: {record.portal_url}" if record.portal_url.startswith("https:") else ""
    return (
        f"run {state.name} (attempt {state.attempt}) ended as {_format_end(state)}{shown}"
        f"\n  whole log: {record.log_path}{portal}"
        "\n  mend the cause and run `pulumi up` again: it makes a new attempt"
    )


def _read_tail(backend: Backend, record: Record) -> list[str]:
    """The last lines of a log, each cut to what a person reads: the engine takes no error of megabytes."""
    try:
        lines = backend.read_tail(record, TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except BackendUnavailable as error:
        return [f"(not to be had: {error})"]
    return [line if len(line) <= TAIL_WIDTH else f"{line[:TAIL_WIDTH]} ..." for line in lines[-TAIL_LINES:]]


def _describe(backend: Backend, spec: RunSpec) -> RunState | None:
    state = backend.describe(spec.run_id)
    if state is not None and state.fingerprint != spec.fingerprint:
        raise RunConflict(
            f"run {state.name} has fingerprint {state.fingerprint}, and this one {spec.fingerprint}; rename the job"
        )
    return state


@dataclasses.dataclass(frozen=True)
class _Attempt:
    """One way through the picture above, from ``describe`` to the end of the run."""

    backend: Backend
    spec: RunSpec
    take_snapshot: Callable[[], Snapshot]
    say: Say
    interruption: Interruption
    policy: Policy
    because: str

    def make(self, left_going: int | None) -> Seen:
        state = _describe(self.backend, self.spec)
        if state is not None and state.status is Status.COMPLETED:
            self.say(f"adopt: run {state.name} finished{_format_age(state)}; nothing is trained")
            return self._accept(self._collect(state))
        if state is None or state.status.is_final:
            if state is not None:
                # The failed attempt's record must be there before the next one hides it.
                record = self._collect(state)
                if state.attempt == left_going:
                    raise RunFailed(describe_failure(self.backend, record), record)
            state = self._submit(state)
        else:
            shown = "; its log from the start:" if self.policy.wait else ""
            self.say(f"join: run {state.name} is {state.status.value.lower()}{shown}")
            if not self.policy.wait:
                # Nobody follows it, who would do that.
                self.backend.tend(state)
                state = _describe(self.backend, self.spec) or state
        if not self.policy.wait and not state.status.is_final:
            self.say(
                f"run {state.name} goes on, as wait is false; a later `pulumi up` or `pulumi refresh` sees its end"
            )
            return Seen(state)
        return self._see_to_end(state)

    def _submit(self, failed: RunState | None) -> RunState:
        number = failed.attempt + 1 if failed is not None else 1
        because = f", since attempt {failed.attempt} ended as {_format_end(failed)}" if failed is not None else ""
        changed = f"{self.because}; " if self.because else ""
        lost: BackendUnavailable | None = None
        try:
            self.say(f"train: {changed}submitting run {self.spec.run_id}, attempt {number}{because}")
            self._send(number)
        except AlreadySubmitted:
            self.say("join: another client has just submitted it")
        except BackendUnavailable as error:
            # It may have taken effect all the same, which a look says.
            lost = error
        state = self._find(number, lost)
        if lost is not None:
            self.say(f"join: run {state.name} was submitted, though the answer was lost ({lost})")
        return state

    def _find(self, number: int, lost: BackendUnavailable | None) -> RunState:
        """What was just submitted, or may have been, if the answer was ``lost``."""
        try:
            state = _describe(self.backend, self.spec)
        except BackendUnavailable as error:
            # It may go on and cost money: the state must know the run.
            known = RunState(
                run_id=self.spec.run_id,
                attempt=number,
                fingerprint=self.spec.fingerprint,
                status=Status.QUEUED,
                spec=self.spec.describe(),
            )
            raise RunUnfinished(
                f"run {known.name}: whether it was submitted is not known ({lost or error}); "
                "run `pulumi up` again: it joins the run, or submits it",
                known,
            ) from error
        if state is None or state.attempt < number:
            raise lost or RunGone(f"run {self.spec.run_id} was submitted and is gone; run `pulumi up` again")
        return state

    def _send(self, number: int) -> None:
        """Submits, as soon as the service can take it."""
        while True:
            try:
                self.backend.submit(self.spec, number, self.take_snapshot(), self.say)
            except NotReadyYet as error:
                self.say(f"{error}; trying again in {READY_SECONDS:.0f} s")
                if self.interruption.pause(READY_SECONDS):
                    raise
            else:
                return

    def _see_to_end(self, state: RunState) -> Seen:
        try:
            if _follow(self.backend, state, self.say, self.interruption):
                self._let_go(state)
            ended = _describe(self.backend, self.spec)
            record = self._collect(_require_end(state, ended))
        except RunUnfinished:
            raise
        except AmlInfraError as error:
            # It was submitted: whatever stopped the watching, the state must know the run.
            raise RunUnfinished(f"run {state.name}: {error}", state) from error
        except Exception as error:
            # A defect of ours, and still no reason to lose the run: it is told, with its kind, and is in the state.
            raise RunUnfinished(f"run {state.name}: unexpected {type(error).__name__}: {error}", state) from error
        if record.state.status is not Status.COMPLETED:
            raise RunFailed(describe_failure(self.backend, record), record)
        return self._accept(record)

    def _let_go(self, state: RunState) -> None:
        """After Ctrl-C: stops the run where the user has asked for that, and else leaves it."""
        if self.policy.on_interrupt == "cancel":
            self.say(f"interrupted: stopping run {state.name}, as on_interrupt is 'cancel'")
            self.backend.cancel(self.spec.run_id)
            return
        raise RunUnfinished(
            f"interrupted: run {state.name} goes on; the next `pulumi up` joins it, and `pulumi destroy` stops it",
            state,
        )

    def _collect(self, state: RunState) -> Record:
        # Of a run that was submitted before backends kept it, the spec is known here only.
        known = state if state.spec else dataclasses.replace(state, spec=self.spec.describe())
        return self.backend.collect(known)

    def _accept(self, record: Record) -> Seen:
        return Seen(record.state, require_metrics(record, self.policy.require_metrics))


def _build_mask(spec: RunSpec) -> Callable[[str], str]:
    """What takes the values of secret environment variables out of a text."""
    # A log comes line by line, so that of a value of several lines, or with a line end, each line is one to hide.
    parts = {line.strip() for value in spec.secrets.values() for line in value.splitlines()}
    # The longest first: one may be part of another.
    hidden = sorted((part for part in parts if len(part) >= SHORTEST_SECRET), key=len, reverse=True)

    def mask(text: str) -> str:
        for value in hidden:
            text = text.replace(value, "[secret]")
        return text

    return mask


def _require_end(state: RunState, now: RunState | None) -> RunState:
    if now is None or now.attempt != state.attempt:
        raise RunGone("it was removed while it ran; run `pulumi up` again to train it anew")
    if not now.status.is_final:
        raise RunUnfinished(f"the log of {now.name} ended, and it still runs; run `pulumi up` to join it", now)
    return now


def _follow(backend: Backend, state: RunState, say: Say, interruption: Interruption) -> bool:
    """Says every line of the log as it comes; gives whether it was interrupted before the end."""
    lines: queue.SimpleQueue[str | Interruption | None] = queue.SimpleQueue()
    outcome: Future[None] = Future()

    def read() -> None:
        try:
            for line in backend.follow(state, lines.put):
                lines.put(line)
            outcome.set_result(None)
        except BaseException as error:  # noqa: BLE001 (handed to the waiting thread, which raises it)
            outcome.set_exception(error)
        finally:
            lines.put(None)

    # A daemon thread: the process may end while a service keeps a connection open.
    threading.Thread(target=read, name=f"follow {state.name}", daemon=True).start()
    interruption.watch(lines)
    try:
        ended = False
        while not ended:
            batch: list[str] = []
            item = lines.get()
            while True:
                if isinstance(item, Interruption):
                    return True
                if item is None:
                    ended = True
                    break
                batch.append(item)
                if lines.empty():
                    break
                item = lines.get()
            # A burst goes in one message: the engine takes some thousand messages a second, and a log may have more.
            for text in ["\n".join(batch)] if len(batch) > BURST_LINES else batch:
                say(text)
    finally:
        interruption.forget(lines)
    outcome.result()
    return False


def _format_end(state: RunState) -> str:
    code = f", exit code {state.exit_code}" if state.exit_code is not None else ""
    reason = f": {state.reason}" if state.reason else ""
    return f"{state.status.value}{code}{reason}"


def _format_age(state: RunState) -> str:
    if state.finished_at is None:
        return ""
    minutes = (datetime.datetime.now(datetime.timezone.utc) - state.finished_at).total_seconds() / 60
    for size, unit in ((60 * 24, "d"), (60, "h"), (1, "min")):
        if minutes >= size:
            return f" {minutes / size:.0f} {unit} ago"
    return " just now"
