from __future__ import annotations

import pytest

from tools.bench import errors, log, programs

SECOND = 10**9


def build_ticks(delay: int, count: int = log.TICKS) -> list[programs.Line]:
    """Lines with the time in them, shown `delay` nanoseconds later."""
    return [
        programs.Line(
            f" +  aml-infra:index:TrainingRun train creating (1s) tick {number} {number * SECOND}",
            number * SECOND + delay,
        )
        for number in range(1, count + 1)
    ]


def test_a_delay_is_from_print_to_first_showing() -> None:
    """That a line is shown again, with the next event of its resource, does not count."""
    lines = build_ticks(delay=2_000_000)
    again = programs.Line(lines[3].text, lines[3].at + SECOND)

    assert log.find_delays([*lines, again]) == [0.002] * log.TICKS


def test_a_line_that_was_never_shown_is_an_error() -> None:
    """A median of those that came would hide those that did not."""
    with pytest.raises(errors.BenchError, match="1 of 100 lines"):
        log.find_delays(build_ticks(delay=1, count=log.TICKS - 1))


def test_a_rate_is_from_the_first_line_shown_to_the_last() -> None:
    """Of a burst only one line is shown, whose number tells how many have come."""
    texts = ["line 1", "creating (1s) line 501", "creating (2s) line 1001", "created (3s) line 1001"]
    lines = [programs.Line(text, index * SECOND) for index, text in enumerate(texts)]

    assert log.find_rate(lines) == pytest.approx(500)


def test_a_rate_needs_two_lines() -> None:
    """One moment is no span of time."""
    with pytest.raises(errors.BenchError, match="fewer than two"):
        log.find_rate([programs.Line("line 1", 1), programs.Line("line 1", 2)])


def test_the_listing_is_what_follows_diagnostics() -> None:
    """What is shown while it works, and what is listed at the end, are counted apart."""
    lines = [programs.Line(text, 0) for text in ("live", "Diagnostics:", "listed")]

    live, listed = log.split_output(lines)

    assert [line.text for line in live] == ["live"]
    assert [line.text for line in listed] == ["listed"]


def test_an_output_without_a_listing_is_an_error() -> None:
    """Nothing to count is not the same as nothing lost."""
    with pytest.raises(errors.BenchError, match="Diagnostics"):
        log.split_output([programs.Line("live", 0)])


def test_numbers_are_found_in_their_order() -> None:
    """Lines that are lost or out of order show."""
    assert log.find_numbers(["    line 2", "other", "    line 1", "line 10 of 20"]) == [2, 1]


@pytest.mark.parametrize(("delay", "whole", "met"), [(0.4, True, [True, True]), (0.5, False, [False, False])])
def test_goals_of_the_log(delay: float, whole: bool, met: list[bool]) -> None:
    """Half a second, and not one line lost."""
    rows = log.build_rows([delay], 1000.0, 2000.0, whole=whole)

    assert [row.met for row in rows] == met
    assert rows[1].cells[1:4] == ("1,000 lines/s", "2,000 lines/s", "0.50")
