"""Files into and out of a container, by the Docker Engine's archive call."""

from __future__ import annotations

import io
import os
import pathlib
import posixpath
import shutil
import tarfile
import tempfile
from collections.abc import Iterable

import docker
import docker.errors

from aml_infra.backends import docker_request
from aml_infra.source import build_member

_SPOOL_BYTES = 16 * 1024 * 1024


def add_folders(tar: tarfile.TarFile, outputs: Iterable[str]) -> None:
    """Adds the folders that a run writes to, open to whatever user the image runs as."""
    for folder in (
        docker_request.WORKSPACE,
        docker_request.OUTPUTS,
        *(f"{docker_request.OUTPUTS}/{name}" for name in outputs),
        f"{docker_request.WORKSPACE}/logs",
        docker_request.STORE,
        docker_request.TRACKING_STORE,
    ):
        tar.addfile(build_member(folder.lstrip("/"), tarfile.DIRTYPE, 0o777))


def put_file(client: docker.APIClient, container: str, path: str, content: bytes = b"") -> None:
    """Puts a small file into a container; whoever its command runs as can read it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = build_member(posixpath.basename(path), tarfile.REGTYPE, 0o644)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    client.put_archive(container, posixpath.dirname(path), stream.getvalue())


def has_file(client: docker.APIClient, container: str, path: str) -> bool:
    """Whether ``path`` is in a container."""
    try:
        stream, _ = client.get_archive(container, path)
    except docker.errors.NotFound:
        return False
    for _ in stream:  # read to its end, so that the connection can be used again
        pass
    return True


def fetch_folder(client: docker.APIClient, container: str, path: str, target: pathlib.Path) -> None:
    """Copies what is in a container's folder into ``target``; a folder that is not there is an empty one.

    A hard link becomes a copy, and a symbolic link by the folder's whole path in the container a relative one. Links
    that lead out of the folder, and what is neither file, folder nor link, are left behind.
    """
    target.mkdir(parents=True, exist_ok=True)
    try:
        stream, _ = client.get_archive(container, path)
    except docker.errors.NotFound:
        return
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        for chunk in stream:
            spool.write(chunk)
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
