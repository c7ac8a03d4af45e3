"""The log in `pulumi up`: how soon a line is there, how many lines a second, and whether all of them are."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Sequence

from tools.bench import bed, errors, figures, programs, project, table

NAME = "log"
SUMMARY = "the log's delay in `pulumi up`, and 100,000 lines of it, against `docker logs`"

TICKS = 100
LINES = 100_000
MOST_SECONDS = 0.5

SCRIPT = f"""\
i=0
while [ $i -lt {TICKS} ]; do
  i=$((i + 1))
  echo "tick $i $(date +%s%N)"
  sleep 0.05
done
seq -f 'line %.0f' {LINES}
"""

_TICK = re.compile(r"\btick (\d+) (\d+)$")
_LINE = re.compile(r"\bline (\d+)$")
_DIAGNOSTICS = "Diagnostics:"


def measure(place: bed.Bed) -> list[table.Row]:
    """Each round runs the script once: lines with the time in them first, then the many."""
    delays: list[float] = []
    ours: list[float] = []
    reference: list[float] = []
    whole = True
    for number in range(place.rounds):
        made = project.make_runs_project(place, f"log{number}", SCRIPT)
        shown = made.up().lines
        (log,) = made.outputs().values()
        again = place.programs.run(["docker", "logs", place.containers.get()["Id"]]).lines
        place.containers.remove()

        live, listed = split_output(shown)
        found = find_delays(live)
        delays += found
        ours.append(find_rate(live))
        reference.append(find_rate(again))
        collected = find_numbers(pathlib.Path(log).read_text().splitlines())
        complete = {
            "pulumi up": find_numbers(line.text for line in listed) == list(range(1, LINES + 1)),
            "the collected log": collected == list(range(1, LINES + 1)),
        }
        whole = whole and all(complete.values())
        missing = "".join(f"; NOT whole in {name}" for name, is_whole in complete.items() if not is_whole)
        place.say(
            NAME,
            f"round {number + 1} of {place.rounds}: delay {figures.format_seconds(figures.find_median(found))}, "
            f"{ours[-1]:,.0f} lines/s, docker logs {reference[-1]:,.0f} lines/s{missing}",
        )
    return build_rows(delays, figures.find_median(ours), figures.find_median(reference), whole=whole)


def build_rows(delays: Sequence[float], ours: float, reference: float, *, whole: bool) -> list[table.Row]:
    """The two rows; `ours` and `reference` are lines a second."""
    median = figures.find_median(delays)
    late = figures.find_percentile(delays, 95)
    return [
        table.Row(
            what="from a line's print in the container to `pulumi up`",
            ours=f"median {figures.format_seconds(median)}, p95 {figures.format_seconds(late)}",
            goal=f"median < {MOST_SECONDS:g} s",
            met=median < MOST_SECONDS,
        ),
        table.Row(
            what=f"{LINES:,} lines at once, through `pulumi up` / `docker logs` (more is better)",
            ours=f"{ours:,.0f} lines/s",
            reference=f"{reference:,.0f} lines/s",
            ratio=figures.format_ratio(ours / reference),
            goal="none lost, in order",
            met=whole,
        ),
    ]


def split_output(lines: Sequence[programs.Line]) -> tuple[Sequence[programs.Line], Sequence[programs.Line]]:
    """What `pulumi up` shows while it works, and what it lists at its end, where each line of the log is."""
    for index, line in enumerate(lines):
        if line.text == _DIAGNOSTICS:
            return lines[:index], lines[index + 1 :]
    raise errors.BenchError(f"the output of `pulumi up` has no line {_DIAGNOSTICS!r}, under which it lists the log")


def find_delays(lines: Iterable[programs.Line]) -> list[float]:
    """For each line with a time in it: the seconds from then to the moment at which it was first shown.

    Raises:
        BenchError: one of them was never shown.
    """
    delays: dict[int, float] = {}
    for line in lines:
        found = _TICK.search(line.text)
        if found:
            delays.setdefault(int(found[1]), (line.at - int(found[2])) / 1e9)
    if sorted(delays) != list(range(1, TICKS + 1)):
        raise errors.BenchError(f"{TICKS - len(delays)} of {TICKS} lines were never shown while the run was going on")
    return [delays[number] for number in sorted(delays)]


def find_rate(lines: Iterable[programs.Line]) -> float:
    """How many of the many lines came a second, from the first that was shown to the last.

    `pulumi up` shows, while it works, the first line of each message, and a burst of lines is one message. So not every
    line is among `lines`, but each that is tells how many have come.

    Raises:
        BenchError: there are not two of them.
    """
    shown: dict[int, int] = {}
    for line in lines:
        found = _LINE.search(line.text)
        if found:
            shown.setdefault(int(found[1]), line.at)
    if len(shown) < 2:  # noqa: PLR2004 - two moments are what a rate is made of
        raise errors.BenchError("fewer than two of the many lines of the log were ever shown")
    first, last = min(shown), max(shown)
    return (last - first) / (shown[last] - shown[first]) * 1e9


def find_numbers(texts: Iterable[str]) -> list[int]:
    """The numbers of the many lines, in the order in which they are there."""
    return [int(found[1]) for found in map(_LINE.search, texts) if found]
