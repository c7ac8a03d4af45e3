"""The table of results, and its place in docs/performance.md. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tools.bench import errors, figures

BEGIN = "<!-- written by `make bench`: begin -->"
END = "<!-- written by `make bench`: end -->"
NOTHING = "-"

HEAD = ("what", "ours", "reference", "ratio", "goal", "met", "on")

Cells = tuple[str, ...]
"""A line of the table, in the order of `HEAD`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        what: what was measured.
        ours: our figure, with its unit.
        reference: what it is compared with, with its unit.
        ratio: ours by the reference.
        goal: what we want.
        met: whether it is so; None where there is no goal.
        day: when it was measured.
    """

    what: str
    ours: str
    reference: str = NOTHING
    ratio: str = NOTHING
    goal: str = NOTHING
    met: bool | None = None
    day: str = NOTHING

    @property
    def cells(self) -> Cells:
        """The texts in the order of `HEAD`."""
        met = {True: "yes", False: "**no**", None: NOTHING}[self.met]
        return (self.what, self.ours, self.reference, self.ratio, self.goal, met, self.day)


def build_ratio_row(what: str, ours: float, reference: float, *, most: float | None = None) -> Row:
    """A row about seconds whose goal, if it has one, is a ratio of at most `most`."""
    ratio = ours / reference
    return Row(
        what=what,
        ours=figures.format_seconds(ours),
        reference=figures.format_seconds(reference),
        ratio=figures.format_ratio(ratio),
        goal=f"ratio <= {most:g}" if most is not None else NOTHING,
        met=ratio <= most if most is not None else None,
    )


def build_difference_row(what: str, ours: float, reference: float, *, most: float) -> Row:
    """A row about seconds whose goal is that ours is at most `most` seconds longer than the reference."""
    difference = ours - reference
    return dataclasses.replace(
        build_ratio_row(what, ours, reference),
        goal=f"difference <= {most:g} s (is {figures.format_seconds(difference)})",
        met=difference <= most,
    )


def format_table(rows: Sequence[Cells]) -> str:
    """The rows as a table of Markdown, in columns for those who read it as text."""
    lines = [HEAD, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]

    def format_line(cells: Cells) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([format_line(HEAD), rule, *(format_line(line) for line in lines[1:])])


def parse_table(text: str) -> list[Cells]:
    """The rows in what `format_table` made, wherever it is in `text`.

    Raises:
        BenchError: it has other columns.
    """
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[1:]]
    if any(len(row) != len(HEAD) for row in rows):
        raise errors.BenchError(f"the table on the page has other columns than {', '.join(HEAD)}")
    return rows


def merge_rows(known: Sequence[Cells], measured: Sequence[Cells]) -> list[Cells]:
    """The rows that are known, with those that were measured anew in their places; new ones are last."""
    anew = {row[0]: row for row in measured}
    return [*(anew.pop(row[0], row) for row in known), *anew.values()]


def find_between_markers(page: str) -> str:
    """What is between the two markers; the same error as of `replace_between_markers`."""
    replace_between_markers(page, "")
    return page.partition(BEGIN)[2].partition(END)[0].strip()


def replace_between_markers(page: str, text: str) -> str:
    """`page` with `text` in place of what was between the two markers.

    Raises:
        BenchError: the markers are not there, each once and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise errors.BenchError(f"the page must hold each of these lines once, in this order: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
