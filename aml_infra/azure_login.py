"""Who we are to Azure: the same settings as pulumi-azure-native's, so that a user logs in once.

The first of these that is set decides, in azure-native's own order:

1. ``ARM_USE_DEFAULT_AZURE_CREDENTIAL=true``: whatever ``DefaultAzureCredential`` finds.
2. ``ARM_CLIENT_CERTIFICATE_PATH``, with ``ARM_CLIENT_CERTIFICATE_PASSWORD`` where it has one.
3. ``ARM_CLIENT_SECRET``.
4. ``ARM_USE_OIDC=true``, with the pipeline's token in ``ARM_OIDC_TOKEN``, in the file ``ARM_OIDC_TOKEN_FILE_PATH``, or
   to be had from ``ACTIONS_ID_TOKEN_REQUEST_URL`` with ``ACTIONS_ID_TOKEN_REQUEST_TOKEN`` (GitHub Actions sets both);
   ``ARM_OIDC_AUDIENCE`` where it is not Azure's usual one.
5. ``ARM_USE_MSI=true``: the machine's managed identity, ``ARM_CLIENT_ID`` where it has several.

2 to 4 need ``ARM_CLIENT_ID`` and ``ARM_TENANT_ID``. With none of them it is ``DefaultAzureCredential``:
``AZURE_CLIENT_ID``, ``AZURE_TENANT_ID`` and ``AZURE_CLIENT_SECRET``, a workload or managed identity, else ``az login``.
azure-native itself takes only ``az login`` there, so that whoever uses one of the others sets the first variable, too.

Not read: azure-native's settings in the stack's configuration (``azure-native:clientId``) and
``ARM_AUXILIARY_TENANT_IDS``. Clouds other than the public one are refused.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aml_infra.errors import BackendUnavailable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import HttpTransport

HINT = (
    "log in with `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or in a pipeline "
    "ARM_USE_OIDC=true, ARM_CLIENT_ID and ARM_TENANT_ID"
)
"""What a user does who is not logged in."""

AUDIENCE = "api://AzureADTokenExchange"
"""Whom a pipeline's token is for, where nothing else is said."""

TIME_LIMITS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}
"""Seconds; azure-core's own are five minutes, after which it tries again."""

PUBLIC_CLOUD = ("", "public", "azurecloud", "azurepubliccloud")


def open_credential(environ: Mapping[str, str] = os.environ) -> TokenCredential:
    """The credential that the environment names; nobody is asked for a token yet.

    Raises:
        BackendUnavailable: what it names is not whole, or is another cloud's.
    """
    import azure.identity

    cloud = environ.get("ARM_ENVIRONMENT", "")
    if cloud.lower() not in PUBLIC_CLOUD:
        raise BackendUnavailable(f"ARM_ENVIRONMENT is {cloud!r}; aml-infra knows Azure's public cloud only; unset it")
    if _is_true(environ, "ARM_USE_DEFAULT_AZURE_CREDENTIAL"):
        return azure.identity.DefaultAzureCredential(**TIME_LIMITS)
    if path := environ.get("ARM_CLIENT_CERTIFICATE_PATH"):
        tenant, client = _read_principal(environ, "ARM_CLIENT_CERTIFICATE_PATH")
        password = environ.get("ARM_CLIENT_CERTIFICATE_PASSWORD")
        try:
            return azure.identity.CertificateCredential(tenant, client, path, password=password, **TIME_LIMITS)
        except (OSError, ValueError) as error:
            raise BackendUnavailable(f"ARM_CLIENT_CERTIFICATE_PATH: {path!r} cannot be read ({error})") from error
    if secret := environ.get("ARM_CLIENT_SECRET"):
        tenant, client = _read_principal(environ, "ARM_CLIENT_SECRET")
        return azure.identity.ClientSecretCredential(tenant, client, secret, **TIME_LIMITS)
    if _is_true(environ, "ARM_USE_OIDC"):
        tenant, client = _read_principal(environ, "ARM_USE_OIDC")
        return azure.identity.ClientAssertionCredential(tenant, client, find_assertion(environ), **TIME_LIMITS)
    if _is_true(environ, "ARM_USE_MSI"):
        return azure.identity.ManagedIdentityCredential(client_id=environ.get("ARM_CLIENT_ID"), **TIME_LIMITS)
    return azure.identity.DefaultAzureCredential(**TIME_LIMITS)


def find_assertion(environ: Mapping[str, str], transport: HttpTransport[Any, Any] | None = None) -> Callable[[], str]:
    """What gives the pipeline's own token, each time that Azure wants to see it.

    Raises:
        BackendUnavailable: nothing gives one.
    """
    token, path = environ.get("ARM_OIDC_TOKEN"), environ.get("ARM_OIDC_TOKEN_FILE_PATH")
    if token:
        return lambda: token
    if path:
        return lambda: _read_token(path)
    url = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    secret = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not secret:
        raise BackendUnavailable(
            "ARM_USE_OIDC is true, and there is no token: set ARM_OIDC_TOKEN or ARM_OIDC_TOKEN_FILE_PATH; in GitHub "
            "Actions give the job `permissions: id-token: write`"
        )
    audience = environ.get("ARM_OIDC_AUDIENCE") or AUDIENCE
    return lambda: _request_token(url, secret, audience, transport)


def _read_token(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise BackendUnavailable(f"ARM_OIDC_TOKEN_FILE_PATH: {path!r} cannot be read ({error})") from error


def _request_token(url: str, secret: str, audience: str, transport: HttpTransport[Any, Any] | None) -> str:
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError
    from azure.core.pipeline import policies
    from azure.core.rest import HttpRequest, HttpResponse

    client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
        url, policies=[policies.RetryPolicy(retry_total=3)], transport=transport, **TIME_LIMITS
    )
    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}
    try:
        response = client.send_request(HttpRequest("GET", url, params={"audience": audience}, headers=headers))
        response.raise_for_status()
        return str(response.json()["value"])
    except (AzureError, ValueError, KeyError) as error:
        # Not as an error of Azure's, which has not been asked yet.
        raise BackendUnavailable(f"the pipeline gives no token of its own ({error}); run its job again") from error


def _read_principal(environ: Mapping[str, str], because: str) -> tuple[str, str]:
    missing = [name for name in ("ARM_TENANT_ID", "ARM_CLIENT_ID") if not environ.get(name)]
    if missing:
        raise BackendUnavailable(f"{because} is set, and {' and '.join(missing)} is not; set it, too")
    return environ["ARM_TENANT_ID"], environ["ARM_CLIENT_ID"]


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() == "true"
