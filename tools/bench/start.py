"""From the command to the container's start: how much later than with plain Docker a training begins."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable

from tools.bench import bed, errors, figures, project, table

NAME = "start"
SUMMARY = "from `pulumi up` to the start of the container, against `docker run`"
MOST_SECONDS = 2.0


def measure(place: bed.Bed) -> list[table.Row]:
    """Each round submits a run, and starts a container of the same image by `docker run`."""
    numbers = itertools.count()

    def measure_ours() -> float:
        made = project.make_runs_project(place, f"start{next(numbers)}", "true\n")
        return _measure_start(place, lambda: made.up().began)

    def measure_reference() -> float:
        command = place.containers.build_run("true")
        return _measure_start(place, lambda: place.programs.run(command).began)

    found = figures.interleave(
        {"ours": measure_ours, "reference": measure_reference}, place.rounds, lambda text: place.say(NAME, text)
    )
    return [
        table.build_difference_row(
            "from `pulumi up` to the container's start / `docker run`",
            figures.find_median(found["ours"]),
            figures.find_median(found["reference"]),
            most=MOST_SECONDS,
        )
    ]


def _measure_start(place: bed.Bed, run: Callable[[], int]) -> float:
    """Seconds from the moment that `run` gives to the start of the one container that it leaves, which is removed."""
    began = run()
    started = read_start(place.containers.get()["State"]["StartedAt"])
    place.containers.remove()
    return started - began / 1e9


def read_start(text: str) -> float:
    """Docker's moment, such as `2026-01-31T10:00:00.123456789Z`, in seconds since 1970.

    Raises:
        BenchError: the container never started.
    """
    if text.startswith("0001-"):
        raise errors.BenchError("the container was made and never started")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{fraction or 0}")
