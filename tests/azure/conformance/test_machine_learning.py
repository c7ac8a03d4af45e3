"""azure-mgmt-machinelearningservices, the client of API 2023-04-01."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure import identity
from azure.core import exceptions
from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient, models

from tests.api_faults import Fault
from tests.azure import server
from tests.azure.conformance import parts


@pytest.fixture(scope="module")
def made(azure: server.Azure, credential: identity.DefaultAzureCredential) -> parts.Parts:
    """A workspace with its parts."""
    return parts.make(credential, azure.cloud.subscription_id, "learn")


@pytest.fixture(scope="module")
def client(
    azure: server.Azure, credential: identity.DefaultAzureCredential
) -> Iterator[MachineLearningServicesMgmtClient]:
    """The client."""
    with MachineLearningServicesMgmtClient(credential, azure.cloud.subscription_id) as opened:
        yield opened


def _build_cluster(max_nodes: int = 1, *, size: str = "STANDARD_NC4AS_T4_V3") -> models.ComputeResource:
    scale = models.ScaleSettings(min_node_count=0, max_node_count=max_nodes)
    nodes = models.AmlComputeProperties(vm_size=size, scale_settings=scale)
    return models.ComputeResource(location=parts.LOCATION, properties=models.AmlCompute(properties=nodes))


def test_a_cluster_is_made_and_deleted(client: MachineLearningServicesMgmtClient, made: parts.Parts) -> None:
    """A long-running operation each; the answer has the node counts."""
    compute = client.compute
    cluster: Any = compute.begin_create_or_update(made.group, made.workspace, "cluster", _build_cluster()).result()
    assert cluster.properties.provisioning_state == "Succeeded"
    assert cluster.properties.properties.current_node_count == 0

    compute.begin_delete(made.group, made.workspace, "cluster", "Delete").result()

    assert not list(compute.list(made.group, made.workspace))


def test_a_size_that_is_not_there_is_refused(client: MachineLearningServicesMgmtClient, made: parts.Parts) -> None:
    """The error names the size."""
    with pytest.raises(exceptions.HttpResponseError, match="STANDARD_NC6"):
        client.compute.begin_create_or_update(
            made.group, made.workspace, "old", _build_cluster(size="STANDARD_NC6")
        ).result()


def test_quota_is_told(client: MachineLearningServicesMgmtClient) -> None:
    """Usages by family, and the sizes with their families, to find out beforehand."""
    machines: Any = client.virtual_machine_sizes.list(parts.LOCATION)
    usages: Any = client.usages.list(parts.LOCATION)
    sizes = {size.name.upper(): size for size in machines.value}

    assert sizes["STANDARD_NC4AS_T4_V3"].gpus == 1
    assert sizes["STANDARD_NC4AS_T4_V3"].family in {usage.name.value for usage in usages}


def test_a_deleted_workspace_blocks_its_name(
    azure: server.Azure, credential: identity.DefaultAzureCredential, client: MachineLearningServicesMgmtClient
) -> None:
    """It is soft-deleted; a new one under its name is refused until it is purged."""
    made = parts.make(credential, azure.cloud.subscription_id, "soft")
    workspace = client.workspaces.get(made.group, made.workspace)
    client.workspaces.begin_delete(made.group, made.workspace).result()
    with pytest.raises(exceptions.HttpResponseError, match="Soft-deleted workspace exists"):
        client.workspaces.begin_create_or_update(made.group, made.workspace, workspace).result()

    client.workspaces.begin_delete(made.group, made.workspace, params={"forceToPurge": "true"}).result()

    again = client.workspaces.begin_create_or_update(made.group, made.workspace, workspace).result()
    assert again.workspace_id != workspace.workspace_id


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", method="PUT", status=429, code="TooManyRequests", retry_after=1),
        Fault(kind="status", method="PUT", status=500),
        Fault(kind="reset", method="PUT"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
def test_the_client_gets_over_a_fault(
    azure: server.Azure, client: MachineLearningServicesMgmtClient, made: parts.Parts, fault: Fault
) -> None:
    """A crowd, an error, a cut connection: the client's own retries lead to the same result."""
    fault.path = "/computes/"
    azure.cloud.faults.add(fault)

    found: Any = client.compute.begin_create_or_update(made.group, made.workspace, "faulty", _build_cluster(2)).result()

    assert found.properties.properties.scale_settings.max_node_count == 2
    assert fault.hits == 1


def test_a_lost_answer_hides_an_effect(
    azure: server.Azure, client: MachineLearningServicesMgmtClient, made: parts.Parts
) -> None:
    """The client asks again, and is told that its own operation is under way; the cluster is there in the end."""
    azure.cloud.faults.add(Fault(kind="answer lost", method="PUT", path="/computes/"))
    with pytest.raises(exceptions.ResourceExistsError, match="Another operation is in progress"):
        client.compute.begin_create_or_update(made.group, made.workspace, "lost", _build_cluster())
    azure.cloud.operations.end_all()

    found: Any = client.compute.get(made.group, made.workspace, "lost")

    assert found.properties.provisioning_state == "Succeeded"
