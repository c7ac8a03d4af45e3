"""One seed: updates that are disturbed as its schedule says, then others until all is well, then the verdict."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import Any

from tests.faults import deployments, processes, verdict
from tests.faults.disturbed_project import DisturbedProject, Update
from tests.faults.places import COMPLETED, Place
from tests.faults.schedules import CLIENT_VICTIMS, Kill, Schedule

UPDATE_SECONDS = 600.0
"""An update that takes so long hangs."""

ORPHAN_SECONDS = 30.0
"""So long our own processes may take to notice that their engine is gone; they need a second on a machine at rest."""

MOST_UPDATES = 8
"""Undisturbed updates after the kills."""

_PAUSE_SECONDS = 0.05
_NEWS_SECONDS = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended.

    Attributes:
        schedule: what was done.
        problems: what was wrong; empty if nothing was.
        hits: the victims that were killed.
        missed: those that were not there any more.
        updates: how many updates it took after the kills.
        hosts: language hosts that outlived their engine.
        first_seconds: what the first update took.
        seconds: what all took.
        state: the stack's state, to be compared.
    """

    schedule: Schedule
    problems: Sequence[str]
    hits: Sequence[str]
    missed: Sequence[str]
    updates: int
    hosts: int
    first_seconds: float
    seconds: float
    state: list[Any]


class Trial:
    """A trial in a folder of its own.

    Args:
        schedule: what is done.
        place: where.
        folder: does not exist yet.
        name: of the run, which nothing else has.
        undisturbed: how the same scenario ends on the same backend without a kill; None for that trial itself.
    """

    def __init__(
        self, schedule: Schedule, place: Place, folder: pathlib.Path, name: str, undisturbed: Outcome | None
    ) -> None:
        self._schedule, self._place, self._name, self._undisturbed = schedule, place, name, undisturbed
        self._project = DisturbedProject(folder, name, place.environment)
        self._problems: list[str] = []
        self._hits: list[str] = []
        self._missed: list[str] = []
        self._hosts = 0

    def run(self) -> Outcome:
        """Does it all, and removes what it has made."""
        began = time.monotonic()
        scenario = self._schedule.scenario
        try:
            if scenario.before:
                self._declare(scenario.before)
                self._run_update(fails=scenario.before_fails)
            self._declare(scenario.script)
            for kill in self._schedule.kills:
                self._disturb(kill)
            first_seconds, updates, said = self._converge()
            state = self._judge(said)
        finally:
            processes.end(self._name)
            self._place.clean(self._name)
        return Outcome(
            schedule=self._schedule,
            problems=self._problems,
            hits=self._hits,
            missed=self._missed,
            updates=updates,
            hosts=self._hosts,
            first_seconds=first_seconds,
            seconds=time.monotonic() - began,
            state=state,
        )

    def _declare(self, script: str) -> None:
        scenario = self._schedule.scenario
        self._project.write_script(script)
        several = {} if scenario.workers == 1 else {"distribution": scenario.workers}
        waits = {} if scenario.waits else {"wait": False}
        # So that no other trial has the same fingerprint.
        own = {"triggers": {"trial": self._name}}
        self._project.write_args(**{**self._place.build_args(), **several, **waits, **own})

    def _start_update(self) -> Update:
        return self._project.start_update(recovery=self._schedule.recovery)

    def _run_update(self, *, fails: bool) -> None:
        update = self._start_update()
        update.wait(UPDATE_SECONDS)
        assert (update.process.returncode != 0) == fails, update.read()

    def _disturb(self, kill: Kill) -> None:
        """One update with one kill."""
        assert self._undisturbed is not None
        update = self._start_update()
        patterns = {"": "", "run": f"run {self._name}-"}
        going = update.wait_for(patterns.get(kill.after, rf"\b{kill.after}$"))
        until = time.monotonic() + kill.delay * (1 if kill.after else self._undisturbed.first_seconds)
        while going and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
        is_hit = False
        while not is_hit and not update.has_ended:
            is_hit = self._strike(update, kill)
            if not is_hit:
                time.sleep(_PAUSE_SECONDS)
        (self._hits if is_hit else self._missed).append(kill.victim)
        update.wait(UPDATE_SECONDS)
        self._look_after(update, kill)

    def _strike(self, update: Update, kill: Kill) -> bool:
        if kill.victim not in CLIENT_VICTIMS:
            return self._place.strike(self._name, kill)
        if kill.victim == "engine":
            update.kill()
        elif kill.victim == "group":
            update.cancel()
        else:
            return processes.kill(self._name, kill.victim)
        return True

    def _look_after(self, update: Update, kill: Kill) -> None:
        """What must be so after an update, however it ended."""
        for left in processes.wait_gone(self._name, ORPHAN_SECONDS):
            self._problems.append(f"after the {kill.victim} was killed, a {left.role} is left ({left.pid})")
        self._hosts += processes.end(self._name)
        locks = self._project.find_locks()
        if update.process.returncode >= 0 and locks:
            self._problems.append(f"an engine that ended by itself after the kill of {kill.victim} has left {locks}")

    def _converge(self) -> tuple[float, int, str]:
        """Updates until one succeeds and the run has completed; gives the first's seconds, how many, and what was said.

        Raises:
            AssertionError: it takes too many.
        """
        first_seconds, said = 0.0, ""
        for count in range(1, MOST_UPDATES + 1):
            update = self._start_update()
            first_seconds = first_seconds or update.wait(UPDATE_SECONDS)
            update.wait(UPDATE_SECONDS)
            said = update.read()
            deployment = self._project.export()
            if update.process.returncode == 0 and deployments.find_run(deployment).get("status") == COMPLETED:
                return first_seconds, count, said
            if not self._schedule.scenario.waits:
                time.sleep(_NEWS_SECONDS * count)
        raise AssertionError(f"{MOST_UPDATES} updates were not enough; the last said:\n{said}")

    def _judge(self, said: str) -> list[Any]:
        scenario = self._schedule.scenario
        self._project.expect_no_changes()
        deployment = self._project.export()
        if pending := deployment.get("pending_operations"):
            self._problems.append(f"operations are pending: {pending}")
        if locks := self._project.find_locks():
            self._problems.append(f"locks are left: {locks}")
        left = processes.wait_gone(self._name, ORPHAN_SECONDS)
        self._problems += [f"a {each.role} is left ({each.pid})" for each in left]
        run = deployments.find_run(deployment)
        restarts = self._schedule.backend != "docker"
        attempts = self._place.list_attempts(self._name)
        self._problems += verdict.find_problems(scenario, attempts, run, self._hits, restarts=restarts)
        self._problems += verdict.find_shown_problems(scenario, attempts, said, self._hits, restarts=restarts)
        self._problems += self._place.find_leftovers(self._name)
        state = deployments.normalize(deployment, name=self._name, folder=str(self._project.folder))
        if self._undisturbed is not None:
            self._problems += deployments.find_differences(self._undisturbed.state, state)
        return state
