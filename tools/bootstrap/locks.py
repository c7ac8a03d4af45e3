"""Locks that a killed engine leaves in a file backend."""

from __future__ import annotations

import json
import os
import pathlib
import socket
from collections.abc import Callable

from tools.bootstrap import commands, errors

Say = Callable[[str], None]


def clear_dead(state: pathlib.Path, project: str, stack: str, names_of: Callable[[int], str | None], say: Say) -> bool:
    """Removes the locks of `stack` whose process is gone from this host; gives whether there was one.

    Args:
        state: the folder of the file backend.
        project: the project's name.
        stack: the stack's name.
        names_of: gives the name of the program that a process of this host runs; None if there is no such process.
        say: is told of each lock that is removed.

    Raises:
        BootstrapError: a lock's process is alive, or is on another host, where nothing is known about it.
    """
    held: list[str] = []
    cleared = False
    for file in sorted((state / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json")):
        try:
            lock = json.loads(file.read_text())
            pid, host, user = int(lock["pid"]), str(lock["hostname"]), str(lock["username"])
            since = str(lock["timestamp"])
        except FileNotFoundError:
            continue  # let go of in this moment
        except (ValueError, KeyError, TypeError):
            held.append(f"the lock {file} cannot be read: remove it if no pulumi is at work on stack {stack!r}")
            continue
        if host != socket.gethostname():
            held.append(
                f"stack {stack!r} is locked by {user} on host {host!r} (pid {pid}, since {since}): wait for it to end "
                f"there, or, if it is gone, remove {file}"
            )
            continue
        name = names_of(pid)
        if name is not None and "pulumi" in name:
            held.append(
                f"stack {stack!r} is locked by {name} of {user} (pid {pid}, since {since}), which runs: wait for it, "
                f"or stop it with `kill -INT {pid}`"
            )
            continue
        file.unlink(missing_ok=True)
        file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)  # the file backend's own note about it
        cleared = True
        say(f"cleared the lock of stack {stack!r}: its process {pid} is gone (it was killed; state and runs are kept)")
    if held:
        raise errors.BootstrapError("\n".join(held))
    return cleared


def find_program_name(runner: commands.Commands, pid: int) -> str | None:
    """The name of the program that the process `pid` of this host runs; None if there is none, or only its remains."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's, but there
    process = pathlib.Path("/proc") / str(pid)
    if not process.parent.joinpath("self").exists():
        found = runner.attempt(["ps", "-p", str(pid), "-o", "comm="])
        return os.path.basename(found.stdout.strip()) or None
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        return None if state == "Z" else (process / "comm").read_text().strip()
    except (OSError, IndexError):
        return None
