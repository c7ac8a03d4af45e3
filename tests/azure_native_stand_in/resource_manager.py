"""Calls to Resource Manager: retries, long-running operations, errors in the official plugin's words."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import requests
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineResponse, policies
from azure.core.pipeline.transport import HttpTransport, RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.polling.arm_polling import ARMPolling

from tests.azure_native_stand_in.credentials import RESOURCE_MANAGER, find_bundle
from tests.azure_native_stand_in.errors import ServiceError

_OK, _CREATED, _ACCEPTED, _NO_CONTENT, _NOT_FOUND, _CONFLICT = 200, 201, 202, 204, 404, 409
_BUSY = "AnotherOperationInProgress"
_POLL_SECONDS = 1
"""Between two looks at an operation whose answers do not say when; the official plugin waits 10 or 30 seconds."""


class InterruptibleTransport(RequestsTransport):  # type: ignore[misc]  # its package loads it late, as Any
    """Waits of retries and of polling end when the engine cancels."""

    def __init__(self, interrupted: threading.Event, session: requests.Session | None = None) -> None:
        super().__init__(session=session, connection_verify=find_bundle())
        self._interrupted = interrupted

    def sleep(self, duration: float) -> None:
        """Waits ``duration`` seconds.

        Raises:
            ServiceError: If it is interrupted.
        """
        if self._interrupted.wait(duration):
            raise ServiceError("interrupted")


class _Retries(policies.RetryPolicy[Any, Any]):
    """As many as the official plugin's, which waits 20 to 120 seconds where the service does not say."""

    def __init__(self) -> None:
        super().__init__(retry_total=3, retry_backoff_factor=0.1)

    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        """Also where another operation, such as one whose answer was lost, is still under way on the resource."""
        is_busy = response.http_response.status_code == _CONFLICT and _find_code(response.http_response) == _BUSY
        return bool(settings["total"] and is_busy) or super().is_retry(settings, response)


class _Polling(ARMPolling):
    def _extract_delay(self) -> float:
        # A Retry-After of 0 is a statement, too.
        after = self._pipeline_response.http_response.headers.get("Retry-After")
        return _POLL_SECONDS if after is None else float(after)


class ResourceManager:
    """Resource Manager, signed in."""

    def __init__(self, credential: Any, transport: HttpTransport[Any, Any]) -> None:
        self._client: Any = ARMPipelineClient(
            RESOURCE_MANAGER,
            policies=[
                policies.RequestIdPolicy(),
                policies.UserAgentPolicy("pulumi-azure-native-stand-in"),
                _Retries(),
                policies.BearerTokenCredentialPolicy(credential, f"{RESOURCE_MANAGER}/.default"),
            ],
            transport=transport,
        )

    def get(self, path: str, api_version: str) -> dict[str, Any] | None:
        """A resource; None if there is none.

        Raises:
            ServiceError: If the service refuses.
        """
        answer = self._send("GET", path, {"api-version": api_version})
        if answer.http_response.status_code == _NOT_FOUND:
            return None
        _require(answer, _OK)
        return dict(answer.http_response.json())

    def put(
        self, path: str, api_version: str, body: Mapping[str, Any], queries: Mapping[str, str], *, follows: bool
    ) -> dict[str, Any]:
        """Makes or changes a resource and gives it as it is at the end.

        Raises:
            ServiceError: If the service refuses, or the operation fails.
        """
        answer = self._send("PUT", path, {**queries, "api-version": api_version}, body)
        _require(answer, _OK, _CREATED, _ACCEPTED)
        if follows or answer.http_response.status_code == _ACCEPTED:
            return dict(self._follow(answer) or {})
        return dict(answer.http_response.json())

    def delete(self, path: str, api_version: str, *, follows: bool) -> None:
        """Deletes a resource; one that is gone is fine.

        Raises:
            ServiceError: If the service refuses, or the operation fails.
        """
        answer = self._send("DELETE", path, {"api-version": api_version})
        if answer.http_response.status_code == _NOT_FOUND:
            return
        _require(answer, _OK, _ACCEPTED, _NO_CONTENT)
        if follows:
            try:
                self._follow(answer)
            except ServiceError as error:
                if error.status != _NOT_FOUND:
                    raise

    def _send(
        self, method: str, path: str, queries: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> PipelineResponse[Any, Any]:
        request = HttpRequest(method, f"{RESOURCE_MANAGER}{path}", params=dict(queries), json=body)
        request.headers["Accept"] = "application/json"
        try:
            answer: PipelineResponse[Any, Any] = self._client._pipeline.run(request)
        except AzureError as error:
            raise ServiceError(f"{method} {path}: {error}") from error
        return answer

    def _follow(self, answer: PipelineResponse[Any, Any]) -> Any:
        polling: Any = _Polling(timeout=_POLL_SECONDS)
        try:
            polling.initialize(self._client, answer, lambda last: _read_json(last.http_response))
            polling.run()
            return polling.resource()
        except HttpResponseError as error:
            status = 0 if error.response is None else error.response.status_code or 0
            raise ServiceError(_find_error(error.response) or str(error), status, is_accepted=True) from error
        except (AzureError, ServiceError) as error:
            raise ServiceError(str(error), is_accepted=True) from error


def _require(answer: PipelineResponse[Any, Any], *expected: int) -> None:
    response = answer.http_response
    if response.status_code not in expected:
        text = _find_error(response) or response.text()
        raise ServiceError(f"Status={response.status_code} {text}", response.status_code)


def _find_code(response: Any) -> Any:
    return ((_read_json(response) or {}).get("error") or {}).get("code")


def _find_error(response: Any) -> str | None:
    """What an answer says of a failure; that of an operation is in an answer that is no error itself."""
    found = (_read_json(response) or {}).get("error") or {}
    if "code" not in found:
        return None
    return f"Code={json.dumps(found['code'])} Message={json.dumps(found.get('message'))}"


def _read_json(response: Any) -> Any:
    try:
        return json.loads(response.text())
    except (AttributeError, ValueError):
        return None
