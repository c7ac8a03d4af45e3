from __future__ import annotations

import base64
import pathlib
import urllib.parse

import pytest
import requests

from aml_infra import registry_connection
from aml_infra.errors import AccessDenied, BackendUnavailable, RequestRefused
from aml_infra.registry_connection import RETRIES
from aml_infra.registry_logins import Login
from tests.unit.registry.exchanges import SERVER, Exchanges

PASSWORD = "sesame-open-2231"  # noqa: S105 (of nobody)
LOGIN = Login(username="ann", password=PASSWORD, origin="Secret 'pull'")
TOKEN = Login(username="", password=PASSWORD, origin="Secret 'pull'")
BASIC = f"Basic {base64.b64encode(f'ann:{PASSWORD}'.encode()).decode()}"
BEARER = {"WWW-Authenticate": f'Bearer realm="https://{SERVER}/token",service="{SERVER}"'}
PULL = urllib.parse.urlencode({"service": SERVER, "scope": "repository:pets:pull"})
TOKEN_URL = f"https://{SERVER}/token"


def find_authorization(registry: Exchanges) -> list[str | None]:
    """The header of each request."""
    return [each.headers.get("Authorization") for each in registry.requests]


def test_a_token_is_fetched_with_the_login(registry: Exchanges) -> None:
    """As the challenge says, and it is used for what comes after."""
    registry.expect("HEAD", "/pets/blobs/1", status=401, headers=BEARER)
    registry.expect("GET", f"{TOKEN_URL}?{PULL}", {"token": "t1"})
    registry.expect("HEAD", "/pets/blobs/1")
    registry.expect("HEAD", "/pets/blobs/2")
    connection = registry.connect(LOGIN)

    connection.ask("HEAD", "pets", "blobs/1")
    connection.ask("HEAD", "pets", "blobs/2")

    assert find_authorization(registry) == [None, BASIC, "Bearer t1", "Bearer t1"]


def test_a_token_is_fetched_as_anybody(registry: Exchanges) -> None:
    """Public images need no login, but a token all the same."""
    registry.expect("HEAD", "/pets/blobs/1", status=401, headers=BEARER)
    registry.expect("GET", f"{TOKEN_URL}?{PULL}", {"access_token": "t1"})
    registry.expect("HEAD", "/pets/blobs/1")

    registry.connect().ask("HEAD", "pets", "blobs/1")

    assert find_authorization(registry) == [None, None, "Bearer t1"]


def test_an_identity_token_is_exchanged(registry: Exchanges) -> None:
    """It is no password, and goes by OAuth's own way."""
    registry.expect("HEAD", "/pets/blobs/1", status=401, headers=BEARER)
    registry.expect("POST", TOKEN_URL, {"access_token": "t1"})
    registry.expect("HEAD", "/pets/blobs/1")

    registry.connect(TOKEN).ask("HEAD", "pets", "blobs/1")

    assert dict(urllib.parse.parse_qsl(registry.bodies[1].decode())) == {
        "grant_type": "refresh_token",
        "client_id": "aml-infra",
        "refresh_token": PASSWORD,
        "service": SERVER,
        "scope": "repository:pets:pull",
    }
    assert find_authorization(registry) == [None, None, "Bearer t1"]


def test_a_token_that_has_expired_is_renewed(registry: Exchanges) -> None:
    """Copies take longer than tokens last."""
    registry.expect("HEAD", "/pets/blobs/1", status=401, headers=BEARER)
    registry.expect("GET", f"{TOKEN_URL}?{PULL}", {"token": "t1"})
    registry.expect("HEAD", "/pets/blobs/1")
    registry.expect("HEAD", "/pets/blobs/2", status=401, headers=BEARER)
    registry.expect("GET", f"{TOKEN_URL}?{PULL}", {"token": "t2"})
    registry.expect("HEAD", "/pets/blobs/2")
    connection = registry.connect(LOGIN)

    connection.ask("HEAD", "pets", "blobs/1")
    connection.ask("HEAD", "pets", "blobs/2")

    assert find_authorization(registry)[-1] == "Bearer t2"


def test_a_password_goes_along_where_the_registry_wants_that(registry: Exchanges) -> None:
    """In the basic way, which simple registries know."""
    registry.expect("HEAD", "/pets/blobs/1", status=401, headers={"WWW-Authenticate": 'Basic realm="tests"'})
    registry.expect("HEAD", "/pets/blobs/1")

    registry.connect(LOGIN).ask("HEAD", "pets", "blobs/1")

    assert find_authorization(registry) == [None, BASIC]


