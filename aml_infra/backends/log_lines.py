"""The bytes of a log, cut into lines the same way each time they are read."""

from __future__ import annotations

from collections.abc import Iterator

LINE_BYTES = 1024 * 1024
"""How much text without a line end is taken for one line."""


def cut_lines(pending: bytearray, content: bytes) -> Iterator[bytes]:
    """The lines that end in ``content``, which goes on from ``pending``; what is left over is pending then."""
    for number, part in enumerate(content.split(b"\n")):
        if number > 0:  # a line end was before it
            yield bytes(pending)
            pending.clear()
        taken = 0
        while len(pending) + len(part) - taken > LINE_BYTES:
            room = LINE_BYTES - len(pending)
            yield bytes(pending) + part[taken : taken + room]
            pending.clear()
            taken += room
        pending += part[taken:]


def decode_line(line: bytes) -> str:
    """A line as text; of a progress bar, which writes over its line with carriage returns, what it was last."""
    shown = [part for part in line.decode("utf-8", "replace").split("\r") if part]
    return shown[-1] if shown else ""
