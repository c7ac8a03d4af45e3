"""The Jobs and pods of all runs in a namespace, as they are now: one watch of each, however many runs are followed."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aml_infra.backends import kubernetes_state, kubernetes_workload
from aml_infra.backends.kubernetes_api import Expired, KubernetesApi
from aml_infra.backends.kubernetes_layout import ATTEMPT_LABEL, RUN_LABEL
from aml_infra.backends.kubernetes_state import Seen
from aml_infra.errors import AccessDenied, BackendUnavailable, RequestRefused

KINDS = (kubernetes_workload.JOBS, "v1/pods")
"""What each run has; one that is a TrainJob has that besides."""

PAUSE_SECONDS = 1.0
"""Before a server is asked again that did not answer."""

RECONNECT_SECONDS = 600.0
"""How long the API server may be away before those who listen are told."""

Changes = queue.SimpleQueue[Any]
"""Gets a None whenever what belongs to an attempt may have changed."""


class Watch:
    """What there is of each run, kept up to date by a thread for each kind, for as long as somebody listens.

    Args:
        api: of the namespace.
    """

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._listeners: dict[int, tuple[tuple[str, str], Changes]] = {}
        self._generation = 0
        self._kinds: set[str] = set()
        self._objects: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._errors: dict[str, tuple[float, Exception]] = {}

    @contextlib.contextmanager
    def listen(self, record: Mapping[str, Any], changes: Changes | None = None) -> Iterator[Changes]:
        """Tells of each change of an attempt, from now on."""
        changes = changes or queue.SimpleQueue()
        with self._lock:
            if not self._listeners:
                self._generation += 1
                self._kinds.clear()
                self._objects.clear()
                self._errors.clear()
            for kind in _list_kinds(record) - self._kinds:
                self._kinds.add(kind)
                thread = threading.Thread(target=self._run, args=(kind, self._generation), daemon=True)
                thread.name = f"watch {kind}"
                thread.start()
            self._listeners[id(changes)] = (_read_key(record), changes)
        try:
            yield changes
        finally:
            with self._lock:
                del self._listeners[id(changes)]

    def see(self, record: Mapping[str, Any]) -> Seen | None:
        """What there is of an attempt; None while the server has not said yet.

        Raises:
            BackendUnavailable: it has been away for ``RECONNECT_SECONDS``.
            AccessDenied: this account may not look.
        """
        key, workload = _read_key(record), kubernetes_workload.find_workload(record)
        with self._lock:
            for since, error in self._errors.values():
                if time.monotonic() - since > RECONNECT_SECONDS or isinstance(error, AccessDenied):
                    raise error
            if not self._objects.keys() >= _list_kinds(record):
                return None
            found = {
                kind: [each for each in things.values() if _read_key(each) == key]
                for kind, things in self._objects.items()
            }
        job = _find_named(found[workload.kind], workload.name)
        inner = _find_named(found[kubernetes_workload.JOBS], workload.job)
        return kubernetes_state.gather(record, job, found["v1/pods"], inner)

    def _run(self, kind: str, generation: int) -> None:
        version = ""
        while self._is_wanted(generation):
            try:
                version = version or self._list(kind, generation)
                for event in self._api.watch(kind, RUN_LABEL, version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if not self._take(kind, event, generation):
                        return
            except Expired:
                version = ""
            except (BackendUnavailable, RequestRefused) as error:
                version = ""
                with self._lock:
                    since, _ = self._errors.get(kind, (time.monotonic(), error))
                    self._errors[kind] = (since, error)
                    self._tell(None)
                time.sleep(PAUSE_SECONDS)

    def _is_wanted(self, generation: int) -> bool:
        with self._lock:
            return bool(self._listeners) and generation == self._generation

    def _list(self, kind: str, generation: int) -> str:
        found = self._api.list_at(self._api.locate(kind), RUN_LABEL) or {}
        with self._lock:
            if generation == self._generation:
                self._objects[kind] = {each["metadata"]["uid"]: each for each in found.get("items") or ()}
                self._errors.pop(kind, None)
                self._tell(None)
        return str((found.get("metadata") or {}).get("resourceVersion") or "")

    def _take(self, kind: str, event: Mapping[str, Any], generation: int) -> bool:
        """Notes an event; gives whether somebody still listens."""
        with self._lock:
            if generation != self._generation or not self._listeners:
                return False
            if event["type"] != "BOOKMARK":
                thing = event["object"]
                if event["type"] == "DELETED":
                    self._objects[kind].pop(thing["metadata"]["uid"], None)
                else:
                    self._objects[kind][thing["metadata"]["uid"]] = thing
                self._tell(_read_key(thing))
        return True

    def _tell(self, key: tuple[str, str] | None) -> None:
        for wanted, changes in self._listeners.values():
            if key is None or key == wanted:
                changes.put(None)


def _list_kinds(record: Mapping[str, Any]) -> set[str]:
    return {*KINDS, kubernetes_workload.find_workload(record).kind}


def _find_named(things: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((each for each in things if each["metadata"]["name"] == name), None)


def _read_key(thing: Mapping[str, Any]) -> tuple[str, str]:
    """Which attempt a thing belongs to."""
    labels = thing["metadata"].get("labels") or {}
    return labels.get(RUN_LABEL, ""), labels.get(ATTEMPT_LABEL, "")
