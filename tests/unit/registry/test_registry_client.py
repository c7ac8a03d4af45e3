from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator

import pytest
import requests

from aml_infra import registry_client
from aml_infra.errors import BackendUnavailable, RequestRefused
from aml_infra.registry_client import Blob, RegistryClient
from aml_infra.registry_connection import RETRIES
from tests.unit.registry.exchanges import BASE, Exchanges

CONTENT = b"0123456789"
BLOB = Blob(digest=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", size=len(CONTENT))
PATH = f"/pets/blobs/{BLOB.digest}"
UPLOADS = "/pets/blobs/uploads/"
QUOTED = BLOB.digest.replace(":", "%3A")
SENT = f"{BASE}{UPLOADS}u1?state=s&digest={QUOTED}"
STARTED = {"Location": "/v2/pets/blobs/uploads/u1?state=s"}


def put(registry: Exchanges, source: str | None = None) -> None:
    """Puts the blob there."""
    RegistryClient(registry.connect()).put_blob(
        "pets", BLOB, lambda: io.BytesIO(CONTENT), source=source, what="pushing", tell=lambda _: None
    )


def read(registry: Exchanges) -> bytes:
    """The blob, as pieces of seven bytes."""
    with RegistryClient(registry.connect()).open_blob("pets", BLOB) as content:
        return b"".join(iter(lambda: content.read(7), b""))


def test_a_digest_is_asked_for_without_the_manifest(registry: Exchanges) -> None:
    """Docker Hub counts manifests that are read."""
    registry.expect("HEAD", "/pets/manifests/1", headers={"Docker-Content-Digest": "sha256:1"})

    assert RegistryClient(registry.connect()).find_digest("pets", "1") == "sha256:1"


def test_a_digest_that_is_not_told_is_computed(registry: Exchanges) -> None:
    """Registries need not tell it."""
    registry.expect("HEAD", "/pets/manifests/1")
    registry.expect("GET", "/pets/manifests/1", b"{}", headers={"Content-Type": registry_client.OCI_MANIFEST})

    found = RegistryClient(registry.connect()).find_digest("pets", "1")

    assert found == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"


def test_an_image_that_is_not_there_has_no_digest(registry: Exchanges) -> None:
    """Which is no error."""
    registry.expect("HEAD", "/pets/manifests/1", status=404)

    assert RegistryClient(registry.connect()).find_digest("pets", "1") is None


def test_a_manifest_that_does_not_say_its_type_is_known_by_the_answer(registry: Exchanges) -> None:
    """OCI's need not say it."""
    kind = f"{registry_client.OCI_MANIFEST}; charset=utf-8"
    registry.expect("GET", "/pets/manifests/1", {"layers": []}, headers={"Content-Type": kind})

    manifest = RegistryClient(registry.connect()).find_manifest("pets", "1")

    assert manifest is not None
    assert manifest.media_type == registry_client.OCI_MANIFEST


def test_another_manifest_than_the_one_asked_for_is_refused(registry: Exchanges) -> None:
    """A digest is what was agreed on."""
    version = f"sha256:{'1' * 64}"
    registry.expect("GET", f"/pets/manifests/{version}", {})

    with pytest.raises(RequestRefused, match="gives another manifest than sha256:111"):
        RegistryClient(registry.connect()).find_manifest("pets", version)


def test_a_web_page_is_no_manifest(registry: Exchanges) -> None:
    """A wrong name leads to all kinds of servers."""
    registry.expect("GET", "/pets/manifests/1", b"<html>", headers={"Content-Type": "text/html"})

    with pytest.raises(RequestRefused, match=r"gives no manifest of pets; is it a registry\?"):
        RegistryClient(registry.connect()).find_manifest("pets", "1")


def test_a_manifest_is_the_same_bytes_for_the_same_content(registry: Exchanges) -> None:
    """So that it has the same digest on each machine."""
    registry.expect("PUT", "/pets/manifests/1", status=201)

    digest = RegistryClient(registry.connect()).put_manifest("pets", "1", "type/x", {"b": 1, "a": 2})

    assert registry.bodies == [b'{"a":2,"b":1}']
    assert registry.requests[0].headers["Content-Type"] == "type/x"
    assert digest == f"sha256:{hashlib.sha256(registry.bodies[0]).hexdigest()}"


def test_a_blob_is_sent_with_one_request(registry: Exchanges) -> None:
    """To the place that the registry names."""
    registry.expect("HEAD", PATH, status=404)
    registry.expect("POST", UPLOADS, status=202, headers=STARTED)
    registry.expect("PUT", SENT, status=201)

    put(registry)

    assert registry.bodies[-1] == CONTENT
    assert registry.requests[-1].headers["Content-Length"] == "10"


def test_a_blob_that_is_there_is_not_sent(registry: Exchanges) -> None:
    """One question is enough."""
    registry.expect("HEAD", PATH)

    put(registry)


def test_a_blob_of_another_repository_is_taken_over(registry: Exchanges) -> None:
    """No byte of it is sent."""
    registry.expect("HEAD", PATH, status=404)
    registry.expect("POST", f"{UPLOADS}?mount={QUOTED}&from=team%2Fbase", status=201)

    put(registry, source="team/base")


def test_a_blob_that_cannot_be_taken_over_is_sent(registry: Exchanges) -> None:
    """Registries need not do it, and begin an upload instead."""
    registry.expect("HEAD", PATH, status=404)
    registry.expect("POST", f"{UPLOADS}?mount={QUOTED}&from=base", status=202, headers=STARTED)
    registry.expect("PUT", SENT, status=201)

    put(registry, source="base")


def test_an_upload_that_breaks_off_is_begun_anew(registry: Exchanges) -> None:
    """What the registry has of it is not relied on: all is sent again, to another place."""
    registry.expect("HEAD", PATH, status=404)
    registry.expect("POST", UPLOADS, status=202, headers=STARTED)
    registry.expect("PUT", SENT, error=requests.ConnectionError("cut"))
    registry.expect("POST", UPLOADS, status=202, headers={"Location": f"{BASE}{UPLOADS}u2"})
    registry.expect("PUT", f"{BASE}{UPLOADS}u2?digest={QUOTED}", status=201)

    put(registry)

    assert registry.bodies[2] == registry.bodies[4] == CONTENT
    assert len(registry.slept) == 1


def test_a_token_that_expires_before_the_upload_is_renewed(registry: Exchanges) -> None:
    """The body is sent again with the new one."""
    challenge = {"WWW-Authenticate": 'Bearer realm="/token",service="s"'}
    realm = "https://registry.example/token?service=s&scope=repository%3Apets%3Apull%2Cpush"
    registry.expect("HEAD", PATH, status=404)
    registry.expect("POST", UPLOADS, status=202, headers=STARTED)
    registry.expect("PUT", SENT, status=401, headers=challenge)
    registry.expect("GET", realm, {"token": "t1"})
    registry.expect("POST", UPLOADS, status=202, headers=STARTED)
    registry.expect("PUT", SENT, status=201)

    put(registry)

    assert registry.bodies[-1] == CONTENT
    assert registry.requests[-1].headers["Authorization"] == "Bearer t1"


def test_an_error_of_what_is_sent_is_not_taken_for_one_of_the_registry(registry: Exchanges) -> None:
    """It would be asked again for nothing."""
    registry.expect("HEAD", PATH, status=404)
    registry.expect("POST", UPLOADS, status=202, headers=STARTED)

    @contextlib.contextmanager
    def fail() -> Iterator[io.BytesIO]:
        raise BackendUnavailable("the other registry is gone")
        yield io.BytesIO()

    with pytest.raises(BackendUnavailable, match="the other registry is gone"):
        RegistryClient(registry.connect()).put_blob("pets", BLOB, fail, what="copying", tell=lambda _: None)


def test_a_blob_is_read_in_pieces(registry: Exchanges) -> None:
    """As it is, even where the registry would compress it on its way."""
    registry.expect("GET", PATH, CONTENT)

    assert read(registry) == CONTENT
    assert registry.requests[0].headers["Accept-Encoding"] == "identity"


def test_a_download_that_breaks_off_is_gone_on_with(registry: Exchanges) -> None:
    """From where it was."""
    registry.expect("GET", PATH, CONTENT[:4])
    registry.expect("GET", PATH, CONTENT[4:], status=206)

    assert read(registry) == CONTENT
    assert registry.requests[1].headers["Range"] == "bytes=4-"


def test_a_registry_that_knows_no_parts_sends_all_again(registry: Exchanges) -> None:
    """What came already is passed over."""
    registry.expect("GET", PATH, CONTENT[:4])
    registry.expect("GET", PATH, CONTENT)

    assert read(registry) == CONTENT


def test_a_download_that_breaks_off_always_is_told(registry: Exchanges) -> None:
    """Which ends, as each time nothing came."""
    for _ in range(RETRIES + 1):
        registry.expect("GET", PATH, b"")

    with pytest.raises(BackendUnavailable, match=r"blob sha256:\w+ of pets breaks off \(it is too short\); try again"):
        read(registry)


def test_a_blob_that_is_not_what_its_digest_says_is_refused(registry: Exchanges) -> None:
    """Before its last piece is handed on."""
    registry.expect("GET", PATH, b"9876543210")

    with pytest.raises(RequestRefused, match="is not what its digest says"):
        read(registry)


def test_a_blob_that_was_removed_is_told(registry: Exchanges) -> None:
    """The manifest that names it may still be there."""
    registry.expect("GET", PATH, status=404)

    with pytest.raises(RequestRefused, match=r"has no blobs/sha256:\w+ in pets; was it removed"):
        read(registry)
