"""Files and log lines into and out of a container, by the Docker Engine's archive and logs calls."""

from __future__ import annotations

import io
import os
import pathlib
import posixpath
import tarfile
import tempfile
from collections.abc import Iterator

import docker
import docker.errors

from aml_infra.backends import docker_request
from aml_infra.source import build_member

_SPOOL_BYTES = 16 * 1024 * 1024


def add_folders(tar: tarfile.TarFile) -> None:
    """Adds the folders that a run writes to, open to whatever user the image runs as."""
    for folder in (
        docker_request.WORKSPACE,
        f"{docker_request.WORKSPACE}/outputs",
        f"{docker_request.WORKSPACE}/logs",
        docker_request.STORE,
        docker_request.TRACKING_STORE,
    ):
        tar.addfile(build_member(folder.lstrip("/"), tarfile.DIRTYPE, 0o777))


def put_mark(client: docker.APIClient, container: str, path: str) -> None:
    """Puts an empty file into a container."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(build_member(posixpath.basename(path), tarfile.REGTYPE, 0o644))
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

    Links that lead out of the folder, and what is neither file, folder nor link, are left behind.
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
        links: list[tuple[str, str]] = []
        with tarfile.open(fileobj=spool, mode="r|") as tar:
            for member in tar:
                # The archive's names start with the folder's own.
                name = posixpath.normpath(posixpath.join(*member.name.split("/")[1:] or ["."]))
                if name == "." or _leaves(name):
                    continue
                if member.issym():
                    links.append((name, member.linkname))
                else:
                    _write_member(tar, member, target / name)
    # Links come last, so that no file can be written through one.
    for name, leads_to in links:
        if not _leaves(posixpath.join(posixpath.dirname(name), leads_to)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(leads_to, target / name)


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


def read_log(client: docker.APIClient, container: str) -> Iterator[str]:
    """The lines that a container has printed and prints, until it ends.

    A progress bar, which writes over its line with carriage returns, is the line that it was last.
    """
    pending = b""
    for chunk in client.logs(container, stdout=True, stderr=True, stream=True, follow=True):
        pending += chunk
        *lines, pending = pending.split(b"\n")
        for line in lines:
            yield _decode_line(line)
    if pending:
        yield _decode_line(pending)


def _decode_line(line: bytes) -> str:
    shown = [part for part in line.decode("utf-8", "replace").split("\r") if part]
    return shown[-1] if shown else ""
