"""Where runs are while they are disturbed: what each backend is told, what it has of a run, and what can be killed."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.schedules import Kill

COMPLETED = "Completed"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """What a service has of an attempt.

    Attributes:
        name: of the attempt.
        number: counted from 1.
        fingerprint: of the run.
        status: how it ended; empty if it has not.
        logs: what each worker printed, by rank.
    """

    name: str
    number: int
    fingerprint: str
    status: str
    logs: Mapping[int, Sequence[str]]


class Place(abc.ABC):
    """One backend, with a service that is running."""

    @property
    @abc.abstractmethod
    def environment(self) -> Mapping[str, str]:
        """What an update's environment has besides its own."""

    @abc.abstractmethod
    def build_args(self) -> dict[str, Any]:
        """The arguments of a run that say where it is."""

    @abc.abstractmethod
    def list_attempts(self, name: str) -> list[Attempt]:
        """Every attempt at runs called ``name``."""

    @abc.abstractmethod
    def find_leftovers(self, name: str) -> list[str]:
        """What there is of runs called ``name`` and belongs to no attempt, or ran beside it."""

    @abc.abstractmethod
    def strike(self, name: str, kill: Kill) -> bool:
        """Kills the service's side of a run called ``name``; gives whether there was something to kill."""

    @abc.abstractmethod
    def let_go(self, name: str) -> None:
        """Makes the file ``outputs/go`` for the one run called ``name`` that is going."""

    @abc.abstractmethod
    def clean(self, name: str) -> None:
        """Removes runs called ``name``."""


def choose(kill: Kill, found: Sequence[Any]) -> Any:
    """One of those that there are."""
    return found[int(kill.chance * len(found))]


def split_ranks(text: str) -> dict[int, list[str]]:
    """A log by worker, of which each line begins with its worker's rank if there are several."""
    logs: dict[int, list[str]] = {}
    for line in text.splitlines():
        rank, bracket, rest = line.removeprefix("[").partition("] ")
        if line.startswith("[") and bracket and rank.isdigit():
            logs.setdefault(int(rank), []).append(rest)
        else:
            logs.setdefault(0, []).append(line)
    return logs
