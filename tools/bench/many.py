"""Many runs in one stack: seconds for each, and the plugin's memory."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import os
import time

from tools.bench import bed, errors, figures, memory, project, table

NAME = "many"
SUMMARY = "1, 50 and 200 runs in one stack, and the plugin's memory, against as many `docker run`"

COUNTS = (1, 50, 200)
MOST_MB = 300
SCRIPT = "true\n"

PARALLEL_PER_CORE = 4
"""What the engine does at once unless it is told otherwise."""


def measure(place: bed.Bed) -> list[table.Row]:
    """One run is measured in every round; the others are a mean over many in themselves, and are measured once."""
    return [row for count in COUNTS for row in _measure_count(place, count, place.rounds if count == 1 else 1)]


def _measure_count(place: bed.Bed, count: int, rounds: int) -> list[table.Row]:
    peaks: list[int] = []
    numbers = itertools.count()

    def measure_ours() -> float:
        made = project.make_runs_project(place, f"many{count}-{next(numbers)}", SCRIPT, count)
        program = made.start_up()
        with memory.watch(program.pid) as peak:
            seconds = program.wait().seconds
        if not peak.size:
            raise errors.BenchError("the plugin's memory could not be read")
        peaks.append(peak.size)
        _require_containers(place, count)
        return seconds

    def measure_reference() -> float:
        seconds = _run_by_docker(place, count)
        _require_containers(place, count)
        return seconds

    place.say(NAME, f"{count} runs")
    found = figures.interleave(
        {"ours": measure_ours, "reference": measure_reference},
        rounds,
        functools.partial(place.say, NAME),
    )
    return build_rows(count, figures.find_median(found["ours"]), figures.find_median(found["reference"]), max(peaks))


def build_rows(count: int, ours: float, reference: float, peak_bytes: int) -> list[table.Row]:
    """Rows about `count` runs that took `ours` seconds in all."""
    runs = "1 run" if count == 1 else f"{count} runs"
    megabytes = peak_bytes / 1e6
    has_goal = count == max(COUNTS)
    return [
        table.Row(
            what=f"{runs} in one stack, time per run / `docker run`",
            ours=_format_each(ours, count),
            reference=_format_each(reference, count),
            ratio=figures.format_ratio(ours / reference),
        ),
        table.Row(
            what=f"{runs} in one stack, the plugin's highest memory",
            ours=f"{megabytes:.0f} MB",
            goal=f"< {MOST_MB} MB" if has_goal else table.NOTHING,
            met=megabytes < MOST_MB if has_goal else None,
        ),
    ]


def _format_each(seconds: float, count: int) -> str:
    each = figures.format_seconds(seconds / count)
    return each if count == 1 else f"{each} ({figures.format_seconds(seconds)} in all)"


def _run_by_docker(place: bed.Bed, count: int) -> float:
    """Seconds of `count` times `docker run`, as many at once as the engine has."""
    began = time.perf_counter()
    command = place.containers.build_run("true")
    with concurrent.futures.ThreadPoolExecutor(PARALLEL_PER_CORE * (os.cpu_count() or 1)) as pool:
        try:
            for done in [pool.submit(place.programs.run, command) for _ in range(count)]:
                done.result()
        finally:
            # After Ctrl-C, those that have not begun are not waited for.
            pool.shutdown(cancel_futures=True)
    return time.perf_counter() - began


def _require_containers(place: bed.Bed, count: int) -> None:
    """Checks that each run had a container that ended well, and removes them."""
    codes = [found["State"]["ExitCode"] for found in place.containers.find()]
    if codes != [0] * count:
        raise errors.BenchError(f"{count} containers were expected to end with 0; they ended with {codes}")
    place.containers.remove()
