from __future__ import annotations

from collections.abc import Callable

import pytest

from tools.bench import figures


def test_each_round_measures_everything_once_and_every_second_one_backwards() -> None:
    """Drift hits all alike, and what runs first is not always the same."""
    made: list[str] = []
    told: list[str] = []

    def build(name: str) -> Callable[[], float]:
        def measure() -> float:
            made.append(name)
            return float(len(made))

        return measure

    found = figures.interleave({"ours": build("ours"), "reference": build("reference")}, 3, told.append)

    assert made == ["ours", "reference", "reference", "ours", "ours", "reference"]
    assert found == {"ours": [1.0, 4.0, 5.0], "reference": [2.0, 3.0, 6.0]}
    assert told[0] == "round 1 of 3: ours 1.00 s, reference 2.00 s"


def test_the_median_is_in_the_middle() -> None:
    """One bad round does not count."""
    assert figures.find_median([1.0, 100.0, 2.0]) == 2.0


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 50), (95, 95), (100, 100)])
def test_a_percentile_is_one_of_the_values(percent: float, expected: float) -> None:
    """It is the nearest rank, not a value in between that nobody measured."""
    values = [float(value) for value in range(100, 0, -1)]

    assert figures.find_percentile(values, percent) == expected


def test_the_percentile_of_one_value_is_that_value() -> None:
    """Few measurements give a figure, too."""
    assert figures.find_percentile([7.0], 95) == 7.0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.00061, "0.6 ms"),
        (0.0094, "9.4 ms"),
        (0.0096, "10 ms"),
        (0.83, "830 ms"),
        (0.9996, "1.00 s"),
        (2.144, "2.14 s"),
        (9.999, "10 s"),
        (75.2, "75 s"),
        (-0.5, "-500 ms"),
    ],
)
def test_seconds_are_written_in_their_unit(seconds: float, expected: str) -> None:
    """No figure has more digits than it is good for."""
    assert figures.format_seconds(seconds) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"), [(1.316, "1.32"), (0.47, "0.47"), (0.0961, "0.10"), (0.00612, "0.0061")]
)
def test_a_small_ratio_keeps_two_digits(ratio: float, expected: str) -> None:
    """A goal of 0.01 can be told from a figure of 0.0061."""
    assert figures.format_ratio(ratio) == expected
