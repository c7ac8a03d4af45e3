from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from azure import identity
from azure.core import exceptions
from azure.mgmt.containerservice import ContainerServiceClient, models

from tests.azure import server
from tests.azure.conformance import parts


@pytest.fixture(scope="module")
def client(azure: server.Azure, credential: identity.DefaultAzureCredential) -> Iterator[ContainerServiceClient]:
    """azure-mgmt-containerservice, signed in as the owner."""
    with ContainerServiceClient(credential, azure.cloud.subscription_id) as client:
        yield client


@pytest.fixture(scope="module")
def cluster(
    azure: server.Azure, client: ContainerServiceClient, credential: identity.DefaultAzureCredential
) -> models.ManagedCluster:
    """A cluster with a system pool, into which Entra ID signs users."""
    group = parts.make_group(credential, azure.cloud.subscription_id, "kubernetes-group")
    pool = models.ManagedClusterAgentPoolProfile(name="system", mode="System", vm_size="Standard_D4s_v3", count=1)
    given = models.ManagedCluster(
        location=parts.LOCATION,
        identity=models.ManagedClusterIdentity(type="SystemAssigned"),
        dns_prefix="pets",
        agent_pool_profiles=[pool],
        aad_profile=models.ManagedClusterAADProfile(managed=True, enable_azure_rbac=True),
        disable_local_accounts=True,
        oidc_issuer_profile=models.ManagedClusterOIDCIssuerProfile(enabled=True),
    )
    return client.managed_clusters.begin_create_or_update(group, "pets", given).result()


def test_a_cluster_is_made_and_read(client: ContainerServiceClient, cluster: models.ManagedCluster) -> None:
    """With what the service adds, in the models' own types."""
    found = client.managed_clusters.get("kubernetes-group", "pets").as_dict()

    assert (found["provisioning_state"], found["power_state"]["code"]) == ("Succeeded", "Running")
    assert found["oidc_issuer_profile"] == cluster.as_dict()["oidc_issuer_profile"]
    assert found["identity_profile"]["kubeletidentity"]["object_id"]
    assert [each.name for each in client.managed_clusters.list_by_resource_group("kubernetes-group")] == ["pets"]


def test_a_pool_is_made_and_deleted(client: ContainerServiceClient, cluster: models.ManagedCluster) -> None:
    """From nothing up, with a taint."""
    given = models.AgentPool(
        vm_size="Standard_NC4as_T4_v3",
        enable_auto_scaling=True,
        min_count=0,
        max_count=2,
        node_taints=["sku=gpu:NoSchedule"],
    )
    made = client.agent_pools.begin_create_or_update("kubernetes-group", "pets", "gpu", given).result()
    listed = [each.name for each in client.agent_pools.list("kubernetes-group", "pets")]
    client.agent_pools.begin_delete("kubernetes-group", "pets", "gpu").result()

    assert (made.count, made.mode, made.provisioning_state) == (0, "User", "Succeeded")
    assert listed == ["system", "gpu"]
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.agent_pools.get("kubernetes-group", "pets", "gpu")


def test_the_way_in_is_told(client: ContainerServiceClient, cluster: models.ManagedCluster) -> None:
    """As a kubeconfig for users; the administrator has none where local accounts are off."""
    found = client.managed_clusters.list_cluster_user_credentials("kubernetes-group", "pets")

    (config,) = list(found.kubeconfigs or ())
    content = yaml.safe_load(bytes(config.value or b""))
    assert content["clusters"][0]["cluster"]["server"] == f"https://{cluster.fqdn}:443"
    with pytest.raises(exceptions.HttpResponseError, match="disable local accounts"):
        client.managed_clusters.list_cluster_admin_credentials("kubernetes-group", "pets")


def test_tags_are_changed_and_the_cluster_deleted(
    client: ContainerServiceClient, cluster: models.ManagedCluster
) -> None:
    """Both take time, which the client waits for."""
    tags = models.TagsObject(tags={"team": "pets"})
    assert client.managed_clusters.begin_update_tags("kubernetes-group", "pets", tags).result().tags == {"team": "pets"}

    client.managed_clusters.begin_delete("kubernetes-group", "pets").result()

    assert not list(client.managed_clusters.list())