def test_a_login_is_not_sent_where_anybody_can_read_it(registry: Exchanges) -> None:
    """A registry with TLS that names a place without is not believed."""
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{SERVER}/token"'}
    registry.expect("HEAD", "/pets/blobs/1", status=401, headers=challenge)

    with pytest.raises(RequestRefused, match="where anybody can read it"):
        registry.connect(LOGIN).ask("HEAD", "pets", "blobs/1")


@pytest.mark.parametrize("login", [LOGIN, TOKEN])
def test_a_login_that_is_wrong_is_told(registry: Exchanges, login: Login) -> None:
    """With where it comes from and what to do, and without itself."""
    said = {"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]}
    url = f"{TOKEN_URL}?{PULL}" if login.username else TOKEN_URL
    registry.expect("GET", "/pets/blobs/1", status=401, headers=BEARER)
    registry.expect("GET" if login.username else "POST", url, said, status=401)

    with pytest.raises(AccessDenied) as caught:
        registry.connect(login).ask("GET", "pets", "blobs/1")

    who = "user 'ann'" if login.username else "the identity token"
    assert str(caught.value) == (
        "registry registry.example answers 401 to a login (UNAUTHORIZED: who are you?); it was asked as "
        f"{who}, which is that of Secret 'pull': run `docker login registry.example`, or give a pull secret with an "
        "account that may pull from it"
    )


def test_what_the_account_may_not_is_told(registry: Exchanges) -> None:
    """It names the registry, the repository, what was asked, and the fix."""
    said = {"errors": [{"code": "DENIED", "message": "read only"}]}
    registry.expect("POST", "/pets/blobs/uploads/?mount=x", said, status=403)

    with pytest.raises(AccessDenied) as caught:
        registry.connect().ask("POST", "pets", "blobs/uploads/?mount=x")

    assert str(caught.value) == (
        "registry registry.example answers 403 to POST pets/blobs/uploads/ (DENIED: read only); there is no login for "
        "it: run `docker login registry.example`, or give a pull secret with an account that may push to it"
    )


def test_a_login_goes_to_its_registry_only(registry: Exchanges) -> None:
    """Not to where a blob is kept, which the registry only leads to."""
    registry.expect("GET", "/pets/blobs/1", status=401, headers={"WWW-Authenticate": 'Basic realm="tests"'})
    registry.expect("GET", "/pets/blobs/1", status=307, headers={"Location": "https://storage.example/1?signature=s"})
    registry.expect("GET", "https://storage.example/1?signature=s")
    registry.expect("PUT", "https://storage.example/2", status=201)
    connection = registry.connect(LOGIN)

    connection.ask("GET", "pets", "blobs/1")
    connection.send("PUT", "https://storage.example/2", ())

    assert find_authorization(registry) == [None, BASIC, None, None]


def test_logins_of_netrc_are_not_used(
    registry: Exchanges, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """They are for web pages, and would stand in the way of a token."""
    (tmp_path / "netrc").write_text(f"machine {SERVER} login other password other\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    registry.expect("HEAD", "/pets/blobs/1", status=401, headers=BEARER)
    registry.expect("GET", f"{TOKEN_URL}?{PULL}", {"token": "t1"})
    registry.expect("HEAD", "/pets/blobs/1")

    registry.connect().ask("HEAD", "pets", "blobs/1")

    assert find_authorization(registry) == [None, None, "Bearer t1"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_error_is_waited_for(registry: Exchanges, status: int) -> None:
    """As long as the registry says."""
    registry.expect("HEAD", "/pets/blobs/1", status=status, headers={"Retry-After": "7"})
    registry.expect("HEAD", "/pets/blobs/1")

    assert registry.connect().ask("HEAD", "pets", "blobs/1") is not None
    assert registry.slept == [7.0]


def test_nobody_is_waited_for_without_end(registry: Exchanges) -> None:
    """Docker Hub's limit may be hours away."""
    for _ in range(RETRIES + 1):
        registry.expect("HEAD", "/pets/blobs/1", status=429, headers={"Retry-After": "21600"})

    with pytest.raises(BackendUnavailable, match=r"answers 429 to HEAD pets/blobs/1, 6 times; try again later"):
        registry.connect().ask("HEAD", "pets", "blobs/1")

    assert registry.slept == [registry_connection.MAX_PAUSE_SECONDS] * RETRIES


def test_pauses_become_longer(registry: Exchanges) -> None:
    """Where the registry does not say how long; not all who wait come back at once."""
    for _ in range(RETRIES):
        registry.expect("HEAD", "/pets/blobs/1", error=requests.ConnectionError("cut"))
    registry.expect("HEAD", "/pets/blobs/1", headers={"Retry-After": "soon"})

    registry.connect().ask("HEAD", "pets", "blobs/1")

    for number, pause in enumerate(registry.slept):
        assert 0.5 <= pause / (registry_connection.PAUSE_SECONDS * 2**number) <= 1.5


def test_a_registry_that_does_not_answer_is_told(registry: Exchanges) -> None:
    """With the cause, and without the address, which may hold a token."""
    for _ in range(RETRIES + 1):
        error = requests.ConnectionError(f"HTTPSConnectionPool(host='{SERVER}'): url: /v2/?secret=s")
        error.__cause__ = OSError("[Errno 111] Connection refused")
        registry.expect("HEAD", "/pets/blobs/1", error=error)

    with pytest.raises(BackendUnavailable) as caught:
        registry.connect().ask("HEAD", "pets", "blobs/1")

    assert str(caught.value) == (
        "registry registry.example does not answer ([Errno 111] Connection refused); check its name and the network; "
        "it must speak TLS, as it is not on this machine"
    )


def test_a_certificate_that_is_not_trusted_is_told_at_once(registry: Exchanges) -> None:
    """It would not be trusted later."""
    registry.expect(
        "HEAD",
        "/pets/blobs/1",
        error=requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"),
    )

    with pytest.raises(BackendUnavailable, match="name a file with the certificate of its authority in REQUESTS_CA"):
        registry.connect().ask("HEAD", "pets", "blobs/1")

    assert registry.slept == []


def test_a_file_of_authorities_that_is_not_there_is_told(registry: Exchanges, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent: this one has no adapter that would keep it from the network."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/bundle.pem")
    connection = registry_connection.RegistryConnection(SERVER, lambda _: None)

    with pytest.raises(BackendUnavailable, match=r"/nowhere/bundle\.pem"):
        connection.ask("HEAD", "pets", "blobs/1")


def test_what_is_not_there_is_none_where_it_is_read(registry: Exchanges) -> None:
    """And an error where it is needed."""
    registry.expect("HEAD", "/pets/blobs/1", status=404)
    registry.expect("GET", "/pets/blobs/1", status=404)
    connection = registry.connect()

    assert connection.ask("HEAD", "pets", "blobs/1") is None
    with pytest.raises(RequestRefused, match="has no blobs/1 in pets; was it removed"):
        connection.require("GET", "pets", "blobs/1")


def test_a_repository_that_must_be_made_first_is_told(registry: Exchanges) -> None:
    """Some registries make none when something is pushed."""
    said = {"errors": [{"code": "NAME_UNKNOWN", "message": "no such repository"}]}
    registry.expect("PUT", "/pets/manifests/1", said, status=404)

    with pytest.raises(RequestRefused, match=r"NAME_UNKNOWN.*make the repository there first, or give another"):
        registry.connect().ask("PUT", "pets", "manifests/1")


def test_a_refusal_is_told_in_the_words_of_the_registry(registry: Exchanges) -> None:
    """Trying again would not help."""
    said = {"errors": [{"code": "MANIFEST_INVALID", "message": "what is this?"}]}
    registry.expect("PUT", "/pets/manifests/1", said, status=400)

    with pytest.raises(RequestRefused, match=r"answers 400 to PUT pets/manifests/1 \(MANIFEST_INVALID: what is this"):
        registry.connect().ask("PUT", "pets", "manifests/1")


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("docker.io", "https://registry-1.docker.io/v2/pets/blobs/1"),
        ("ghcr.io", "https://ghcr.io/v2/pets/blobs/1"),
        ("registry.example:5000", "https://registry.example:5000/v2/pets/blobs/1"),
        ("localhost:5000", "http://localhost:5000/v2/pets/blobs/1"),
        ("localhost", "http://localhost/v2/pets/blobs/1"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/v2/pets/blobs/1"),
        ("[::1]:5000", "http://[::1]:5000/v2/pets/blobs/1"),
        ("[::1]", "http://[::1]/v2/pets/blobs/1"),
        ("127.evil.example", "https://127.evil.example/v2/pets/blobs/1"),
    ],
)
def test_only_this_machine_is_asked_without_tls(registry: Exchanges, server: str, url: str) -> None:
    """And Docker Hub has another name for its registry."""
    registry.expect("HEAD", url)

    registry.connect(server=server).ask("HEAD", "pets", "blobs/1")


def test_servers_given_as_insecure_are_asked_without_tls(registry: Exchanges) -> None:
    """And no other."""
    registry.expect("HEAD", f"http://{SERVER}/v2/pets/blobs/1")
    connection = registry_connection.RegistryConnection(
        SERVER, lambda _: None, insecure=[SERVER], adapter=registry, sleep=registry.slept.append
    )

    connection.ask("HEAD", "pets", "blobs/1")
