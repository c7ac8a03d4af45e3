"""What the network and the service do to a run on a bad day, at each kind of request of each step, on each service."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import pytest

from aml_infra.backends.base import Record, RunGone, Status
from aml_infra.errors import BackendUnavailable
from aml_infra.provider import lifecycle
from aml_infra.provider.lifecycle import Interruption, RunUnfinished
from tests.contract.conftest import Scene, Stage
from tests.contract.sweeps import SteppedBackend, Sweep

PASSING: Mapping[str, Mapping[str, Any]] = {
    "delay": {"kind": "delay", "seconds": 0.2},
    "reset": {"kind": "reset"},
    "throttled": {"kind": "status", "status": 429, "code": "TooManyRequests", "retry_after": 1},
    "failed inside": {"kind": "status", "status": 500},
    "answer lost": {"kind": "answer lost"},
}
"""What the clients of the services get over by themselves."""

OTHERS: Mapping[str, Mapping[str, Any]] = {
    "stale read": {"kind": "stale read"},
    "cut": {"kind": "cut", "after": 10},
}
"""What may cost an update, as it is seen too late to ask again."""

LINES = tuple(f"line-{number}" for number in range(100))

SHARE = int(os.environ.get("AML_INFRA_FAULT_SHARE", "12"))
"""One kind of request in so many has a fault; 1 for all of them, which takes half an hour."""

UPDATES = 5
"""How often `pulumi up` is called at most."""

Answer = TypeVar("Answer")


@dataclasses.dataclass
class Updates:
    """What came of `pulumi up`, called until it succeeded.

    Attributes:
        record: the run's.
        shown: the lines of its log that each call has shown.
        errors: of those that failed.
    """

    record: Record
    shown: list[list[str]]
    errors: list[str]


@pytest.mark.parametrize("kind", [*PASSING, *OTHERS])
def test_a_fault_at_any_request_makes_no_second_run_and_costs_no_line(service_stage: Stage, kind: str) -> None:
    """Described, submitted, followed and collected through it: one run, its whole log once and in order, Completed."""
    for scene, backend in sweep(service_stage, kind):
        updates = see_to_end(scene, backend)
        again = see_to_end(scene, backend)

        assert (updates.record.state.status, updates.record.state.attempt) == (Status.COMPLETED, 1)
        assert all(tuple(lines) == LINES[: len(lines)] for lines in updates.shown)
        assert tuple(scene.read_log(updates.record).splitlines()) == LINES
        assert service_stage.count_runs(scene) == 1
        if kind in PASSING:
            assert updates.errors == []
            assert tuple(updates.shown[0]) == LINES
        assert again.record == updates.record
        assert again.shown[-1] == []


@pytest.mark.parametrize("kind", [*PASSING, *OTHERS])
def test_a_fault_while_a_run_is_canceled_leaves_none_going(service_stage: Stage, kind: str) -> None:
    """Asked to end until that has an answer: it has ended, as Canceled, and is known to have."""
    for scene, backend in sweep(service_stage, kind, lasting=True):
        next(scene.backend.follow(scene.submit()))

        _, errors = insist(backend, lambda: lifecycle.end(backend, scene.spec.run_id, cancel=True))  # noqa: B023 (called at once)

        assert scene.backend.collect(scene.describe()).state.status is Status.CANCELED
        assert service_stage.count_runs(scene, going=True) == 0
        if kind in PASSING:
            assert errors == []


def sweep(stage: Stage, kind: str, *, lasting: bool = False) -> Iterator[tuple[Scene, SteppedBackend]]:
    """Scenes, each with a fault at other requests, until each kind of request was hit."""
    tried: set[tuple[str, str, str]] = set()
    fault = None
    while fault is None or fault.hits:
        scene = stage(lines=LINES, lasting=lasting)
        faults = stage.open_faults(scene)
        backend = SteppedBackend(scene.backend)
        fault = Sweep(**{**PASSING, **OTHERS}[kind], backend=backend, tried=tried, share=SHARE)
        faults.add(fault)
        yield scene, backend
        faults.clear()
    print(f"{stage.kind}, {kind}: {len(tried)} cases")  # noqa: T201 (the figure of docs/reliability.md)


def see_to_end(scene: Scene, backend: SteppedBackend) -> Updates:
    """Calls `pulumi up` as a user does, again where it failed."""
    shown: list[list[str]] = []

    def update() -> lifecycle.Seen:
        shown.append([])
        return lifecycle.ensure(backend, scene.spec, lambda: scene.snapshot, note, Interruption())

    def note(text: str) -> None:
        shown[-1] += [line for line in text.splitlines() if line in LINES]

    seen, errors = insist(backend, update)
    assert seen.record is not None
    return Updates(seen.record, shown, errors)


def insist(backend: SteppedBackend, ask: Callable[[], Answer]) -> tuple[Answer, list[str]]:
    """Asks again as a user does who is told to; gives the answer, and what was said before. No fault comes after it."""
    errors: list[str] = []
    while True:
        try:
            answer = ask()
            backend.step = ""
            return answer, errors
        except (BackendUnavailable, RunGone, RunUnfinished) as error:
            errors.append(str(error))
            if len(errors) == UPDATES:
                raise
