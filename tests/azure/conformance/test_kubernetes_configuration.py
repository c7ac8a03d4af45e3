from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure import identity
from azure.core import exceptions
from azure.mgmt.kubernetesconfiguration.v2023_05_01 import SourceControlConfigurationClient, models

from tests.azure import arm_client, clusters, server
from tests.azure.conformance import parts

GROUP = "extensions-group"
PLACE = (GROUP, "Microsoft.ContainerService", "managedClusters", "pets")


@pytest.fixture(scope="module")
def client(
    azure: server.Azure, credential: identity.DefaultAzureCredential
) -> Iterator[SourceControlConfigurationClient]:
    """azure-mgmt-kubernetesconfiguration, signed in as the owner; there is a cluster."""
    group = parts.make_group(credential, azure.cloud.subscription_id, GROUP)
    path = f"{azure.cloud.subscription}/resourceGroups/{group}/providers/{clusters.CLUSTERS}/pets"
    arm_client.Client(azure.cloud, azure.owner).make(path, clusters.build_cluster())
    with SourceControlConfigurationClient(credential, azure.cloud.subscription_id) as client:
        yield client


def build_extension(**settings: str) -> models.Extension:
    """Azure Machine Learning's, for training, with these settings on top."""
    return models.Extension(
        extension_type="Microsoft.AzureML.Kubernetes",
        release_train="stable",
        scope=models.Scope(cluster=models.ScopeCluster(release_namespace="azureml")),
        configuration_settings={"enableTraining": "True", **settings},
    )


def test_an_extension_is_installed_changed_and_removed(client: SourceControlConfigurationClient) -> None:
    """A long-running operation each."""
    made: Any = client.extensions.begin_create(*PLACE, "azureml", build_extension()).result()
    change = models.PatchExtension(configuration_settings={"installVolcano": "False"})
    client.extensions.begin_update(*PLACE, "azureml", change).result()
    found = client.extensions.get(*PLACE, "azureml")
    listed = [each.name for each in client.extensions.list(*PLACE)]
    client.extensions.begin_delete(*PLACE, "azureml").result()

    assert (made.provisioning_state, made.is_system_extension) == ("Succeeded", False)
    assert found.aks_assigned_identity is not None
    assert found.configuration_settings == {"enableTraining": "True", "installVolcano": "False"}
    assert listed == ["azureml"]
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.extensions.get(*PLACE, "azureml")


def test_settings_that_cannot_work_are_told(client: SourceControlConfigurationClient) -> None:
    """Inference without TLS, for one."""
    with pytest.raises(exceptions.HttpResponseError, match="inferenceRouterServiceType"):
        client.extensions.begin_create(*PLACE, "azureml", build_extension(enableInference="True")).result()
