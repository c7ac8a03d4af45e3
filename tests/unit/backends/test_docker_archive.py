from __future__ import annotations

import http.client
import io
import pathlib
import struct
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, cast

import docker
import docker.errors
import pytest
import requests
import urllib3

from aml_infra.backends import docker_archive

OUT, ERR = 1, 2


class FakeSocket:
    """A connection on which an answer has come."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._answer)


class FakeClient:
    """A daemon whose one container holds ``/work/outputs`` and a log; it refuses every other path."""

    base_url = "http://daemon"
    api_version = "1.41"
    timeout = 60

    def __init__(self, archive: bytes = b"", log: bytes = b"", *, running: bool = False) -> None:
        self._archive = archive
        self._log = log
        self._running = running

    def get_archive(self, container: str, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        if path != "/work/outputs":
            raise docker.errors.NotFound(f"no such path: {path}")
        return iter([self._archive[:100], self._archive[100:]]), {}

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


def open_client(archive: bytes = b"", log: bytes = b"", *, running: bool = False) -> docker.APIClient:
    """A fake in the place of Docker's client."""
    return cast("docker.APIClient", FakeClient(archive, log, running=running))


def build_log(frames: Sequence[tuple[int, bytes]], chunk: int = 1000) -> bytes:
    """What Docker answers when asked for a log, in pieces of so many bytes."""
    content = b"".join(struct.pack(">BxxxL", stream, len(text)) + text for stream, text in frames)
    pieces = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def build_archive(
    members: list[tuple[str, str]], links: list[tuple[str, str]], hard_links: Sequence[tuple[str, str]] = ()
) -> bytes:
    """A tar archive as Docker gives it: names start with the folder's own."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in members:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for kind, of_kind in ((tarfile.SYMTYPE, links), (tarfile.LNKTYPE, hard_links)):
            for name, target in of_kind:
                member = tarfile.TarInfo(name)
                member.type = kind
                member.linkname = target
                tar.addfile(member)
    return stream.getvalue()


def test_a_folder_is_fetched_with_its_links(tmp_path: pathlib.Path) -> None:
    """Files in folders, and links within, arrive as they were."""
    archive = build_archive([("outputs/a/model", "m")], [("outputs/latest", "a/model")])

    docker_archive.fetch_folder(open_client(archive), "c", "/work/outputs", tmp_path / "out")

    assert (tmp_path / "out" / "latest").read_text() == "m"


def test_hard_links_are_fetched_as_copies(tmp_path: pathlib.Path) -> None:
    """A second name of a file, or of a symbolic link, is not lost; one that leads out of the folder is left behind."""
    archive = build_archive(
        [("outputs/a/model", "m")],
        [("outputs/a/latest", "model")],
        [
            ("outputs/a/hard", "outputs/a/model"),
            ("outputs/b/hard", "outputs/a/hard"),
            ("outputs/a/newest", "outputs/a/latest"),
            ("outputs/evil", "outputs/../../secret"),
            ("outputs/worse", "elsewhere/a/model"),
            ("outputs/broken", "outputs/nothing"),
        ],
    )
    (tmp_path / "secret").write_text("s")

    docker_archive.fetch_folder(open_client(archive), "c", "/work/outputs", tmp_path / "x" / "out")

    out = tmp_path / "x" / "out"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()) == [
        "a/hard",
        "a/latest",
        "a/model",
        "a/newest",
        "b/hard",
    ]
    assert {path.read_text() for path in out.rglob("*") if path.is_file()} == {"m"}


def test_absolute_links_into_the_folder_lead_to_its_copy(tmp_path: pathlib.Path) -> None:
    """``ln -s $PWD/outputs/a outputs/b`` is as good as the relative link; what climbs out is still left behind."""
    archive = build_archive(
        [("outputs/a/model", "m")],
        [
            ("outputs/latest", "/work/outputs/a/model"),
            ("outputs/b/c/latest", "/work/outputs/a"),
            ("outputs/up", "/work/outputs/../evil"),
            ("outputs/other", "/work/outputs2/a"),
        ],
    )

    docker_archive.fetch_folder(open_client(archive), "c", "/work/outputs", tmp_path / "out")

    assert (tmp_path / "out" / "latest").readlink() == pathlib.Path("a/model")
    assert (tmp_path / "out" / "b" / "c" / "latest" / "model").read_text() == "m"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b", "latest"]


def test_nothing_is_written_outside_the_folder(tmp_path: pathlib.Path) -> None:
    """Names and links that climb out are left behind, alone or together."""
    archive = build_archive(
        [("outputs/../evil", "x"), ("outputs/door/evil", "x"), ("outputs/good", "x")],
        [("outputs/up", "../evil"), ("outputs/root", "/etc"), ("outputs/door", "..")],
    )

    docker_archive.fetch_folder(open_client(archive), "c", "/work/outputs", tmp_path / "out")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["door", "good"]
    assert not (tmp_path / "out" / "door").is_symlink()


def test_a_folder_that_is_not_there_is_empty(tmp_path: pathlib.Path) -> None:
    """A run that wrote no outputs is not an error."""
    docker_archive.fetch_folder(open_client(), "c", "/work/nothing", tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []


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
        assert list(docker_archive.read_log(open_client(log=log), "c")) == lines


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

    lines = list(docker_archive.read_log(open_client(log=build_log(frames)), "c"))

    assert lines == ["epoch 1", "70%", "epoch 2", "end", "80%"]


def test_an_open_end_of_a_running_container_is_not_a_line_yet() -> None:
    """It may go on, and who reads again and skips as many lines as before would then skip another one."""
    log = build_log([(OUT, b"one\n"), (ERR, b"\r50%")])

    assert list(docker_archive.read_log(open_client(log=log, running=True), "c")) == ["one"]


def test_a_log_that_is_cut_off_is_no_log_that_ended() -> None:
    """Wherever the connection is lost: lines before it are given, and then it is an error."""
    log = build_log([(OUT, b"one\n"), (ERR, b"two\n")], 17)
    head = log.index(b"\r\n\r\n") + 4
    for end in range(head, len(log) - 4):  # from there on all has come, and only the line end after it is missing
        lines: list[str] = []
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            lines.extend(docker_archive.read_log(open_client(log=log[:end]), "c"))
        assert lines == ["one", "two"][: len(lines)]


def test_a_log_that_ends_within_a_piece_is_cut_off() -> None:
    """Docker's own connection to a log may be lost too, with an answer that ends as if it were whole."""
    whole = build_log([(OUT, b"one\n"), (OUT, b"two\n")], 18)
    second = whole.index(b"\r\n\r\n") + 4 + len(b"12\r\n") + 18 + 2

    with pytest.raises(requests.ConnectionError):
        list(docker_archive.read_log(open_client(log=whole[:second] + b"0\r\n\r\n"), "c"))


def test_a_log_that_docker_refuses_is_its_error() -> None:
    """As from every other call of its client."""
    refusal = b'HTTP/1.1 404 Not Found\r\nContent-Length: 27\r\n\r\n{"message": "no container"}'

    with pytest.raises(docker.errors.NotFound, match="no container"):
        list(docker_archive.read_log(open_client(log=refusal), "c"))


@pytest.mark.parametrize("size", [1, 4, 5, 16 * 1024])
def test_a_line_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """At the same place however it comes, so that reading again gives the same lines."""
    monkeypatch.setattr(docker_archive, "LINE_BYTES", 4)
    content = b"abcdefghij\nabcd\nabcde\nabcd"
    frames = [(OUT, content[start : start + size]) for start in range(0, len(content), size)]

    lines = list(docker_archive.read_log(open_client(log=build_log(frames)), "c"))

    assert lines == ["abcd", "efgh", "ij", "abcd", "abcd", "e", "abcd"]


def test_text_without_lines_is_cut_into_lines() -> None:
    """However much of it there is, none is kept for longer than a line may be."""
    log = build_log([(ERR, b"\r" * 16384)] * 1200, 16392)

    lines = list(docker_archive.read_log(open_client(log=log), "c"))

    assert len(lines) == 19
