"""Files into and out of a container, by the Docker Engine's archive call."""

from __future__ import annotations

import io
import pathlib
import posixpath
import tarfile
from collections.abc import Iterable

import docker
import docker.errors

from aml_infra.backends import docker_request, folder_archive
from aml_infra.source import build_member


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
    """Copies a container's folder into ``target``, as ``folder_archive`` does; one that is not there is empty."""
    try:
        stream, _ = client.get_archive(container, path)
    except docker.errors.NotFound:
        stream = iter(())
    folder_archive.unpack(stream, path, target)
