"""The one place from which other programs are run, and where they are ended if we are."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from tools.bench import errors

Argv = Sequence[str | pathlib.Path]

_SHOWN_LINES = 30
_END_SECONDS = 20.0
"""How long a program may take to end after a signal. An engine lets go of its runs first."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of output, and the moment at which it could be read, in nanoseconds since 1970."""

    text: str
    at: int


@dataclasses.dataclass(frozen=True)
class Finished:
    """A program that ended well.

    Attributes:
        began: the moment before it was started, in nanoseconds since 1970.
        seconds: from then to its end.
        lines: what it printed to both streams.
    """

    began: int
    seconds: float
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """All that it printed."""
        return "".join(f"{line.text}\n" for line in self.lines)


class Program:
    """A program that was started; its output is read as it comes."""

    def __init__(self, argv: Argv, *, cwd: pathlib.Path | None, env: Mapping[str, str] | None) -> None:
        self.argv = [os.fspath(word) for word in argv]
        self._lines: list[Line] = []
        self.began = time.time_ns()
        self._clock = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                self.argv,
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C is for us, and we end it as it should be ended.
                start_new_session=True,
            )
        except OSError as error:
            raise errors.BenchError(f"cannot run {self.argv[0]}: {error.strerror}") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self) -> Finished:
        """Waits for its end.

        Raises:
            BenchError: it failed; its last lines are in the text.
        """
        code = self._process.wait()
        seconds = time.perf_counter() - self._clock
        self._reader.join()
        if code != 0:
            said = "\n".join(f"  {line.text}" for line in self._lines[-_SHOWN_LINES:])
            raise errors.BenchError(f"`{shlex.join(self.argv)}` failed with exit code {code}:\n{said}")
        return Finished(self.began, seconds, tuple(self._lines))

    def end(self) -> None:
        """Ends it, politely first: an engine that is interrupted twice no longer waits for its plugins."""
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)

    def _read(self) -> None:
        if self._process.stdout is None:  # pragma: no cover - it is a pipe
            return
        with self._process.stdout as stream:
            for line in stream:
                self._lines.append(Line(line.decode(errors="replace").rstrip("\n"), time.time_ns()))


class Programs:
    """Starts programs, and ends those that still run if we have to stop."""

    def __init__(self) -> None:
        self._started: list[Program] = []

    def start(self, argv: Argv, *, cwd: pathlib.Path | None = None, env: Mapping[str, str] | None = None) -> Program:
        """Starts a program.

        Raises:
            BenchError: it cannot be started.
        """
        program = Program(argv, cwd=cwd, env=env)
        self._started.append(program)
        return program

    def run(self, argv: Argv, *, cwd: pathlib.Path | None = None, env: Mapping[str, str] | None = None) -> Finished:
        """Runs a program to its end.

        Raises:
            BenchError: it cannot be started, or fails.
        """
        return self.start(argv, cwd=cwd, env=env).wait()

    def end(self) -> None:
        """Ends what still runs."""
        for program in self._started:
            program.end()
