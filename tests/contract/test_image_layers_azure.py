from __future__ import annotations

import io
import pathlib
import tarfile
from collections.abc import Iterator, Mapping

import pytest

from aml_infra import azure_client, image_layers, image_references, registry_client
from aml_infra import source as sources
from aml_infra.errors import AccessDenied, BackendUnavailable
from aml_infra.image_layers import Layer
from aml_infra.registry_client import OCI_MANIFEST, Blob, RegistryClient
from aml_infra.registry_connection import RegistryConnection
from aml_infra.registry_logins import FindLogin, Login, Logins
from tests.azure import registries, server
from tests.azure.resources import Resource

REGISTRY = "/resourceGroups/pets/providers/Microsoft.ContainerRegistry/registries/contoso"
SERVER = "contoso.azurecr.io"
BASE = f"{SERVER}/base:1"


@pytest.fixture
def azure(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[server.Azure]:
    """A cloud with one registry, in which there is an image; this process is logged in as its owner."""
    with server.open_azure(tmp_path) as running:
        cloud = running.cloud
        resource_id = f"{cloud.subscription}{REGISTRY}"
        body = {"id": resource_id, "name": "contoso", "type": registries.REGISTRY, "properties": {}}
        cloud.resources.put(Resource(id=resource_id, type=registries.REGISTRY, body=body))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        log_in(monkeypatch, running.environment)
        push_base()
        yield running
    # Other tests are somebody else.
    azure_client.open_client.cache_clear()


def log_in(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Makes this process another principal's."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    azure_client.open_client.cache_clear()


def push_base() -> None:
    """Makes the image: a configuration without layers."""
    client, config = RegistryClient(RegistryConnection(SERVER, Logins().find)), b'{"rootfs": {"diff_ids": []}}'
    blob = Blob(digest=registry_client.compute_digest(config), size=len(config))
    client.put_blob("base", blob, lambda: io.BytesIO(config), what="", tell=lambda _: None)
    described = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": blob.digest,
        "size": blob.size,
    }
    content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": []}
    client.put_manifest("base", "1", OCI_MANIFEST, content)


def write(tar: tarfile.TarFile) -> None:
    """A folder is enough of a source."""
    tar.addfile(sources.build_member("workspace", tarfile.DIRTYPE, 0o777))


def push(find_login: FindLogin | None = None) -> str:
    """Puts a source on top of the image."""
    layered = image_layers.push(
        BASE,
        f"{SERVER}/runs",
        [Layer(name="source", write=write)],
        working_folder="/workspace",
        find_login=find_login or Logins().find,
        tell=lambda _: None,
    )
    return layered.reference


def test_a_push_goes_by_the_login_to_azure(azure: server.Azure) -> None:
    """By TLS, with the registry's own tokens; nobody has logged in to Docker."""
    reference = push()

    assert image_layers.identify(reference, Logins().find) == image_references.parse(reference).version


@pytest.mark.parametrize("bundle", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_ones_own_can_be_named(
    azure: server.Azure, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    """By either of the two names that programs know it by."""
    token = azure_client.open_client().get_registry_token(SERVER)
    file = azure.environment["REQUESTS_CA_BUNDLE"]
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(bundle, file)

    found = image_layers.identify(BASE, lambda _: build_login(azure_client.REGISTRY_USERNAME, token))

    assert found is not None


def test_an_authority_that_nobody_named_is_told(azure: server.Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and with what to do."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(BackendUnavailable, match="name a file with the certificate of its authority in REQUESTS_CA"):
        image_layers.identify(BASE, lambda _: None)


def build_login(username: str, password: str) -> Login:
    """A login of nobody in particular."""
    return Login(username=username, password=password, origin="the tests")


def test_an_identity_token_is_enough(azure: server.Azure) -> None:
    """As `az acr login` leaves one in Docker's settings."""
    token = azure_client.open_client().get_registry_token(SERVER)

    assert push(lambda _: build_login("", token)) == push()


def test_who_may_only_pull_is_told(azure: server.Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it may not push, and as whom it was asked."""
    _, environment = azure.add_principal(("AcrPull", f"{azure.cloud.subscription}{REGISTRY}"))
    log_in(monkeypatch, environment)

    with pytest.raises(AccessDenied, match=r"POST runs/blobs/uploads/ .* that of the login to Azure: .* push to it"):
        push()


def test_who_has_no_role_is_told(azure: server.Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what asks Azure for the token."""
    _, environment = azure.add_principal()
    log_in(monkeypatch, environment)

    with pytest.raises(AccessDenied, match="it needs a role there, such as AcrPush"):
        push()


@pytest.mark.parametrize(("username", "who"), [("", "the identity token"), ("ann", "user 'ann'")])
def test_a_login_that_is_wrong_is_told(azure: server.Azure, username: str, who: str) -> None:
    """Without what it is."""
    with pytest.raises(AccessDenied, match=f"it was asked as {who}, which is that of the tests") as caught:
        image_layers.identify(BASE, lambda _: build_login(username, "sesame-open-2231"))

    assert "sesame" not in str(caught.value)
