"""What every measurement is given, and the end of it all: nothing of the bench is left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator

from tools.bench import containers, errors, programs

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Bed:
    """A place to measure in.

    Attributes:
        rounds: how often each figure is taken; the median counts.
        folder: everything that is written is below it.
        token: marks the containers, and makes the runs others than yours.
        programs: starts programs.
        containers: the containers with the token.
    """

    rounds: int
    folder: pathlib.Path
    token: str
    programs: programs.Programs
    containers: containers.Containers

    def say(self, what: str, text: str) -> None:
        """One line of progress."""
        print(f"{what:<12} {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def make_bed(rounds: int) -> Iterator[Bed]:
    """A bed in a new temporary folder, which is cleared when the block ends, however it ends."""
    token = uuid.uuid4().hex[:8]
    runner = programs.Programs()
    bed = Bed(
        rounds=rounds,
        folder=pathlib.Path(tempfile.mkdtemp(prefix=f"aml-infra-bench-{token}-")),
        token=token,
        programs=runner,
        containers=containers.Containers(runner, token),
    )
    try:
        yield bed
    finally:
        _clear(bed)


def _clear(bed: Bed) -> None:
    # A second Ctrl-C would leave behind what the first one asks to remove.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    bed.say("clean-up", "ending programs, removing containers and files")
    try:
        bed.programs.end()
        bed.containers.remove()
    except errors.BenchError as error:
        bed.say("clean-up", f"containers may be left, with {containers.VARIABLE}={bed.token}: {error}")
    finally:
        shutil.rmtree(bed.folder, ignore_errors=True)


def build_environment(place: Bed, cache: pathlib.Path) -> dict[str, str]:
    """The environment of what is measured.

    Args:
        place: holds what Python compiles, so that after the first time nothing is compiled, as on a user's machine.
        cache: where caches are.
    """
    environment = {
        **os.environ,
        "PYTHONPYCACHEPREFIX": str(place.folder / "compiled"),
        "XDG_CACHE_HOME": str(cache),
    }
    environment.pop("AML_INFRA_STAT_CACHE", None)
    return environment
