"""A folder that comes as a tar archive from where a run was, whose command wrote it as it liked."""

from __future__ import annotations

import os
import pathlib
import posixpath
import shutil
import tarfile
import tempfile
from collections.abc import Iterable

_SPOOL_BYTES = 16 * 1024 * 1024


def unpack(stream: Iterable[bytes], path: str, target: pathlib.Path) -> None:
    """Writes what is in an archive of the folder ``path`` into ``target``; an empty stream is an empty folder.

    A hard link becomes a copy, and a symbolic link by the folder's whole path a relative one. Links that lead out of
    the folder, and what is neither file, folder nor link, are left behind.

    Args:
        stream: the archive; names in it start with the folder's own name.
        path: of the folder, where it was.
        target: a folder of this machine, which is made.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        for chunk in stream:
            spool.write(chunk)
        if not spool.tell():
            return
        spool.seek(0)
        links: dict[str, str] = {}
        with tarfile.open(fileobj=spool, mode="r|") as tar:
            for member in tar:
                name = _name_within(path, member.name)
                if name == "." or _leaves(name):
                    continue
                first = _name_within(path, member.linkname) if member.islnk() else name
                if member.issym():
                    links[name] = member.linkname
                elif first in links:
                    links[name] = links[first]
                elif member.islnk():
                    _copy_file(target, first, name)
                else:
                    _write_member(tar, member, target / name)
    # Links come last, so that no file can be written through one.
    for name, leads_to in links.items():
        _write_link(target, name, _make_relative(path, name, leads_to))


def _copy_file(target: pathlib.Path, first: str, name: str) -> None:
    """Gives a file that has been written a second name, if it is one of the folder's."""
    if not _leaves(first) and (target / first).is_file():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(target / first, target / name)


def _write_link(target: pathlib.Path, name: str, leads_to: str) -> None:
    if not _leaves(posixpath.join(posixpath.dirname(name), leads_to)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(leads_to, target / name)


def _name_within(path: str, name: str) -> str:
    """What an archive's name is below the folder, whose own name it starts with; ``..`` if it does not."""
    top, _, rest = name.partition("/")
    return posixpath.normpath(rest or ".") if top == posixpath.basename(path) else ".."


def _make_relative(path: str, name: str, leads_to: str) -> str:
    """Where a symbolic link of the folder leads, from where it is, if it leads below the folder's own path."""
    if not leads_to.startswith(f"{path}/"):
        return leads_to
    return posixpath.relpath(leads_to, posixpath.dirname(posixpath.join(path, name)))


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: pathlib.Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.isfile():
        content = tar.extractfile(member)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while content is not None and (chunk := content.read(1024 * 1024)):
                file.write(chunk)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)
        os.utime(path, (member.mtime, member.mtime))


def _leaves(name: str) -> bool:
    normal = posixpath.normpath(name)
    return posixpath.isabs(name) or normal == ".." or normal.startswith("../")
