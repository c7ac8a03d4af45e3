from __future__ import annotations

import concurrent.futures
import hashlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from aml_infra import file_digests, source, stat_cache
from aml_infra.errors import InvalidInput, SourceChanged

SECOND = 10**9
STAMP = (1, 2, 3, 100 * SECOND, 100 * SECOND)
DIGEST = hashlib.sha256(b"abc").digest()


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The folder of the cache."""
    monkeypatch.setenv("AML_INFRA_STAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def old_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files count as old: a test can set an mtime back, but no ctime."""
    monkeypatch.setattr(stat_cache, "GRANULARITY_NS", -(10**15))


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A source folder."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("abc")
    return tmp_path / "src"


def open_at(path: pathlib.Path | None, moment_ns: int = 200 * SECOND) -> stat_cache.StatCache:
    """The cache in a file, as opened at some moment."""
    return stat_cache.StatCache(None if path is None else str(path), {}, moment_ns)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files, as they are read."""
    reads: list[str] = []
    real = file_digests.read_file

    def read(path: str, *args: object) -> object:
        reads.append(os.path.basename(path))
        return real(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(file_digests, "read_file", read)
    return reads


@pytest.mark.parametrize(
    ("mtime", "ctime", "settled"),
    [(90, 90, True), (97.9, 97.9, True), (98, 90, False), (90, 98, False), (100, 100, False), (200, 90, False)],
)
def test_a_file_is_settled_once_its_times_are_past(mtime: float, ctime: float, *, settled: bool) -> None:
    """A write in the same tick of a coarse clock would show in no time; a time in the future tells nothing."""
    stamp = (1, 2, 3, int(mtime * SECOND), int(ctime * SECOND))

    assert stat_cache.is_settled(stamp, 100 * SECOND) is settled


def test_what_is_saved_is_known(tmp_path: pathlib.Path) -> None:
    """All of it comes back, and nothing that was not settled."""
    path = tmp_path / "new" / "cache"
    racy = (1, 9, 3, 200 * SECOND, 100 * SECOND)

    stat_cache.save(open_at(path), [(STAMP, DIGEST), (racy, DIGEST)])

    assert stat_cache.load(str(path)) == {STAMP: DIGEST}
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("at", [0, 30, 60, -1])
def test_a_damaged_cache_is_no_cache(tmp_path: pathlib.Path, at: int) -> None:
    """Whichever byte was changed: the version, a stamp, a digest, the checksum."""
    path = tmp_path / "cache"
    stat_cache.save(open_at(path), [(STAMP, DIGEST)])
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    assert stat_cache.load(str(path)) == {}


@pytest.mark.parametrize("keep", [0, 5, 60, 126])
def test_a_cache_that_was_cut_off_is_no_cache(tmp_path: pathlib.Path, keep: int) -> None:
    """As a full disk or a power failure may leave it."""
    path = tmp_path / "cache"
    stat_cache.save(open_at(path), [(STAMP, DIGEST)])
    path.write_bytes(path.read_bytes()[:keep])

    assert stat_cache.load(str(path)) == {}


def test_another_version_is_no_cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is whole."""
    path = tmp_path / "cache"
    monkeypatch.setattr(stat_cache, "_MAGIC", b"aml-infra stat cache 0\n")
    stat_cache.save(open_at(path), [(STAMP, DIGEST)])
    monkeypatch.undo()

    assert stat_cache.load(str(path)) == {}


def test_another_users_cache_is_no_cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could name any digest."""
    path = tmp_path / "cache"
    stat_cache.save(open_at(path), [(STAMP, DIGEST)])
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    assert stat_cache.load(str(path)) == {}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: pathlib.Path) -> None:
    """Here, as its folder is a file, and as its file is a folder; nothing is left behind."""
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "full").mkdir(parents=True)

    stat_cache.save(open_at(tmp_path / "file" / "cache"), [(STAMP, DIGEST)])
    stat_cache.save(open_at(tmp_path / "folder"), [(STAMP, DIGEST)])

    assert stat_cache.load(str(tmp_path / "folder")) == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_nothing_is_written_if_nothing_was_learned(tmp_path: pathlib.Path) -> None:
    """Neither if all was known, nor if all is too new, nor if the cache is off."""
    path = tmp_path / "cache"

    stat_cache.save(stat_cache.StatCache(str(path), {STAMP: DIGEST}, 200 * SECOND), [(STAMP, DIGEST)])
    stat_cache.save(open_at(path, moment_ns=101 * SECOND), [(STAMP, DIGEST)])
    stat_cache.save(open_at(None), [(STAMP, DIGEST)])

    assert list(tmp_path.iterdir()) == []


def test_what_was_not_used_for_long_is_evicted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By age, and by size from the least recently used on."""
    now = time.time()
    for name, days in (("ancient", 61), ("old", 3), ("recent", 2)):
        (tmp_path / name).write_bytes(bytes(400))
        os.utime(tmp_path / name, (now, now - days * 86400))
    monkeypatch.setattr(stat_cache, "MAX_BYTES", 800)

    stat_cache.save(open_at(tmp_path / "new"), [(STAMP, DIGEST)])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "recent"]


