from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
import requests
from azure import identity
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerregistry.v2023_01_01_preview import models

from tests.azure import registries, server
from tests.azure.conformance import parts

SERVER = "shipyard.azurecr.io"
URL = f"https://{SERVER}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b"{}"
DIGEST = "sha256:" + hashlib.sha256(CONFIG).hexdigest()


@pytest.fixture(scope="module", autouse=True)
def registry(azure: server.Azure, credential: identity.DefaultAzureCredential) -> Iterator[str]:
    """The id of a registry without an administrator's account, made by azure-mgmt-containerregistry."""
    group = parts.make_group(credential, azure.cloud.subscription_id, "registry-group")
    with ContainerRegistryManagementClient(credential, azure.cloud.subscription_id, "2023-01-01-preview") as client:
        given = models.Registry(location=parts.LOCATION, sku=models.Sku(name="Premium"), admin_user_enabled=False)
        made = client.registries.begin_create(group, "shipyard", given).result()
        assert made.login_server == SERVER
        yield str(made.id)


def _exchange(azure: server.Azure, registry: str, *roles: str) -> requests.Response:
    """A refresh token for a new principal with these roles on the registry, as `az acr login` gets it."""
    _, login = azure.add_principal(*((role, registry) for role in roles))
    credential = identity.ClientSecretCredential(
        login["AZURE_TENANT_ID"], login["AZURE_CLIENT_ID"], login["AZURE_CLIENT_SECRET"]
    )
    with credential:
        token = credential.get_token("https://management.azure.com/.default").token
    form = {"grant_type": "access_token", "service": SERVER, "tenant": azure.cloud.tenant_id, "access_token": token}
    return requests.post(f"{URL}/oauth2/exchange", data=form, timeout=30)


def _log_in(azure: server.Azure, registry: str, role: str, scope: str = "repository:app/train:pull,push") -> str:
    """An access token, as Docker gets it with the refresh token as password."""
    password = _exchange(azure, registry, role).json()["refresh_token"]
    asked = {"service": SERVER, "scope": scope}
    found = requests.get(f"{URL}/oauth2/token", params=asked, auth=(registries.TOKEN_USER, password), timeout=30)
    return str(found.json()["access_token"])


def _push(token: str) -> requests.Response:
    """Pushes an image of nothing as ``app/train:1``; gives the answer of the step that was refused, or the last."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        begun = session.post(f"{URL}/v2/app/train/blobs/uploads/", timeout=30)
        if not begun.ok:
            return begun
        session.put(f"{begun.headers['Location']}&digest={DIGEST}", data=CONFIG, timeout=30).raise_for_status()
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": len(CONFIG), "digest": DIGEST}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        return session.put(
            f"{URL}/v2/app/train/manifests/1",
            data=json.dumps(manifest),
            headers={"Content-Type": MANIFEST},
            timeout=30,
        )


def test_who_is_not_logged_in_is_told_where(registry: str) -> None:
    """The challenge of the token protocol names the place and the service."""
    answer = requests.get(f"{URL}/v2/", timeout=30)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="{URL}/oauth2/token",service="{SERVER}"'


def test_pushing_takes_a_role(azure: server.Azure, registry: str) -> None:
    """AcrPush pushes and pulls; what was pushed has its digest."""
    token = _log_in(azure, registry, "AcrPush")

    pushed = _push(token)

    assert pushed.status_code == 201
    found = requests.get(
        f"{URL}/v2/app/train/manifests/1",
        headers={"Authorization": f"Bearer {token}", "Accept": MANIFEST},
        timeout=30,
    )
    assert found.headers["Docker-Content-Digest"] == pushed.headers["Docker-Content-Digest"]


def test_pulling_does_not_push(azure: server.Azure, registry: str) -> None:
    """A token holds only those of the actions asked for that the principal may do."""
    _push(_log_in(azure, registry, "AcrPush"))
    token = _log_in(azure, registry, "AcrPull")

    found = requests.get(f"{URL}/v2/app/train/tags/list", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    assert found.json() == {"name": "app/train", "tags": ["1"]}
    assert _push(token).status_code == 401


def test_a_token_is_for_its_repository(azure: server.Azure, registry: str) -> None:
    """Another repository of the same registry takes another token."""
    token = _log_in(azure, registry, "AcrPush", "repository:other:pull,push")

    assert _push(token).status_code == 401


def test_without_a_role_there_is_no_token(azure: server.Azure, registry: str) -> None:
    """A principal of the tenant that has no role on the registry is refused at the exchange."""
    assert _exchange(azure, registry).status_code == 401


def test_a_refresh_token_is_a_password(azure: server.Azure, registry: str) -> None:
    """With the user name of tokens; the administrator's account is off."""
    password = _exchange(azure, registry, "AcrPull").json()["refresh_token"]

    assert requests.get(f"{URL}/v2/", auth=(registries.TOKEN_USER, password), timeout=30).status_code == 200
    assert requests.get(f"{URL}/v2/", auth=("shipyard", password), timeout=30).status_code == 401
