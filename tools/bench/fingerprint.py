"""What it costs to know whether the source has changed, which every `up` and `preview` wants to know."""

from __future__ import annotations

import functools
import itertools
import json
import os
import pathlib
import random
import sys
import time
from collections.abc import Iterator

from tools.bench import azure, bed, errors, figures, programs, table

NAME = "fingerprint"
SUMMARY = "fingerprint of 10,000 small files and of 1 GB, against azure-ai-ml's"

SMALL_FILES = 10_000
SMALL_BYTES = 4096
LARGE_BYTES = 10**9
MAX_BYTES = 2 * 10**9
_BLOCK_BYTES = 10**6

AGE_SECONDS = 24 * 3600
SETTLED_SECONDS = 5.0
"""A file that was changed a moment ago is read again, as its times do not tell whether it will be changed once more."""

_TIMED = pathlib.Path(__file__).parent / "timed"


class Tree:
    """A folder of files, and the two ways to fingerprint it."""

    def __init__(self, place: bed.Bed, name: str, python: pathlib.Path) -> None:
        self.folder = place.folder / "trees" / name
        self.folder.mkdir(parents=True)
        self._place = place
        self._python = python
        self._caches = place.folder / "caches" / name
        self._numbers: Iterator[int] = itertools.count()
        self._digests: set[str] = set()

    def measure_cold(self) -> float:
        """Our fingerprint, with nothing remembered of earlier ones."""
        return self._measure_ours(self._caches / f"cold-{next(self._numbers)}")

    def measure_unchanged(self) -> float:
        """Our fingerprint, with the memory of an earlier one that a call before left."""
        return self._measure_ours(self._caches / "warm")

    def measure_reference(self) -> float:
        """azure-ai-ml's fingerprint, which has no memory."""
        script: programs.Argv = [self._python, _TIMED / "content_hash.py", self.folder]
        env = bed.build_environment(self._place, self._caches / "reference")
        seconds, _ = _read_timing(self._place.programs.run(script, env=env).text)
        return seconds

    def _measure_ours(self, cache: pathlib.Path) -> float:
        script: programs.Argv = [sys.executable, _TIMED / "snapshot.py", self.folder, str(MAX_BYTES)]
        env = bed.build_environment(self._place, cache)
        seconds, digest = _read_timing(self._place.programs.run(script, env=env).text)
        self._digests.add(digest)
        if len(self._digests) > 1:
            raise errors.BenchError(f"two fingerprints of one folder differ: {sorted(self._digests)}")
        return seconds


def measure(place: bed.Bed) -> list[table.Row]:
    """Makes both trees, lets them settle, then measures."""
    place.say(NAME, "making the files")
    python = azure.find_python(place)
    small, large = Tree(place, "small", python), Tree(place, "large", python)
    contents = random.Random(1)  # noqa: S311 - nothing is kept secret with it
    make_small_files(small.folder, contents)
    make_large_file(large.folder / "large.bin", contents)
    made = time.monotonic()
    # What is read for the first time comes from the disk; only then are the files in memory for all alike.
    for tree in (small, large):
        tree.measure_reference()
    # An inode's change time cannot be set back, so there is nothing to wait for but the clock.
    time.sleep(max(0.0, made + SETTLED_SECONDS - time.monotonic()))
    for tree in (small, large):
        tree.measure_unchanged()
    return [
        *_measure_tree(place, small, "10,000 files of 4 KB", most_cold=0.5, most_unchanged=0.1),
        *_measure_tree(place, large, "one file of 1 GB", most_cold=1, most_unchanged=0.01),
    ]


def make_small_files(folder: pathlib.Path, contents: random.Random) -> None:
    """Makes the many files, a hundred in a folder."""
    for number in range(SMALL_FILES):
        file = folder / f"folder_{number // 100:03}" / f"file_{number:05}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(contents.randbytes(SMALL_BYTES))
        _make_old(file)


def make_large_file(file: pathlib.Path, contents: random.Random) -> None:
    """Makes the one large file."""
    block = contents.randbytes(_BLOCK_BYTES)
    with file.open("wb") as stream:
        for _ in range(LARGE_BYTES // _BLOCK_BYTES):
            stream.write(block)
    _make_old(file)


def _make_old(file: pathlib.Path) -> None:
    moment = time.time() - AGE_SECONDS
    os.utime(file, (moment, moment))


def _measure_tree(place: bed.Bed, tree: Tree, what: str, *, most_cold: float, most_unchanged: float) -> list[table.Row]:
    found = figures.interleave(
        {"cold": tree.measure_cold, "unchanged": tree.measure_unchanged, "reference": tree.measure_reference},
        place.rounds,
        functools.partial(_say, place, what),
    )
    median = {name: figures.find_median(values) for name, values in found.items()}
    return [
        table.build_ratio_row(
            f"fingerprint of {what}, never seen before / azure-ai-ml",
            median["cold"],
            median["reference"],
            most=most_cold,
        ),
        table.build_ratio_row(
            f"fingerprint of {what}, unchanged / azure-ai-ml",
            median["unchanged"],
            median["reference"],
            most=most_unchanged,
        ),
    ]


def _say(place: bed.Bed, what: str, text: str) -> None:
    place.say(NAME, f"{what}: {text}")


def _read_timing(output: str) -> tuple[float, str]:
    """Seconds and digest, which a timed script prints last."""
    timing = json.loads(output.splitlines()[-1])
    return float(timing["seconds"]), str(timing["digest"])
