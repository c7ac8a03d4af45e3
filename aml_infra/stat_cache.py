"""What files held when they were last hashed, so that an unchanged tree is not read again.

One file per tree, in ``$AML_INFRA_STAT_CACHE``, else in ``aml-infra/stat-cache`` below ``$XDG_CACHE_HOME`` or
``~/.cache``; ``AML_INFRA_STAT_CACHE=off`` switches it off. A tree's file is read whole and replaced whole, so that any
number of processes and threads can use it without a lock: the last one wins, and what it did not know is hashed again.

A digest is found by a file's device, inode, size, mtime and ctime together. It is kept only if both times were older,
by more than a file system's clock may be coarse, than the moment when reading began: else the file could have been
written again without a change of its times (git's "racy" rule). A cache that is damaged, of another version, someone
else's, or that cannot be written, is no cache and no error.

Limits: a write through a memory map that was dirty before may leave the times as they are until the kernel writes the
page out, and a file system that keeps no ctime cannot tell an edit whose mtime was set back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import itertools
import operator
import os
import struct
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size in bytes, mtime and ctime in nanoseconds: what a change of a regular file changes."""

GRANULARITY_NS = 2 * 10**9
"""The coarsest clock of a file system in use (FAT)."""

MAX_RECORDS = 500_000
"""Largest number of files that are remembered of one tree."""

MAX_BYTES = 128 * 2**20
"""Largest size of all trees' files together; the least recently used go first."""

MAX_DAYS = 60
"""A tree that was not seen for so long is forgotten."""

read_stamp: Callable[[os.stat_result], Stamp] = operator.attrgetter(
    "st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"
)
"""What of a file's status must stay the same for its content to be the same."""

_MAGIC = b"aml-infra stat cache 1\n"
_RECORD = struct.Struct("<QQqqq32s")
_CHECKSUM_BYTES = 32
_DAY_SECONDS = 24 * 60 * 60


@dataclasses.dataclass(frozen=True)
class StatCache:
    """What is known of one tree.

    Attributes:
        path: the file that keeps it; None if the cache is switched off.
        known: stamps and SHA-256 digests.
        moment_ns: a time before anything else was read.
    """

    path: str | None
    known: Mapping[Stamp, bytes]
    moment_ns: int


def open_cache(tree: str, environ: Mapping[str, str]) -> StatCache:
    """What is known of the tree of that name."""
    path = locate(tree, environ)
    return StatCache(path, {} if path is None else load(path), time.time_ns())


def is_settled(stamp: Stamp, moment_ns: int) -> bool:
    """Whether every write after ``moment_ns`` will show in the stamp."""
    return max(stamp[3], stamp[4]) + GRANULARITY_NS < moment_ns


def locate(tree: str, environ: Mapping[str, str]) -> str | None:
    """The file that keeps what is known of the tree of that name; None if the cache is switched off."""
    chosen = environ.get("AML_INFRA_STAT_CACHE", "")
    if chosen == "off":
        return None
    base = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        # So says the XDG Base Directory Specification.
        base = os.path.expanduser("~/.cache")
    folder = os.path.abspath(chosen) if chosen else os.path.join(base, "aml-infra", "stat-cache")
    return os.path.join(folder, hashlib.sha256(os.fsencode(tree)).hexdigest()[:32])


def load(path: str) -> dict[Stamp, bytes]:
    """What ``save`` has written; nothing if that cannot be trusted."""
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            # What another user wrote may lie, or tell of files that this user cannot read.
            content = stream.read() if status.st_uid == os.geteuid() else b""
        if time.time() - status.st_mtime > _DAY_SECONDS:
            os.utime(path)
    except OSError:
        return {}
    view = memoryview(content)[:-_CHECKSUM_BYTES]
    records = view[len(_MAGIC) :]
    is_whole = content.startswith(_MAGIC) and len(records) % _RECORD.size == 0
    if not is_whole or hashlib.sha256(view).digest() != content[-_CHECKSUM_BYTES:]:
        return {}
    return {(dev, ino, size, mtime, ctime): d for dev, ino, size, mtime, ctime, d in _RECORD.iter_unpack(records)}


def save(cache: StatCache, digests: Collection[tuple[Stamp, bytes]]) -> None:
    """Keeps what was read of a tree since the cache was opened, and forgets what is no longer in it.

    Args:
        cache: where to.
        digests: of all files of the tree; stamps are as they were both before and after reading.
    """
    fresh = (stamp for stamp, _ in digests if stamp not in cache.known)
    if cache.path is None or not any(is_settled(stamp, cache.moment_ns) for stamp in fresh):
        return
    folder = os.path.dirname(cache.path)
    # A cache that cannot be written costs time, and nothing else.
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder)
        try:
            with open(descriptor, "wb") as stream:
                _write(stream, (each for each in digests if is_settled(each[0], cache.moment_ns)))
            os.replace(temporary, cache.path)
        except BaseException:
            os.unlink(temporary)
            raise
        _evict(folder)


def _write(stream: io.BufferedWriter, digests: Iterable[tuple[Stamp, bytes]]) -> None:
    checksum = hashlib.sha256()
    for record in itertools.chain(
        [_MAGIC], (_RECORD.pack(*stamp, digest) for stamp, digest in itertools.islice(digests, MAX_RECORDS))
    ):
        checksum.update(record)
        stream.write(record)
    stream.write(checksum.digest())


def _evict(folder: str) -> None:
    """Removes what was not used for long, and the least recently used of what is too much."""
    with os.scandir(folder) as entries:
        found = sorted(((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in entries), reverse=True)
    total = 0
    for used, size, path in found:
        total += size
        if total > MAX_BYTES or time.time() - used > MAX_DAYS * _DAY_SECONDS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
