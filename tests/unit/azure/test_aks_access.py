from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml
from azure.core.credentials import AccessToken

from aml_infra import aks_access, aks_kubeconfig, aks_login, azure_login
from aml_infra.aks_access import Login
from aml_infra.azure_client import AzureClient
from aml_infra.errors import AccessDenied, BackendUnavailable, InvalidInput
from tests.unit.azure.transport import FAR_AWAY, Credential, Transport

CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/pets"
ASKED = f"{CLUSTER}/listClusterUserCredential?api-version={aks_access.API}"
PLACE = {"server": "https://pets.azmk8s.io:443", "certificate-authority-data": "Q0E="}


def build_answer(**cluster: str) -> dict[str, Any]:
    """What Azure answers: a kubeconfig whose login is a program of its own."""
    user = {"exec": {"command": "kubelogin"}}
    content = {"clusters": [{"name": "pets", "cluster": cluster}], "users": [{"name": "me", "user": user}]}
    return {"kubeconfigs": [{"name": "u", "value": base64.b64encode(yaml.safe_dump(content).encode()).decode()}]}


@pytest.fixture
def transport() -> Transport:
    """Azure, which expects nothing yet."""
    return Transport()


@pytest.fixture
def client(transport: Transport) -> AzureClient:
    """Somebody who is logged in."""
    return AzureClient(Credential(), transport)


def test_the_place_is_asked_of_azure(client: AzureClient, transport: Transport) -> None:
    """Its address and who has signed its certificate; the login that Azure proposes is not taken."""
    transport.expect("POST", ASKED, build_answer(**PLACE))

    found = aks_access.find_access(client, CLUSTER)

    assert (found.server, found.authority) == ("https://pets.azmk8s.io:443", "Q0E=")


def test_a_cluster_that_is_gone_is_told(client: AzureClient, transport: Transport) -> None:
    """It is no answer about its runs."""
    transport.expect("POST", ASKED, {"error": {"code": "ResourceNotFound", "message": "no"}}, status=404)

    with pytest.raises(BackendUnavailable, match="there is no AKS cluster 'pets'"):
        aks_access.find_access(client, CLUSTER)


def test_who_may_not_know_is_told(client: AzureClient, transport: Transport) -> None:
    """It takes a role."""
    transport.expect("POST", ASKED, {"error": {"code": "AuthorizationFailed", "message": "no"}}, status=403)

    with pytest.raises(AccessDenied, match="listClusterUserCredential"):
        aks_access.find_access(client, CLUSTER)


@pytest.mark.parametrize("answer", [{"kubeconfigs": []}, build_answer(server="x"), {"kubeconfigs": [{"value": "?"}]}])
def test_an_answer_without_the_place_is_none(client: AzureClient, transport: Transport, answer: dict[str, Any]) -> None:
    """And it is not quoted."""
    transport.expect("POST", ASKED, answer)

    with pytest.raises(BackendUnavailable, match="does not say where the AKS cluster 'pets' is"):
        aks_access.find_access(client, CLUSTER)


def test_what_is_no_id_of_a_cluster_is_refused(client: AzureClient) -> None:
    """Before Azure is asked."""
    with pytest.raises(InvalidInput, match="is '/subscriptions/s', no resource id of an AKS cluster"):
        aks_access.find_access(client, "/subscriptions/s")


def test_a_token_is_renewed_before_it_ends() -> None:
    """And kept until then."""
    tokens = iter([AccessToken("first", 1000), AccessToken("second", 2000)])
    time = [0.0]
    login = Login(lambda: next(tokens), lambda: time[0])

    found = []
    for moment in (0.0, 699.0, 701.0, 1500.0):
        time[0] = moment
        found.append(login.find_token().token)

    assert found == ["first", "first", "second", "second"]


def test_a_program_gets_a_token_for_the_login_of_azure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Kubernetes' clients expect it; they ask again before it ends."""
    credential = Credential()
    monkeypatch.setattr(azure_login, "open_credential", lambda: credential)

    assert aks_login.main() == 0

    said = json.loads(capsys.readouterr().out)
    assert (said["apiVersion"], said["kind"]) == (aks_kubeconfig.EXEC_API, "ExecCredential")
    assert said["status"]["token"] == f"token of {aks_access.SCOPE}"
    assert said["status"]["expirationTimestamp"] == "2096-10-02T07:01:40Z"
    assert FAR_AWAY - 300 == 3_999_999_700
    assert credential.scopes == ["6dae42f8-4368-4678-94ff-3960e28e3630/.default"]


def test_a_program_without_a_login_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the stream that clients show."""

    def refuse() -> None:
        raise BackendUnavailable("Azure gives no token; log in with `az login`")

    monkeypatch.setattr(azure_login, "open_credential", refuse)

    assert aks_login.main() == 1
    assert capsys.readouterr().err == "aml-infra: Azure gives no token; log in with `az login`\n"
