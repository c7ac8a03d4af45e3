from __future__ import annotations

import io
import pathlib
import tarfile
from collections.abc import Iterator
from typing import Any, cast

import docker
import docker.errors
import pytest

from aml_infra.backends import docker_archive


class FakeClient:
    """A daemon whose one container holds ``/work/outputs`` and a log; it refuses every other path."""

    def __init__(self, archive: bytes = b"", log: list[bytes] | None = None) -> None:
        self._archive = archive
        self._log = log or []

    def get_archive(self, container: str, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        if path != "/work/outputs":
            raise docker.errors.NotFound(f"no such path: {path}")
        return iter([self._archive[:100], self._archive[100:]]), {}

    def logs(self, container: str, **options: bool) -> Iterator[bytes]:
        assert options == {"stdout": True, "stderr": True, "stream": True, "follow": True}
        return iter(self._log)


def open_client(archive: bytes = b"", log: list[bytes] | None = None) -> docker.APIClient:
    """A fake in the place of Docker's client."""
    return cast("docker.APIClient", FakeClient(archive, log))


def build_archive(members: list[tuple[str, str]], links: list[tuple[str, str]]) -> bytes:
    """A tar archive as Docker gives it: names start with the folder's own."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in members:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type = tarfile.SYMTYPE
            member.linkname = target
            tar.addfile(member)
    return stream.getvalue()


def test_a_folder_is_fetched_with_its_links(tmp_path: pathlib.Path) -> None:
    """Files in folders, and links within, arrive as they were."""
    archive = build_archive([("outputs/a/model", "m")], [("outputs/latest", "a/model")])

    docker_archive.fetch_folder(open_client(archive), "c", "/work/outputs", tmp_path / "out")

    assert (tmp_path / "out" / "latest").read_text() == "m"


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
    assert list(docker_archive.read_log(open_client(log=chunks), "c")) == lines
