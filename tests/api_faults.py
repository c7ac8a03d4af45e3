"""Faults on demand: what the network and the service do to a client on a bad day."""

from __future__ import annotations

import dataclasses
import re
import threading
from typing import Literal

Kind = Literal["status", "reset", "answer lost", "delay", "stale read", "cut"]


@dataclasses.dataclass
class Fault:
    """One fault.

    Attributes:
        kind: ``status``: an error instead of an effect. ``reset``: the connection is cut before an effect.
            ``answer lost``: it is cut after the effect. ``delay``: the effect waits for ``released``. ``stale read``:
            the answer is one of before: of Azure what the resource was before its last change, of Resource Manager
            only; elsewhere what was answered last, if anything was. ``cut``: the connection is cut in the middle of
            the answer; of Azure not that of Resource Manager.
        host: the host, as a regular expression for its whole name; by default the one that is a service's main one,
            as Resource Manager's of Azure, and the only one of Docker and Kubernetes.
        path: what the path must match, as a regular expression, whatever the case.
        method: of which requests; of all by default.
        status: HTTP status of ``status``.
        code: the service's word for it.
        retry_after: seconds that the client is told to wait; not told by default.
        skip: how many such requests are let through first.
        times: how many are hit.
        hits: how many were.
        after: bytes of the answer's body that get through before a ``cut``, of Docker and Kubernetes only; each time
            it is as many more.
        seconds: after so long one that is delayed goes on by itself.
        released: lets those that are delayed go on.
        reached: is set when one is delayed.
    """

    kind: Kind
    path: str = ".*"
    method: str = ""
    status: int = 500
    code: str = "InternalServerError"
    retry_after: int | None = None
    skip: int = 0
    times: int = 1
    hits: int = 0
    host: str = ""
    after: int = 1000
    seconds: float | None = None
    released: threading.Event = dataclasses.field(default_factory=threading.Event)
    reached: threading.Event = dataclasses.field(default_factory=threading.Event)

    def take(self, method: str, path: str, host: str) -> bool:
        """Whether this request is hit."""
        if self.hits >= self.times or (self.method and self.method != method):
            return False
        if not re.fullmatch(self.host, host, re.IGNORECASE):
            return False
        if not re.search(self.path, path, re.IGNORECASE):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True

    def wait(self) -> None:
        """Waits as one that is delayed does."""
        self.reached.set()
        self.released.wait(self.seconds)


class Faults:
    """The faults that are yet to come."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """One more."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """None; those that wait go on."""
        for fault in self._faults:
            fault.released.set()
        self._faults.clear()

    def take(self, method: str, path: str, host: str = "") -> Fault | None:
        """The fault that hits this request, if one does."""
        with self._lock:
            return next((fault for fault in self._faults if fault.take(method, path, host)), None)
