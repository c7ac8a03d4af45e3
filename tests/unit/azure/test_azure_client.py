from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError

from aml_infra.azure_client import RETRIES, AzureClient
from aml_infra.errors import AccessDenied, BackendUnavailable, InvalidInput, RequestRefused
from tests.unit.azure.transport import ARM, Credential, Transport

PATH = "/subscriptions/s/things/a"
URL = f"{PATH}?api-version=1"
STATUS = f"{ARM}/operations/1?api-version=1"
EXCHANGE = "https://contoso.azurecr.io/oauth2/exchange"


def build_error(code: str, message: str) -> dict[str, object]:
    """An error as Resource Manager writes it."""
    return {"error": {"code": code, "message": message}}


@pytest.fixture
def azure() -> Iterator[Transport]:
    """Azure, which must be asked all that is expected."""
    transport = Transport()
    yield transport
    assert transport.exchanges == []


@pytest.fixture
def client(azure: Transport) -> AzureClient:
    """A client that is logged in."""
    return AzureClient(Credential(), azure)


def test_get_is_asked_with_a_version_and_a_token(azure: Transport, client: AzureClient) -> None:
    """The token is for Resource Manager, and the service is told who asks."""
    azure.expect("GET", URL, {"name": "a"})

    assert client.get(PATH, "1") == {"name": "a"}
    headers = azure.requests[0].headers
    assert headers["Authorization"] == f"Bearer token of {ARM}/.default"
    assert headers["User-Agent"].startswith("aml-infra/")


def test_what_is_gone_is_none(azure: Transport, client: AzureClient) -> None:
    """Azure says so."""
    azure.expect("GET", URL, build_error("ResourceNotFound", "no"), status=404)

    assert client.get(PATH, "1") is None


def test_what_may_not_be_seen_is_no_answer(azure: Transport, client: AzureClient) -> None:
    """It is told with Azure's words, and with what is missing."""
    azure.expect("GET", URL, build_error("AuthorizationFailed", "has no authorization"), status=403)

    with pytest.raises(AccessDenied, match=r"AuthorizationFailed: has no authorization\); ask for a role"):
        client.get(PATH, "1")


def test_a_login_that_is_not_accepted_is_no_answer(azure: Transport, client: AzureClient) -> None:
    """The message says how to log in."""
    azure.expect("GET", URL, build_error("InvalidAuthenticationTokenTenant", "wrong issuer"), status=401)

    with pytest.raises(BackendUnavailable, match=r"wrong issuer\); log in with `az login`"):
        client.get(PATH, "1")


def test_throttling_is_waited_for(azure: Transport, client: AzureClient) -> None:
    """As long as Azure says."""
    azure.expect("GET", URL, build_error("TooManyRequests", "slow down"), status=429, headers={"Retry-After": "17"})
    azure.expect("GET", URL, {"name": "a"})

    assert client.get(PATH, "1") == {"name": "a"}
    assert azure.slept == [17]


def test_attempts_end(azure: Transport, client: AzureClient) -> None:
    """An Azure that is down is told as that."""
    for _ in range(RETRIES + 1):
        azure.expect("GET", URL, build_error("ServerBusy", "later"), status=503)

    with pytest.raises(BackendUnavailable, match="Azure answers 503 to GET https://management"):
        client.get(PATH, "1")


def test_no_network_is_no_answer(azure: Transport, client: AzureClient) -> None:
    """It is tried again, and then told."""
    for _ in range(4):
        azure.expect("GET", URL, error=requests.ConnectionError("no route"))

    with pytest.raises(BackendUnavailable, match=r"Azure does not answer \(.*no route.*check the network"):
        client.get(PATH, "1")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE"])
def test_what_has_no_answer_is_sent_again(azure: Transport, client: AzureClient, method: str) -> None:
    """Whatever its method, as it is the same the second time."""
    azure.expect(method, URL, error=requests.ConnectionError("cut"))
    azure.expect(method, URL, {"name": "a"})

    assert client.ask_learning(method, f"{ARM}{PATH}", query={"api-version": "1"}) == {"name": "a"}


def test_an_action_that_may_come_twice_is_sent_again(azure: Transport, client: AzureClient) -> None:
    """As a cancellation."""
    azure.expect("POST", URL, error=requests.ConnectionError("cut"))
    azure.expect("POST", URL)

    assert client.run("POST", PATH, "1", may_repeat=True)


def test_an_action_is_sent_once(azure: Transport, client: AzureClient) -> None:
    """Whether it was done is not known, and said."""
    azure.expect("POST", URL, error=requests.ConnectionError("cut"))

    with pytest.raises(BackendUnavailable, match="Azure does not answer"):
        client.run("POST", PATH, "1")


def test_a_refusal_has_azures_words(azure: Transport, client: AzureClient) -> None:
    """The first line of them."""
    azure.expect("GET", URL, build_error("MissingSubscriptionRegistration", "register it\nmore"), status=409)

    with pytest.raises(RequestRefused, match=r"\(MissingSubscriptionRegistration: register it\)$"):
        client.get(PATH, "1")


@pytest.mark.parametrize("body", ["<html>", "[]"])
def test_what_is_no_json_object_is_no_answer(azure: Transport, client: AzureClient, body: str) -> None:
    """As of a proxy's own page."""
    azure.expect("GET", URL, body)

    with pytest.raises(BackendUnavailable, match="no JSON"):
        client.get(PATH, "1")


def test_a_list_has_all_pages(azure: Transport, client: AzureClient) -> None:
    """The next one is asked for as Azure names it."""
    azure.expect("GET", URL, {"value": [{"a": 1}], "nextLink": f"{ARM}{URL}&$skiptoken=x%2Fy"})
    azure.expect("GET", f"{URL}&$skiptoken=x%2Fy", {"value": [{"a": 2}]})

    assert client.list(PATH, "1") == [{"a": 1}, {"a": 2}]


