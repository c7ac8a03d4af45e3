"""Stands before the API of a service, as Docker's or Kubernetes' is, passes requests on, and has faults."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

from tests.api_faults import Fault, Faults

_CHUNK = 65536
_LARGEST_KNOWN = 2**20
"""Bytes of an answer that may come again as a stale one."""

_SWITCHING = 101

_HANDSHAKE = b"\x16"
"""The first byte of who speaks TLS."""

Address = str | tuple[str, int]
"""The path of a Unix socket, or host and port."""


class FaultProxy:
    """Passes requests on to another socket, but for those that a fault hits.

    Attributes:
        address: where it listens.
        faults: what is to go wrong.
    """

    def __init__(
        self,
        address: Address,
        upstream: Address,
        *,
        identity: ssl.SSLContext | None = None,
        login: ssl.SSLContext | None = None,
    ) -> None:
        """Starts to listen.

        Args:
            address: where.
            upstream: whom it asks.
            identity: what it is to its clients, where they speak TLS.
            login: who it is to whom it asks, likewise.
        """
        self.faults = Faults()
        self._upstream = upstream
        self._identity = identity
        self._login = login
        self._known: dict[str, bytes] = {}
        self._listener = _open_socket(address)
        self._listener.bind(address)
        self._listener.listen()
        self.address: Address = self._listener.getsockname()
        threading.Thread(target=self._accept, name="fault proxy", daemon=True).start()

    def close(self) -> None:
        """Listens no more; what waits goes on."""
        self.faults.clear()
        # Closing alone does not wake who accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted, contextlib.suppress(OSError):
            if self._identity is None and accepted.recv(1, socket.MSG_PEEK) == _HANDSHAKE:
                # As any server does: who tries TLS first, and then does without, would wait for ever.
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            client = self._identity.wrap_socket(accepted, server_side=True) if self._identity else accepted
            with client:
                reader = _Reader(client)
                while head := reader.read_head():
                    if not self._answer(reader, head):
                        _cut(client)
                        return

    def _connect(self) -> socket.socket:
        """To whom it asks, anew for each request."""
        opened = _open_socket(self._upstream)
        try:
            opened.connect(self._upstream)
            return self._login.wrap_socket(opened) if self._login else opened
        except BaseException:
            opened.close()
            raise

    def _answer(self, client: _Reader, head: _Head) -> bool:
        """Answers one request; gives whether the connection is still good for another."""
        method, target = head.words[:2]
        fault = self.faults.take(method, target)
        if fault is not None and fault.kind == "reset":
            return False
        body = client.read_body(head)
        if fault is not None and fault.kind == "status":
            _drain(body)
            client.socket.sendall(_build_error(fault))
            return True
        if fault is not None and fault.kind == "delay":
            fault.wait()
        if fault is not None and fault.kind == "stale read" and method == "GET" and target in self._known:
            _drain(body)
            client.socket.sendall(self._known[target])
            return True
        with self._connect() as upstream:
            upstream.sendall(head.text)
            for piece in body:
                upstream.sendall(piece)
            answer = _Reader(upstream, client.socket)
            if fault is not None and fault.kind == "answer lost":
                _drain(_read_answer(answer, method))
                return False
            left = fault.after * fault.hits if fault is not None and fault.kind == "cut" else None
            return self._give(client, answer, method, target, left)

    def _give(self, client: _Reader, answer: _Reader, method: str, target: str, left: int | None) -> bool:
        """Passes an answer on, or its head and the first ``left`` bytes of what comes after it."""
        pieces = _read_answer(answer, method)
        told = bytearray(next(pieces))
        client.socket.sendall(told)
        for piece in pieces:
            if left is not None and len(piece) >= left:
                client.socket.sendall(piece[:left])
                return False
            left = None if left is None else left - len(piece)
            client.socket.sendall(piece)
            if len(told) <= _LARGEST_KNOWN:
                told += piece
        if answer.is_upgraded:
            return self._pass_both_ways(client, answer, left)
        if method == "GET" and len(told) <= _LARGEST_KNOWN:
            self._known[target] = bytes(told)
        # One that should have been cut and was too short is cut at its end.
        return left is None and not answer.has_no_length

    @staticmethod
    def _pass_both_ways(client: _Reader, answer: _Reader, left: int | None) -> bool:
        """What is no HTTP any more, until one side has had enough."""
        other = {client: answer, answer: client}
        while True:
            for side in _wait_for(client, answer):
                piece = side.read_ready()
                if piece is None:
                    continue
                if not piece:
                    return False
                if side is answer and left is not None:
                    if len(piece) >= left:
                        client.socket.sendall(piece[:left])
                        return False
                    left -= len(piece)
                other[side].socket.sendall(piece)


@dataclasses.dataclass(frozen=True)
class _Head:
    """The first lines of a message.

    Attributes:
        text: as they came.
    """

    text: bytes

    def __bool__(self) -> bool:
        return bool(self.text)

    @property
    def words(self) -> list[str]:
        """Of the first line."""
        return self.text.partition(b"\r\n")[0].decode("latin-1").split(" ")

    def find(self, name: str) -> str:
        """What a header says, in lower case; empty if there is none."""
        found = re.search(rb"\r\n" + name.encode() + rb":\s*([^\r]*)", self.text, re.IGNORECASE)
        return found[1].decode("latin-1").lower() if found else ""


class _Reader:
    """Reads messages from a socket.

    Attributes:
        socket: from which.
        is_upgraded: whether what comes is no HTTP any more.
        has_no_length: whether a message ends with the connection.
    """

    def __init__(self, opened: socket.socket, waiting: socket.socket | None = None) -> None:
        """Gives up when ``waiting``, for whom it is read, has gone away."""
        self.socket = opened
        self.is_upgraded = False
        self.has_no_length = False
        self._waiting = waiting
        self._left = b""

    @property
    def has_some(self) -> bool:
        """Whether something is there without a look at the network."""
        return bool(self._left) or (isinstance(self.socket, ssl.SSLSocket) and bool(self.socket.pending()))

    def read_some(self, most: int = _CHUNK) -> bytes:
        """What comes next; empty at the end."""
        if self._left:
            piece, self._left = self._left[:most], self._left[most:]
            return piece
        if self._waiting is not None and not self.has_some:
            ready, _, _ = select.select([self.socket, self._waiting], [], [])
            if self.socket not in ready:
                raise ConnectionAbortedError("nobody waits for it any more")
        return self.socket.recv(most)

    def read_ready(self) -> bytes | None:
        """What has come; None where it was no more than TLS's own."""
        if self._left:
            return self.read_some()
        self.socket.settimeout(0)
        try:
            return self.socket.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        finally:
            self.socket.settimeout(None)

    def read_until(self, end: bytes) -> bytes:
        """What comes to ``end``; empty where nothing more does."""
        found = b""
        while end not in found:
            piece = self.read_some()
            if not piece:
                return b""
            found += piece
        whole, _, rest = found.partition(end)
        self._left = rest + self._left
        return whole + end

    def read_head(self) -> _Head:
        """Of the next message."""
        return _Head(self.read_until(b"\r\n\r\n"))

    def read_body(self, head: _Head) -> Iterator[bytes]:
        """The rest of a request, in pieces."""
        if "chunked" in head.find("Transfer-Encoding"):
            yield from self._read_chunks()
        else:
            yield from self._read_length(int(head.find("Content-Length") or 0))

    def _read_length(self, left: int) -> Iterator[bytes]:
        while left:
            piece = self.read_some(min(left, _CHUNK))
            if not piece:
                raise ConnectionAbortedError("it ends in the middle")
            left -= len(piece)
            yield piece

    def _read_chunks(self) -> Iterator[bytes]:
        size = -1
        while size:
            line = self.read_until(b"\r\n")
            if not line:
                raise ConnectionAbortedError("it ends in the middle")
            size = int(line.split(b";")[0], 16)
            yield line
            yield from self._read_length(size + 2)


