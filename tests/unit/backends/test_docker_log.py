from __future__ import annotations

import http.client
import io
import struct
from collections.abc import Sequence
from typing import Any, cast

import docker
import docker.errors
import pytest
import requests
import urllib3

from aml_infra.backends import docker_log, log_lines

OUT, ERR = 1, 2


class FakeSocket:
    """A connection on which an answer has come."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._answer)


class FakeClient:
    """A daemon whose one container has a log."""

    base_url = "http://daemon"
    api_version = "1.41"
    timeout = 60

    def __init__(self, log: bytes, *, running: bool) -> None:
        self._log = log
        self._running = running

    def inspect_container(self, container: str) -> dict[str, Any]:
        return {"State": {"Running": self._running}}

    def get(self, url: str, **options: object) -> requests.Response:
        assert url == "http://daemon/v1.41/containers/c/logs"
        original = http.client.HTTPResponse(cast("Any", FakeSocket(self._log)), method="GET")
        original.begin()
        response = requests.Response()
        response.status_code = original.status
        response.url = url
        response.raw = urllib3.HTTPResponse(
            original, dict(original.headers), original.status, preload_content=False, original_response=original
        )
        return response


def open_client(log: bytes, *, running: bool = False) -> docker.APIClient:
    """A fake in the place of Docker's client."""
    return cast("docker.APIClient", FakeClient(log, running=running))


def build_log(frames: Sequence[tuple[int, bytes]], chunk: int = 1000) -> bytes:
    """What Docker answers when asked for a log, in pieces of so many bytes."""
    content = b"".join(struct.pack(">BxxxL", stream, len(text)) + text for stream, text in frames)
    pieces = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\n", b"two\n"], ["one", "two"]),
        ([b"on", b"e\ntw", b"o"], ["one", "two"]),
        ([b"1%\r50%\r100%\n"], ["100%"]),
        ([b"dos\r\n"], ["dos"]),
        ([b"\n"], [""]),
        ([b"\xff\xc3\xa4\n"], ["\ufffdä"]),
        ([], []),
    ],
)
def test_a_log_is_cut_into_lines(chunks: list[bytes], lines: list[str]) -> None:
    """However the daemon cuts it, whatever bytes it holds."""
    for size in (1, 5, 1000):
        log = build_log([(OUT, chunk) for chunk in chunks], size)
        assert list(docker_log.read_log(open_client(log), "c")) == lines


def test_the_streams_of_a_log_are_cut_apart() -> None:
    """A progress bar on stderr is not glued to what is printed meanwhile; open ends come last, stdout's first."""
    frames = [
        (ERR, b"\r50%"),
        (OUT, b"epoch"),
        (ERR, b"\r60%"),
        (OUT, b" 1\n"),
        (ERR, b"\r70%\n\r80%"),
        (OUT, b"epoch 2\nend"),
    ]

    lines = list(docker_log.read_log(open_client(build_log(frames)), "c"))

    assert lines == ["epoch 1", "70%", "epoch 2", "end", "80%"]


def test_an_open_end_of_a_running_container_is_not_a_line_yet() -> None:
    """It may go on, and who reads again and skips as many lines as before would then skip another one."""
    log = build_log([(OUT, b"one\n"), (ERR, b"\r50%")])

    assert list(docker_log.read_log(open_client(log, running=True), "c")) == ["one"]


def test_a_log_that_is_cut_off_is_no_log_that_ended() -> None:
    """Wherever the connection is lost: lines before it are given, and then it is an error."""
    log = build_log([(OUT, b"one\n"), (ERR, b"two\n")], 17)
    head = log.index(b"\r\n\r\n") + 4
    for end in range(head, len(log) - 4):  # from there on all has come, and only the line end after it is missing
        lines: list[str] = []
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            lines.extend(docker_log.read_log(open_client(log[:end]), "c"))
        assert lines == ["one", "two"][: len(lines)]


def test_a_log_that_ends_within_a_piece_is_cut_off() -> None:
    """Docker's own connection to a log may be lost too, with an answer that ends as if it were whole."""
    whole = build_log([(OUT, b"one\n"), (OUT, b"two\n")], 18)
    second = whole.index(b"\r\n\r\n") + 4 + len(b"12\r\n") + 18 + 2

    with pytest.raises(requests.ConnectionError):
        list(docker_log.read_log(open_client(whole[:second] + b"0\r\n\r\n"), "c"))


def test_a_log_that_docker_refuses_is_its_error() -> None:
    """As from every other call of its client."""
    refusal = b'HTTP/1.1 404 Not Found\r\nContent-Length: 27\r\n\r\n{"message": "no container"}'

    with pytest.raises(docker.errors.NotFound, match="no container"):
        list(docker_log.read_log(open_client(refusal), "c"))


@pytest.mark.parametrize("size", [1, 4, 5, 16 * 1024])
def test_a_line_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """At the same place however it comes, so that reading again gives the same lines."""
    monkeypatch.setattr(log_lines, "LINE_BYTES", 4)
    content = b"abcdefghij\nabcd\nabcde\nabcd"
    frames = [(OUT, content[start : start + size]) for start in range(0, len(content), size)]

    lines = list(docker_log.read_log(open_client(build_log(frames)), "c"))

    assert lines == ["abcd", "efgh", "ij", "abcd", "abcd", "e", "abcd"]


def test_text_without_lines_is_cut_into_lines() -> None:
    """However much of it there is, none is kept for longer than a line may be."""
    log = build_log([(ERR, b"\r" * 16384)] * 1200, 16392)

    lines = list(docker_log.read_log(open_client(log), "c"))

    assert len(lines) == 19
