from __future__ import annotations

import pathlib

import azure.identity
import pytest
import trustme

from aml_infra import azure_login
from aml_infra.errors import BackendUnavailable
from tests.unit.azure.transport import Transport

PRINCIPAL = {"ARM_CLIENT_ID": "client", "ARM_TENANT_ID": "tenant"}
GITHUB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://actions.example/token?api=2",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
}


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, azure.identity.DefaultAzureCredential),
        ({"AZURE_CLIENT_ID": "client"}, azure.identity.DefaultAzureCredential),
        (PRINCIPAL, azure.identity.DefaultAzureCredential),
        ({**PRINCIPAL, "ARM_CLIENT_SECRET": "x", "ARM_USE_OIDC": "true"}, azure.identity.ClientSecretCredential),
        (
            {**PRINCIPAL, "ARM_CLIENT_SECRET": "x", "ARM_USE_DEFAULT_AZURE_CREDENTIAL": "true"},
            azure.identity.DefaultAzureCredential,
        ),
        ({**PRINCIPAL, **GITHUB, "ARM_USE_OIDC": "true"}, azure.identity.ClientAssertionCredential),
        ({**PRINCIPAL, **GITHUB, "ARM_USE_OIDC": "false"}, azure.identity.DefaultAzureCredential),
        ({"ARM_USE_MSI": "true"}, azure.identity.ManagedIdentityCredential),
        ({"ARM_ENVIRONMENT": "public"}, azure.identity.DefaultAzureCredential),
    ],
)
def test_the_environment_decides_who_we_are(environ: dict[str, str], kind: type) -> None:
    """In the order of azure-native."""
    assert type(azure_login.open_credential(environ)) is kind


def test_a_certificate_logs_in(tmp_path: pathlib.Path) -> None:
    """Ahead of a secret."""
    path = tmp_path / "login.pem"
    issued = trustme.CA().issue_cert("aml-infra.example", key_type=trustme.KeyType.RSA)
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    environ = {**PRINCIPAL, "ARM_CLIENT_CERTIFICATE_PATH": str(path), "ARM_CLIENT_SECRET": "x"}

    assert type(azure_login.open_credential(environ)) is azure.identity.CertificateCredential


def test_a_certificate_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    """With the variable that names it."""
    environ = {**PRINCIPAL, "ARM_CLIENT_CERTIFICATE_PATH": str(tmp_path / "no.pem")}

    with pytest.raises(BackendUnavailable, match=r"ARM_CLIENT_CERTIFICATE_PATH: .*no\.pem' cannot be read"):
        azure_login.open_credential(environ)


@pytest.mark.parametrize("setting", ["ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_USE_OIDC"])
def test_half_a_login_is_told(setting: str) -> None:
    """All that is missing, at once."""
    with pytest.raises(BackendUnavailable, match=f"{setting} is set, and ARM_TENANT_ID and ARM_CLIENT_ID is not"):
        azure_login.open_credential({setting: "true"})


def test_another_cloud_is_refused() -> None:
    """Rather than asked at the public one's addresses."""
    with pytest.raises(BackendUnavailable, match="ARM_ENVIRONMENT is 'usgovernment'"):
        azure_login.open_credential({"ARM_ENVIRONMENT": "usgovernment"})


def test_a_pipelines_token_may_be_given() -> None:
    """As it is."""
    assert azure_login.find_assertion({**GITHUB, "ARM_OIDC_TOKEN": "given"})() == "given"


def test_a_pipelines_token_may_be_in_a_file(tmp_path: pathlib.Path) -> None:
    """Which is read each time: it may be renewed."""
    path = tmp_path / "token"
    path.write_text("old\n")
    find = azure_login.find_assertion({"ARM_OIDC_TOKEN_FILE_PATH": str(path)})
    assert find() == "old"
    path.write_text("new\n")

    assert find() == "new"


@pytest.mark.parametrize(
    ("environ", "audience"), [({}, "api://AzureADTokenExchange"), ({"ARM_OIDC_AUDIENCE": "mine"}, "mine")]
)
def test_a_pipelines_token_may_be_asked_for(environ: dict[str, str], audience: str) -> None:
    """As GitHub Actions gives it."""
    pipeline = Transport()
    pipeline.expect("GET", f"https://actions.example/token?audience={audience}&api=2", {"value": "asked"})

    assert azure_login.find_assertion({**GITHUB, **environ}, pipeline)() == "asked"
    assert pipeline.requests[0].headers["Authorization"] == "Bearer secret"


def test_a_pipeline_without_a_token_is_told() -> None:
    """With what its job lacks."""
    with pytest.raises(BackendUnavailable, match="id-token: write"):
        azure_login.find_assertion({"ACTIONS_ID_TOKEN_REQUEST_URL": "https://actions.example/token"})


@pytest.mark.parametrize(("status", "body"), [(403, None), (200, "<html>"), (200, {"no": "value"})])
def test_a_pipeline_that_gives_no_token_is_told(status: int, body: object) -> None:
    """Not as an answer of Azure's, which would say what this account may not do."""
    pipeline = Transport()
    url = f"https://actions.example/token?audience={azure_login.AUDIENCE}&api=2"
    pipeline.expect("GET", url, body, status=status)

    with pytest.raises(BackendUnavailable, match="the pipeline gives no token of its own"):
        azure_login.find_assertion(GITHUB, pipeline)()


def test_a_token_file_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    """With the variable that names it."""
    environ = {"ARM_OIDC_TOKEN_FILE_PATH": str(tmp_path / "no")}

    with pytest.raises(BackendUnavailable, match=r"ARM_OIDC_TOKEN_FILE_PATH: .*/no' cannot be read"):
        azure_login.find_assertion(environ)()
