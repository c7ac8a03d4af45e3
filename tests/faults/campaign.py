"""Many trials, several at the same time, and what came out of them."""

from __future__ import annotations

import collections
import concurrent.futures
import pathlib
import shutil
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence

from tests.faults.grounds import Grounds
from tests.faults.scenarios import Scenario
from tests.faults.schedules import Schedule, build_undisturbed
from tests.faults.trial import Outcome, Trial

Say = Callable[[str], None]


class Campaign:
    """Runs trials.

    Args:
        grounds: where.
        folder: for their projects; that of a trial that failed stays.
        say: is told of each trial that has ended.
    """

    def __init__(self, grounds: Grounds, folder: pathlib.Path, say: Say) -> None:
        self._grounds, self._folder, self._say = grounds, folder, say
        self._lock = threading.Lock()
        self._references: dict[tuple[str, str], concurrent.futures.Future[Outcome]] = {}

    def run(self, schedules: Sequence[Schedule], parallel: int) -> Report:
        """Runs a trial for each schedule, ``parallel`` at a time; after Ctrl-C those that go on come to their end."""
        # Before all trials, so that a service that does not start is told once.
        for backend in sorted({schedule.backend for schedule in schedules}):
            self._grounds.prepare(backend)
        report = Report()
        pool = concurrent.futures.ThreadPoolExecutor(parallel)
        try:
            futures = {pool.submit(self._try, schedule): schedule for schedule in schedules}
            for future in concurrent.futures.as_completed(futures):
                schedule, error = futures[future], future.exception()
                outcome = None if error else future.result()
                problems = list(outcome.problems) if outcome else ["".join(traceback.format_exception(error))]
                report.add(schedule, outcome, problems)
                self._say(report.describe_last())
        finally:
            pool.shutdown(cancel_futures=True)
        return report

    def _try(self, schedule: Schedule) -> Outcome:
        return self._run(schedule, self._find_reference(schedule.backend, schedule.scenario))

    def _find_reference(self, backend: str, scenario: Scenario) -> Outcome:
        """How a scenario ends on a backend without a kill; tried once, by who first needs it."""
        key = (backend, scenario.name)
        with self._lock:
            known = self._references.get(key)
            if known is None:
                mine = self._references[key] = concurrent.futures.Future()
        if known is not None:
            return known.result()
        try:
            outcome = self._run(build_undisturbed(backend, scenario), None)
            assert not outcome.problems, f"undisturbed, {scenario.name} on {backend} has {outcome.problems}"
        except BaseException as error:
            # Whoever comes later tries it again.
            with self._lock:
                del self._references[key]
            mine.set_exception(error)
            raise
        mine.set_result(outcome)
        return outcome

    def _run(self, schedule: Schedule, undisturbed: Outcome | None) -> Outcome:
        name = f"f{schedule.seed}-{uuid.uuid4().hex[:6]}"
        folder = self._folder / name
        with self._grounds.lend(schedule, folder / "data") as place:
            outcome = Trial(schedule, place, folder, name, undisturbed).run()
        if not outcome.problems:
            shutil.rmtree(folder)
        return outcome


class Report:
    """What came out."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._outcomes: list[tuple[Schedule, Outcome | None, Sequence[str]]] = []

    def add(self, schedule: Schedule, outcome: Outcome | None, problems: Sequence[str]) -> None:
        """One more trial; ``outcome`` is None where it did not come to its end."""
        self._outcomes.append((schedule, outcome, problems))

    @property
    def failures(self) -> list[str]:
        """Each trial that failed: what was wrong, and how to have it again."""
        return [
            "\n".join([f"FAILED {schedule}", *problems, f"again: make faults SEEDS={schedule.seed}"])
            for schedule, _, problems in self._outcomes
            if problems
        ]

    def describe_last(self) -> str:
        """The trial that was added last, in a line, and what was wrong with it in others."""
        schedule, outcome, problems = self._outcomes[-1]
        if problems:
            return self.failures[-1]
        assert outcome is not None
        missed = f"; not there: {', '.join(outcome.missed)}" if outcome.missed else ""
        return f"ok {schedule}; {outcome.updates} updates, {outcome.seconds:.0f} s{missed}"

    def summarize(self) -> str:
        """All of it in a line."""
        outcomes = [outcome for _, outcome, _ in self._outcomes if outcome is not None]
        backends = collections.Counter(schedule.backend for schedule, _, _ in self._outcomes)
        kills = collections.Counter(victim for outcome in outcomes for victim in outcome.hits)
        missed = sum(len(outcome.missed) for outcome in outcomes)
        updates = [outcome.updates for outcome in outcomes]
        minutes = (time.monotonic() - self._began) / 60
        return (
            f"{len(self._outcomes)} seeds ({_list(backends)}); {kills.total()} kills ({_list(kills)}), "
            f"{missed} came too late; {sum(updates)} updates after them, at most {max(updates, default=0)} for a seed; "
            f"{sum(outcome.hosts for outcome in outcomes)} language hosts of the engine outlived it; "
            f"{len(self.failures)} failures; {minutes:.1f} min"
        )


def _list(counts: collections.Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
