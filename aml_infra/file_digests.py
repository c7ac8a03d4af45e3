"""SHA-256 of many files: streamed, in parallel where that is faster, and only of files that hold still."""

from __future__ import annotations

import concurrent.futures
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator

from aml_infra import stat_cache

Found = tuple[str, bool, stat_cache.Stamp, bytes | None]
"""A regular file: its path, whether its owner may execute it, its stamp, and its SHA-256 if that is known."""

READINGS = 4
"""A file that changes while it is read is read so often before it is given up."""

_CHUNK = 256 * 1024
"""Fits a processor's cache, so that what was read is hashed before it has left it."""

_LARGE = 1024 * 1024
"""From this size on threads pay; hashing a small file takes less time than handing over the interpreter."""

_MAX_THREADS = 8

# Neither a link nor a pipe that has taken the file's place is followed, or waited for.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class FileChanging(OSError):
    """A file was another one after each reading than before."""


def check_readable(path: str) -> None:
    """Raises OSError if a file cannot be opened."""
    os.close(os.open(path, _FLAGS))


def read_files(root: str, files: list[Found]) -> list[tuple[str, OSError]]:
    """Puts the digests that are missing into ``files``, with the stamps that go with them.

    Returns:
        Paths of the files that cannot be read, and why.
    """
    failures: dict[str, OSError] = {}
    stopped = threading.Event()

    def read(indexes: Iterator[int]) -> None:
        buffer = bytearray(_CHUNK)
        for index in indexes:
            path, _, stamp, _ = files[index]
            try:
                files[index] = (path, *read_file(f"{root}/{path}", stamp, buffer, stopped))
            except OSError as error:
                failures[path] = error
            if stopped.is_set():
                return

    unknown = [index for index, found in enumerate(files) if found[3] is None]
    # The threads take from one iterator, so that nothing queues up.
    large = [index for index in unknown if files[index][2][2] >= _LARGE]
    shared = iter(large)
    helpers = min(len(large), os.cpu_count() or 1, _MAX_THREADS) - 1
    with concurrent.futures.ThreadPoolExecutor(max(helpers, 1)) as pool:
        try:
            futures = [pool.submit(read, shared) for _ in range(helpers)]
            read(index for index in unknown if files[index][2][2] < _LARGE)
            read(shared)
            for future in futures:
                future.result()
        except BaseException:
            # After Ctrl-C, whenever it comes, the threads do not even read the files that they are at to their ends.
            stopped.set()
            raise
    return sorted(failures.items())


def read_file(
    path: str, stamp: stat_cache.Stamp, buffer: bytearray, stopped: threading.Event
) -> tuple[bool, stat_cache.Stamp, bytes]:
    """Reads a regular file until it was the same before and after.

    Args:
        path: the file.
        stamp: as it was seen some time before.
        buffer: room for what is read.
        stopped: once it is set, nobody wants the result, and reading ends early.

    Returns:
        Whether its owner may execute it, its stamp with the size that was read, and its SHA-256.

    Raises:
        FileChanging: it changed each time.
        OSError: it cannot be read.
    """
    for _ in range(READINGS):
        descriptor = os.open(path, _FLAGS)
        try:
            digest, size = _hash(descriptor, stamp[2], buffer, stopped)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        before, stamp = stamp, stat_cache.read_stamp(status)
        if stamp == before:
            # The kernel's own files hold more than their status says.
            return bool(status.st_mode & stat.S_IXUSR), (*stamp[:2], size, *stamp[3:]), digest
        if not stat.S_ISREG(status.st_mode):
            break
    raise FileChanging(errno.EBUSY, "it changes while it is read")


def _hash(descriptor: int, size: int, buffer: bytearray, stopped: threading.Event) -> tuple[bytes, int]:
    whole = hashlib.sha256()
    view = memoryview(buffer)
    total = 0
    while count := os.readv(descriptor, [buffer]):
        whole.update(view[:count])
        total += count
        # No read for the end alone: had the file grown, its stamp would tell.
        if total == size or stopped.is_set():
            break
    return whole.digest(), total
