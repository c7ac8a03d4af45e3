"""The processes of one update, wherever they are in the tree: all have a variable of their own in their environment."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
import time
from collections.abc import Sequence

VARIABLE = "AML_INFRA_FAULTS"
OURS = ("plugin", "program")
"""What must end by itself when its engine is gone. The engine's own language host does not: it asks whether the engine
is there every five minutes only, and is in the way of nothing."""

_PAUSE_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Process:
    """A process.

    Attributes:
        pid: its id.
        role: what it is in an update.
    """

    pid: int
    role: str

    def kill(self) -> bool:
        """Kills it; gives whether it was still there."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def find(token: str) -> list[Process]:
    """All processes that have ``token`` as their variable."""
    wanted = f"{VARIABLE}={token}".encode()
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                # What has ended and is not yet reaped has neither of both.
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                    found.append(Process(int(folder.name), _find_role(words)))
    return found


def _find_role(words: Sequence[str]) -> str:
    names = [os.path.basename(word) for word in words]
    if names[0] in ("pulumi", "pulumi-language-python"):
        return {"pulumi": "engine", "pulumi-language-python": "language host"}[names[0]]
    if "pulumi-language-python-exec" in names:
        return "program"
    return "plugin" if "pulumi-resource-aml-infra" in names else "other"


def kill(token: str, role: str) -> bool:
    """Kills the processes of a role; gives whether there was one."""
    return sum(each.kill() for each in find(token) if each.role == role) > 0


def wait_gone(token: str, seconds: float) -> list[Process]:
    """Waits until none of ours is left; gives those that still are when time is up."""
    until = time.monotonic() + seconds
    while (left := [each for each in find(token) if each.role in OURS]) and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    return left


def end(token: str) -> int:
    """Kills whatever is left; gives how many there were."""
    return sum(each.kill() for each in find(token))
