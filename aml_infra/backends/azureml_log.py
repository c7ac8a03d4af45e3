"""The logs of a job, which the service writes to blobs as the processes print: one for each of them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aml_infra import azure_client
from aml_infra.backends import log_lines
from aml_infra.errors import RequestRefused

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

FOLDER = "user_logs"
"""Below the folder of a job: what its own processes print."""

_NAME = re.compile(r"std_log(?:_process_(?P<rank>\d+))?\.txt")
_READ_BYTES = 8 * 2**20


def locate_log(folder: str) -> str:
    """The blob with the log of the job in ``folder`` that is one process."""
    return f"{folder}/{FOLDER}/std_log.txt"


@dataclasses.dataclass
class _Place:
    """How far the log of a process has been read.

    Attributes:
        made: when its blob was made: a job that was put back into the queue makes it anew.
        offset: bytes that were read.
        pending: those of them that are no whole line yet.
    """

    made: datetime.datetime
    offset: int = 0
    pending: bytearray = dataclasses.field(default_factory=bytearray)


class LogReader:
    """Reads on from where it was, so that each line comes once, however often it could not be reached in between.

    Args:
        container: holds the blobs.
        folder: of the job.
        has_ranks: whether several workers train, so that each line begins with its worker's.
    """

    def __init__(self, container: ContainerClient, folder: str, *, has_ranks: bool) -> None:
        self._container = container
        self._prefix = f"{folder}/{FOLDER}/"
        self._has_ranks = has_ranks
        self._places: dict[str, _Place] = {}

    def read(self, *, has_ended: bool) -> Iterator[str]:
        """The lines that have come since.

        Args:
            has_ended: whether nothing more will be written, so that what is left without a line end is a line.

        Raises:
            BackendUnavailable, RequestRefused: see ``AzureClient``.
        """
        with azure_client.errors():
            blobs = sorted(self._container.list_blobs(name_starts_with=self._prefix), key=lambda each: str(each.name))
        for blob in blobs:
            if found := _NAME.fullmatch(blob.name.removeprefix(self._prefix)):
                rank = f"[{int(found['rank'] or 0)}] " if self._has_ranks else ""
                for line in self._read_blob(blob, has_ended=has_ended):
                    yield f"{rank}{log_lines.decode_line(line)}"

    def _read_blob(self, blob: BlobProperties, *, has_ended: bool) -> Iterator[bytes]:
        place = self._places.setdefault(blob.name, _Place(blob.creation_time))
        if blob.creation_time != place.made or blob.size < place.offset:
            if place.pending:
                yield bytes(place.pending)
            place = self._places[blob.name] = _Place(blob.creation_time)
        while place.offset < blob.size:
            length = min(_READ_BYTES, blob.size - place.offset)
            content = self._download(blob, place, length, has_ended=has_ended)
            if content is None:
                return
            place.offset += len(content)
            yield from log_lines.cut_lines(place.pending, content)
        if has_ended and place.pending:
            yield bytes(place.pending)
            place.pending.clear()

    def _download(self, blob: BlobProperties, place: _Place, length: int, *, has_ended: bool) -> bytes | None:
        """What follows in a blob; None if it has been made anew since it was listed, which the next list will show."""
        try:
            with azure_client.errors():
                found = self._container.download_blob(blob.name, offset=place.offset, length=length)
                content = found.readall()
        except RequestRefused:
            # It is not there, or shorter: both pass, but at the end.
            if has_ended:
                raise
            return None
        return content if found.properties.creation_time == place.made else None


def read_blob(container: ContainerClient, name: str) -> bytes:
    """All that is in the blob ``name``; empty if there is none.

    Raises:
        BackendUnavailable, RequestRefused: see ``AzureClient``.
    """
    from azure.core.exceptions import ResourceNotFoundError

    with azure_client.errors(), contextlib.suppress(ResourceNotFoundError):
        return container.download_blob(name).readall()
    return b""


def read_tail(container: ContainerClient, name: str, size: int) -> bytes:
    """The last ``size`` bytes at most of the blob ``name``; empty if there is none.

    Raises:
        BackendUnavailable, RequestRefused: see ``AzureClient``.
    """
    from azure.core.exceptions import ResourceNotFoundError

    blob = container.get_blob_client(name)
    with azure_client.errors(), contextlib.suppress(ResourceNotFoundError):
        # A range of an empty blob is refused.
        if whole := blob.get_blob_properties().size:
            start = max(0, whole - size)
            return blob.download_blob(offset=start, length=whole - start).readall()
    return b""
