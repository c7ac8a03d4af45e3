"""What Azure answers in the engine in memory: each type of resource that is used, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
USER = "aaaaaaaa-0000-0000-0000-000000000001"

CLIENT = {"clientId": CLI, "objectId": USER, "subscriptionId": SUBSCRIPTION, "tenantId": TENANT}
"""A person who is logged in with the Azure CLI."""

Inputs = Mapping[str, Any]


def name_in_group(provider: str, key: str) -> Callable[[Inputs], str]:
    """Ids of resources whose name is the input ``key``."""
    return lambda inputs: f"{build_group_id(inputs['resourceGroupName'])}/providers/{provider}/{inputs[key]}"


def build_group_id(name: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"


EXISTING_WORKSPACE: dict[str, Any] = {
    "id": f"{build_group_id('rg-pets')}/providers/Microsoft.MachineLearningServices/workspaces/pets",
    "location": "northeurope",
    "tenantId": TENANT,
    "storageAccount": f"{build_group_id('rg-pets')}/providers/Microsoft.Storage/storageAccounts/petsdata",
    "keyVault": f"{build_group_id('rg-pets')}/providers/Microsoft.KeyVault/vaults/kv-pets",
    "discoveryUrl": "https://northeurope.api.azureml.ms/discovery",
    "mlFlowTrackingUri": "azureml://northeurope.api.azureml.ms/mlflow/v1.0",
    "identity": {"type": "SystemAssigned", "principalId": "the system's"},
}
"""What Azure says of a workspace that was there before."""

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
AKS = "Microsoft.ContainerService/managedClusters"

IDS: dict[str, Callable[[Inputs], str]] = {
    "resources:ResourceGroup": lambda inputs: build_group_id(inputs["resourceGroupName"]),
    "storage:StorageAccount": name_in_group("Microsoft.Storage/storageAccounts", "accountName"),
    "storage:BlobServiceProperties": lambda inputs: (
        name_in_group("Microsoft.Storage/storageAccounts", "accountName")(inputs) + "/blobServices/default"
    ),
    "keyvault:Vault": name_in_group("Microsoft.KeyVault/vaults", "vaultName"),
    "operationalinsights:Workspace": name_in_group("Microsoft.OperationalInsights/workspaces", "workspaceName"),
    "applicationinsights:Component": name_in_group("Microsoft.Insights/components", "resourceName"),
    "managedidentity:UserAssignedIdentity": name_in_group(
        "Microsoft.ManagedIdentity/userAssignedIdentities", "resourceName"
    ),
    "authorization:RoleAssignment": lambda inputs: (
        f"{inputs['scope']}/providers/Microsoft.Authorization/roleAssignments/{inputs['roleAssignmentName']}"
    ),
    "machinelearningservices:Workspace": name_in_group(WORKSPACES, "workspaceName"),
    "machinelearningservices:ManagedNetworkSettingsRule": lambda inputs: (
        f"{name_in_group(WORKSPACES, 'workspaceName')(inputs)}/outboundRules/{inputs['ruleName']}"
    ),
    "machinelearningservices:Compute": lambda inputs: (
        f"{name_in_group(WORKSPACES, 'workspaceName')(inputs)}/computes/{inputs['computeName']}"
    ),
    "machinelearningservices:EnvironmentVersion": lambda inputs: (
        name_in_group(WORKSPACES, "workspaceName")(inputs)
        + f"/environments/{inputs['name']}/versions/{inputs['version']}"
    ),
    "machinelearningservices:WorkspaceConnection": lambda inputs: (
        f"{name_in_group(WORKSPACES, 'workspaceName')(inputs)}/connections/{inputs['connectionName']}"
    ),
    "kubernetesconfiguration:Extension": lambda inputs: (
        f"{build_group_id(inputs['resourceGroupName'])}/providers/{inputs['clusterRp']}/{inputs['clusterResourceName']}"
        f"/{inputs['clusterName']}/providers/Microsoft.KubernetesConfiguration/extensions/{inputs['extensionName']}"
    ),
    "containerregistry:Registry": name_in_group("Microsoft.ContainerRegistry/registries", "registryName"),
    "containerservice:ManagedCluster": name_in_group(AKS, "resourceName"),
    "containerservice:AgentPool": lambda inputs: (
        f"{name_in_group(AKS, 'resourceName')(inputs)}/agentPools/{inputs['agentPoolName']}"
    ),
    "monitor:DiagnosticSetting": lambda inputs: (
        f"{inputs['resourceUri']}/providers/Microsoft.Insights/diagnosticSettings/{inputs['name']}"
    ),
    "network:PrivateEndpoint": name_in_group("Microsoft.Network/privateEndpoints", "privateEndpointName"),
    "network:PrivateDnsZoneGroup": lambda inputs: (
        name_in_group("Microsoft.Network/privateEndpoints", "privateEndpointName")(inputs)
        + f"/privateDnsZoneGroups/{inputs['privateDnsZoneGroupName']}"
    ),
}
"""The id that a resource gets, by its type without ``azure-native:``."""


def _map_identities(given: Mapping[str, Any]) -> dict[str, Any]:
    """The service takes a map, and the plugin makes one of the list of ids that it takes itself."""
    return {
        "type": "UserAssigned",
        "userAssignedIdentities": {
            each: {"principalId": f"principal of {each.rpartition('/')[2]}", "clientId": "client"}
            for each in given["userAssignedIdentities"]
        },
    }


NODES = {"allocationState": "Steady", "currentNodeCount": 0, "targetNodeCount": 0}
"""What the service says of a cluster without nodes."""

OUTPUTS: dict[str, Callable[[str, Inputs], dict[str, Any]]] = {
    "managedidentity:UserAssignedIdentity": lambda resource_id, _: {
        "principalId": f"principal of {resource_id.rpartition('/')[2]}",
        "clientId": f"client of {resource_id.rpartition('/')[2]}",
    },
    "machinelearningservices:Workspace": lambda _, inputs: {
        "discoveryUrl": f"https://{inputs['location']}.api.azureml.ms/discovery",
        "mlFlowTrackingUri": f"azureml://{inputs['location']}.api.azureml.ms/mlflow/v1.0",
        "tenantId": TENANT,
        "identity": _map_identities(inputs["identity"]),
    },
    "machinelearningservices:Compute": lambda _, inputs: {
        **({"identity": _map_identities(inputs["identity"])} if "identity" in inputs else {}),
        "properties": {
            **inputs["properties"],
            "provisioningState": "Succeeded",
            "properties": {
                **inputs["properties"]["properties"],
                **(NODES if inputs["properties"]["computeType"] == "AmlCompute" else {}),
            },
        },
    },
    "machinelearningservices:EnvironmentVersion": lambda _, inputs: {"name": inputs["version"]},
    "containerservice:ManagedCluster": lambda _, inputs: {
        "identity": _map_identities(inputs["identity"]),
        "currentKubernetesVersion": "1.34.4",
        "oidcIssuerProfile": {**inputs["oidcIssuerProfile"], "issuerURL": f"https://oidc/{inputs['resourceName']}/"},
    },
    "containerregistry:Registry": lambda _, inputs: {"loginServer": f"{inputs['registryName']}.azurecr.io"},
}
"""What the service adds to the inputs."""


def create(typ: str, inputs: Inputs) -> tuple[str, dict[str, Any]]:
    """The id and the outputs of a resource of type ``typ``, which is ``azure-native:<module>:<name>``."""
    kind = typ.removeprefix("azure-native:")
    if kind not in IDS:
        raise NotImplementedError(typ)
    resource_id = IDS[kind](inputs)
    added = OUTPUTS[kind](resource_id, inputs) if kind in OUTPUTS else {}
    return resource_id, {"name": resource_id.rpartition("/")[2], **inputs, **added}
