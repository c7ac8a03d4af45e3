"""Follows one attempt: its log, line by line, and what it waits for, until it has ended."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aml_infra.backends import kubernetes_layout, kubernetes_pulls, kubernetes_state, kubernetes_workload, log_lines
from aml_infra.backends.base import Tell
from aml_infra.backends.kubernetes_api import KubernetesApi
from aml_infra.backends.kubernetes_files import Files, Tail
from aml_infra.backends.kubernetes_state import Seen
from aml_infra.backends.kubernetes_watch import Watch
from aml_infra.errors import AccessDenied, BackendUnavailable, RequestRefused

LOOK_SECONDS = 5.0
"""After so long it is looked again, also where nothing was heard."""

NEWS_SECONDS = 60.0
"""After so long it is said again what a run waits for."""

UNREACHABLE_SECONDS = 90.0
"""So long a registry is waited for that nodes cannot reach, in which they try several times: it may be starting."""

LAST_SECONDS = 10.0
"""So long the last words of a pod that has ended are waited for; the volume has them in any case."""

_PAUSE_SECONDS = 1.0

LookAfter = Callable[[str, str], "dict[str, Any] | None"]
"""Does for an attempt what it needs (see ``KubernetesBackend``)."""


@dataclasses.dataclass
class _Worker:
    """How far the log of a worker has been read.

    Attributes:
        offset: bytes that were read.
        pending: those of them that are no whole line yet.
        pod: whose log is read on now, by its uid; empty if none is.
        tail: what reads it.
        not_before: when it may be read on again.
    """

    offset: int = 0
    pending: bytearray = dataclasses.field(default_factory=bytearray)
    pod: str = ""
    tail: Tail | None = None
    not_before: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Content:
    """What a worker has printed."""

    rank: int
    content: bytes


@dataclasses.dataclass(frozen=True)
class _TailEnd:
    """A worker's pod has ended, or the connection to it was lost; or nobody here may read in it, which is told."""

    rank: int
    denied: AccessDenied | None = None


class Follower:
    """Follows one attempt.

    Args:
        api: of the namespace.
        files: of its runs.
        watch: of its Jobs and pods.
        record: the attempt's ConfigMap.
        tell: hears what it waits for.
        pending_seconds: an attempt that cannot start for so long has failed.
    """

    def __init__(
        self,
        api: KubernetesApi,
        files: Files,
        watch: Watch,
        record: Mapping[str, Any],
        tell: Tell,
        *,
        pending_seconds: float,
    ) -> None:
        self._api, self._files, self._watch, self._record = api, files, watch, record
        self._name = str(record["metadata"]["name"])
        self._queue: queue.SimpleQueue[_Content | _TailEnd | None] = queue.SimpleQueue()
        workers = int(kubernetes_state.read_spec(record).get("workers") or 1)
        self._workers = {rank: _Worker() for rank in range(workers)}
        self._news = _News(self._name, api, tell, pending_seconds)
        self._has_run = False

    def follow(self, look_after: LookAfter) -> Iterator[str]:
        """The lines of its log, until it has ended.

        Raises:
            BackendUnavailable: the API server has been away for long.
        """
        found = look_after(self._name, "")
        if found is None:
            return
        if "state" not in found["data"]:
            with self._watch.listen(self._record, self._queue):
                try:
                    yield from self._follow(look_after)
                finally:
                    for worker in self._workers.values():
                        if worker.tail is not None:
                            worker.tail.stop()
            found = self._api.get("v1/configmaps", self._name)
        if found is not None and kubernetes_state.may_have_run(found):
            yield from self._read_rest()

    def _follow(self, look_after: LookAfter) -> Iterator[str]:
        while True:
            seen = self._watch.see(self._record)
            if seen is not None:
                failure = self._news.see(seen)
                if failure or seen.job is None:
                    found = look_after(self._name, failure)
                    if found is None or "state" in found["data"]:
                        return
                self._attach(seen)
                if seen.job is not None and kubernetes_state.has_ended(seen.job):
                    yield from self._hear_last_words()
                    return
            with contextlib.suppress(queue.Empty):
                yield from self._hear(LOOK_SECONDS)

    def _attach(self, seen: Seen) -> None:
        """Reads on in each pod whose command runs."""
        for rank, pod in seen.pods.items():
            worker = self._workers[rank]
            if worker.pod or not kubernetes_state.is_running(pod) or time.monotonic() < worker.not_before:
                continue
            worker.pod = str(pod["metadata"]["uid"])
            arguments = (rank, str(pod["metadata"]["name"]), worker.offset)
            threading.Thread(target=self._read, args=arguments, name=f"log {self._name}", daemon=True).start()

    def _read(self, rank: int, pod: str, offset: int) -> None:
        denied = None
        try:
            tail = Tail(self._api, pod, offset)
            self._workers[rank].tail = tail
            for content in tail.read():
                self._queue.put(_Content(rank, content))
        except AccessDenied as error:
            denied = error
        except (BackendUnavailable, RequestRefused):
            # Its pod has ended, or the connection was lost: who listens sees which.
            pass
        finally:
            self._queue.put(_TailEnd(rank, denied))

    def _hear(self, seconds: float) -> Iterator[str]:
        """The lines in what is heard next; raises ``queue.Empty`` if nothing is."""
        item = self._queue.get(timeout=seconds)
        if isinstance(item, _TailEnd):
            worker = self._workers[item.rank]
            worker.pod, worker.tail, worker.not_before = "", None, time.monotonic() + _PAUSE_SECONDS
            if item.denied is not None:
                raise item.denied
        elif isinstance(item, _Content):
            yield from self._cut(item.rank, item.content)

    def _hear_last_words(self) -> Iterator[str]:
        until = time.monotonic() + LAST_SECONDS
        with contextlib.suppress(queue.Empty):
            while any(worker.pod for worker in self._workers.values()):
                yield from self._hear(max(0.0, until - time.monotonic()))

    def _read_rest(self) -> Iterator[str]:
        """What has not been heard; and what has no line end."""
        image = kubernetes_state.find_image(self._record)
        for rank, worker in self._workers.items():
            path = kubernetes_layout.locate_log(self._name, rank)
            for content in self._files.read_from(image, path, worker.offset):
                yield from self._cut(rank, content)
            if worker.pending:
                yield self._name_line(rank, bytes(worker.pending))

    def _cut(self, rank: int, content: bytes) -> Iterator[str]:
        worker = self._workers[rank]
        worker.offset += len(content)
        for line in log_lines.cut_lines(worker.pending, content):
            yield self._name_line(rank, line)

    def _name_line(self, rank: int, line: bytes) -> str:
        prefix = f"[{rank}] " if len(self._workers) > 1 else ""
        return prefix + log_lines.decode_line(line)


