"""Resource Manager's side of a conversation that is written down: what differs from it fails."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3
from azure.core.credentials import AccessToken
from requests.adapters import HTTPAdapter

from tests.azure_native_stand_in.resource_manager import InterruptibleTransport, ResourceManager

HOST = "https://management.azure.com"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request that must come, and its answer.

    Attributes:
        ask: Method, path and query: ``GET /subscriptions/...?api-version=...``.
        sends: The body that must be sent; None where none may be.
        answer: The answer's body; an exception is raised in place of an answer.
        status: The answer's status.
        headers: The answer's headers.
    """

    ask: str
    sends: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | Exception | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Conversation(HTTPAdapter):
    """Answers requests in the order of ``exchanges``."""

    def __init__(self, *exchanges: Exchange) -> None:
        super().__init__()
        self._left = list(exchanges)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answers the next request, which has to be the one that is due."""
        said = f"{request.method} {str(request.url).removeprefix(HOST)}"
        assert self._left, f"nothing more was expected, but came {said}"
        due = self._left.pop(0)
        assert said == due.ask
        assert request.headers["Authorization"] == "Bearer token"
        assert (None if request.body is None else json.loads(request.body)) == due.sends
        if isinstance(due.answer, Exception):
            raise due.answer
        content = b"" if due.answer is None else json.dumps(due.answer).encode()
        headers = {"Content-Type": "application/json", **due.headers}
        raw = urllib3.HTTPResponse(io.BytesIO(content), headers, due.status, preload_content=False)
        return self.build_response(request, raw)

    def check_end(self) -> None:
        """Everything that was due has come."""
        assert not self._left, [each.ask for each in self._left]


class FixedCredential:
    """Gives always the same token."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The token; for Resource Manager only."""
        assert scopes == (f"{HOST}/.default",), scopes
        return AccessToken("token", 2**31)


def open_manager(conversation: Conversation, interrupted: threading.Event | None = None) -> ResourceManager:
    """Resource Manager that holds ``conversation``."""
    session = requests.Session()
    session.mount(HOST, conversation)
    transport = InterruptibleTransport(interrupted or threading.Event(), session)
    return ResourceManager(FixedCredential(), transport)
