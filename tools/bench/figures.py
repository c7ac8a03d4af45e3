"""From many measurements to one figure. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence


def interleave(
    measures: Mapping[str, Callable[[], float]], rounds: int, hear: Callable[[str], None]
) -> dict[str, list[float]]:
    """Measures each of `measures` once a round, so that a machine that gets slower or faster is fair to all.

    Every second round goes the other way round: what runs first is not always the same.

    Args:
        measures: what to measure, by name; each gives seconds.
        rounds: how often.
        hear: is told of each round.
    """
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        names = list(measures) if number % 2 == 0 else list(measures)[::-1]
        for name in names:
            found[name].append(measures[name]())
        shown = ", ".join(f"{name} {format_seconds(found[name][-1])}" for name in measures)
        hear(f"round {number + 1} of {rounds}: {shown}")
    return found


def find_median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the middle two."""
    return statistics.median(values)


def find_percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that is not exceeded by `percent` percent of them (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def format_seconds(seconds: float) -> str:
    """Seconds as people say them: `830 ms`, `2.14 s`, `75 s`."""
    if abs(seconds) < 0.0095:  # noqa: PLR2004 - what would be shown as 10 ms has no decimal
        return f"{seconds * 1000:.1f} ms"
    if abs(seconds) < 0.9995:  # noqa: PLR2004 - what would be shown as 1000 ms is 1 s
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if abs(seconds) < 9.995 else f"{seconds:.0f} s"  # noqa: PLR2004


def format_ratio(ratio: float) -> str:
    """A ratio with the digits that a measurement on a shared machine is good for: `1.32`, `0.47`, `0.0061`."""
    return f"{ratio:.2f}" if ratio >= 0.095 else f"{ratio:.2g}"  # noqa: PLR2004
