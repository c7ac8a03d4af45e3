"""A connection to Azure Resource Manager over Azure's own pipeline, and to the services beside it.

Few calls are made, each with an API version of its own, so that a management library for each service would cost more
than it gives. Retries, ``Retry-After``, long-running operations and what is kept out of logs are azure-core's.

Three answers are kept apart: what is gone (``None``), what this account may not see (``AccessDenied``), and no answer
(``BackendUnavailable``).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aml_infra import azure_login
from aml_infra.errors import AccessDenied, BackendUnavailable, InvalidInput, Problem, RequestRefused

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline import PipelineResponse
    from azure.core.pipeline.transport import HttpTransport
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.storage.blob import ContainerClient

ENDPOINT = "https://management.azure.com"
LEARNING_SCOPE = "https://ml.azure.com/.default"
REGISTRY_SCOPE = "https://containerregistry.azure.net/.default"
REGISTRY_USERNAME = "00000000-0000-0000-0000-000000000000"
"""What a registry wants to hear as the name of whoever comes with a token."""

RETRIES = 6
RETRY_SECONDS = 300
"""After so long no further attempt is made."""

POLL_SECONDS = 5
"""Between two looks at a long-running operation whose answers do not say how long to wait."""

_EACH_METHOD: Mapping[str, Any] = {"retry_on_methods": frozenset({"GET", "PUT", "DELETE", "POST", "PATCH"})}
"""Has azure-core send what had no answer again; by itself it does not where the method is POST or PATCH."""

_REGISTRY = re.compile(r"[a-z0-9]{5,50}(-[a-z0-9]+)?\.azurecr\.io", re.IGNORECASE)
_REASON = re.compile(r"AADSTS\d+[^\r\n]*?(?=\.? Trace ID|\.?[\r\n]|\.?$)")


class AzureClient:
    """Asks Azure, as one account.

    Args:
        credential: of the account.
        transport: what sends; by default that of azure-core, which heeds ``HTTPS_PROXY`` and ``REQUESTS_CA_BUNDLE``.
    """

    def __init__(self, credential: TokenCredential, transport: HttpTransport[Any, Any] | None = None) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies
        from azure.core.pipeline.transport import RequestsTransport
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy, ARMHttpLoggingPolicy

        def build_policies(*authentication: Any) -> list[Any]:
            return [
                policies.RequestIdPolicy(),
                policies.HeadersPolicy({"Accept": "application/json"}),
                policies.UserAgentPolicy(f"aml-infra/{importlib.metadata.version('aml-infra')}"),
                policies.RedirectPolicy(),
                policies.RetryPolicy(retry_total=RETRIES, retry_status=RETRIES, timeout=RETRY_SECONDS),
                *authentication,
                policies.SensitiveHeaderCleanupPolicy(),
                ARMHttpLoggingPolicy(),
            ]

        sender = transport or RequestsTransport(**azure_login.TIME_LIMITS)
        bearer = ARMChallengeAuthenticationPolicy(credential, f"{ENDPOINT}/.default")
        self._credential = credential
        self._sender = sender
        self._manager: ARMPipelineClient[HttpRequest, HttpResponse] = ARMPipelineClient(
            ENDPOINT, policies=build_policies(bearer), transport=sender
        )
        self._learning: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            ENDPOINT,
            policies=build_policies(policies.BearerTokenCredentialPolicy(credential, LEARNING_SCOPE)),
            transport=sender,
        )
        self._others: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            ENDPOINT, policies=build_policies(), transport=sender
        )

    def get(self, path: str, api_version: str) -> dict[str, Any] | None:
        """What Resource Manager has at ``path``, or None if it says that there is no such thing.

        Raises:
            AccessDenied: this account may not see it.
            BackendUnavailable: Azure does not answer, or not as it should.
            RequestRefused: it refuses the request.
        """
        return self._get(f"{ENDPOINT}{path}", {"api-version": api_version})

    def list(self, path: str, api_version: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """All pages of what Resource Manager lists at ``path``; the same errors."""
        items: list[dict[str, Any]] = []
        page = self._get(f"{ENDPOINT}{path}", {"api-version": api_version, **(query or {})})
        while page is not None:
            items += page.get("value") or []
            page = self._get(page["nextLink"], {}) if page.get("nextLink") else None
        return items

    def put(self, path: str, api_version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What Resource Manager has made of ``body`` at ``path``; the same errors.

        It is sent again where no answer came, so that what is sent must be the same the second time.
        """
        return self._send(self._manager, "PUT", f"{ENDPOINT}{path}", {"api-version": api_version}, body) or {}

    def post(self, path: str, api_version: str) -> dict[str, Any] | None:
        """What an action of Resource Manager at ``path`` answers, or None if it is of no such thing; the same errors.

        It is sent again where no answer came, so that it must be one that only tells.
        """
        return self._send(self._manager, "POST", f"{ENDPOINT}{path}", {"api-version": api_version}, None)

    def get_token(self, scope: str) -> AccessToken:
        """A token for another service, asked for now.

        Raises:
            BackendUnavailable: Entra ID gives none.
        """
        with errors():
            return self._credential.get_token(scope)

    def ask_learning(
        self, method: str, url: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """What a service of an Azure Machine Learning workspace answers, or None if there is no such thing.

        It is sent again where no answer came, so that it must mean the same the second time.
        """
        return self._send(self._learning, method, url, query or {}, body)

    def ask_anonymously(self, url: str) -> dict[str, Any] | None:
        """What is at ``url`` for everybody, or None if there is no such thing."""
        return self._send(self._others, "GET", url, {}, None)

    def open_container(self, account_url: str, name: str) -> ContainerClient:
        """A container of blobs, with the same login; ``errors`` is for what its methods raise.

        See https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.containerclient.
        """
        from azure.storage.blob import ContainerClient

        return ContainerClient(
            account_url,
            name,
            credential=self._credential,
            transport=self._sender,
            retry_total=RETRIES,
            # Seconds; storage's own would wait for a quarter of an hour in all.
            initial_backoff=1,
            increment_base=2,
            user_agent=f"aml-infra/{importlib.metadata.version('aml-infra')}",
        )

    def run(
        self,
        method: str,
        path: str,
        api_version: str,
        *,
        query: Mapping[str, str] | None = None,
        may_repeat: bool = False,
        is_interrupted: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Does ``method`` on ``path``, and waits until what it starts has ended; False if there is no such thing.

        A POST is sent again where no answer came only if it ``may_repeat``; a DELETE is always.

        Raises:
            AccessDenied: this account may not.
            BackendUnavailable: Azure does not answer, so whether it was done is not known; or the wait was interrupted.
            RequestRefused: it refuses the request, or what it started has failed.
        """
        from azure.core.polling import LROPoller
        from azure.core.rest import HttpRequest
        from azure.mgmt.core.polling.arm_polling import ARMPolling

        request = HttpRequest(method, f"{ENDPOINT}{path}", params={"api-version": api_version, **(query or {})})
        with errors():
            started: PipelineResponse[HttpRequest, HttpResponse] = self._manager.send_request(
                request,
                _return_pipeline_response=True,
                **(_EACH_METHOD if may_repeat else {}),
            )  # type: ignore[assignment]
            if started.http_response.status_code in (204, 404):
                return False
            _raise_for_status(started.http_response)
            poller: LROPoller[None] = LROPoller(
                self._manager, started, lambda _: None, ARMPolling(timeout=POLL_SECONDS)
            )
            while not poller.done():
                if is_interrupted():
                    raise BackendUnavailable(f"interrupted while Azure does {method} {path}; it goes on there")
                poller.wait(1)
            poller.result()
        return True

    def get_registry_token(self, server: str) -> str:
        """A refresh token of the Azure container registry ``server``, which is its password for three hours.

        See https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md.

        Raises:
            InvalidInput: ``server`` is no Azure container registry: the account's token is for none other.
            AccessDenied: this account has no role on it.
            BackendUnavailable: Entra ID or the registry does not answer.
            RequestRefused: the registry refuses the request.
        """
        from azure.core.rest import HttpRequest

        if not _REGISTRY.fullmatch(server):
            allowed = "give the login server of an Azure container registry, as in 'contoso.azurecr.io'"
            raise InvalidInput([Problem("server", f"is {server!r}; {allowed}")])
        with errors():
            token = self._credential.get_token(REGISTRY_SCOPE).token
            form = {"grant_type": "access_token", "service": server, "access_token": token}
            request = HttpRequest("POST", f"https://{server}/oauth2/exchange", data=form)
            response = self._others.send_request(request, **_EACH_METHOD)
            if response.status_code in (401, 403):
                # Not the login is wrong, which Entra ID has just accepted.
                said = _first_line(response.text())
                raise AccessDenied(
                    f"registry {server!r} gives this account no token ({said}); it needs a role there, such as "
                    "AcrPush, and a new one may take minutes to count"
                )
            _raise_for_status(response)
            return str(_read_json(response)["refresh_token"])

    def _get(self, url: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        return self._send(self._manager, "GET", url, query, None)

    def _send(
        self,
        client: PipelineClient[HttpRequest, HttpResponse],
        method: str,
        url: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
    ) -> dict[str, Any] | None:
        from azure.core.rest import HttpRequest

        with errors():
            response = client.send_request(HttpRequest(method, url, params=dict(query), json=body), **_EACH_METHOD)
            if response.status_code == 404 and method != "PUT":  # noqa: PLR2004 (the code is the name)
                return None
            _raise_for_status(response)
            return _read_json(response)


@functools.cache
def open_client() -> AzureClient:
    """The client of this process, with the login of its environment; see ``azure_login``.

    Raises:
        BackendUnavailable: the environment's settings are not whole.
    """
    # What the credentials have to say comes with the error; else Python would print it a second time.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    return AzureClient(azure_login.open_credential())


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """Turns azure-core's errors into ours."""
    from azure.core import exceptions

    try:
        yield
    except exceptions.ClientAuthenticationError as error:
        reason = _REASON.search(error.message) or _first_line(error.message)
        told = reason if isinstance(reason, str) else reason[0]
        raise BackendUnavailable(f"Azure gives no token ({told}); {azure_login.HINT}") from error
    except exceptions.AzureError as error:
        if isinstance(error, exceptions.HttpResponseError) and error.response is not None:
            raise _explain(error) from error
        # Nothing came back: no network, no such host, a cut connection, a time limit.
        raise BackendUnavailable(
            f"Azure does not answer ({_first_line(error.message)}); check the network, then try again"
        ) from error


def _raise_for_status(response: HttpResponse) -> None:
    from azure.core.exceptions import HttpResponseError

    if response.status_code >= 400:  # noqa: PLR2004 (where errors begin)
        raise HttpResponseError(response=response)


def _explain(error: HttpResponseError) -> BackendUnavailable | RequestRefused:
    """What an answer with an error means for whoever asked."""
    detail = error.error
    code = detail.code if detail is not None else None
    words = _first_line((detail.message if detail is not None else None) or error.reason or "")
    said = f"{code}: {words}" if code else words
    # An operation that has failed is told with status 200, and an answer that is no JSON likewise.
    status = error.status_code or 0
    where = _find_path(error)
    if status == 401:  # noqa: PLR2004
        return BackendUnavailable(f"Azure does not accept the login for {where} ({said}); {azure_login.HINT}")
    if status == 403:  # noqa: PLR2004
        return AccessDenied(f"this account may not do that in Azure: {where} ({said}); ask for a role that allows it")
    if status in (408, 429) or status >= 500:  # noqa: PLR2004
        return BackendUnavailable(f"Azure answers {status} to {where} ({said}); try again later")
    return RequestRefused(f"Azure refuses {where} ({said})")


def _find_path(error: HttpResponseError) -> str:
    request = getattr(error.response, "request", None)
    return f"{request.method} {request.url.partition('?')[0]}" if request is not None else "the request"


def _read_json(response: HttpResponse) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError as error:
        raise BackendUnavailable(f"{response.request.url.partition('?')[0]} answers with what is no JSON") from error
    if not isinstance(found, dict):
        raise BackendUnavailable(f"{response.request.url.partition('?')[0]} answers with what is no JSON object")
    return found


def _first_line(text: str) -> str:
    return next((line.strip().rstrip(".") for line in text.splitlines() if line.strip()), "no reason given")
