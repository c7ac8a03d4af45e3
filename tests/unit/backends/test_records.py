from __future__ import annotations

import datetime
import pathlib

import pytest

from aml_infra.backends import records
from aml_infra.backends.base import RunState, Status
from aml_infra.backends.records import RecordStore
from aml_infra.errors import BackendUnavailable, InvalidInput


def build_state(attempt: int = 1, status: Status = Status.COMPLETED) -> RunState:
    """The end of an attempt at ``train-1``."""
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    return RunState(
        run_id="train-1",
        attempt=attempt,
        fingerprint="f",
        status=status,
        started_at=moment,
        finished_at=moment,
        exit_code=0,
        reason="as it should",
        spec={"name": "train", "parameters": {"lr": "0.01"}},
    )


def fill(folder: pathlib.Path) -> tuple[dict[str, float], str]:
    """Fills a record as a backend does."""
    (folder / "outputs").mkdir()
    return {"a": 0.5}, "sha256:1"


def test_a_record_comes_back_with_its_places(tmp_path: pathlib.Path) -> None:
    """Status, times, metrics and what was run survive; the paths are those of its folder."""
    store = RecordStore(tmp_path)
    kept = store.keep(build_state(), fill)

    read = store.read("train-1")

    assert read is not None
    assert read == kept
    assert (read.state, read.metrics, read.image_digest) == (build_state(), {"a": 0.5}, "sha256:1")
    assert read.state.spec == {"name": "train", "parameters": {"lr": "0.01"}}
    assert read.outputs_path == str(tmp_path / "runs" / "train-1" / "outputs")
    assert read.portal_url == (tmp_path / "runs" / "train-1").as_uri()


def test_the_latest_attempt_is_found(tmp_path: pathlib.Path) -> None:
    """Attempts are compared as numbers, and other runs with a longer name are not mixed in."""
    store = RecordStore(tmp_path)
    for attempt in (1, 2, 10):
        store.keep(build_state(attempt, Status.FAILED), fill)
    (tmp_path / "runs" / "train-1-extra").mkdir()

    latest = store.find_latest("train-1")

    assert latest is not None
    assert latest.state.attempt == 10
    assert store.find_latest("train-2") is None


def test_nothing_is_left_of_a_collection_that_failed(tmp_path: pathlib.Path) -> None:
    """A record is whole or not there."""
    store = RecordStore(tmp_path)

    def fail(folder: pathlib.Path) -> tuple[dict[str, float], str]:
        raise OSError("disk full")

    with pytest.raises(BackendUnavailable, match="disk full"):
        store.keep(build_state(), fail)

    assert store.read("train-1") is None
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_first_of_two_collectors_wins(tmp_path: pathlib.Path) -> None:
    """The slower one gives the record that is there, and leaves nothing behind."""
    store = RecordStore(tmp_path)

    def fill_slowly(folder: pathlib.Path) -> tuple[dict[str, float], str]:
        store.keep(build_state(), fill)
        return {}, "sha256:2"

    record = store.keep(build_state(status=Status.FAILED), fill_slowly)

    assert (record.state.status, record.metrics) == (Status.COMPLETED, {"a": 0.5})
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["train-1"]


def test_a_folder_in_the_way_is_moved_aside(tmp_path: pathlib.Path) -> None:
    """It may be somebody's: it is kept with all that is in it, and hides no record."""
    store = RecordStore(tmp_path)
    store.locate("train-1").mkdir(parents=True)
    (store.locate("train-1") / "notes.txt").write_text("mine")

    store.keep(build_state(), fill)

    aside, place = sorted((tmp_path / "runs").iterdir())
    assert (aside / "notes.txt").read_text() == "mine"
    assert aside.name.endswith("-was-in-the-way")
    assert [path.name for path in sorted(place.iterdir())] == ["outputs", "record.json"]
    assert store.find_latest("train-1") == store.read("train-1") is not None


def test_a_record_is_made_once(tmp_path: pathlib.Path) -> None:
    """Who asks again gets it as it is, and nothing is collected a second time."""
    store = RecordStore(tmp_path)
    record = store.keep(build_state(), fill)

    def fail(folder: pathlib.Path) -> tuple[dict[str, float], str]:
        raise AssertionError(folder)

    assert store.keep(build_state(), fail) == record


def test_a_record_can_be_read_by_others(tmp_path: pathlib.Path) -> None:
    """Colleagues look at the runs of a shared machine; only what is being made is private."""
    store = RecordStore(tmp_path)
    store.keep(build_state(), fill)

    assert store.locate("train-1").stat().st_mode & 0o777 == 0o755


def test_a_relative_data_folder_is_refused(tmp_path: pathlib.Path) -> None:
    """It would be relative to a folder that the user does not know."""
    with pytest.raises(InvalidInput, match=r"backend_options.data_folder: is 'runs'; give an absolute path"):
        records.open_store("runs", tmp_path)

    assert records.open_store(None, tmp_path) == RecordStore(tmp_path)
    assert records.open_store("/runs", tmp_path) == RecordStore(pathlib.Path("/runs"))


def test_a_record_that_cannot_be_read_is_not_absent(tmp_path: pathlib.Path) -> None:
    """It is an error that names the file and the way out, and never a reason to train again."""
    folder = tmp_path / "runs" / "train-1"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{")

    with pytest.raises(BackendUnavailable, match=r"record.json.*cannot be read"):
        RecordStore(tmp_path).read("train-1")


def test_the_data_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """$AML_INFRA_DATA, else $XDG_DATA_HOME, else the usual place below the home."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("AML_INFRA_DATA", raising=False)
    found = [records.find_data_folder()]
    monkeypatch.setenv("XDG_DATA_HOME", "/share")
    found.append(records.find_data_folder())
    monkeypatch.setenv("AML_INFRA_DATA", str(tmp_path))
    found.append(records.find_data_folder())

    assert found == [pathlib.Path("/home/me/.local/share/aml-infra"), pathlib.Path("/share/aml-infra"), tmp_path]
