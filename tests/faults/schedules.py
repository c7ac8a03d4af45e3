"""What each seed does. Pure: a seed is the same schedule on every machine, whichever other seeds are run beside it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence

from tests.faults.scenarios import SCENARIOS, Scenario

BACKENDS = ("docker", "azureml", "kubernetes")

CLIENT_VICTIMS = ("engine", "plugin", "program", "language host", "group")
"""On this machine: the engine, our plugin, the Python program and what runs it; and all of them, as a pipeline that is
canceled does it: SIGINT for the process group, then SIGKILL."""

SERVICE_VICTIMS: Mapping[str, Sequence[str]] = {
    "docker": ("job", "daemon", "live daemon"),
    "azureml": ("job", "node"),
    "kubernetes": ("job", "pod", "kubelet"),
}
"""Where the run is. ``job`` is its container, with whatever it does; ``daemon`` is Docker's, with whose restart
containers end, or go on if it is a ``live daemon``; a ``node`` of low priority is taken away; a ``pod`` is evicted."""

ENDS_COMMAND = ("job", "daemon", "live daemon")
"""After these an attempt may have failed, and another one is right; also after that of a live daemon, which cannot
start a container any more that it was starting."""

LOSES_OUTPUT = ("daemon", "live daemon")
"""What a container prints is lost if it ends while the daemon is away: it is the daemon that writes logs."""

RESTARTS_COMMAND = ("job", "node", "pod")
"""After these the service may start the command of the same attempt again."""

STARTS_TWICE = ("live daemon",)
"""Killed while it starts a container, whose process goes on, it knows nothing of that: whoever asked for the start asks
again, and the command begins anew, with what it has said before in its log."""

EVENTS = ("run", "begin", "step 2", "end")
"""In what an update prints; a schedule may wait for one. ``run`` is the first word of the run: that it is submitted,
joined or adopted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill, in one update.

    Attributes:
        victim: which process.
        after: what the update must have printed first; empty for its start.
        delay: seconds from then on; from the start, as a part of what an undisturbed update takes.
        away: seconds until a daemon that was killed is started again.
        chance: chooses one where there are several, as of workers: from 0 up to 1.
    """

    victim: str
    after: str
    delay: float
    away: float
    chance: float

    def __str__(self) -> str:
        return f"{self.victim} {self.delay:.2f} after {self.after or 'start'!r}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """What is done for a seed.

    Attributes:
        seed: which.
        backend: where it trains.
        scenario: what is trained.
        kills: one after the other, each in an update of its own.
        recovery: with whose commands a user goes on after a kill: those of ``make`` or of ``pulumi``.
    """

    seed: int
    backend: str
    scenario: Scenario
    kills: Sequence[Kill]
    recovery: str

    def __str__(self) -> str:
        kills = ", then ".join(map(str, self.kills))
        return f"seed {self.seed}: {self.backend}, {self.scenario.name}, {self.recovery}: {kills}"


def draw(seed: int) -> Schedule:
    """The schedule of a seed; three seeds in a row are one of each backend."""
    # From text: whole numbers that are near one another would give streams that are alike at first.
    chances = random.Random(f"kills {seed}")  # noqa: S311 (no secret)
    backend = BACKENDS[seed % len(BACKENDS)]
    victims = (*CLIENT_VICTIMS, *SERVICE_VICTIMS[backend])
    # Containers live with one daemon only, which either keeps them over its restart or not.
    first = chances.choice(victims)
    rest = [victim for victim in victims if {victim, first} != {"daemon", "live daemon"}]
    scenario = chances.choice(SCENARIOS)
    chosen = [first, *([chances.choice(rest)] if chances.random() < 0.5 else [])]
    return Schedule(
        seed=seed,
        backend=backend,
        scenario=scenario,
        kills=tuple(_draw_kill(chances, victim, scenario) for victim in chosen),
        recovery=chances.choice(("make", "pulumi")),
    )


def _draw_kill(chances: random.Random, victim: str, scenario: Scenario) -> Kill:
    # An update that does not wait for the run shows nothing of its log, and nothing runs any more after the last line.
    events = EVENTS[:1] if not scenario.waits else EVENTS[:-1] if victim in RESTARTS_COMMAND else EVENTS
    after = chances.choice(("", *events))
    return Kill(
        victim=victim,
        after=after,
        delay=chances.uniform(0, 1),
        away=chances.uniform(0, 2),
        chance=chances.random(),
    )


def build_undisturbed(backend: str, scenario: Scenario) -> Schedule:
    """The schedule that the others are compared with."""
    return Schedule(seed=0, backend=backend, scenario=scenario, kills=(), recovery="make")


def parse_seeds(text: str) -> list[int]:
    """Seeds as they are written: ``17``, ``1-200``, ``3,17,40-50``.

    Raises:
        ValueError: it is something else.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds.extend(range(int(first), int(last or first) + 1))
    return seeds
