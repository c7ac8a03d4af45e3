"""Files and log lines into and out of a container, by the Docker Engine's archive and logs calls."""

from __future__ import annotations

import io
import os
import pathlib
import posixpath
import shutil
import struct
import tarfile
import tempfile
from collections.abc import Iterator

import docker
import docker.errors
import requests

from aml_infra.backends import docker_request
from aml_infra.source import build_member

LINE_BYTES = 1024 * 1024
"""How much text without a line end is taken for one line."""

_SPOOL_BYTES = 16 * 1024 * 1024
_FRAME_HEAD = struct.Struct(">BxxxL")


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


def read_log(client: docker.APIClient, container: str) -> Iterator[str]:
    """The lines that a container has printed and prints, until it ends.

    A line comes where its end was printed, and open ends come last, so that reading again gives the same lines in the
    same order. A progress bar, which writes over its line with carriage returns, is the line that it was last. What
    goes on for more than ``LINE_BYTES`` without a line end is cut there: the rest of it is the next line.

    Raises:
        requests.ConnectionError, requests.exceptions.ChunkedEncodingError: the connection was lost before the log
            had ended.
    """
    # A program prints to two streams, and what one has not ended yet is no part of the other's next line.
    pending: dict[int, bytearray] = {}
    for stream, content in _read_frames(client, container):
        for line in _cut_lines(pending.setdefault(stream, bytearray()), content):
            yield _decode_line(line)
    # While the container runs, an open end may go on: as a line it would not be there when the log is read again.
    if not _is_running(client, container):
        for _, rest in sorted(pending.items()):
            if rest:
                yield _decode_line(bytes(rest))


def _read_frames(client: docker.APIClient, container: str) -> Iterator[tuple[int, bytes]]:
    """The pieces of a container's log, each with the number of its stream.

    ``client.logs`` does not tell the streams apart, and takes a connection that was lost for the end of the log. A
    client is a ``requests.Session``, which does see whether an answer was whole.
    """
    with client.get(
        f"{client.base_url}/v{client.api_version}/containers/{container}/logs",
        params={"stdout": "1", "stderr": "1", "follow": "1", "tail": "all"},
        stream=True,
        timeout=(client.timeout, None),  # a program may print nothing for hours
    ) as response:
        try:
            response.raise_for_status()
        except requests.HTTPError as error:
            docker.errors.create_api_error_from_http_exception(error)
        received = bytearray()
        for chunk in response.iter_content(None):
            received += chunk
            start = 0
            while len(received) - start >= _FRAME_HEAD.size:
                stream, length = _FRAME_HEAD.unpack_from(received, start)
                content = start + _FRAME_HEAD.size
                if len(received) < content + length:
                    break
                yield stream, bytes(received[content : content + length])
                start = content + length
            del received[:start]
        if received:
            raise requests.ConnectionError(f"the log of {container} ended within a piece of it")


def _cut_lines(pending: bytearray, content: bytes) -> Iterator[bytes]:
    """The lines that end in ``content``, which goes on from ``pending``; what is left over is pending then."""
    for number, part in enumerate(content.split(b"\n")):
        if number > 0:  # a line end was before it
            yield bytes(pending)
            pending.clear()
        taken = 0
        while len(pending) + len(part) - taken > LINE_BYTES:
            room = LINE_BYTES - len(pending)
            yield bytes(pending) + part[taken : taken + room]
            pending.clear()
            taken += room
        pending += part[taken:]


def _is_running(client: docker.APIClient, container: str) -> bool:
    try:
        return bool(client.inspect_container(container)["State"]["Running"])
    except docker.errors.NotFound:
        return False


def _decode_line(line: bytes) -> str:
    shown = [part for part in line.decode("utf-8", "replace").split("\r") if part]
    return shown[-1] if shown else ""
