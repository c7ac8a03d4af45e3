"""Everything that can go wrong, as a small tree of exceptions.

    AmlInfraError
    ├── InvalidInput        what the user wrote cannot be run; carries every problem at once
    ├── BackendUnavailable  the service did not answer: nothing is known, so nothing may be concluded
    │   └── AccessDenied    it answered that this account may not: nothing is known either
    ├── RequestRefused      the service refused a request, and would refuse it again
    ├── RunConflict         the run's name is held by something that is not our run
    ├── SourceChanged       a source file changed between being hashed and being shipped
    ├── NotReadyYet         the service would refuse the run now, and most likely not in a while
    └── RunNotSubmitted     the service refused the run (no such image, a bad request)

Message style: what went wrong, the value given, what is allowed, the fix; lower case, no final period.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


class AmlInfraError(Exception):
    """The root of every error that aml-infra raises on purpose."""


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with what the user wrote.

    Attributes:
        path: the user's property path, such as ``train.command`` or ``image.dockerfile``.
        message: what is wrong, the value given, what is allowed, the fix.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def under(self, prefix: str) -> Problem:
        """The same problem, with ``prefix`` put in front of its path."""
        return dataclasses.replace(self, path=f"{prefix}.{self.path}" if self.path else prefix)


class InvalidInput(AmlInfraError):
    """What the user wrote cannot be run.

    Attributes:
        problems: every problem found, never only the first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        heading = "1 problem" if count == 1 else f"{count} problems"
        super().__init__("\n".join([f"{heading} in the program's input; nothing was created", *self.lines()]))

    def lines(self) -> list[str]:
        """One line per problem, for a message that lists them."""
        return [f"  - {problem}" for problem in self.problems]


class BackendUnavailable(AmlInfraError):
    """The service did not answer, so whether what was asked about exists is not known."""


class AccessDenied(BackendUnavailable):
    """The service answered that this account may not see or do that, so how things are is not known."""


class RequestRefused(AmlInfraError):
    """The service refused a request, or what it started has failed; trying again unchanged would end likewise."""


class RunConflict(AmlInfraError):
    """The name that the run must have is held by something that is not this run."""


class SourceChanged(AmlInfraError):
    """A source file changed after its fingerprint was taken and before it was shipped."""


class NotReadyYet(AmlInfraError):
    """The service refused the run, for a reason that passes by itself: the same may be asked for again in a while."""


class RunNotSubmitted(AmlInfraError):
    """The service refused the run, and trying again unchanged would be refused again."""
