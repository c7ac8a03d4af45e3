"""How much memory the plugin takes, from what the kernel keeps of each process. Linux only."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import threading
from collections.abc import Iterator

_PROC = pathlib.Path("/proc")
_PLUGIN = b"pulumi-resource-aml-infra"
_PAUSE_SECONDS = 0.05


@dataclasses.dataclass
class Peak:
    """The highest figure so far, in bytes."""

    size: int = 0


@contextlib.contextmanager
def watch(engine: int) -> Iterator[Peak]:
    """Watches, while the block runs, the plugins that the process `engine` starts."""
    peak = Peak()
    over = threading.Event()

    def look() -> None:
        while not over.wait(_PAUSE_SECONDS):
            # The kernel keeps the highest value itself, so little is lost between the last look and the end.
            peak.size = max([peak.size, *map(read_peak, find_plugins(engine))])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def find_plugins(engine: int) -> list[int]:
    """Process ids of our plugin among the children of the process `engine`."""
    found = []
    for file in _PROC.glob(f"{engine}/task/*/children"):
        for child in _read(file).split():
            words = _read(_PROC / child.decode() / "cmdline").split(b"\0")
            if any(word.endswith(_PLUGIN) for word in words):
                found.append(int(child))
    return found


def read_peak(process: int) -> int:
    """The most memory that a process ever had, in bytes; 0 if it is gone."""
    return parse_peak(_read(_PROC / str(process) / "status").decode())


def parse_peak(status: str) -> int:
    """VmHWM in a `/proc/<pid>/status`, in bytes; 0 where it is not, as for a process that has ended."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(file: pathlib.Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # it has ended
