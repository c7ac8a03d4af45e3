from __future__ import annotations

import io

from tools.bootstrap import progress


class FakeClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_has_columns() -> None:
    """Step, version and text stand one below the other."""
    output = io.StringIO()

    progress.Reporter(output).say("engine", "3.259.0", "building")

    assert output.getvalue() == "engine       3.259.0           building\n"


def test_the_minutes_of_each_step_are_told() -> None:
    """The closing line names each step that took a second or more."""
    output, clock = io.StringIO(), FakeClock()
    reporter = progress.Reporter(output, clock)
    with reporter.time("engine"):
        clock.now += 180
    with reporter.time("venv"):
        clock.now += 0.5

    reporter.close(186)

    assert output.getvalue() == "ready after 3.1 min (engine 3.0)\n"


def test_a_long_step_shows_the_tools_last_line() -> None:
    """A sign of life holds the time and what the tool said last."""
    output, clock = io.StringIO(), FakeClock()
    reporter = progress.Reporter(output, clock)

    with reporter.watch("engine", "building") as hear:
        hear("github.com/pulumi/pulumi\n")
        hear("\n")
        clock.now = 65
        reporter.show("engine")

    assert output.getvalue() == "engine                         building, 1:05: github.com/pulumi/pulumi\n"
