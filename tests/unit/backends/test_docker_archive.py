from __future__ import annotations

import io
import pathlib
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, cast

import docker
import docker.errors
import pytest

from aml_infra.backends import docker_archive


class FakeClient:
    """A daemon whose one container holds ``/work/outputs``; it refuses every other path, and keeps what is put."""

    def __init__(self, archive: bytes = b"") -> None:
        self._archive = archive
        self.put: list[tuple[str, str, bytes]] = []

    def get_archive(self, container: str, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        if path != "/work/outputs":
            raise docker.errors.NotFound(f"no such path: {path}")
        return iter([self._archive[:100], self._archive[100:]]), {}

    def put_archive(self, container: str, path: str, data: bytes) -> None:
        self.put.append((container, path, data))


def open_client(archive: bytes = b"") -> docker.APIClient:
    """A fake in the place of Docker's client."""
    return cast("docker.APIClient", FakeClient(archive))


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


def test_a_file_is_put_where_it_belongs() -> None:
    """Whoever the command runs as can read it; it is nobody's own, and of no time."""
    client = FakeClient()

    docker_archive.put_file(cast("docker.APIClient", client), "c", "/var/aml-infra/secrets", b"text")

    ((container, folder, data),) = client.put
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        (member,) = tar.getmembers()
        content = tar.extractfile(member)
        assert content is not None
        assert content.read() == b"text"
    assert (container, folder) == ("c", "/var/aml-infra")
    assert (member.name, member.mode, member.uid) == ("secrets", 0o644, 0)


@pytest.mark.parametrize(("path", "is_there"), [("/work/outputs", True), ("/work/nothing", False)])
def test_a_file_is_there_or_not(path: str, is_there: bool) -> None:
    """What the daemon does not find is not there, which is no error."""
    assert docker_archive.has_file(open_client(), "c", path) is is_there


def test_the_folders_of_a_run_are_open_to_every_user() -> None:
    """Whoever the image runs as can write its outputs, its logs and what it logs with MLflow, and remove secrets."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        docker_archive.add_folders(tar, ["model"])
    stream.seek(0)

    with tarfile.open(fileobj=stream) as tar:
        assert {member.name: member.mode for member in tar.getmembers()} == dict.fromkeys(
            [
                "workspace",
                "workspace/outputs",
                "workspace/outputs/model",
                "workspace/logs",
                "var/aml-infra",
                "var/aml-infra/mlruns",
            ],
            0o777,
        )
