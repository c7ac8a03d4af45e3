"""Images in a container registry: https://github.com/opencontainers/distribution-spec/blob/main/spec.md.

A daemon of Docker could put a layer on an image, too, but only after it has pulled gigabytes to put some kilobytes on
them. Of the libraries, ``oras`` is kept; as of 0.2 it mounts no blob from another repository, pauses without regard to
what the registry asks for, begins a download anew when it breaks off, and knows one kind of login at a time. What is
needed are these few calls.

A blob is sent with one request, as containerd does it and so every registry takes it; where it breaks off, it is sent
anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aml_infra.errors import BackendUnavailable, RequestRefused
from aml_infra.progress import Progress
from aml_infra.registry_connection import CONNECT_SECONDS, RETRIES, RegistryConnection, build_scopes

if TYPE_CHECKING:
    import requests

UPLOAD_SECONDS = 600.0
"""A registry may move a large blob to its place before it answers."""

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_ACCEPT = {"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}, {OCI_INDEX}, {DOCKER_INDEX}"}
_SKIP_BYTES = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What describes an image, or images for several platforms.

    Attributes:
        digest: of the document.
        media_type: which kind it is.
        content: the document.
    """

    digest: str
    media_type: str
    content: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blob:
    """A part of an image.

    Attributes:
        digest: of its bytes.
        size: how many there are.
    """

    digest: str
    size: int


class Readable(Protocol):
    """What a blob's bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, fewer at the end; all that are left if negative."""


