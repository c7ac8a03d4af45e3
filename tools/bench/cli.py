"""The command line: `python -m tools.bench`."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import platform
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from tools.bench import (
    azure,
    azure_noop,
    azure_upload,
    bed,
    errors,
    fingerprint,
    kubernetes_scale,
    log,
    many,
    noop,
    programs,
    project,
    start,
    table,
)

PAGE = bed.CHECKOUT / "docs" / "performance.md"
_INTERRUPTED = 130


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What gives some rows of the table."""

    summary: str
    measure: Callable[[bed.Bed], list[table.Row]]


BENCHMARKS: Mapping[str, Benchmark] = {
    module.NAME: Benchmark(module.SUMMARY, module.measure)
    for module in (noop, azure_noop, azure_upload, fingerprint, start, log, many, kubernetes_scale)
}


def main(arguments: Sequence[str]) -> int:
    """Measures; gives 0 also where a goal is missed, as a busy machine is no error, and 1 where something broke."""
    options = build_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with bed.make_bed(options.repeat) as place:
            machine, today = describe_machine(place.programs, options.repeat), _find_day()
            project.warm_up(place)
            rows: list[table.Row] = []
            for name in options.only:
                rows += BENCHMARKS[name].measure(place)
        cells = [dataclasses.replace(row, day=today).cells for row in rows]
        print(f"{machine}\n\n{table.format_table(cells)}")
        if options.write:
            page = PAGE.read_text()
            known = table.find_between_markers(page)
            block = build_block(known, machine, cells, is_whole=set(options.only) == set(BENCHMARKS))
            PAGE.write_text(table.replace_between_markers(page, block))
    except errors.BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    lines = "\n".join(f"  {name:<12} {benchmark.summary}" for name, benchmark in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog='make bench ARGS="..."',
        description="Measures what docs/performance.md claims, and writes it there.",
        epilog=f"measurements:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        type=parse_names,
        default=list(BENCHMARKS),
        metavar="NAMES",
        help="some measurements, separated by commas; the page keeps the rows of the others",
    )
    parser.add_argument("--repeat", type=parse_rounds, default=5, metavar="N", help="median of N (default: 5)")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/performance.md as it is")
    return parser


def build_block(known: str, machine: str, rows: Sequence[table.Cells], *, is_whole: bool) -> str:
    """What is to be on the page between its markers.

    Args:
        known: what is there.
        machine: on what `rows` were measured.
        rows: that were measured.
        is_whole: whether they are all that there are.

    Raises:
        BenchError: rows of others would be beside them that were measured on something else.
    """
    if not is_whole:
        if not known.startswith(f"{machine}\n"):
            other = known.partition("\n")[0]
            text = f"not written, as the page's rows are of another machine or of other versions ({other})"
            raise errors.BenchError(f"{text}; measure all of it, or give --no-write")
        rows = table.merge_rows(table.parse_table(known), rows)
    return f"{machine}\n\n{table.format_table(rows)}"


def parse_names(text: str) -> list[str]:
    """The measurements named in `text`, each once, in the order in which they are made."""
    given = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(given) - set(BENCHMARKS))
    if unknown or not given:
        allowed = ", ".join(BENCHMARKS)
        raise argparse.ArgumentTypeError(
            f"no measurement is called {', '.join(unknown) or text!r}; there are {allowed}"
        )
    return [name for name in BENCHMARKS if name in given]


def parse_rounds(text: str) -> int:
    """How often to measure, from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"is {text!r}; give a whole number from 1 on")
    return int(text)


def describe_machine(runner: programs.Programs, rounds: int) -> str:
    """A sentence about what this is measured on; nothing in it tells whose machine it is."""
    engine = runner.run(["pulumi", "version"]).text.strip().removeprefix("v")
    docker = runner.run(["docker", "version", "--format", "{{.Server.Version}}"]).text.strip()
    return (
        f"Measured on {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, Pulumi {engine}, Docker {docker}, azure-ai-ml {azure.VERSION}; "
        f"median of {rounds}."
    )


def _find_day() -> str:
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