class _News:
    """Tells what an attempt waits for before its command runs, and says when that has taken too long."""

    def __init__(self, name: str, api: KubernetesApi, tell: Tell, pending_seconds: float) -> None:
        self._name, self._api, self._tell, self._pending_seconds = name, api, tell, pending_seconds
        self._began = self._said_at = self._waits_since = time.monotonic()
        self._said = ""
        self._unreachable_since: float | None = None
        self._pods: set[str] = set()

    def see(self, seen: Seen) -> str:
        """Tells what is new; gives why the attempt has failed, if it waits for too long."""
        now = time.monotonic()
        taken = [pod for pod in seen.pods.values() if kubernetes_state.read_start(pod) is not None]
        if taken or (seen.job is not None and seen.job["spec"].get("suspend")):
            # How long it takes in a queue is for the queue to say.
            self._waits_since = now
        new = {str(pod["metadata"]["uid"]) for pod in taken} - self._pods
        if new:
            again = " again, as its machine was taken away" if self._pods and len(seen.pods) == 1 else ""
            self._pods |= new
            self._say(f"is running{again}", now)
        if taken or seen.job is None or kubernetes_state.has_ended(seen.job):
            return ""
        why = kubernetes_state.explain_wait(seen) or self._explain_absence(seen, now)
        if why and (why != self._said or now - self._said_at >= NEWS_SECONDS):
            self._say(f"waits: {why}", now)
            self._said = why
        if unreachable := self._find_unreachable(seen, now):
            return unreachable
        if now - self._waits_since > self._pending_seconds:
            minutes = self._pending_seconds / 60
            return f"it could not start for {minutes:g} minutes, its pending_minutes: {why or 'no reason is told'}"
        return ""

    def _find_unreachable(self, seen: Seen, now: float) -> str:
        """Why no waiting helps, where nodes have not reached a registry for long."""
        found = kubernetes_pulls.find_lasting_problem(seen.pods.values())
        if found is None:
            self._unreachable_since = None
            return ""
        self._unreachable_since = self._unreachable_since or now
        return str(found) if now - self._unreachable_since > UNREACHABLE_SECONDS else ""

    def _explain_absence(self, seen: Seen, now: float) -> str:
        """Why a Job has no pods, as where a quota is used up."""
        if seen.pods or now - self._began < _PAUSE_SECONDS:
            return ""
        events = [
            event
            for kind, name in kubernetes_workload.find_workload(seen.record).sources
            for event in self._api.list(
                "v1/events", field_selector=f"involvedObject.kind={kind},involvedObject.name={name},type=Warning"
            )
        ]
        newest = max(events, key=lambda each: str(each.get("lastTimestamp") or ""), default=None)
        return "" if newest is None else f"{newest.get('reason')}: {newest.get('message')}"

    def _say(self, what: str, now: float) -> None:
        seconds = round(now - self._began)
        self._said_at = now
        self._tell(f"run {self._name} {what} ({seconds // 60}:{seconds % 60:02})")
