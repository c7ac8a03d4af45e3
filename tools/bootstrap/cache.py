"""The cache: one bootstrap writes to it at a time, and each file in it is there whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping

from tools.bootstrap import commands, errors, layout, versions


@contextlib.contextmanager
def hold(folder: pathlib.Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the lock of the cache; `on_wait` is called once if another process has it.

    The kernel lets go of it when the process ends, however it ends, so that there is no stale one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "lock").open("w")
    except OSError as error:
        raise errors.BootstrapError(
            f"cannot write to the cache {folder}: {error.strerror}; set AML_INFRA_CACHE to a folder of your own"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def make_file(target: pathlib.Path, *, mode: int = 0o644) -> Iterator[pathlib.Path]:
    """Gives a path beside `target` to write to; it takes the target's place when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    draft = pathlib.Path(name)
    try:
        yield draft
        draft.chmod(mode)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def make_folder(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """As `make_file`, for a folder; an old one at `target` is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    draft.chmod(0o755)
    try:
        yield draft
        if target.exists():
            shutil.rmtree(target)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def is_program(path: pathlib.Path) -> bool:
    """Whether `path` is a file that may be executed."""
    return path.is_file() and os.access(path, os.X_OK)


class VersionBook:
    """The versions of programs that others installed, asked once and remembered while the file stays the same."""

    def __init__(self, places: layout.Layout, runner: commands.Commands) -> None:
        self._file = places.cache / "versions.json"
        self._commands = runner

    def find_version(self, program: pathlib.Path, *arguments: str) -> tuple[int, ...]:
        """What `program arguments...` says, as numbers; empty if it does not run."""
        try:
            state = program.resolve().stat()
        except OSError:
            return ()
        key = f"{program} {' '.join(arguments)} {state.st_size} {state.st_mtime_ns}"
        book = self._read()
        if key not in book:
            result = self._commands.attempt([program, *arguments], timeout=20)
            if result.code != 0:
                return ()
            book[key] = _find_number(result.stdout)
            self._write(book)
        return versions.parse_version(book[key])

    def _read(self) -> dict[str, str]:
        try:
            book = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return book if isinstance(book, dict) else {}

    def _write(self, book: Mapping[str, str]) -> None:
        # Only a saving of time, so a cache that cannot be written, or is not there yet, does not matter here.
        with contextlib.suppress(OSError):
            if self._file.parent.is_dir():
                with make_file(self._file) as draft:
                    draft.write_text(json.dumps(dict(book), indent=1))


def _find_number(text: str) -> str:
    """The first word that looks like a version: `uv 0.13.9 (...)`, `go version go1.26.8 linux/amd64`, `v3.259.0`."""
    for word in text.replace("+", " ").split():
        if len(versions.parse_version(word)) > 1:
            return word
    return ""
