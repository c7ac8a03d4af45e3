"""`make faults`: kills at random moments, by seed."""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Sequence

from tests.faults import schedules
from tests.faults.campaign import Campaign
from tests.faults.grounds import open_grounds

PARALLEL = 8
"""Trials at the same time; they wait for most of it."""


def main(arguments: Sequence[str]) -> int:
    """Runs the seeds that are named; gives the exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seeds", default="1-200", help="as in 17, 1-200 or 3,17,40-50")
    parser.add_argument("--backends", default=",".join(schedules.BACKENDS), help="seeds of other backends are left out")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help="trials at the same time")
    options = parser.parse_args(arguments)
    try:
        seeds = schedules.parse_seeds(options.seeds)
    except ValueError:
        parser.error(f"--seeds: is {options.seeds!r}; give numbers and ranges, as in 3,17,40-50")
    backends = options.backends.split(",")
    if unknown := sorted(set(backends) - set(schedules.BACKENDS)):
        parser.error(f"--backends: has {', '.join(unknown)}; allowed are {', '.join(schedules.BACKENDS)}")
    drawn = [each for each in map(schedules.draw, seeds) if each.backend in backends]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="faults-"))
    with open_grounds(folder) as grounds:
        report = Campaign(grounds, folder, say).run(drawn, options.parallel)
    if report.failures:
        say(f"\n{len(report.failures)} failures; projects and logs of them are in {folder}\n")
        for failure in report.failures:
            say(f"{failure}\n")
    say(report.summarize())
    return 1 if report.failures else 0


def say(text: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
