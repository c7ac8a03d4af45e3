from __future__ import annotations

import argparse

import pytest

from tools.bench import cli, containers, errors, many, memory, start, table


def test_everything_is_measured_five_times_unless_asked_otherwise() -> None:
    """And written to the page."""
    options = cli.build_parser().parse_args([])

    assert options.only == [
        "noop",
        "azure-noop",
        "azure-upload",
        "fingerprint",
        "start",
        "log",
        "many",
        "kubernetes-scale",
    ]
    assert options.repeat == 5
    assert options.write


def test_some_measurements_can_be_named() -> None:
    """They are made in their usual order, each once."""
    options = cli.build_parser().parse_args(["--only", "start, noop,start", "--repeat", "3", "--no-write"])

    assert options.only == ["noop", "start"]
    assert options.repeat == 3
    assert not options.write


@pytest.mark.parametrize("text", ["", ",", "nope", "noop,nope"])
def test_an_unknown_measurement_is_told_with_those_that_there_are(text: str) -> None:
    """A mistyped name does not measure nothing in silence."""
    with pytest.raises(
        argparse.ArgumentTypeError,
        match="there are noop, azure-noop, azure-upload, fingerprint, start, log, many, kubernetes-scale",
    ):
        cli.parse_names(text)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_rounds_are_counted_from_one(text: str) -> None:
    """There is no median of nothing."""
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 on"):
        cli.parse_rounds(text)


def build_block(machine: str, ours: str, *, known: str = "", is_whole: bool = False, what: str = "first") -> str:
    """What is on the page when this was measured."""
    return cli.build_block(known, machine, [table.Row(what=what, ours=ours).cells], is_whole=is_whole)


def test_some_measurements_replace_their_own_rows() -> None:
    """The page keeps the rows of the others, as far as they are of the same machine; a whole run replaces all."""
    known = build_block("Measured on 2 cores.", "1 s", is_whole=True)

    same = build_block("Measured on 2 cores.", "2 s", known=known, what="second")

    assert [row[:2] for row in table.parse_table(same)] == [("first", "1 s"), ("second", "2 s")]
    with pytest.raises(errors.BenchError, match=r"of another machine or of other versions \(Measured on 2 cores.\)"):
        build_block("Measured on 4 cores.", "2 s", known=known)
    whole = build_block("Measured on 4 cores.", "3 s", known=known, is_whole=True)
    assert [row[:2] for row in table.parse_table(whole)] == [("first", "3 s")]


def test_the_rows_of_the_page_are_read() -> None:
    """A run of some would notice only when it has measured."""
    assert table.parse_table(table.find_between_markers(cli.PAGE.read_text()))


def test_the_page_has_its_markers() -> None:
    """The bench would notice only after half an hour."""
    assert table.replace_between_markers(cli.PAGE.read_text(), "new")


def test_a_container_is_ours_by_its_token_only() -> None:
    """Containers of the user, of another bench, and those without any environment are not touched."""
    assert containers.is_marked({"Config": {"Env": ["A=1", "AML_INFRA_BENCH=abc"]}}, "abc")
    assert not containers.is_marked({"Config": {"Env": ["AML_INFRA_BENCH=abcd"]}}, "abc")
    assert not containers.is_marked({"Config": {"Env": None}}, "abc")


def test_the_reference_carries_the_token() -> None:
    """What `docker run` leaves is removed, too."""
    command = containers.build_run("abc", "true")

    assert command == ["docker", "run", "--env", "AML_INFRA_BENCH=abc", "debian:bookworm-slim", "true"]


def test_peak_memory_is_read_in_bytes() -> None:
    """The kernel writes kB and means 1024."""
    assert memory.parse_peak("Name:\tpulumi\nVmPeak:\t  900 kB\nVmHWM:\t  100 kB\nVmRSS:\t   50 kB\n") == 102_400


def test_a_process_that_ended_has_no_peak() -> None:
    """Its status has no such line, or is gone."""
    assert memory.parse_peak("Name:\tpulumi\nState:\tZ (zombie)\n") == 0
    assert memory.parse_peak("") == 0


def test_only_the_largest_stack_has_a_goal() -> None:
    """The smaller ones show how memory and time grow."""
    small, large = many.build_rows(50, 20, 10, 10**8), many.build_rows(200, 60, 30, 3 * 10**8)

    assert [row.met for row in small] == [None, None]
    assert [row.met for row in large] == [None, False]
    assert large[0].cells[1:4] == ("300 ms (60 s in all)", "150 ms (30 s in all)", "2.00")
    assert large[1].ours == "300 MB"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1970-01-01T00:00:02.500000001Z", 2.5), ("1970-01-01T00:01:00Z", 60), ("1970-01-01T00:00:00.05Z", 0.05)],
)
def test_a_start_is_read_in_seconds(text: str, seconds: float) -> None:
    """Docker writes up to nine digits, and cuts the zeros at their end."""
    assert start.read_start(text) == pytest.approx(seconds)


def test_a_container_that_never_started_has_no_start() -> None:
    """Docker writes year 1 for never."""
    with pytest.raises(errors.BenchError, match="never started"):
        start.read_start("0001-01-01T00:00:00Z")
