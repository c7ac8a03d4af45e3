"""A fault at each kind of request of each step of a run, one after another."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from aml_infra.backends.base import Backend, Record, RunState, Tell, tell_nobody
from aml_infra.errors import Problem
from aml_infra.source import Snapshot
from aml_infra.spec import Demand, RunSpec
from tests.api_faults import Fault

_OWN = re.compile(r"[^/]*[0-9a-f]{8}[^/]*", re.IGNORECASE)
"""The part of a path that is different for each run."""


class SteppedBackend(Backend):
    """A backend that says at which step it is.

    Attributes:
        step: the function that was called last; empty where nothing is to go wrong.
    """

    def __init__(self, backend: Backend) -> None:
        self.step = ""
        self._backend = backend

    def find_problems(self, demand: Demand) -> list[Problem]:
        self.step = "find_problems"
        return self._backend.find_problems(demand)

    def identify_image(self, reference: str) -> str:
        self.step = "identify_image"
        return self._backend.identify_image(reference)

    def build_request(self, spec: RunSpec, attempt: int) -> Mapping[str, Any]:
        return self._backend.build_request(spec, attempt)

    def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:
        self.step = "submit"
        self._backend.submit(spec, attempt, snapshot, tell)

    def describe(self, run_id: str) -> RunState | None:
        self.step = "describe"
        return self._backend.describe(run_id)

    def follow(self, state: RunState, tell: Tell = tell_nobody) -> Iterator[str]:
        self.step = "follow"
        yield from self._backend.follow(state, tell)

    def tend(self, state: RunState) -> None:
        self.step = "tend"
        self._backend.tend(state)

    def collect(self, state: RunState) -> Record:
        self.step = "collect"
        return self._backend.collect(state)

    def read_tail(self, record: Record, size: int) -> bytes:
        self.step = "read_tail"
        return self._backend.read_tail(record, size)

    def cancel(self, run_id: str) -> None:
        self.step = "cancel"
        self._backend.cancel(run_id)

    def remove(self, run_id: str) -> None:
        self.step = "remove"
        self._backend.remove(run_id)


@dataclasses.dataclass
class Sweep(Fault):
    """Hits, once in each step of a run, the first request of a kind that no run before it was hit at.

    Attributes:
        backend: says which step it is.
        tried: the kinds that were hit, of all runs: step, method and path, less what is a run's own.
        share: one kind in so many is hit, another one for each kind of fault.
        hit_steps: the steps in which one was hit in this run.
    """

    backend: SteppedBackend = dataclasses.field(kw_only=True)
    tried: set[tuple[str, str, str]] = dataclasses.field(kw_only=True)
    share: int = dataclasses.field(kw_only=True)
    hit_steps: set[str] = dataclasses.field(default_factory=set)
    _asked: set[str] = dataclasses.field(default_factory=set)

    def take(self, method: str, path: str, host: str) -> bool:
        step = self.backend.step
        if not step:
            return False
        plain, _, query = path.partition("?")
        watching = "?watch" if "watch=true" in query else ""
        case = (step, method, f"{host}{_OWN.sub('*', plain)}{watching}")
        if zlib.crc32(repr((self.kind, self.status, *case)).encode()) % self.share:
            return False
        if case in self.tried or step in self.hit_steps or not self._can_hit(method, path, host):
            return False
        self.tried.add(case)
        self.hit_steps.add(step)
        self.hits += 1
        return True

    def _can_hit(self, method: str, path: str, host: str) -> bool:
        if self.kind == "stale read":
            # Only what was read before can be read as it was then.
            known = f"{host}{path}" in self._asked
            self._asked.add(f"{host}{path}")
            return method == "GET" and known
        return True
