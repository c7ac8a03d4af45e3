"""A workspace of Azure Machine Learning with a cluster, in the tests' Azure, for the contract of backends."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

import azure.identity

from aml_infra.azure_client import AzureClient
from aml_infra.backends.azureml import AzuremlBackend
from aml_infra.backends.azureml_request import Place
from aml_infra.backends.azureml_service import WorkspaceService
from tests.azure import arm_client, server, services, workspaces

GROUP = "rg-contract"
WORKSPACE = "pets"
CLUSTER = "small"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearningPlace:
    """Where jobs run.

    Attributes:
        azure: the server.
        place: the workspace and the cluster.
    """

    azure: server.Azure
    place: Place

    def open_service(self) -> WorkspaceService:
        """A client of the workspace, as another process has."""
        environment = self.azure.environment
        credential = azure.identity.ClientSecretCredential(
            environment["AZURE_TENANT_ID"], environment["AZURE_CLIENT_ID"], environment["AZURE_CLIENT_SECRET"]
        )
        return WorkspaceService(AzureClient(credential), self.place)

    def open_backend(self) -> AzuremlBackend:
        """Another client of the service."""
        return AzuremlBackend(self.open_service())


@contextlib.contextmanager
def open_place(folder: pathlib.Path) -> Iterator[LearningPlace]:
    """An Azure with one workspace, which has one cluster of machines without GPUs."""
    with server.open_azure(folder) as running:
        cloud = running.cloud
        cloud.registered |= {each.lower() for each in services.list_namespaces()}
        cloud.operations.retry_after = None
        client = arm_client.Client(cloud, running.owner)
        group = f"{cloud.subscription}/resourceGroups/{GROUP}"
        client.make(group, {"location": "westeurope"})
        parts = workspaces.make_parts(cloud, client, group)
        place = Place(
            subscription_id=cloud.subscription_id,
            resource_group=GROUP,
            workspace_name=WORKSPACE,
            compute_name=CLUSTER,
        )
        client.make(place.workspace_id, workspaces.build_body(parts))
        identity = {"type": "UserAssigned", "userAssignedIdentities": {parts.identity: {}}}
        cluster = workspaces.build_cluster(most=4, vmSize="STANDARD_DS3_V2")
        client.make(place.compute_id, {**cluster, "identity": identity})
        arm_client.assign(cloud, running.owner, workspaces.BLOB_CONTRIBUTOR, parts.storage)
        yield LearningPlace(azure=running, place=place)
