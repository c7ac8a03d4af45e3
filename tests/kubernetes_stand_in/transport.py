"""Requests to the API server, through the official client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from tests.plugin_stand_ins.errors import StandInError

_JSON = "application/json"
_FIRST_ERROR = 400


class RefusedError(StandInError):
    """The API server refused.

    Attributes:
        status: The answer's status, ``reason`` the API server's word for it, ``kind`` that of the object it speaks of.
    """

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        super().__init__(answer.get("message") or f"status {status}")
        self.status = status
        self.reason = str(answer.get("reason", ""))
        self.kind = str((answer.get("details") or {}).get("kind", ""))


class UnreachableError(StandInError):
    """The API server cannot be reached, or does not answer."""


class Transport(Protocol):
    """What requests go through."""

    def ask(self, method: str, path: str, body: Any = None, content_type: str = _JSON) -> Any:
        """Sends a request and gives the answer's JSON.

        Raises:
            RefusedError: If the answer's status is an error.
            UnreachableError: If there is no answer.
        """

    def stream(self, path: str) -> Iterator[Any]:
        """The JSON of each line of an answer, as they come."""


class ClientTransport:
    """Requests of an ``ApiClient``, with its credentials."""

    def __init__(self, client: Any, timeout: float | None = None) -> None:
        self._client = client
        self._timeout = timeout

    def ask(self, method: str, path: str, body: Any = None, content_type: str = _JSON) -> Any:
        """See ``Transport``."""
        with self._explaining(method, path):
            answer = self._send(method, path, body, content_type)
            return _read(answer.status, answer.data)

    def stream(self, path: str) -> Iterator[Any]:
        """See ``Transport``."""
        with self._explaining("GET", path):
            answer = self._send("GET", path, None, _JSON)
            if answer.status >= _FIRST_ERROR:
                _read(answer.status, answer.data)
            rest = b""
            for part in answer.stream(amt=None, decode_content=False):
                *lines, rest = (rest + part).split(b"\n")
                yield from map(json.loads, lines)

    def _send(self, method: str, path: str, body: Any, content_type: str) -> Any:
        prepared = self._client.param_serialize(
            method, path, header_params={"Accept": _JSON, "Content-Type": content_type}, auth_settings=["BearerToken"]
        )
        # The client's own way with bodies depends on their content types; ours are all JSON.
        return self._client.rest_client.pool_manager.request(
            method,
            prepared[1],
            headers=prepared[2],
            body=None if body is None else json.dumps(body).encode(),
            timeout=self._timeout,
            preload_content=False,
        )

    @contextlib.contextmanager
    def _explaining(self, method: str, path: str) -> Iterator[None]:
        import urllib3

        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            address = f"{self._client.configuration.host}{path}"
            raise UnreachableError(f'{method.capitalize()} "{address}": {error}') from error


def _read(status: int, content: bytes) -> Any:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {"message": content.decode(errors="replace")}
    if status >= _FIRST_ERROR:
        raise RefusedError(status, answer)
    return answer
