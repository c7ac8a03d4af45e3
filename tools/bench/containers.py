"""The containers of this run of the bench, and no others: they have its token in their environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tools.bench import errors, programs

VARIABLE = "AML_INFRA_BENCH"
"""The environment variable that holds the token. It is part of a run's identity, so no run of yours is joined."""

IMAGE = "debian:bookworm-slim"
"""Has a shell and `date`, and the bootstrap put it into the daemon."""


class Containers:
    """Asks Docker's own command, which finds the daemon as the reference does."""

    def __init__(self, runner: programs.Programs, token: str) -> None:
        self._programs = runner
        self._token = token

    def build_run(self, *command: str) -> list[str]:
        """As the function, with the token of these containers."""
        return build_run(self._token, *command)

    def find(self) -> list[dict[str, Any]]:
        """What `docker inspect` says of each container of ours."""
        ids = self._programs.run(["docker", "ps", "--all", "--quiet", "--no-trunc"]).text.split()
        return [found for found in self._inspect(ids) if is_marked(found, self._token)]

    def get(self) -> dict[str, Any]:
        """The one container of ours.

        Raises:
            BenchError: there is none, or more than one.
        """
        found = self.find()
        if len(found) != 1:
            raise errors.BenchError(f"there are {len(found)} containers of the bench where one was expected")
        return found[0]

    def remove(self) -> None:
        """Removes all of them, running or not."""
        ids = [str(found["Id"]) for found in self.find()]
        if ids:
            self._programs.run(["docker", "rm", "--force", "--volumes", *ids])

    def _inspect(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        if not ids:
            return []
        try:
            return list(json.loads(self._programs.run(["docker", "inspect", *ids]).text))
        except errors.BenchError:
            # One that is not ours was removed since it was listed: each alone then.
            return [] if len(ids) == 1 else [found for each in ids for found in self._inspect([each])]


def build_run(token: str, *command: str) -> list[str]:
    """The reference's command line: `docker run` of `command`."""
    return ["docker", "run", "--env", f"{VARIABLE}={token}", IMAGE, *command]


def is_marked(found: Mapping[str, Any], token: str) -> bool:
    """Whether the container that was inspected has `token` in its environment."""
    return f"{VARIABLE}={token}" in (found["Config"]["Env"] or [])
