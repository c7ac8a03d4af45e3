"""The names of images, as Docker reads them: https://github.com/distribution/reference."""

from __future__ import annotations

import dataclasses
import re

from aml_infra.errors import InvalidInput, Problem

HUB = "docker.io"
"""The server of what names none."""

_HUB_NAMES = (HUB, "index.docker.io", "registry-1.docker.io")
_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9.-]+)(:\d+)?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REST = re.compile(rf"({_PART}(?:/{_PART})*)(?::(\w[\w.-]{{0,127}}))?(?:@(sha256:[0-9a-f]{{64}}))?", re.ASCII)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """An image, or a repository of images.

    Attributes:
        server: host, with its port where it has one.
        repository: the name there.
        version: digest or tag.
    """

    server: str
    repository: str
    version: str

    @property
    def name(self) -> str:
        """The repository with its server."""
        return f"{self.server}/{self.repository}"

    def pin(self, digest: str) -> str:
        """The image of this repository with a digest."""
        return f"{self.name}@{digest}"


def parse(text: str) -> Reference:
    """Reads a reference: without a server it is Docker Hub's, without a version it is ``latest``.

    Raises:
        InvalidInput: it is none.
    """
    first, slash, rest = text.partition("/")
    has_server = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    server, path = (first, rest) if has_server else (HUB, text)
    found = _REST.fullmatch(path)
    if found is None or not _SERVER.fullmatch(server):
        fix = "it is written as in 'server/name:tag' or 'server/name@sha256:...', with a name in lower case"
        raise InvalidInput([Problem("image", f"is {text!r}, which is no reference of an image; {fix}")])
    repository, tag, digest = found.groups()
    if server in _HUB_NAMES:
        server, repository = HUB, repository if "/" in repository else f"library/{repository}"
    return Reference(server=server, repository=repository, version=digest or tag or "latest")
