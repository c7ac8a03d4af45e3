"""How far something is that takes long, said from time to time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

NEWS_SECONDS = 5.0
"""Between two messages; what is over sooner says nothing."""

_MEBIBYTE = 2**20


class Progress:
    """Says from time to time how much of it is done.

    Args:
        what: it is, as in ``uploading source``.
        total: bytes of all of it.
        tell: hears the messages.
    """

    def __init__(self, what: str, total: int, tell: Callable[[str], None]) -> None:
        self._what, self._total, self._tell = what, total, tell
        self._done, self._said = 0, time.monotonic()
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """So many bytes more."""
        with self._lock:
            self._done += size
            now = time.monotonic()
            if now - self._said < NEWS_SECONDS:
                return
            self._said, done = now, self._done
        self._tell(f"{self._what}: {done / _MEBIBYTE:.1f} of {self._total / _MEBIBYTE:.1f} MiB")
