"""A registry as a list of the requests that it gets, in order, each with its answer. Any other request fails."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from aml_infra.registry_connection import RegistryConnection
from aml_infra.registry_logins import Login

SERVER = "registry.example"
BASE = f"https://{SERVER}/v2"


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A request, and its answer; an exception instead of an answer is raised."""

    method: str
    url: str
    status: int
    body: bytes
    headers: Mapping[str, str]
    error: Exception | None


class Exchanges(HTTPAdapter):
    """What is to be asked, what was asked, and how long somebody wanted to wait; nobody sleeps.

    Attributes:
        requests: what was sent.
        bodies: of those, each as it was read.
        slept: seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self.bodies: list[bytes] = []
        self.slept: list[float] = []
        self._expected: list[Exchange] = []

    def expect(
        self,
        method: str,
        url: str,
        body: Any = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        error: Exception | None = None,
    ) -> None:
        """Makes this the next request. A path is one of the registry; a body that is no bytes is JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._expected.append(
            Exchange(method, f"{BASE}{url}" if url.startswith("/") else url, status, content, headers or {}, error)
        )

    def connect(self, login: Login | None = None, server: str = SERVER) -> RegistryConnection:
        """A connection that sends its requests here."""
        return RegistryConnection(server, lambda _: login, adapter=self, sleep=self.slept.append)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        asked = f"{request.method} {request.url}"
        assert self._expected, f"nobody expects {asked}"
        exchange = self._expected.pop(0)
        assert asked == f"{exchange.method} {exchange.url}"
        self.requests.append(request)
        body: Any = request.body or b""
        self.bodies.append(body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read())
        if exchange.error is not None:
            raise exchange.error
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(exchange.body),
            headers={"Content-Length": str(len(exchange.body)), **exchange.headers},
            status=exchange.status,
            preload_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)

    def check_all_were_asked(self) -> None:
        """Fails if not."""
        assert self._expected == []
