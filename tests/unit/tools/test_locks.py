from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import errors, locks

PID = 4711


def _put_lock(state: pathlib.Path, *, host: str = "", stack: str = "local") -> pathlib.Path:
    folder = state / ".pulumi" / "locks" / "organization" / "aml-infra" / stack
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "0d5e.json"
    lock = {
        "pid": PID,
        "username": "ada",
        "hostname": host or socket.gethostname(),
        "timestamp": "2026-11-23T13:00:00.5Z",
    }
    file.write_text(json.dumps(lock))
    return file


def _clear(state: pathlib.Path, runs: str | None) -> list[str]:
    said: list[str] = []
    names = {PID: runs}
    locks.clear_dead(state, "aml-infra", "local", lambda pid: names[pid], said.append)
    return said


def test_a_dead_processes_lock_is_cleared(tmp_path: pathlib.Path) -> None:
    """The lock of a process that is gone from this host is removed, and it is said."""
    file = _put_lock(tmp_path)

    said = _clear(tmp_path, None)

    assert not file.exists()
    assert said == [
        "cleared the lock of stack 'local': its process 4711 is gone (it was killed; state and runs are kept)"
    ]


def test_a_reused_process_id_does_not_keep_a_lock(tmp_path: pathlib.Path) -> None:
    """Another program that has the number by now is not the engine."""
    file = _put_lock(tmp_path)

    _clear(tmp_path, "postgres")

    assert not file.exists()


def test_a_living_engines_lock_is_reported(tmp_path: pathlib.Path) -> None:
    """A running engine keeps its lock; the error names it and what to do."""
    file = _put_lock(tmp_path)

    with pytest.raises(errors.BootstrapError) as caught:
        _clear(tmp_path, "pulumi")

    assert file.exists()
    assert str(caught.value) == (
        "stack 'local' is locked by pulumi of ada (pid 4711, since 2026-11-23T13:00:00.5Z), which runs: wait for it, "
        "or stop it with `kill -INT 4711`"
    )


def test_another_hosts_lock_is_reported(tmp_path: pathlib.Path) -> None:
    """Nothing is known here about another host's processes, whatever runs under that number here."""
    file = _put_lock(tmp_path, host="elsewhere")

    with pytest.raises(errors.BootstrapError, match=r"by ada on host 'elsewhere'.*if it is gone, remove"):
        _clear(tmp_path, None)

    assert file.exists()


def test_an_unreadable_lock_is_reported(tmp_path: pathlib.Path) -> None:
    """A lock that says nothing about its owner is left to a person."""
    file = _put_lock(tmp_path)
    file.write_text("{")

    with pytest.raises(errors.BootstrapError, match="cannot be read"):
        _clear(tmp_path, None)

    assert file.exists()


def test_another_stacks_lock_is_left_alone(tmp_path: pathlib.Path) -> None:
    """Only the stack at hand is looked at."""
    file = _put_lock(tmp_path, stack="other")

    _clear(tmp_path, None)

    assert file.exists()


def test_a_running_program_has_a_name(machine: fakes.Machine) -> None:
    """This very process is found under its name."""
    assert locks.find_program_name(machine.commands, os.getpid())


def test_an_ended_program_has_none(machine: fakes.Machine) -> None:
    """A process that has ended is not there any more."""
    process = subprocess.Popen(["true"])
    process.wait()

    assert locks.find_program_name(machine.commands, process.pid) is None
