"""What the bootstrap says while it works: one line per step, and signs of life from the long ones."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

_TERMINAL_SECONDS = 1.0
_LOG_SECONDS = 30.0


@dataclasses.dataclass
class _Watched:
    what: str
    began: float
    said: str = ""


class Reporter:
    """Writes whole lines; on a terminal, the last one is rewritten while long steps run.

    Everything goes to standard error, so that a command's own output stays clean.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._spent: dict[str, float] = {}
        self._status_shown = False

    def say(self, step: str, version: str, text: str) -> None:
        """One line about a step: its name, the version in question, what is done and why."""
        with self._lock:
            self._write(_format(step, version, text))

    def warn(self, text: str) -> None:
        """One line that belongs to no step."""
        with self._lock:
            self._write(text)

    @contextlib.contextmanager
    def watch(self, step: str, what: str) -> Iterator[Callable[[str], None]]:
        """Shows that `step` is busy with `what` for as long as the block runs; give the function a tool's lines."""
        watched = _Watched(what, self._clock())
        over = threading.Event()
        with self._lock:
            self._watched[step] = watched

        def hear(line: str) -> None:
            if line.strip():
                watched.said = line.strip()

        def tick() -> None:
            while not over.wait(_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
                self.show(step)

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield hear
        finally:
            over.set()
            ticker.join()
            with self._lock:
                del self._watched[step]
                self._clear_status()

    @contextlib.contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Counts the time of the block for the closing line."""
        began = self._clock()
        try:
            yield
        finally:
            self._spent[step] = self._spent.get(step, 0.0) + self._clock() - began

    def close(self, total_seconds: float) -> None:
        """The closing line: the minutes in all and of each step that took any."""
        parts = ", ".join(f"{step} {spent / 60:.1f}" for step, spent in self._spent.items() if spent >= 1)
        detail = f" ({parts})" if parts else ""
        self.warn(f"ready after {total_seconds / 60:.1f} min{detail}")

    def show(self, step: str) -> None:
        """One sign of life of a step that is watched."""
        with self._lock:
            watched = self._watched.get(step)
            if watched is None:
                return
            if not self._terminal:
                self._write(_format(step, "", self._build_status(watched)))
                return
            status = " | ".join(f"{name}: {self._build_status(each)}" for name, each in self._watched.items())
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r\033[K" + status[:width])
            self._stream.flush()
            self._status_shown = True

    def _build_status(self, watched: _Watched) -> str:
        minutes, seconds = divmod(int(self._clock() - watched.began), 60)
        said = f": {watched.said}" if watched.said else ""
        return f"{watched.what}, {minutes}:{seconds:02d}{said}"

    def _clear_status(self) -> None:
        if self._status_shown:
            self._stream.write("\r\033[K")
            self._status_shown = False

    def _write(self, line: str) -> None:
        self._clear_status()
        self._stream.write(line + "\n")
        self._stream.flush()


def _format(step: str, version: str, text: str) -> str:
    return f"{step:<13}{version:<18}{text}"
