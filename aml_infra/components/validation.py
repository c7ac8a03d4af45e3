"""Finds everything that is wrong in a program before it makes its first resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from aml_infra import arguments
from aml_infra.components import functions
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem
from aml_infra.spec import Capacity


class Machine:
    """This machine as validation needs it: asked once, and a daemon that does not answer is reported once."""

    def __init__(self) -> None:
        self._daemon: Capacity | None = None
        self._reported = False

    def ask_daemon(self, path: str) -> tuple[Capacity | None, list[Problem]]:
        """The Docker daemon, or the problem that it does not answer if nobody was told yet."""
        if self._daemon is None and not self._reported:
            try:
                self._daemon = functions.describe_docker_daemon()
            except BackendUnavailable as error:
                self._reported = True
                return None, [Problem(path, str(error))]
        return self._daemon, []


class Args(Protocol):
    """The arguments of a component."""

    def find_problems(self, machine: Machine) -> list[Problem]:
        """Every problem of these arguments, as far as they are known, with their property paths."""
        ...


def validate(args: Mapping[str, Args], *, found: Iterable[Problem] = ()) -> None:
    """Checks the arguments of several components together, so that all of their problems are told at once.

    Meant for the top of a program: nothing has been created yet, at preview as at update.

    Args:
        args: the arguments, each under the name that its property paths start with, as in
            ``{"image": image_args, "train": job_args}``.
        found: problems found elsewhere, such as in the stack's configuration, to be told with the others.

    Raises:
        InvalidInput: with every problem. Pulumi shows its text without a traceback.
    """
    machine = Machine()
    problems = list(found)
    for prefix, one in args.items():
        problems += [problem.under(prefix) for problem in one.find_problems(machine)]
    arguments.raise_for(problems)


def collect(find: Callable[[], object]) -> list[Problem]:
    """The problems that ``find`` raises as ``InvalidInput``; none if it returns."""
    try:
        find()
    except InvalidInput as error:
        return list(error.problems)
    return []