class RegistryClient:
    """One registry.

    All methods raise the errors of ``RegistryConnection``.

    Args:
        connection: to it.
    """

    def __init__(self, connection: RegistryConnection) -> None:
        self._connection = connection

    @property
    def server(self) -> str:
        """Host, with its port where it has one."""
        return self._connection.server

    def find_digest(self, repository: str, version: str) -> str | None:
        """The digest of what a tag or digest names, or None where there is nothing."""
        answer = self._connection.ask("HEAD", repository, f"manifests/{version}", headers=_ACCEPT)
        if answer is None:
            return None
        if told := answer.headers.get("Docker-Content-Digest"):
            return str(told)
        # A registry may leave it out.
        manifest = self.find_manifest(repository, version)
        return manifest.digest if manifest is not None else None

    def find_manifest(self, repository: str, version: str) -> Manifest | None:
        """What a tag or digest names, or None where there is nothing."""
        answer = self._connection.ask("GET", repository, f"manifests/{version}", headers=_ACCEPT)
        if answer is None:
            return None
        digest = compute_digest(answer.content)
        if version.startswith("sha256:") and version != digest:
            raise RequestRefused(f"registry {self.server} gives another manifest than {version} of {repository}")
        try:
            content = answer.json()
            media_type = content.get("mediaType") or answer.headers["Content-Type"].partition(";")[0].strip()
        except (ValueError, AttributeError, KeyError) as error:
            raise RequestRefused(f"{self.server} gives no manifest of {repository}; is it a registry?") from error
        return Manifest(digest=digest, media_type=media_type, content=content)

    def put_manifest(self, repository: str, tag: str, media_type: str, content: Mapping[str, Any]) -> str:
        """Makes ``content`` what ``tag`` names; gives its digest."""
        text = serialize(content)
        self._connection.require("PUT", repository, f"manifests/{tag}", data=text, headers={"Content-Type": media_type})
        return compute_digest(text)

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository has a blob."""
        return self._connection.ask("HEAD", repository, f"blobs/{digest}") is not None

    @contextlib.contextmanager
    def open_blob(self, repository: str, blob: Blob) -> Iterator[Readable]:
        """Reads a blob for as long as the block lasts; that it is not what its digest says is an error."""
        reader = _BlobReader(self._connection, repository, blob)
        try:
            yield reader
        finally:
            reader.close()

    def put_blob(
        self,
        repository: str,
        blob: Blob,
        open_content: Callable[[], contextlib.AbstractContextManager[Readable]],
        *,
        source: str | None = None,
        what: str,
        tell: Callable[[str], None],
    ) -> None:
        """Puts a blob there, unless it is there.

        Args:
            repository: where.
            blob: to put.
            open_content: gives its bytes from the start, each time that they are sent.
            source: a repository of this registry that has it: it is taken from there, if the registry does that.
            what: is done, for messages, as in ``pushing source``.
            tell: hears how far it is.
        """
        if self.has_blob(repository, blob.digest):
            return
        path, scopes = "blobs/uploads/", build_scopes("POST", repository, source)
        query = {"mount": blob.digest, "from": source} if source else None

        def send() -> requests.Response:
            started = self._connection.require("POST", repository, path, source=source, params=query)
            if started.status_code == http.HTTPStatus.CREATED:
                return started
            place = urllib.parse.urljoin(started.url, started.headers["Location"])
            separator = "&" if "?" in place else "?"
            with open_content() as content:
                return self._connection.send(
                    "PUT",
                    f"{place}{separator}digest={urllib.parse.quote(blob.digest)}",
                    scopes,
                    data=_Body(content, blob.size, Progress(what, blob.size, tell)),
                    headers={"Content-Type": "application/octet-stream"},
                    timeout=(CONNECT_SECONDS, UPLOAD_SECONDS),
                )

        self._connection.check(self._connection.insist(send, scopes), "PUT", repository, f"blobs/{blob.digest}")


class _Body:
    """What is sent as requests wants it: with a length, and without a way back, for which there is ``open_content``."""

    def __init__(self, content: Readable, size: int, progress: Progress) -> None:
        self._content, self._size, self._progress = content, size, progress

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_SKIP_BYTES):
            yield chunk

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._content.read(size)
        self._progress.add(len(chunk))
        return chunk


class _BlobReader:
    """Reads a blob, from where it broke off when a connection does, and checks it at its end."""

    def __init__(self, connection: RegistryConnection, repository: str, blob: Blob) -> None:
        self._connection, self._repository, self._blob = connection, repository, blob
        self._answer: requests.Response | None = None
        self._hash, self._offset, self._breaks = hashlib.sha256(), 0, 0

    def read(self, size: int = -1, /) -> bytes:
        left = self._blob.size - self._offset
        wanted = left if size < 0 else min(size, left)
        chunk = self._read_some(wanted) if wanted else b""
        self._hash.update(chunk)
        self._offset += len(chunk)
        if chunk and self._offset == self._blob.size and f"sha256:{self._hash.hexdigest()}" != self._blob.digest:
            raise RequestRefused(f"registry {self._connection.server}: {self._name} is not what its digest says")
        return chunk

    def close(self) -> None:
        """Lets go of the connection."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    @property
    def _name(self) -> str:
        return f"blob {self._blob.digest} of {self._repository}"

    def _read_some(self, size: int) -> bytes:
        from urllib3.exceptions import HTTPError

        while True:
            reason = "it is too short"
            try:
                if chunk := self._open().raw.read(size, decode_content=False):
                    self._breaks = 0
                    return bytes(chunk)
            except (HTTPError, OSError) as error:
                reason = str(error)
            self.close()
            self._breaks += 1
            if self._breaks > RETRIES:
                raise BackendUnavailable(
                    f"registry {self._connection.server}: {self._name} breaks off ({reason}); try again later"
                )

    def _open(self) -> requests.Response:
        if self._answer is None:
            headers = {"Accept-Encoding": "identity"}
            if self._offset:
                headers["Range"] = f"bytes={self._offset}-"
            path = f"blobs/{self._blob.digest}"
            self._answer = self._connection.require("GET", self._repository, path, headers=headers, stream=True)
            if self._offset and self._answer.status_code != http.HTTPStatus.PARTIAL_CONTENT:
                # A registry need not know parts: what came already is passed over.
                self._skip(self._answer)
        return self._answer

    def _skip(self, answer: requests.Response) -> None:
        left = self._offset
        while left and (chunk := answer.raw.read(min(left, _SKIP_BYTES), decode_content=False)):
            left -= len(chunk)


def compute_digest(content: bytes) -> str:
    """What registries know it by."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def serialize(content: Mapping[str, Any]) -> bytes:
    """A document as text, the same for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
