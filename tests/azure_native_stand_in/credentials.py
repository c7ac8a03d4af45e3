"""The provider's configuration, and how it signs in, in the official plugin's order of precedence."""

from __future__ import annotations

import base64
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.plugin_stand_ins.errors import ConfigurationError

RESOURCE_MANAGER = "https://management.azure.com"
_GRAPH_SCOPE = "https://graph.microsoft.com/.default"
_CONFIGURATION = {
    "clientId": "ARM_CLIENT_ID",
    "clientSecret": "ARM_CLIENT_SECRET",
    "disablePulumiPartnerId": "ARM_DISABLE_PULUMI_PARTNER_ID",
    "environment": "ARM_ENVIRONMENT",
    "location": "",
    "oidcAudience": "ARM_OIDC_AUDIENCE",
    "oidcRequestToken": "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "oidcRequestUrl": "ACTIONS_ID_TOKEN_REQUEST_URL",
    "oidcToken": "ARM_OIDC_TOKEN",
    "oidcTokenFilePath": "ARM_OIDC_TOKEN_FILE_PATH",
    "subscriptionId": "ARM_SUBSCRIPTION_ID",
    "tenantId": "ARM_TENANT_ID",
    "useDefaultAzureCredential": "ARM_USE_DEFAULT_AZURE_CREDENTIAL",
    "useOidc": "ARM_USE_OIDC",
}
"""What is understood, with the environment variable of each where it has one; ``version`` is the engine's."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who the provider is."""

    client_id: str
    object_id: str
    tenant_id: str


VARIABLES = frozenset(_CONFIGURATION.values()) - {""}
"""Those environment variables."""


class Configuration:
    """The configuration as given, with environment variables behind it."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        if self["environment"].lower() not in ("", "public", "azurepublic", "azurecloud"):
            raise ConfigurationError(f"environment {self['environment']!r} is not served here; there is 'public'")
        if not self["subscriptionId"]:
            raise ConfigurationError("a subscription ID must be configured; set azure-native:subscriptionId")

    def __getitem__(self, name: str) -> str:
        value = self._given.get(name, os.environ.get(_CONFIGURATION[name], ""))
        return value if isinstance(value, str) else json.dumps(value)

    def is_set(self, name: str) -> bool:
        """Whether a switch is on."""
        return self[name].lower() == "true"


def find_unknown(given: Mapping[str, Any]) -> list[str]:
    """The names that are no configuration here."""
    return sorted(set(given) - set(_CONFIGURATION) - {"version"})


def find_bundle() -> str | bool:
    """The certificate authorities to trust: ``requests`` alone does not look at ``SSL_CERT_FILE``, Go does."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


def open_credential(configuration: Configuration) -> Any:
    """The credential that the configuration asks for.

    Raises:
        ConfigurationError: If something that it needs is missing.
    """
    import azure.identity

    options = {"connection_verify": find_bundle()}
    if configuration.is_set("useDefaultAzureCredential"):
        return azure.identity.DefaultAzureCredential(**options)
    if configuration["clientSecret"]:
        _require(configuration, "a Service Principal using a Client Secret")
        return azure.identity.ClientSecretCredential(
            configuration["tenantId"], configuration["clientId"], configuration["clientSecret"], **options
        )
    if configuration.is_set("useOidc"):
        _require(configuration, "OIDC")
        assertion = find_assertion(configuration)
        return azure.identity.ClientAssertionCredential(
            configuration["tenantId"], configuration["clientId"], assertion, **options
        )
    return azure.identity.AzureCliCredential(tenant_id=configuration["tenantId"])


def read_identity(configuration: Configuration, credential: Any) -> Identity:
    """Who a token for Microsoft Graph is for.

    Raises:
        ConfigurationError: If no token is given, or it does not tell.
    """
    from azure.core.exceptions import ClientAuthenticationError

    try:
        _, payload, _ = credential.get_token(_GRAPH_SCOPE).token.split(".")
    except ClientAuthenticationError as error:
        raise ConfigurationError(f"could not acquire access token to parse claims: {error}") from error
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if "oid" not in claims:
        raise ConfigurationError("the token has no claim 'oid', and Microsoft Graph is not asked here")
    return Identity(
        client_id=claims.get("appid") or configuration["clientId"],
        object_id=claims["oid"],
        tenant_id=claims.get("tid") or configuration["tenantId"],
    )


def _require(configuration: Configuration, method: str) -> None:
    for name, text in (("tenantId", "Tenant ID"), ("clientId", "Client ID")):
        if not configuration[name]:
            raise ConfigurationError(f"A {text} must be configured when authenticating as {method}.")


def find_assertion(configuration: Configuration) -> Callable[[], str]:
    """What gives the federated issuer's assertion, when it is needed.

    Raises:
        ConfigurationError: If nothing says where it comes from.
    """
    if configuration["oidcToken"]:
        return lambda: configuration["oidcToken"]
    if configuration["oidcTokenFilePath"]:
        return pathlib.Path(configuration["oidcTokenFilePath"]).read_text
    if not (configuration["oidcRequestUrl"] and configuration["oidcRequestToken"]):
        raise ConfigurationError(
            "A OIDC token or request URL and token must be configured when authenticating with OIDC."
        )

    def ask() -> str:
        import requests

        answer = requests.get(
            configuration["oidcRequestUrl"],
            params={"audience": configuration["oidcAudience"] or "api://AzureADTokenExchange"},
            headers={"Authorization": f"Bearer {configuration['oidcRequestToken']}", "Accept": "application/json"},
            timeout=60,
            verify=find_bundle(),
        )
        answer.raise_for_status()
        return str(answer.json()["value"])

    return ask
