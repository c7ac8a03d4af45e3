from __future__ import annotations

import asyncio
import pathlib
import threading
from collections.abc import Iterator

import pytest
import requests
from starlette import responses

from tests.azure import forwarding, front, tls

HOST = "management.azure.com"


async def _serve(scope: front.Scope, receive: front.Receive, send: front.Send) -> None:
    if scope["path"] == "/reset":
        scope["extensions"][front.RESET]()
        return
    if scope["path"] == "/late-reset":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.sleep(0)
        scope["extensions"][front.RESET]()
        return
    await responses.PlainTextResponse(scope["path"])(scope, receive, send)


@pytest.fixture
def running(tmp_path: pathlib.Path) -> Iterator[tuple[front.Front, requests.Session]]:
    """A front with one host, and a session that goes through its proxy."""
    certificates = tls.issue(tmp_path, [HOST])
    made = front.Front({HOST: _serve}, certificates, forwarding.Forwarder())
    made.start()
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": made.proxy_url, "http": made.proxy_url}
        session.verify = str(certificates.bundle)
        yield made, session
    made.stop()
    assert made.failures == []


def test_azures_names_lead_to_the_test_server(running: tuple[front.Front, requests.Session]) -> None:
    """A client that honours HTTPS_PROXY and trusts the bundle needs nothing else."""
    _, session = running

    assert session.get(f"https://{HOST}/somewhere", timeout=10).text == "/somewhere"


def test_other_hosts_are_refused_by_name(running: tuple[front.Front, requests.Session]) -> None:
    """Nothing leaves the machine unseen: the error names the host, and it is recorded."""
    made, session = running

    with pytest.raises(requests.exceptions.ProxyError, match=r"502 no way to example\.com:443"):
        session.get("https://example.com/", timeout=10)

    assert made.proxy.refused == ["example.com:443"]


def test_plain_http_is_refused(running: tuple[front.Front, requests.Session]) -> None:
    """Azure takes HTTPS only."""
    made, session = running

    answer = session.get(f"http://{HOST}/", timeout=10)

    assert answer.status_code == 502
    assert "it knows Azure's hosts only" in answer.text
    assert len(made.proxy.refused) == 1


@pytest.mark.parametrize("path", ["/reset", "/late-reset"])
def test_a_connection_is_cut_for_real(running: tuple[front.Front, requests.Session], path: str) -> None:
    """The client sees a broken connection, before or in the middle of the answer, and can connect again."""
    _, session = running

    with pytest.raises((requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        session.get(f"https://{HOST}{path}", timeout=10)

    assert session.get(f"https://{HOST}/again", timeout=10).text == "/again"


def test_it_ends_with_connections_open(tmp_path: pathlib.Path) -> None:
    """A client that keeps its connection does not keep the server's thread."""
    before = threading.enumerate()
    made = front.Front({HOST: _serve}, tls.issue(tmp_path, [HOST]), forwarding.Forwarder())
    made.start()
    with requests.Session() as session:
        session.trust_env = False
        session.get(
            f"https://{HOST}/", proxies={"https": made.proxy_url}, verify=str(tmp_path / "bundle.pem"), timeout=10
        )
        made.stop()

    assert threading.enumerate() == before
