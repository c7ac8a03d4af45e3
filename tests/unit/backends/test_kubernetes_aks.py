from __future__ import annotations

import dataclasses

import pytest
from azure.core.credentials import AccessToken

from aml_infra import aks_access, azure_client
from aml_infra.aks_kubeconfig import Access
from aml_infra.backends import kubernetes_aks

CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/pets"


@dataclasses.dataclass
class Client:
    """Azure, whose tokens end at once.

    Attributes:
        asked: what tokens were asked for.
    """

    asked: list[str] = dataclasses.field(default_factory=list)

    def get_token(self, scope: str) -> AccessToken:
        self.asked.append(scope)
        return AccessToken(f"token {len(self.asked)}", 0)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """An Azure that knows where the cluster is."""
    client = Client()
    monkeypatch.setattr(azure_client, "open_client", lambda: client)
    monkeypatch.setattr(aks_access, "find_access", lambda *_: Access(server="https://pets:443", authority="Q0E="))
    return client


def test_each_request_has_a_token_that_is_good(client: Client) -> None:
    """Also the first: without one, the official client would send none ever."""
    configuration, place = kubernetes_aks.build_configuration(CLUSTER)

    sent = [configuration.auth_settings()["BearerToken"]["value"] for _ in range(2)]

    assert sent == ["Bearer token 2", "Bearer token 3"]
    assert set(client.asked) == {aks_access.SCOPE}
    assert (configuration.host, place) == ("https://pets:443", "the AKS cluster 'pets' at pets:443")
