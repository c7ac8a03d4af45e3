from __future__ import annotations

import pathlib

import pytest
from azure import identity
from azure.core import exceptions
from azure.mgmt.resource import ResourceManagementClient

from tests.azure import server

ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "repo:pets/training:environment:azure-dev"


def _list_groups(
    credential: identity.DefaultAzureCredential | identity.ClientSecretCredential, azure: server.Azure
) -> None:
    with credential, ResourceManagementClient(credential, azure.cloud.subscription_id) as client:
        list(client.resource_groups.list())


def test_a_client_secret_signs_in(azure: server.Azure) -> None:
    """`DefaultAzureCredential` finds it in the environment."""
    _list_groups(identity.DefaultAzureCredential(), azure)

    assert azure.cloud.calls[-1].principal == azure.owner.object_id


def test_a_federated_token_signs_in(
    azure: server.Azure, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workload identity, as in GitHub's jobs and AKS's pods: a token of theirs in a file, and no secret."""
    people = azure.cloud.directory
    people.add_federated_credential(server.CLIENT_ID, ISSUER, SUBJECT)
    file = tmp_path / "token"
    file.write_text(people.sign_assertion(ISSUER, SUBJECT))
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))

    _list_groups(identity.DefaultAzureCredential(), azure)

    assert azure.cloud.calls[-1].principal == azure.owner.object_id


def test_another_subject_does_not(azure: server.Azure, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull request's job is not that of the environment, and the error names the subject."""
    people = azure.cloud.directory
    file = tmp_path / "token"
    file.write_text(people.sign_assertion(ISSUER, "repo:pets/training:pull_request"))
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))

    with pytest.raises(exceptions.ClientAuthenticationError, match="repo:pets/training:pull_request"):
        _list_groups(identity.DefaultAzureCredential(), azure)


@pytest.mark.parametrize(
    ("tenant", "client", "secret", "text"),
    [
        (None, None, "wrong", "AADSTS7000215"),
        (None, "99999999-9999-4999-8999-999999999999", None, "AADSTS700016"),
        ("99999999-9999-4999-8999-999999999999", None, None, "Unable to get authority configuration"),
    ],
)
def test_a_wrong_login_is_told(
    azure: server.Azure, tenant: str | None, client: str | None, secret: str | None, text: str
) -> None:
    """Secret, application and tenant are each refused in the service's own way."""
    known = azure.environment
    credential = identity.ClientSecretCredential(
        tenant or known["AZURE_TENANT_ID"], client or known["AZURE_CLIENT_ID"], secret or known["AZURE_CLIENT_SECRET"]
    )

    with pytest.raises((exceptions.ClientAuthenticationError, ValueError), match=text):
        _list_groups(credential, azure)


def test_who_has_no_role_is_refused(azure: server.Azure) -> None:
    """Signing in is not enough; the error names principal, action and scope."""
    principal, login = azure.add_principal()
    credential = identity.ClientSecretCredential(
        login["AZURE_TENANT_ID"], login["AZURE_CLIENT_ID"], login["AZURE_CLIENT_SECRET"]
    )

    with pytest.raises(exceptions.HttpResponseError, match=f"{principal.object_id}.*does not have authorization"):
        _list_groups(credential, azure)
