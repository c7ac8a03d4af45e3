"""Source and data on their way into the blob storage of a workspace, under names made of their content.

What is there already is not sent again, and what was begun is gone on with: a block of an archive that arrived stays
for a week, and a file of data is known by the digest that is written on it.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import dataclasses
import gzip
import hashlib
import os
import posixpath
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, TypeVar

from aml_infra import azure_client
from aml_infra import source as sources
from aml_infra.backends.base import Tell
from aml_infra.errors import RunNotSubmitted, SourceChanged
from aml_infra.progress import Progress
from aml_infra.source import Snapshot, SourceFile

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient

BLOCK_BYTES = 4 * 2**20
THREADS = 16

DIGEST_KEY = "sha256"
"""What a file of data is known by, in the metadata of its blob."""

_Item = TypeVar("_Item")


def upload_archive(container: ContainerClient, name: str, snapshot: Snapshot, tell: Tell) -> None:
    """Puts ``snapshot`` into the blob ``name``, as one archive, if it is not there.

    The blob is whole or not there: its blocks are sent side by side, and count when all have arrived.

    Raises:
        SourceChanged: a file is not what it was when the snapshot was taken.
        BackendUnavailable, RequestRefused: see ``AzureClient``.
    """
    blob = container.get_blob_client(name)
    with azure_client.errors():
        if blob.exists():
            return
    with _pack(snapshot) as archive:
        size = archive.seek(0, os.SEEK_END)
        archive.seek(0)
        progress = Progress("uploading source", size, tell)
        with azure_client.errors():
            if size <= BLOCK_BYTES:
                blob.upload_blob(archive.read(), overwrite=True)
            else:
                _upload_blocks(blob, archive, progress)


@contextlib.contextmanager
def _pack(snapshot: Snapshot) -> Iterator[IO[bytes]]:
    """The snapshot as a compressed archive, the same bytes each time."""
    with tempfile.TemporaryFile() as spool:
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=spool, mtime=0, compresslevel=6) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            snapshot.add_to(tar, "")
        yield spool


def _upload_blocks(blob: BlobClient, archive: IO[bytes], progress: Progress) -> None:
    from azure.core.exceptions import ResourceNotFoundError
    from azure.storage.blob import BlobBlock

    there: set[str] = set()
    with contextlib.suppress(ResourceNotFoundError):
        there = {block.id for block in blob.get_block_list("uncommitted")[1]}
    names: list[str] = []

    def read() -> Iterator[tuple[str, bytes]]:
        while block := archive.read(BLOCK_BYTES):
            # Of its place, too: the same block twice is two.
            digest = hashlib.sha256(b"%d %b" % (len(names), hashlib.sha256(block).digest())).digest()
            names.append(base64.b64encode(digest).decode())
            yield names[-1], block

    def send(item: tuple[str, bytes]) -> None:
        block_id, content = item
        if block_id not in there:
            blob.stage_block(block_id, content)
        progress.add(len(content))

    run_all(send, read())
    blob.commit_block_list([BlobBlock(block_id) for block_id in names])


@dataclasses.dataclass(frozen=True)
class _DataFile:
    """A file of data, and the blob that it becomes."""

    file: SourceFile
    path: str
    blob: str


def upload_data(container: ContainerClient, folder: str, path: str, snapshot: Snapshot, tell: Tell) -> None:
    """Puts data of this machine under ``folder``, below its own name; what is there is not sent again.

    Links are followed, as blob storage has none.

    Args:
        container: where.
        folder: a name made of the snapshot's digest.
        path: the folder or file that the data is.
        snapshot: of it.
        tell: is told how far it is.

    Raises:
        SourceChanged: a file is not what it was when the snapshot was taken.
        BackendUnavailable, RequestRefused: see ``AzureClient``.
    """
    top = f"{folder}/{posixpath.basename(path)}"
    is_folder = os.path.isdir(path)
    files = [
        _DataFile(file, str(snapshot.root / file.path), f"{top}/{file.path}" if is_folder else top)
        for file in snapshot.files
    ]
    with azure_client.errors():
        listed = container.list_blobs(name_starts_with=f"{folder}/", include=["metadata"])
        there = {each.name: (each.metadata or {}).get(DIGEST_KEY) for each in listed}
    missing = [each for each in files if each.file.kind == "link" or there.get(each.blob) != each.file.digest]
    progress = Progress(f"uploading data {path!r}", sum(each.file.size for each in missing), tell)

    def send(each: _DataFile) -> None:
        _upload_file(container.get_blob_client(each.blob), each, progress)

    run_all(send, iter(missing))


def _upload_file(blob: BlobClient, each: _DataFile, progress: Progress) -> None:
    """Its digest is written on the blob only if it is that of what was sent."""
    is_link = each.file.kind == "link"
    if is_link and os.path.isdir(each.path):
        raise RunNotSubmitted(
            f"{each.path!r} is a link to a folder, which blob storage has no way to keep; put the folder there itself"
        )
    label = {} if is_link else {DIGEST_KEY: each.file.digest}
    changed = f"{each.path!r} changed while it was being uploaded; run it again when nothing writes to it"
    try:
        with open(each.path, "rb") as stream:
            if each.file.size <= BLOCK_BYTES and not is_link:
                content = stream.read(BLOCK_BYTES + 1)
                if hashlib.sha256(content).hexdigest() != each.file.digest:
                    raise SourceChanged(changed)
                with azure_client.errors():
                    blob.upload_blob(content, overwrite=True, metadata=label)
            else:
                reader = sources.HashingReader(stream)
                with azure_client.errors():
                    blob.upload_blob(reader, overwrite=True, max_concurrency=4)
                    if not is_link and reader.digest() != each.file.digest:
                        raise SourceChanged(changed)
                    blob.set_blob_metadata(label)
    except OSError as error:
        raise SourceChanged(f"{changed} ({error})") from error
    progress.add(each.file.size)


def run_all(work: Callable[[_Item], None], items: Iterator[_Item]) -> None:
    """``work`` on every item, on several threads; few items are read ahead. The first error ends it."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        going: set[concurrent.futures.Future[None]] = set()
        try:
            for item in items:
                going.add(pool.submit(work, item))
                if len(going) >= 2 * THREADS:
                    done, going = concurrent.futures.wait(going, return_when=concurrent.futures.FIRST_COMPLETED)
                    for each in done:
                        each.result()
            for each in concurrent.futures.as_completed(going):
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
