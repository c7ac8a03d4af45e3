"""Secrets that can be told from everything else, and how they are found where they should not be."""

from __future__ import annotations

import base64
import contextlib
import gzip
import os
import pathlib
import re
import socket
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping

from tests.api_faults import Fault
from tests.docker_daemon import remove_images
from tests.fault_proxy import FaultProxy
from tests.local_registry import LocalRegistry, open_registry

Places = Mapping[str, Iterable[bytes]]
"""What is in a place, by the place's name."""

_SEEN_AROUND = 100
_ZIPPED = b"\x1f\x8b"
_PROPERTY = re.compile(r'\\?"msg\\?":\\?"(?:M|Unm)arshaling property for RPC\[')
"""What Pulumi itself, the engine and its official plugins, logs of properties at ``-v=9``: in plain text."""


class Markers:
    """Values of secrets, which all begin with a text that is nowhere else on the machine."""

    def __init__(self) -> None:
        self._stem = f"planted{uuid.uuid4().hex[:12]}".encode()
        self._forms = [self._stem, *(_encode_inside(self._stem, before) for before in range(3))]

    def plant(self, name: str) -> str:
        """A new value."""
        return f"{self._stem.decode()}-{name}-{uuid.uuid4().hex[:12]}"

    def find(self, places: Places) -> list[str]:
        """Where one is, as it is or in base64, each with what is around it."""
        return [
            f"{place}: {content[max(0, at - _SEEN_AROUND) : at + _SEEN_AROUND]!r}"
            for place, contents in places.items()
            for content in contents
            for form in self._forms
            if (at := content.find(form)) >= 0
        ]


def _encode_inside(text: bytes, before: int) -> bytes:
    """What is always there of a text in base64, if so many bytes, modulo 3, come before it and anything after it."""
    bits = 8 * before
    return base64.b64encode(bytes(before) + text)[-(-bits // 6) : (bits + 8 * len(text)) // 6]


def split_log(text: str) -> tuple[str, str]:
    """What Pulumi itself has logged of properties, and the rest."""
    lines = text.splitlines(keepends=True)
    own = [line for line in lines if _PROPERTY.search(line)]
    return "".join(own), "".join(line for line in lines if not _PROPERTY.search(line))


def read_files(folder: pathlib.Path) -> Iterator[bytes]:
    """All files below a folder, and what is in those that are compressed; files and folders may go meanwhile."""
    paths = (pathlib.Path(inner) / name for inner, _, names in os.walk(folder) for name in names)
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink():
                yield from unzip(path.read_bytes())


def unzip(content: bytes) -> Iterator[bytes]:
    """The content, and what is in it, if it is compressed."""
    yield content
    if content.startswith(_ZIPPED):
        yield gzip.decompress(content)


def read_command_lines() -> Iterator[bytes]:
    """Those of all processes of the machine, in containers, too."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        # It may end meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield path.read_bytes()


def read_engine_logs(since: float) -> Iterator[bytes]:
    """What the engine has logged by itself since a moment, in its own place."""
    home = pathlib.Path(os.environ.get("PULUMI_HOME", pathlib.Path.home() / ".pulumi"))
    for path in (home / "logs").glob("*+integration+test-*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime >= since:
                yield path.read_bytes()


class _Glance(Fault):
    """A look at all processes while a request waits for its answer."""

    def __init__(self, command_lines: set[bytes]) -> None:
        super().__init__("delay", times=sys.maxsize)
        self._command_lines = command_lines

    def wait(self) -> None:
        self._command_lines.update(read_command_lines())


class WatchedRegistry:
    """A registry whose password is a secret. Whenever it is asked, whoever asks waits for a look at all processes.

    Attributes:
        address: where clients find it.
        markers: what its password is one of.
        password: of its account.
        command_lines: of all processes that were there when it was asked, or a test has looked.
    """

    def __init__(self, registry: LocalRegistry, address: str, markers: Markers) -> None:
        self.address = address
        self.markers = markers
        self.password = registry.password
        self.command_lines: set[bytes] = set()
        self._folder = registry.folder

    def look(self) -> None:
        """Has a look at all processes."""
        self.command_lines.update(read_command_lines())

    def read(self) -> Iterator[bytes]:
        """Manifests, configurations with the images' history, layers, and its log."""
        return read_files(self._folder)


@contextlib.contextmanager
def open_watched_registry(folder: pathlib.Path) -> Iterator[WatchedRegistry]:
    """Runs one while the block lasts."""
    markers = Markers()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open_registry(folder, markers.plant("password"), port) as running:
        proxy = FaultProxy(("127.0.0.1", 0), ("127.0.0.1", port))
        registry = WatchedRegistry(running, f"127.0.0.1:{proxy.address[1]}", markers)
        proxy.faults.add(_Glance(registry.command_lines))
        try:
            yield registry
        finally:
            proxy.close()
            remove_images(registry.address)
