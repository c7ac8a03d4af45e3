"""A project whose updates are disturbed, and what its user does after each: the commands of `make`, or of `pulumi`."""

from __future__ import annotations

import io
import os
import pathlib
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from tests.faults import processes
from tests.integration import states
from tests.integration.projects import NAME, Project
from tools.bootstrap import commands, layout, progress, stack

STACK = "local"
_OPTIONS = ("--skip-preview", "--non-interactive", "--color=never")
_PAUSE_SECONDS = 0.05
_CANCELED_SECONDS = 2.0
"""From SIGINT to SIGKILL, as in a pipeline that is canceled."""


class Update:
    """One `pulumi up` under way, with all that it prints in a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: pathlib.Path) -> None:
        self.process = process
        self.log = log
        self._began = time.monotonic()

    @property
    def has_ended(self) -> bool:
        """Whether the engine has ended."""
        return self.process.poll() is not None

    def read(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str) -> bool:
        """Waits until it has printed what matches ``pattern``, or ended; gives whether it goes on."""
        while not re.search(pattern, self.read(), re.MULTILINE) and not self.has_ended:
            time.sleep(_PAUSE_SECONDS)
        return not self.has_ended

    def wait(self, seconds: float) -> float:
        """Waits for its end; gives how long it took.

        Raises:
            AssertionError: it goes on and on.
        """
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"`pulumi up` does not end in {seconds:g} s:\n{self.read()}") from error
        return time.monotonic() - self._began

    def kill(self) -> None:
        """Kills the engine."""
        self.process.kill()

    def cancel(self) -> None:
        """Interrupts its process group, and kills it two seconds later if it is there still."""
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(_CANCELED_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


class DisturbedProject(Project):
    """A project that `make` could have made: its state, and its settings, are where the bootstrap has them."""

    def __init__(self, folder: pathlib.Path, name: str, environment: Mapping[str, str]) -> None:
        super().__init__(folder, name, folder / "data")
        self.token = name
        self._state = folder / ".pulumi" / "state"
        self._state.mkdir(parents=True)
        (folder / "stacks" / "config").mkdir(parents=True)
        (folder / "stacks" / "config" / f"Pulumi.{STACK}.yaml").write_text("config: {}\n")
        self.environment |= {**environment, "PULUMI_BACKEND_URL": self._state.as_uri(), processes.VARIABLE: name}
        self.environment.pop("PULUMI_STACK")
        self._logs = folder / "logs"
        self._logs.mkdir()
        self._count = 0

    def start_update(self, *, recovery: str) -> Update:
        """Starts `pulumi up`, with what a user of `make`, or of `pulumi`, does before."""
        if recovery == "pulumi" and self.find_locks():
            self._recover()
        argv = self._open_stack().build_command("up", _OPTIONS)
        self._count += 1
        log = self._logs / f"{self._count}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Update(process, log)

    def _recover(self) -> None:
        """What docs say of a lock that is left, and of operations that are."""
        self.pulumi("cancel", "--yes", "--stack", STACK)
        if self.export().get("pending_operations"):
            self.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", STACK)

    def _open_stack(self) -> stack.Stack:
        given = {name: value for name, value in self.environment.items() if name != "PULUMI_BACKEND_URL"}
        return stack.Stack(
            STACK,
            places=layout.build_layout(self.folder, given),
            runner=commands.Commands(self.environment),
            reporter=progress.Reporter(io.StringIO()),
            user_env=given,
        )

    def expect_no_changes(self) -> None:
        """Runs an update that may change nothing.

        Raises:
            AssertionError: it does.
        """
        command = self._open_stack().build_command("up", (*_OPTIONS, "--expect-no-changes"))
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"an update that has nothing to do says {done.stdout}{done.stderr}"

    def export(self) -> dict[str, Any]:
        """The stack's deployment."""
        return states.read_deployment(self._state, NAME, STACK)

    def find_locks(self) -> list[pathlib.Path]:
        """The locks that there are."""
        return list((self._state / ".pulumi" / "locks").rglob("*.json"))
