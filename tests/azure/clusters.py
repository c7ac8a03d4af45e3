"""Managed clusters for tests: bodies, and what they need around them."""

from __future__ import annotations

import uuid
from typing import Any

from tests.azure import arm_client
from tests.azure.cloud import Cloud

CLUSTERS = "Microsoft.ContainerService/managedClusters"
OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
"""Managed Identity Operator."""


def build_pool(mode: str = "User", **properties: Any) -> dict[str, Any]:
    """The properties of a pool that scales."""
    found = {
        "vmSize": "Standard_D4s_v3",
        "mode": mode,
        "enableAutoScaling": True,
        "minCount": 1 if mode == "System" else 0,
        "maxCount": 3,
    }
    return {**found, **properties}


def build_cluster(identity: str = "", **properties: Any) -> dict[str, Any]:
    """The body of a cluster with one pool; with a user-assigned identity if one is given."""
    kept: dict[str, Any] = {"type": "SystemAssigned"}
    if identity:
        kept = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    pool = {"name": "system", **build_pool("System")}
    body = {"dnsPrefix": "pets", "agentPoolProfiles": [pool], "aadProfile": {"managed": True}, **properties}
    return {"location": "westeurope", "identity": kept, "properties": body}


def make_identity(client: arm_client.Client, group: str, name: str) -> str:
    """The id of a new identity."""
    path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    return str(client.make(path, {"location": "westeurope"}).body["id"])


def assign(client: arm_client.Client, identity: str, role: str, scope: str) -> None:
    """Gives an identity a role."""
    properties = {
        "principalId": client.get(identity).properties["principalId"],
        "principalType": "ServicePrincipal",
        "roleDefinitionId": f"{client.cloud.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
    }
    client.make(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": properties})


def log_in(cloud: Cloud, role: str, scope: str) -> arm_client.Client:
    """The client of somebody who has one of Azure's roles, by its name."""
    from tests.azure import built_in_roles

    definition = next(each for each in built_in_roles.DEFINITIONS.values() if each.role_name == role)
    return arm_client.log_in(cloud, definition.name, scope)


def build_extension(**properties: Any) -> dict[str, Any]:
    """The body of Azure Machine Learning's extension, for training, with these properties on top."""
    given = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "scope": {"cluster": {"releaseNamespace": "azureml"}},
        "configurationSettings": {"enableTraining": "True"},
        **properties,
    }
    return {"properties": given}


def build_compute(cluster: str, **properties: Any) -> dict[str, Any]:
    """The body of a compute that is a cluster attached, with these properties of Kubernetes on top."""
    return {
        "location": "westeurope",
        "properties": {"computeType": "Kubernetes", "resourceId": cluster, "properties": properties},
    }