def test_an_operation_is_waited_for(azure: Transport, client: AzureClient) -> None:
    """Where its header says, as often as it says."""
    azure.expect("DELETE", f"{URL}&force=true", status=202, headers={"Azure-AsyncOperation": STATUS})
    azure.expect("GET", STATUS, {"status": "InProgress"}, headers={"Retry-After": "3"})
    azure.expect("GET", STATUS, {"status": "Succeeded"})

    assert client.run("DELETE", PATH, "1", query={"force": "true"})
    assert azure.slept == [3]


def test_an_operation_may_only_have_a_location(azure: Transport, client: AzureClient) -> None:
    """It has ended when that answers with anything but 202."""
    azure.expect("POST", URL, status=202, headers={"Location": STATUS})
    azure.expect("GET", STATUS, status=202)
    azure.expect("GET", STATUS, status=200)

    assert client.run("POST", PATH, "1")


def test_an_operation_that_fails_is_a_refusal(azure: Transport, client: AzureClient) -> None:
    """Azure tells it with status 200."""
    azure.expect("DELETE", URL, status=202, headers={"Azure-AsyncOperation": STATUS})
    azure.expect("GET", STATUS, {"status": "Failed", **build_error("Conflict", "is locked")})

    with pytest.raises(RequestRefused, match="Conflict: is locked"):
        client.run("DELETE", PATH, "1")


@pytest.mark.parametrize("status", [204, 404])
def test_what_is_gone_need_not_be_deleted(azure: Transport, client: AzureClient, status: int) -> None:
    """Nothing was done."""
    azure.expect("DELETE", URL, status=status)

    assert not client.run("DELETE", PATH, "1")


def test_what_is_done_at_once_is_not_waited_for(azure: Transport, client: AzureClient) -> None:
    """There is no operation to ask."""
    azure.expect("DELETE", URL, status=200)

    assert client.run("DELETE", PATH, "1")


def test_an_interruption_ends_the_wait(azure: Transport, client: AzureClient) -> None:
    """Whether it was done is not known then."""
    azure.expect("POST", URL, status=202, headers={"Location": STATUS})
    azure.expect("GET", STATUS, status=202)
    waits, ends = threading.Event(), threading.Event()

    def wait() -> None:
        waits.set()
        ends.wait()
        raise TimeoutError

    azure.on_sleep = wait

    with pytest.raises(BackendUnavailable, match="interrupted while Azure does POST"):
        client.run("POST", PATH, "1", is_interrupted=waits.wait)
    ends.set()


@pytest.mark.parametrize(
    "words",
    [
        "many words\nAADSTS700016: Application 'x' was not found.\r\nTrace ID: 1",
        "Microsoft Entra ID error '(invalid_client) AADSTS700016: Application 'x' was not found. Trace ID: 1'",
    ],
)
def test_who_is_not_logged_in_is_told_how(azure: Transport, words: str) -> None:
    """With what Entra ID has said, and nothing around it."""
    error = ClientAuthenticationError(words)

    with pytest.raises(BackendUnavailable, match=r"\(AADSTS700016: Application 'x' was not found\); log in with `az"):
        AzureClient(Credential(error), azure).get(PATH, "1")


def test_a_registry_gives_a_token_for_a_token(azure: Transport) -> None:
    """That of Entra ID is for registries, and is sent in a form, again where no answer came."""
    credential = Credential()
    azure.expect("POST", EXCHANGE, error=requests.ConnectionError("cut"))
    azure.expect("POST", EXCHANGE, {"refresh_token": "refresh"})

    assert AzureClient(credential, azure).get_registry_token("contoso.azurecr.io") == "refresh"
    scope = "https://containerregistry.azure.net/.default"
    assert credential.scopes == [scope]
    form = {"grant_type": "access_token", "service": "contoso.azurecr.io", "access_token": f"token of {scope}"}
    assert azure.read_form() == form
    assert "Authorization" not in azure.requests[0].headers


@pytest.mark.parametrize("server", ["example.com", "contoso.azurecr.io.example.com", "contoso.azurecr.io/x", "a@b"])
def test_no_other_host_is_given_a_token(azure: Transport, server: str) -> None:
    """Nobody is asked at all."""
    credential = Credential()

    with pytest.raises(InvalidInput, match="give the login server"):
        AzureClient(credential, azure).get_registry_token(server)
    assert credential.scopes == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_without_a_role_is_told(azure: Transport, client: AzureClient, status: int) -> None:
    """The registry refuses the exchange, and the login is right all the same."""
    azure.expect("POST", EXCHANGE, {"errors": [{"code": "UNAUTHORIZED"}]}, status=status)

    with pytest.raises(AccessDenied, match=r"'contoso\.azurecr\.io' gives .*UNAUTHORIZED.*such as AcrPush") as caught:
        client.get_registry_token("contoso.azurecr.io")
    assert "az login" not in str(caught.value)


def test_nothing_secret_is_logged(azure: Transport, client: AzureClient, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is sent nor what comes back, however much is logged."""
    caplog.set_level(logging.DEBUG)
    azure.expect("POST", EXCHANGE, {"refresh_token": "s3cret"})
    azure.expect("GET", URL, {"key": "s3cret"})

    client.get_registry_token("contoso.azurecr.io")
    client.get(PATH, "1")

    assert "contoso.azurecr.io" in caplog.text
    assert "s3cret" not in caplog.text
    assert "token of" not in caplog.text
