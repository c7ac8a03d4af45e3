"""The life of a training run: get it, join it or submit it, and see it to its end.

Nothing here knows Pulumi or any service: a ``Backend`` is given, and a ``say`` that tells the user.

        describe ──► Completed ───────────────────────► collect ──► adopted
           │  │
           │  └────► Queued, Running ──► follow ──┐
           ▼                                      ▼
     none, or failed ──► submit ──► follow ──► describe ──► collect ──► Completed, or RunFailed
                            │                     ▲
                            └── another was first ┘
"""

from __future__ import annotations

import datetime
import os
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from aml_infra.backends.base import AlreadySubmitted, Backend, Record, RunGone, RunState, Status
from aml_infra.errors import AmlInfraError, RunConflict
from aml_infra.source import Snapshot
from aml_infra.spec import RunSpec

TAIL_LINES = 20
"""Lines of the log in the error of a run that failed."""

TAIL_WIDTH = 500
TAIL_BYTES = 64 * 1024

BURST_LINES = 20
"""Lines that came while one was being said are said one by one up to this number, and together beyond it."""

Say = Callable[[str], None]


class RunFailed(AmlInfraError):
    """The run ended in anything but success.

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

    def forget(self, lines: queue.SimpleQueue[Any]) -> None:
        """The opposite of ``watch``."""
        with self._lock:
            self._waiting.discard(lines)


def explain(backend: Backend, spec: RunSpec) -> str:
    """What ``ensure`` would do now, in a sentence, for preview."""
    state = _describe(backend, spec)
    if state is None:
        return f"train: run {spec.run_id} has not been submitted yet"
    if state.status is Status.COMPLETED:
        return f"adopt: run {state.name} finished{_format_age(state)}; nothing will be trained"
    if not state.status.is_final:
        return f"join: run {state.name} is {state.status.value.lower()}"
    return f"train: attempt {state.attempt + 1}, since attempt {state.attempt} ended as {_format_end(state)}"


def ensure(
    backend: Backend, spec: RunSpec, take_snapshot: Callable[[], Snapshot], say: Say, interruption: Interruption
) -> Record:
    """The record of a completed run of ``spec``; trains only if there is none.

    Args:
        backend: where.
        spec: what.
        take_snapshot: reads the source; called only if the run is submitted.
        say: tells the user one or more lines of text.
        interruption: ends the wait.

    Raises:
        RunFailed: it ended in anything but success.
        RunUnfinished: it was submitted or joined, and its end was not seen.
        AmlInfraError: it was not submitted.
    """
    state = _describe(backend, spec)
    if state is not None and state.status is Status.COMPLETED:
        say(f"adopt: run {state.name} finished{_format_age(state)}; nothing is trained")
        return _collect(backend, spec, state)
    if state is None or state.status.is_final:
        if state is not None:
            # The failed attempt's record must be there before the next one hides it.
            _collect(backend, spec, state)
        state = _submit(backend, spec, state, take_snapshot, say)
    else:
        say(f"join: run {state.name} is {state.status.value.lower()}; its log from the start:")
    return _see_to_end(backend, spec, state, say, interruption)


def end(backend: Backend, run_id: str, *, cancel: bool, spec: Mapping[str, Any]) -> None:
    """Lets go of a run: cancels it where asked, and frees what its service holds. Records stay."""
    state = backend.describe(run_id)
    if state is not None and not state.status.is_final:
        if not cancel:
            return
        backend.cancel(run_id)
        state = backend.describe(run_id)
    if state is not None and state.status.is_final:
        backend.collect(state, spec)
    backend.remove(run_id)


def describe_failure(record: Record) -> str:
    """The error text of a run that did not complete: what, why, the log's tail, the next step."""
    state = record.state
    tail = "".join(f"\n    {line}" for line in _read_tail(record.log_path))
    shown = f"\n  last lines of the log:{tail}" if tail else ""
    return (
        f"run {state.name} (attempt {state.attempt}) ended as {_format_end(state)}{shown}"
        f"\n  whole log: {record.log_path}"
        "\n  mend the cause and run `pulumi up` again: it makes a new attempt"
    )


def _read_tail(path: str) -> list[str]:
    """The last lines of a log, each cut to what a person reads: the engine takes no error of megabytes."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    return [line if len(line) <= TAIL_WIDTH else f"{line[:TAIL_WIDTH]} ..." for line in lines[-TAIL_LINES:]]


def _describe(backend: Backend, spec: RunSpec) -> RunState | None:
    state = backend.describe(spec.run_id)
    if state is not None and state.fingerprint != spec.fingerprint:
        raise RunConflict(
            f"run {state.name} has fingerprint {state.fingerprint}, and this one {spec.fingerprint}; rename the job"
        )
    return state


def _submit(
    backend: Backend, spec: RunSpec, failed: RunState | None, take_snapshot: Callable[[], Snapshot], say: Say
) -> RunState:
    attempt = failed.attempt + 1 if failed is not None else 1
    because = f", since attempt {failed.attempt} ended as {_format_end(failed)}" if failed is not None else ""
    try:
        say(f"train: submitting run {spec.run_id}, attempt {attempt}{because}")
        backend.submit(spec, attempt, take_snapshot())
    except AlreadySubmitted:
        say("join: another client has just submitted it")
    state = _describe(backend, spec)
    if state is None:
        raise RunGone(f"run {spec.run_id} was submitted and is gone; run `pulumi up` again")
    return state


def _see_to_end(backend: Backend, spec: RunSpec, state: RunState, say: Say, interruption: Interruption) -> Record:
    try:
        _follow(backend, state, say, interruption)
        ended = _describe(backend, spec)
        record = _collect(backend, spec, _require_end(state, ended))
    except RunUnfinished:
        raise
    except AmlInfraError as error:
        # It was submitted: whatever stopped the watching, the state must know the run.
        raise RunUnfinished(f"run {state.name}: {error}", state) from error
    except Exception as error:
        # A defect of ours, and still no reason to lose the run: it is told, with its kind, and the run is in the state.
        raise RunUnfinished(f"run {state.name}: unexpected {type(error).__name__}: {error}", state) from error
    if record.state.status is not Status.COMPLETED:
        raise RunFailed(describe_failure(record), record)
    return record


def _require_end(state: RunState, now: RunState | None) -> RunState:
    if now is None or now.attempt != state.attempt:
        raise RunGone("it was removed while it ran; run `pulumi up` again to train it anew")
    if not now.status.is_final:
        raise RunUnfinished(f"the log of {now.name} ended, and it still runs; run `pulumi up` to join it", now)
    return now


def _collect(backend: Backend, spec: RunSpec, state: RunState) -> Record:
    return backend.collect(state, spec.describe())


def _follow(backend: Backend, state: RunState, say: Say, interruption: Interruption) -> None:
    """Says every line of the log as it comes."""
    lines: queue.SimpleQueue[str | Interruption | None] = queue.SimpleQueue()
    outcome: Future[None] = Future()

    def read() -> None:
        try:
            for line in backend.follow(state):
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
                    raise RunUnfinished(
                        f"interrupted: run {state.name} goes on; the next `pulumi up` joins it, "
                        "and `pulumi destroy` stops it",
                        state,
                    )
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
