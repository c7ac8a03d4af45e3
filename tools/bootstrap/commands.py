"""The one place from which other programs are run."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

from tools.bootstrap import errors

Argv = Sequence[str | pathlib.Path]


@dataclasses.dataclass(frozen=True)
class Result:
    """How a command ended. A command that was cut off by its time limit has code 124, as with `timeout`."""

    code: int
    stdout: str
    stderr: str

    @property
    def last_line(self) -> str:
        """The last thing it said, for one-line reports."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit code {self.code}"


class Commands:
    """Runs programs with a given environment. Tests put a strict fake in its place."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = dict(env)
        self._running: set[subprocess.Popen[str]] = set()

    def find(self, name: str) -> pathlib.Path | None:
        """The program that `name` means on PATH."""
        found = shutil.which(name, path=self.env.get("PATH", os.defpath))
        return pathlib.Path(found) if found else None

    def attempt(
        self,
        argv: Argv,
        *,
        env: Mapping[str, str] | None = None,
        cwd: pathlib.Path | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Runs `argv` to its end and gives what it printed, whether it succeeded or not.

        `env` is added to the environment. `on_line` is called with each line that it prints, as it appears.
        """
        words = [os.fspath(word) for word in argv]
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                # Its own group, so that a time limit, or `stop`, ends its children as well.
                start_new_session=True,
            )
        except OSError as error:
            return Result(127, "", f"cannot run {words[0]}: {error.strerror}")
        self._running.add(process)
        try:
            return _follow(process, timeout, on_line)
        finally:
            self._running.discard(process)

    def stop(self) -> None:
        """Ends what `attempt` and `run` have under way in any thread; services go on."""
        for process in list(self._running):
            _end(process)

    def run(
        self,
        argv: Argv,
        *,
        env: Mapping[str, str] | None = None,
        cwd: pathlib.Path | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> str:
        """As `attempt`, and gives standard output.

        Raises:
            CommandError: the command did not succeed.
        """
        result = self.attempt(argv, env=env, cwd=cwd, timeout=timeout, on_line=on_line)
        if result.code != 0:
            line = shlex.join(os.fspath(word) for word in argv)
            said = "\n".join(text.strip() for text in (result.stdout, result.stderr) if text.strip())
            raise errors.CommandError(
                f"`{line}` failed with exit code {result.code}:\n{said or '(it printed nothing)'}"
            )
        return result.stdout

    def start(self, argv: Argv, log: pathlib.Path) -> subprocess.Popen[bytes]:
        """Starts a service that outlives us, its output appended to `log`."""
        with log.open("ab") as sink:
            return subprocess.Popen(
                [os.fspath(word) for word in argv],
                cwd="/",
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def replace(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Becomes the program `argv`: signals, terminal and exit code are then its own.

        Raises:
            BootstrapError: there is no such program.
        """
        program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
        if program is None:
            raise errors.BootstrapError(f"there is no program {argv[0]!r} in the prepared environment")
        os.execve(program, list(argv), dict(env))  # noqa: S606 - there is no shell on purpose


def _follow(process: subprocess.Popen[str], timeout: float | None, on_line: Callable[[str], None] | None) -> Result:
    """Reads both streams until the process ends, or ends it when its time is over."""
    streams: dict[str, list[str]] = {"stdout": [], "stderr": []}

    def read(name: str) -> None:
        stream = process.stdout if name == "stdout" else process.stderr
        if stream is None:  # pragma: no cover - both are pipes
            return
        with stream:
            for line in stream:
                streams[name].append(line)
                if on_line is not None:
                    on_line(line.rstrip())

    readers = [threading.Thread(target=read, args=(name,), daemon=True) for name in streams]
    for reader in readers:
        reader.start()
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        code = 124
        streams["stderr"].append(f"no end after {timeout:g} s\n")
    except BaseException:
        _end(process)
        raise
    for reader in readers:
        # A service that the command left behind may hold the pipe open; its output is not ours to wait for.
        reader.join(timeout=5)
    return Result(code, "".join(streams["stdout"]), "".join(streams["stderr"]))


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a process that we started, with its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        return
