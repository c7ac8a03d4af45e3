from __future__ import annotations

import datetime
import pathlib

import pytest

from aml_infra.backends import records
from aml_infra.backends.base import Record, RunState, Status
from aml_infra.backends.records import RecordStore
from aml_infra.errors import BackendUnavailable


def build_record(attempt: int = 1, status: Status = Status.COMPLETED) -> Record:
    """A record of an attempt at ``train-1``."""
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    state = RunState(
        run_id="train-1",
        attempt=attempt,
        fingerprint="f",
        status=status,
        started_at=moment,
        finished_at=moment,
        exit_code=0,
    )
    return Record(
        state=state, metrics={"a": 0.5}, image_digest="sha256:1", outputs_path="", portal_url="", log_path="", spec={}
    )


def write(store: RecordStore, record: Record) -> None:
    """Writes a record as a backend does."""
    with store.prepare(record.state.name) as folder:
        store.write(folder, record)


def test_a_record_comes_back_with_its_places(tmp_path: pathlib.Path) -> None:
    """Status, times and metrics survive; the paths are those of its folder."""
    store = RecordStore(tmp_path)
    write(store, build_record())

    read = store.read("train-1")

    assert read is not None
    assert (read.state, read.metrics) == (build_record().state, {"a": 0.5})
    assert read.outputs_path == str(tmp_path / "runs" / "train-1" / "outputs")
    assert read.portal_url == (tmp_path / "runs" / "train-1").as_uri()


def test_the_latest_attempt_is_found(tmp_path: pathlib.Path) -> None:
    """Attempts are compared as numbers, and other runs with a longer name are not mixed in."""
    store = RecordStore(tmp_path)
    for attempt in (1, 2, 10):
        write(store, build_record(attempt, Status.FAILED))
    (tmp_path / "runs" / "train-1-extra").mkdir()

    latest = store.find_latest("train-1")

    assert latest is not None
    assert latest.state.attempt == 10
    assert store.find_latest("train-2") is None


def test_nothing_is_left_of_a_collection_that_failed(tmp_path: pathlib.Path) -> None:
    """A record is whole or not there."""
    store = RecordStore(tmp_path)

    with pytest.raises(OSError, match="disk full"), store.prepare("train-1"):
        raise OSError("disk full")

    assert store.read("train-1") is None
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_first_of_two_collectors_wins(tmp_path: pathlib.Path) -> None:
    """The second finds the record there and is content."""
    store = RecordStore(tmp_path)

    with store.prepare("train-1") as slow:
        write(store, build_record())
        store.write(slow, build_record(status=Status.FAILED))
    read = store.read("train-1")

    assert read is not None
    assert read.state.status is Status.COMPLETED


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