def test_use_keeps_a_tree_from_being_evicted(tmp_path: pathlib.Path) -> None:
    """Its file's time is set, at most once a day."""
    path = tmp_path / "cache"
    stat_cache.save(open_at(path), [(STAMP, DIGEST)])
    os.utime(path, (1, 1))

    stat_cache.load(str(path))

    assert path.stat().st_mtime > 1


def test_the_largest_number_of_files_is_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes beyond is hashed each time."""
    monkeypatch.setattr(stat_cache, "MAX_RECORDS", 2)

    stat_cache.save(open_at(tmp_path / "cache"), [((1, inode, 3, 4, 5), DIGEST) for inode in range(9)])

    assert len(stat_cache.load(str(tmp_path / "cache"))) == 2


def test_savers_at_the_same_time_leave_a_whole_cache(tmp_path: pathlib.Path) -> None:
    """The last one wins."""
    path = tmp_path / "cache"
    sets = [[((1, inode, size, 4, 5), DIGEST) for inode in range(50)] for size in range(20)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda digests: stat_cache.save(open_at(path), digests), sets))

    assert stat_cache.load(str(path)) in [dict(digests) for digests in sets]
    assert [each.name for each in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/x"}, "/x/aml-infra/stat-cache"),
        ({"XDG_CACHE_HOME": "relative"}, "~/.cache/aml-infra/stat-cache"),
        ({}, "~/.cache/aml-infra/stat-cache"),
        ({"AML_INFRA_STAT_CACHE": "/y", "XDG_CACHE_HOME": "/x"}, "/y"),
    ],
)
def test_the_environment_says_where_it_is(environ: dict[str, str], folder: str) -> None:
    """Each tree has a file of its own there."""
    first, second = (stat_cache.locate(tree, environ) for tree in ("source /a", "source /b"))

    assert first is not None
    assert second is not None
    assert first != second
    assert os.path.dirname(first) == os.path.expanduser(folder)


@pytest.mark.usefixtures("old_files")
def test_an_unchanged_file_is_not_read_again(
    place: pathlib.Path, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the snapshot is the same."""
    reads = count_reads(monkeypatch)

    first = source.take_snapshot(folder)
    (folder / "b.py").write_text("b")
    second = source.take_snapshot(folder)
    third = source.take_snapshot(folder)

    assert reads == ["a.py", "b.py"]
    assert first.files == second.files[:1]
    assert second == third
    assert len(list(place.iterdir())) == 1


