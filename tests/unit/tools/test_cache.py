from __future__ import annotations

import pathlib
import threading

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import cache, errors


def test_a_file_appears_whole_or_not_at_all(tmp_path: pathlib.Path) -> None:
    """A failure while writing leaves the old file and no draft."""
    target = tmp_path / "file"
    target.write_text("old")

    def write_half() -> None:
        with cache.make_file(target) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "old"


def test_a_folder_takes_the_old_ones_place(tmp_path: pathlib.Path) -> None:
    """Nothing of an old folder is left in the new one."""
    target = tmp_path / "tool"
    target.mkdir()
    (target / "old").touch()

    with cache.make_folder(target) as draft:
        (draft / "new").touch()

    assert [path.name for path in target.iterdir()] == ["new"]


def test_the_one_that_waits_says_so(tmp_path: pathlib.Path) -> None:
    """A second holder goes on when the first has let go, and has said that it waits."""
    waiting = threading.Event()
    order: list[str] = []

    def second() -> None:
        with cache.hold(tmp_path, waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with cache.hold(tmp_path, lambda: None):
        thread.start()
        assert waiting.wait(5)
        order.append("first")
    thread.join(5)

    assert order == ["first", "second"]


def test_a_cache_that_cannot_be_written_names_the_way_out(tmp_path: pathlib.Path) -> None:
    """The error names the variable with which the cache is moved."""
    (tmp_path / "cache").touch()

    with (
        pytest.raises(errors.BootstrapError, match="set AML_INFRA_CACHE"),
        cache.hold(tmp_path / "cache", lambda: None),
    ):
        pass


def test_a_version_is_asked_once_for_each_file(machine: fakes.Machine) -> None:
    """Programs are not run again for their version until they are replaced."""
    machine.places.cache.mkdir()
    program = machine.install("pulumi", "v3.259.0\n")
    book = cache.VersionBook(machine.places, machine.commands)

    assert [book.find_version(program, "version") for _ in range(2)] == [(3, 259, 0)] * 2
    assert len(machine.commands.ran) == 1

    program.write_text("#!/bin/sh\n# newer\n")
    machine.commands.answer(f"{program} version", "v3.300.0\n")

    assert book.find_version(program, "version") == (3, 300, 0)
