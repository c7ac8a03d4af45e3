from __future__ import annotations

import hashlib
import io
import pathlib
import tarfile
import urllib.error

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import errors, release, versions

RELEASE = versions.Release(url="https://example.test/tool-v1.tar.gz", checksums_url="https://example.test/sums.txt")


def _publish(internet: fakes.FakeInternet, content: bytes, listed: bytes | None = None) -> None:
    digest = hashlib.sha256(content if listed is None else listed).hexdigest()
    internet.pages[RELEASE.url] = content
    internet.pages[RELEASE.checksums_url] = f"{'0' * 64}  other.tar.gz\n{digest}  {RELEASE.file_name}\n".encode()


def _ignore(_line: str) -> None:
    return


def test_a_release_on_the_publishers_list_is_fetched(machine: fakes.Machine) -> None:
    """The file is the published one."""
    _publish(machine.internet, b"tool")

    file = machine.tools.releases.fetch(RELEASE, _ignore)

    assert file.read_bytes() == b"tool"


def test_a_checksum_mismatch_is_refused(machine: fakes.Machine) -> None:
    """A file other than the listed one leaves nothing behind, and the error names both digests."""
    _publish(machine.internet, b"evil", listed=b"tool")

    with pytest.raises(errors.ChecksumError) as caught:
        machine.tools.releases.fetch(RELEASE, _ignore)

    assert hashlib.sha256(b"evil").hexdigest() in str(caught.value)
    assert hashlib.sha256(b"tool").hexdigest() in str(caught.value)
    assert list(machine.places.work.iterdir()) == []


def test_a_release_that_is_not_listed_is_refused(machine: fakes.Machine) -> None:
    """A file without a published digest is not fetched."""
    _publish(machine.internet, b"tool")
    machine.internet.pages[RELEASE.checksums_url] = b"abc  other.tar.gz\n"

    with pytest.raises(errors.DownloadError, match=r"does not name tool-v1\.tar\.gz"):
        machine.tools.releases.fetch(RELEASE, _ignore)

    assert RELEASE.url not in machine.internet.asked


def test_a_silent_server_is_waited_for_once(machine: fakes.Machine) -> None:
    """The second file of a server that did not answer fails at once, with the same reason."""
    for _ in range(2):
        with pytest.raises(errors.DownloadError, match="did not answer in 10 s"):
            machine.tools.releases.fetch(RELEASE, _ignore)

    assert machine.internet.asked == [RELEASE.checksums_url]


def test_an_unknown_host_is_a_download_error(machine: fakes.Machine) -> None:
    """Name resolution that fails is told in a few words."""
    machine.internet.pages[RELEASE.checksums_url] = urllib.error.URLError(OSError("no such host"))

    with pytest.raises(errors.DownloadError, match=r"cannot be reached \(no such host\)"):
        machine.tools.releases.fetch(RELEASE, _ignore)


def test_unpack_takes_the_named_programs_only(tmp_path: pathlib.Path) -> None:
    """Programs come out executable and flat; what is not asked for, and links, stay in."""
    archive = tmp_path / "tool.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("pulumi/tool", "pulumi/other"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"tool"))
        link = tarfile.TarInfo("pulumi/wanted-link")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        tar.addfile(link)

    release.unpack(archive, tmp_path / "bin", {"tool", "wanted-link"})

    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["tool"]
    assert (tmp_path / "bin" / "tool").stat().st_mode & 0o777 == 0o755
