from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
import websocket
from kubernetes.client import Configuration
from kubernetes.stream import ws_client

from aml_infra.backends.kubernetes_api import Exec
from aml_infra.errors import BackendUnavailable

STDOUT, STDERR, STATUS = 1, 2, 3
SUCCESS = json.dumps({"status": "Success"}).encode()


class Server:
    """The other end of a connection to a program in a pod."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    def send(self, channel: int, content: bytes) -> None:
        """Sends what the program has printed, or how it has ended."""
        self._socket.sendall(self._format(bytes([channel]) + content, websocket.ABNF.OPCODE_BINARY))

    def close(self) -> None:
        """Says that nothing more comes."""
        self._socket.sendall(self._format(b"\x03\xe8", websocket.ABNF.OPCODE_CLOSE))

    def cut(self) -> None:
        """Goes away without a word."""
        self._socket.close()

    @staticmethod
    def _format(content: bytes, opcode: int) -> bytes:
        return bytes(websocket.ABNF.create_frame(content, opcode).format())


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    ends = socket.socketpair()
    with ends[0], ends[1]:
        yield ends


@pytest.fixture
def server(sockets: tuple[socket.socket, socket.socket]) -> Server:
    """See ``Server``."""
    return Server(sockets[0])


@pytest.fixture
def program(sockets: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> Exec:
    """The program in the pod, through the official client."""
    opened = websocket.WebSocket()
    opened.sock, opened.connected = sockets[1], True
    monkeypatch.setattr(ws_client, "create_websocket", lambda *_: opened)
    return Exec(ws_client.WSClient(Configuration(), "wss://pod", {}, capture_all=False, binary=True))


def test_all_that_a_program_prints_is_read(server: Server, program: Exec) -> None:
    """Until it has ended."""
    server.send(STDOUT, b"line 1\n")
    server.send(STDERR, b"a warning\n")
    server.send(STDOUT, b"line 2\n")
    server.send(STATUS, SUCCESS)
    server.close()

    assert b"".join(program.read()) == b"line 1\nline 2\n"


def test_what_comes_with_the_end_is_read(server: Server, program: Exec) -> None:
    """Whoever reads is at work when the last words come, and the end with them."""
    reading = program.read()
    server.send(STDOUT, b"line 1\n")
    first = next(reading)
    server.send(STDOUT, b"line 2\n")
    server.send(STATUS, SUCCESS)
    server.close()

    assert first == b"line 1\n"
    assert list(reading) == [b"line 2\n"]


def test_a_connection_that_is_lost_is_told_after_what_came(server: Server, program: Exec) -> None:
    """So that it can be read on from there."""
    server.send(STDOUT, b"line 1\n")
    reading = program.read()
    first = next(reading)
    server.send(STDOUT, b"line 2\n")
    server.cut()

    assert first == b"line 1\n"
    assert next(reading) == b"line 2\n"
    with pytest.raises(BackendUnavailable, match="the connection to a program in a pod was lost"):
        next(reading)


def test_the_last_words_of_a_program_that_failed_are_told(server: Server, program: Exec) -> None:
    """In the error, as they are not what it was to print."""
    server.send(STDERR, b"tar: no such file\n")
    server.send(STATUS, json.dumps({"status": "Failure", "message": "exit code 1"}).encode())
    server.close()

    with pytest.raises(BackendUnavailable, match="a program in a pod ended early: tar: no such file"):
        list(program.read())
