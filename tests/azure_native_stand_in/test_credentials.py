"""How the stand-in signs in."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import azure.identity
import pytest
from azure.core.credentials import AccessToken

from tests.azure_native_stand_in import credentials
from tests.azure_native_stand_in.credentials import Configuration
from tests.plugin_stand_ins.errors import ConfigurationError

BASE = {"subscriptionId": "s", "tenantId": "00000000-0000-4000-8000-000000000001", "clientId": "c"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in credentials.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"clientSecret": "x"}, azure.identity.ClientSecretCredential),
        ({"clientSecret": "x", "useOidc": "true", "oidcToken": "t"}, azure.identity.ClientSecretCredential),
        ({"useOidc": "true", "oidcToken": "t"}, azure.identity.ClientAssertionCredential),
        ({"useOidc": True, "oidcToken": "t"}, azure.identity.ClientAssertionCredential),
        ({"useDefaultAzureCredential": "true", "clientSecret": "x"}, azure.identity.DefaultAzureCredential),
        ({}, azure.identity.AzureCliCredential),
    ],
)
def test_the_first_method_that_is_configured_counts(given: Mapping[str, Any], kind: type) -> None:
    """In the official plugin's order."""
    assert isinstance(credentials.open_credential(Configuration({**BASE, **given})), kind)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"clientSecret": "x", "tenantId": ""}, "A Tenant ID must be configured"),
        ({"useOidc": "true", "clientId": ""}, "A Client ID must be configured"),
        ({"useOidc": "true"}, "A OIDC token or request URL and token must be configured"),
    ],
)
def test_what_is_missing_is_told(given: Mapping[str, Any], problem: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ConfigurationError, match=problem):
        credentials.open_credential(Configuration({**BASE, **given}))


def test_the_environment_stands_behind_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is configured counts first."""
    monkeypatch.setenv("ARM_CLIENT_ID", "from-environment")
    monkeypatch.setenv("ARM_TENANT_ID", "from-environment")
    configuration = Configuration({"subscriptionId": "s", "tenantId": "t"})

    assert (configuration["clientId"], configuration["tenantId"]) == ("from-environment", "t")


def test_an_assertion_comes_from_a_file(tmp_path: pathlib.Path) -> None:
    """It is read when it is needed, as it changes."""
    file = tmp_path / "token"
    ask = credentials.find_assertion(Configuration({**BASE, "oidcTokenFilePath": str(file)}))
    file.write_text("later")

    assert ask() == "later"


def test_another_cloud_is_refused() -> None:
    """Only the public one is served."""
    with pytest.raises(ConfigurationError, match="environment 'china' is not served here"):
        Configuration({**BASE, "environment": "china"})


class TokenOf:
    """A credential whose token has these claims."""

    def __init__(self, **claims: str) -> None:
        self._claims = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    def get_token(self, scope: str) -> AccessToken:
        """The token, for Microsoft Graph."""
        assert scope == "https://graph.microsoft.com/.default"
        return AccessToken(f"header.{self._claims}.signature", 0)


def test_the_client_is_whom_the_token_names() -> None:
    """Not what is configured."""
    identity = credentials.read_identity(Configuration(BASE), TokenOf(oid="o", appid="a", tid="t"))

    assert (identity.object_id, identity.client_id, identity.tenant_id) == ("o", "a", "t")


def test_a_token_without_an_object_id_is_refused() -> None:
    """The official plugin would ask Microsoft Graph."""
    with pytest.raises(ConfigurationError, match="no claim 'oid'"):
        credentials.read_identity(Configuration(BASE), TokenOf(appid="a"))
