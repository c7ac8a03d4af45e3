"""Official releases: downloaded, checked against the publisher's list, unpacked."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import pathlib
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Iterator
from typing import IO

from tools.bootstrap import cache, errors, versions

Opener = Callable[[str], IO[bytes]]
_BLOCK = 1 << 20


def open_url(url: str) -> IO[bytes]:
    """Opens an official address; a server that says nothing for `versions.CONNECT_SECONDS` counts as not there."""
    stream: IO[bytes] = urllib.request.urlopen(url, timeout=versions.CONNECT_SECONDS)  # noqa: S310 - see versions.py
    return stream


class Releases:
    """Fetches releases, and remembers which servers did not answer so as to wait for each only once."""

    def __init__(self, folder: pathlib.Path, opener: Opener = open_url) -> None:
        self._folder = folder
        self._open = opener
        self._silent: dict[str, str] = {}

    def fetch(self, release: versions.Release, hear: Callable[[str], None]) -> pathlib.Path:
        """Gives the file of `release`, whose SHA-256 is the one that the publisher's list names.

        Raises:
            DownloadError: it could not be had, or is not on the list.
            ChecksumError: what came is something else; it has been deleted.
        """
        with self._connect(release.checksums_url) as stream:
            expected = find_checksum(stream.read().decode("utf-8", "replace"), release)
        target = self._folder / release.file_name
        digest = hashlib.sha256()
        with self._connect(release.url) as stream, cache.make_file(target) as draft:
            with draft.open("wb") as sink:
                size = 0
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    sink.write(block)
                    size += len(block)
                    hear(f"{size >> 20} MB")
            if digest.hexdigest() != expected:
                raise errors.ChecksumError(
                    f"{release.url} has the SHA-256 {digest.hexdigest()}, but its publisher lists {expected}: "
                    "it is not used; try again, and if it stays so, tell the publisher and install the tool yourself"
                )
        return target

    @contextlib.contextmanager
    def _connect(self, url: str) -> Iterator[IO[bytes]]:
        """Opens `url`; whatever goes wrong on the way is a DownloadError that says what, in a few words."""
        host = urllib.parse.urlsplit(url).hostname or ""
        if host in self._silent:
            raise errors.DownloadError(self._silent[host])
        try:
            with self._open(url) as stream:
                yield stream
        except urllib.error.HTTPError as error:
            raise errors.DownloadError(f"official download answered {error.code}") from error
        except TimeoutError as error:
            raise self._give_up(host, f"official download did not answer in {versions.CONNECT_SECONDS} s") from error
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", None) or error.reason
            if isinstance(error.reason, TimeoutError):
                text = f"official download did not answer in {versions.CONNECT_SECONDS} s"
            else:
                text = f"official download cannot be reached ({reason})"
            raise self._give_up(host, text) from error
        except (http.client.HTTPException, ConnectionError) as error:
            raise errors.DownloadError(f"official download broke off ({error})") from error

    def _give_up(self, host: str, text: str) -> errors.DownloadError:
        self._silent[host] = text
        return errors.DownloadError(text)


def find_checksum(listing: str, release: versions.Release) -> str:
    """The SHA-256 that a checksum list (`<hex>  <file>` per line) names for the file of `release`.

    Raises:
        DownloadError: the list does not name it.
    """
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].lstrip("*") == release.file_name:  # noqa: PLR2004 - a digest and a name
            return words[0].lower()
    raise errors.DownloadError(f"official checksum list does not name {release.file_name}")


def unpack(archive: pathlib.Path, folder: pathlib.Path, only: Collection[str] = ()) -> None:
    """Puts the programs of a release archive into `folder`, without the folders that they are in there.

    `only` names those to take; empty means all. Links and special files are never taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = pathlib.PurePosixPath(member.name).name
            source = tar.extractfile(member) if member.isfile() and (not only or name in only) else None
            if source is None:
                continue
            with source, cache.make_file(folder / name, mode=0o755) as draft, draft.open("wb") as sink:
                shutil.copyfileobj(source, sink)
