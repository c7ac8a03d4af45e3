"""Azure's services as a list of the requests that they get, in order, each with its answer. Any other request fails."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
import requests.adapters
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport

ARM = "https://management.azure.com"
FAR_AWAY = 4_000_000_000
"""When the fake tokens expire."""


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A request, and its answer; an exception instead of an answer is raised."""

    method: str
    url: str
    status: int
    body: Any
    headers: Mapping[str, str]
    error: Exception | None


class Transport(RequestsTransport):  # type: ignore[misc]  # azure-core exports it in a way that mypy cannot see
    """The transport of azure-core on an adapter that has no network; nobody sleeps.

    Attributes:
        requests: what was sent.
        slept: seconds that somebody wanted to wait.
        on_sleep: called when somebody wants to wait; one that does not return makes the wait endless.
    """

    def __init__(self) -> None:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", _Adapter(self))
        super().__init__(session=session, session_owner=False)
        self.exchanges: list[Exchange] = []
        self.requests: list[requests.PreparedRequest] = []
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def expect(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        error: Exception | None = None,
    ) -> None:
        """Makes this the next request. A path is one of Resource Manager; a text is a body that is no JSON."""
        absolute = f"{ARM}{url}" if url.startswith("/") else url
        self.exchanges.append(Exchange(method, absolute, status, body, headers or {}, error))

    def sleep(self, duration: float) -> None:
        self.slept.append(duration)
        self.on_sleep()

    def read_form(self) -> dict[str, str]:
        """The form that was sent last."""
        body = self.requests[-1].body
        text = body.decode() if isinstance(body, bytes) else body or ""
        return dict(urllib.parse.parse_qsl(text, strict_parsing=True))


class _Adapter(requests.adapters.BaseAdapter):
    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self._transport.requests.append(request)
        asked = f"{request.method} {request.url}"
        assert self._transport.exchanges, f"nobody expects {asked}"
        exchange = self._transport.exchanges.pop(0)
        expected = f"{exchange.method} {exchange.url}"
        assert asked == expected, f"{asked}, where {expected} is expected"
        if exchange.error is not None:
            raise exchange.error
        response = requests.Response()
        response.request = request
        response.url = request.url or ""
        response.status_code = exchange.status
        response.reason = str(exchange.status)
        response.headers.update({"Content-Type": "application/json", **exchange.headers})
        text = exchange.body if isinstance(exchange.body, str) else json.dumps(exchange.body)
        response.raw = _Body(b"" if exchange.body is None else text.encode())
        return response

    def close(self) -> None:
        """Nothing is open."""


class _Body:
    """A body as urllib3 gives it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, _: int, *, decode_content: bool) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        """Nothing is open."""

    def release_conn(self) -> None:
        """Nothing is open."""


class Credential:
    """Somebody who is logged in, or not.

    Attributes:
        error: raised instead of a token.
        scopes: what tokens were asked for.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that says what it is for."""
        if self.error is not None:
            raise self.error
        self.scopes += scopes
        return AccessToken(f"token of {scopes[0]}", FAR_AWAY)
