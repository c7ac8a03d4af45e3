"""A workspace of Machine Learning for tests, with all that it refers to."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.azure import arm_client
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.directory import Principal

BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
ACCOUNT = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts:
    """The ids of what a workspace refers to.

    Attributes:
        principal: Of the identity.
    """

    storage: str
    vault: str
    insights: str
    identity: str
    principal: Principal


def make_parts(cloud: Cloud, client: Client, group: str) -> Parts:
    """Makes them; the identity may do all that it must."""
    storage = f"{group}/providers/Microsoft.Storage/storageAccounts/pets"
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/pets"
    logs = f"{group}/providers/Microsoft.OperationalInsights/workspaces/pets"
    insights = f"{group}/providers/Microsoft.Insights/components/pets"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pets"
    client.make(storage, ACCOUNT)
    sku = {"family": "A", "name": "standard"}
    in_vault = {"tenantId": cloud.tenant_id, "sku": sku, "enableRbacAuthorization": True}
    client.make(vault, {"location": "westeurope", "properties": in_vault})
    client.make(logs, {"location": "westeurope", "properties": {}})
    of_insights = {"Application_Type": "web", "WorkspaceResourceId": logs}
    client.make(insights, {"location": "westeurope", "kind": "web", "properties": of_insights})
    made = client.make(identity, {"location": "westeurope"}).properties
    principal = cloud.directory.find_principal(made["principalId"])
    assert principal is not None
    arm_client.assign(cloud, principal, arm_client.CONTRIBUTOR, group)
    arm_client.assign(cloud, principal, BLOB_CONTRIBUTOR, storage)
    return Parts(storage=storage, vault=vault, insights=insights, identity=identity, principal=principal)


def build_body(parts: Parts, **properties: Any) -> dict[str, Any]:
    """The body of a workspace that is right, with these properties on top."""
    return {
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {parts.identity: {}}},
        "properties": {
            "storageAccount": parts.storage,
            "keyVault": parts.vault,
            "applicationInsights": parts.insights,
            "primaryUserAssignedIdentity": parts.identity,
            "systemDatastoresAuthMode": "Identity",
            **properties,
        },
    }


def build_cluster(*, fewest: int = 0, most: int = 2, **nodes: Any) -> dict[str, Any]:
    """The body of a cluster that is right, with these properties of its nodes on top."""
    scale = {"minNodeCount": fewest, "maxNodeCount": most, "nodeIdleTimeBeforeScaleDown": "PT2M"}
    inner = {"vmSize": "STANDARD_NC4AS_T4_V3", "scaleSettings": scale, **nodes}
    return {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": inner}}