@pytest.mark.usefixtures("place")
def test_a_file_that_is_new_is_read_again(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mtime is old, but its ctime is not: it may have been written just now."""
    reads = count_reads(monkeypatch)
    os.utime(folder / "a.py", (1, 1))

    source.take_snapshot(folder)
    source.take_snapshot(folder)

    assert reads == ["a.py", "a.py"]


@pytest.mark.usefixtures("place", "old_files")
def test_an_edit_that_keeps_size_and_mtime_is_seen(folder: pathlib.Path) -> None:
    """The ctime tells of it."""
    file = folder / "a.py"
    before = source.take_snapshot(folder)
    times = file.stat()
    file.write_text("xyz")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    after = source.take_snapshot(folder)

    assert after.files[0].digest == hashlib.sha256(b"xyz").hexdigest() != before.files[0].digest


@pytest.mark.usefixtures("place", "old_files")
def test_a_file_that_is_put_in_the_place_of_another_is_seen(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Of the same size and mtime, but another inode."""
    source.take_snapshot(folder)
    (tmp_path / "other").write_text("xyz")
    times = (folder / "a.py").stat()
    os.utime(tmp_path / "other", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "other").rename(folder / "a.py")

    assert source.take_snapshot(folder).files[0].digest == hashlib.sha256(b"xyz").hexdigest()


@pytest.mark.usefixtures("place", "old_files")
def test_mode_is_never_taken_from_the_cache(folder: pathlib.Path) -> None:
    """A file that became executable is told as such."""
    source.take_snapshot(folder)
    (folder / "a.py").chmod(0o755)

    assert [file.kind for file in source.take_snapshot(folder).files] == ["executable"]


@pytest.mark.usefixtures("old_files")
def test_the_cache_can_be_switched_off(
    tmp_path: pathlib.Path, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing is written anywhere."""
    monkeypatch.setenv("AML_INFRA_STAT_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    reads = count_reads(monkeypatch)

    source.take_snapshot(folder)
    source.take_snapshot(folder)

    assert reads == ["a.py", "a.py"]
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("old_files")
def test_shipping_trusts_no_cache(place: pathlib.Path, folder: pathlib.Path) -> None:
    """A cache that lies makes another snapshot, and that one cannot be shipped."""
    source.take_snapshot(folder)
    (cache,) = place.iterdir()
    ((stamp, _),) = stat_cache.load(str(cache)).items()
    stat_cache.save(open_at(cache, moment_ns=time.time_ns()), [(stamp, hashlib.sha256(b"lie").digest())])
    snapshot = source.take_snapshot(folder)

    with tarfile.open(fileobj=io.BytesIO(), mode="w") as tar, pytest.raises(SourceChanged):
        snapshot.add_to(tar, "")


@pytest.mark.usefixtures("place", "old_files")
def test_source_and_data_of_one_folder_do_not_evict_one_another(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data are more files."""
    (folder / ".gitignore").write_text("*.csv\n")
    (folder / "a.csv").write_text("1")
    reads = count_reads(monkeypatch)

    for _ in range(2):
        source.take_snapshot(folder)
        source.take_data_snapshot(folder)

    assert sorted(reads) == [".gitignore", "a.csv", "a.py", "a.py"]


def change_while_read(monkeypatch: pytest.MonkeyPatch, file: pathlib.Path, times: int) -> None:
    """Writes to ``file`` so many times after something was read."""
    real = os.readv
    left = [str(count) * 7 for count in range(times)]

    def read(descriptor: int, buffers: list[bytearray]) -> int:
        count = real(descriptor, buffers)
        if left:
            file.write_text(left.pop())
        return count

    monkeypatch.setattr(os, "readv", read)


def test_a_file_that_changes_while_it_is_read_is_read_again(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is what it held when it was left alone."""
    change_while_read(monkeypatch, folder / "a.py", file_digests.READINGS - 1)

    (file,) = source.take_snapshot(folder).files

    assert (file.digest, file.size) == (hashlib.sha256(b"0000000").hexdigest(), 7)


def test_a_file_that_does_not_hold_still_is_refused(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded number of readings."""
    change_while_read(monkeypatch, folder / "a.py", 100)

    with pytest.raises(InvalidInput, match=r"'a.py' changes while it is read; stop what writes to it, or ignore"):
        source.take_snapshot(folder)


@pytest.mark.parametrize("other", ["link", "pipe", "folder"])
def test_what_takes_a_files_place_is_not_followed(folder: pathlib.Path, tmp_path: pathlib.Path, other: str) -> None:
    """Neither is it waited for."""
    path = folder / "a.py"
    stamp = stat_cache.read_stamp(path.stat())
    path.unlink()
    if other == "link":
        path.symlink_to(tmp_path)
    elif other == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()

    with pytest.raises(OSError, match=r"symbolic link|changes while|Is a directory"):
        file_digests.read_file(str(path), stamp, bytearray(8), threading.Event())


def test_ctrl_c_is_not_held_up_by_large_files(folder: pathlib.Path) -> None:
    """The threads stop within the files that they are at, which take minutes."""
    for number in range(3):
        with (folder / f"{number}.bin").open("wb") as file:
            file.truncate(200 * 2**30)
    program = (
        # Python leaves Ctrl-C ignored where its parent does, as a shell's job in the background.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from aml_infra import source; print(flush=True); source.take_data_snapshot({str(folder)!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)

    process.send_signal(signal.SIGINT)
    try:
        code = process.wait(timeout=20)
    finally:
        process.kill()
        process.communicate()

    assert code == -signal.SIGINT


def test_large_files_are_hashed_by_several_threads_with_the_same_result(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, and with the small ones."""
    monkeypatch.setattr(file_digests, "_LARGE", 10)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for number in range(30):
        (folder / f"{number:02}.bin").write_text("x" * number)

    digests = {file.path: file.digest for file in source.take_snapshot(folder).files}

    assert digests == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert list(digests) == sorted(digests)
