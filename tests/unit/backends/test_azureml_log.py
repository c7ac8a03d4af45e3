"""How a job's log is read on, from blobs that the service makes anew when it starts the job again."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any, cast

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from aml_infra.backends.azureml_log import LogReader
from aml_infra.errors import RequestRefused

FIRST = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
SECOND = FIRST + datetime.timedelta(minutes=1)
NAME = "ExperimentRun/dcid.train/user_logs/std_log.txt"


@dataclasses.dataclass
class Blob:
    """A blob, as it is listed and as its download tells of it."""

    content: bytes
    creation_time: datetime.datetime = FIRST
    name: str = NAME

    @property
    def size(self) -> int:
        """Its length."""
        return len(self.content)


@dataclasses.dataclass
class Download:
    """An answer to a download."""

    properties: Blob
    content: bytes

    def readall(self) -> bytes:
        """What was asked for."""
        return self.content


@dataclasses.dataclass
class Answer:
    """An answer with an error, as azure-core reads it."""

    status_code: int
    reason: str
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    request: None = None

    def text(self) -> str:
        """Its body."""
        return ""


class Container:
    """One blob, with which something may happen between the list and the download."""

    def __init__(self, content: bytes) -> None:
        self.blob: Blob | None = Blob(content)
        self.happens: Callable[[], None] = lambda: None

    def list_blobs(self, *, name_starts_with: str) -> list[Blob]:
        """The blob, if it is there."""
        assert NAME.startswith(name_starts_with)
        return [] if self.blob is None else [dataclasses.replace(self.blob)]

    def download_blob(self, name: str, *, offset: int, length: int) -> Download:
        """A range of it."""
        assert name == NAME
        self.happens()
        self.happens = lambda: None
        if self.blob is None:
            raise ResourceNotFoundError(response=Answer(404, "BlobNotFound"))
        if offset >= self.blob.size:
            raise HttpResponseError(response=Answer(416, "InvalidRange"))
        return Download(self.blob, self.blob.content[offset : offset + length])

    def replace(self, content: bytes | None) -> None:
        """The job is started again: its log is made anew, or is not there yet."""
        self.blob = None if content is None else Blob(content, SECOND)


def read(reader: LogReader, *, has_ended: bool = False) -> list[str]:
    """The lines that have come."""
    return list(reader.read(has_ended=has_ended))


@pytest.fixture
def container() -> Container:
    """A container with a log of one line."""
    return Container(b"one\n")


@pytest.fixture
def reader(container: Container) -> LogReader:
    """What reads it."""
    return LogReader(cast("ContainerClient", container), "ExperimentRun/dcid.train", has_ranks=False)


@pytest.mark.parametrize("meanwhile", [None, b"", b"again and longer\n"])
def test_a_log_that_is_made_anew_while_it_is_read_is_read_from_its_start(
    container: Container, reader: LogReader, meanwhile: bytes | None
) -> None:
    """What was asked for of the former one is not taken from the new one, and its absence is no failure."""
    assert read(reader) == ["one"]
    assert container.blob is not None
    container.blob.content += b"two\n"
    container.happens = lambda: container.replace(meanwhile)

    assert read(reader) == []
    container.replace(b"again and longer\n")

    assert read(reader) == ["again and longer"]


def test_a_log_that_is_refused_at_the_end_is_told(container: Container, reader: LogReader) -> None:
    """Nothing will be there later: half of a log is no whole one."""
    container.happens = lambda: container.replace(None)

    with pytest.raises(RequestRefused):
        read(reader, has_ended=True)


def test_an_open_end_is_a_line_when_the_job_has_ended(container: Container, reader: LogReader) -> None:
    """And when its log is made anew."""
    container.blob = Blob(b"one\ntw")

    assert read(reader) == ["one"]
    container.replace(b"three")

    assert read(reader) == ["tw"]
    assert read(reader, has_ended=True) == ["three"]


def test_a_number_of_bytes_is_asked_for_once(container: Container, reader: LogReader) -> None:
    """What was read is not read again."""
    asked: list[Any] = []
    download = container.download_blob

    def note(name: str, *, offset: int, length: int) -> Download:
        asked.append((offset, length))
        return download(name, offset=offset, length=length)

    container.download_blob = note  # type: ignore[method-assign]
    read(reader)
    assert container.blob is not None
    container.blob.content += b"two\n"
    read(reader)
    read(reader)

    assert asked == [(0, 4), (4, 4)]