def _read_answer(answer: _Reader, method: str) -> Iterator[bytes]:
    """An answer, in pieces; of one that is no HTTP any more its head."""
    head = answer.read_head()
    if not head:
        raise ConnectionAbortedError("there is no answer")
    yield head.text
    status = int(head.words[1])
    if status == _SWITCHING:
        answer.is_upgraded = True
    elif method == "HEAD" or status in (204, 304):
        return
    elif head.find("Content-Length") or "chunked" in head.find("Transfer-Encoding"):
        yield from answer.read_body(head)
    else:
        answer.has_no_length = True
        while piece := answer.read_some():
            yield piece


def _wait_for(*sides: _Reader) -> list[_Reader]:
    """Those of which something has come."""
    there = [each for each in sides if each.has_some]
    if there:
        return there
    ready, _, _ = select.select([each.socket for each in sides], [], [])
    return [each for each in sides if each.socket in ready]


def _drain(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


def _build_error(fault: Fault) -> bytes:
    """In the form of Docker and of Kubernetes: both say why in ``message``."""
    body = json.dumps({"message": "a fault that a test asked for", "reason": fault.code}).encode()
    told = f"Retry-After: {fault.retry_after}\r\n" if fault.retry_after is not None else ""
    head = f"HTTP/1.1 {fault.status} {fault.code}\r\nContent-Type: application/json\r\n{told}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _open_socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)


def _cut(opened: socket.socket) -> None:
    """As a crash does: with RST, where there is such a thing."""
    if opened.family == socket.AF_INET:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    opened.close()
