"""Azure's own roles that matter to the tests: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles."""

from __future__ import annotations

import dataclasses
import types
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoleDefinition:
    """A role.

    Attributes:
        name: Its GUID, the same in all of Azure.
        role_name: What people call it.
        actions: Patterns of the actions of Resource Manager that it allows.
        not_actions: What is taken away from them.
        data_actions: Patterns of the actions on what is inside resources.
        not_data_actions: What is taken away from those.
    """

    name: str
    role_name: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def build_body(self, scope: str = "") -> dict[str, Any]:
        """The role as Resource Manager shows it below a scope: the tenant if empty, or a subscription's id."""
        permissions = {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }
        return {
            "id": f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{self.name}",
            "name": self.name,
            "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {
                "roleName": self.role_name,
                "type": "BuiltInRole",
                "assignableScopes": ["/"],
                "permissions": [permissions],
            },
        }


_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_BLOBS = f"{_CONTAINERS}/blobs"
_FILES = "Microsoft.Storage/storageAccounts/fileServices"
_DELEGATION_KEY = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_REGISTRIES = "Microsoft.ContainerRegistry/registries"
_IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
_VAULTS = "Microsoft.KeyVault/vaults"
_CLUSTERS = "Microsoft.ContainerService/managedClusters"
# What nearly all roles that manage a service have besides.
_COMMON = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
)
_ROLES = (
    RoleDefinition(name="8e3af657-a8ff-443c-a75c-2fe8c4bcb635", role_name="Owner", actions=("*",)),
    RoleDefinition(
        name="b24988ac-6180-42a0-ab88-20f7382dd24c",
        role_name="Contributor",
        actions=("*",),
        not_actions=(
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
            "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
            "Microsoft.Subscription/cancel/action",
            "Microsoft.Subscription/enable/action",
        ),
    ),
    RoleDefinition(name="acdd72a7-3385-48ef-bd42-f606fba81ae7", role_name="Reader", actions=("*/read",)),
    RoleDefinition(
        name="18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        role_name="User Access Administrator",
        actions=("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
    ),
    RoleDefinition(
        name="f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        role_name="Role Based Access Control Administrator",
        actions=(
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ),
    ),
    RoleDefinition(
        name="7f951dda-4ed3-4680-a7ca-43fe172d538d", role_name="AcrPull", actions=(f"{_REGISTRIES}/pull/read",)
    ),
    RoleDefinition(
        name="8311e382-0749-4cb8-b61a-304f252e45ec",
        role_name="AcrPush",
        actions=(f"{_REGISTRIES}/pull/read", f"{_REGISTRIES}/push/write"),
    ),
    RoleDefinition(
        name="c2f4ef07-c644-48eb-af81-4b1b4947fb11",
        role_name="AcrDelete",
        actions=(f"{_REGISTRIES}/artifacts/delete",),
    ),
    RoleDefinition(
        name="2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        role_name="Storage Blob Data Reader",
        actions=(f"{_CONTAINERS}/read", _DELEGATION_KEY),
        data_actions=(f"{_BLOBS}/read",),
    ),
    RoleDefinition(
        name="ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        role_name="Storage Blob Data Contributor",
        actions=(f"{_CONTAINERS}/delete", f"{_CONTAINERS}/read", f"{_CONTAINERS}/write", _DELEGATION_KEY),
        data_actions=(
            f"{_BLOBS}/delete",
            f"{_BLOBS}/read",
            f"{_BLOBS}/write",
            f"{_BLOBS}/move/action",
            f"{_BLOBS}/add/action",
        ),
    ),
    RoleDefinition(
        name="b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        role_name="Storage Blob Data Owner",
        actions=(f"{_CONTAINERS}/*", _DELEGATION_KEY),
        data_actions=(f"{_BLOBS}/*",),
    ),
    RoleDefinition(
        name="69566ab7-960f-475b-8e7c-b3118f30c6bd",
        role_name="Storage File Data Privileged Contributor",
        data_actions=(
            f"{_FILES}/fileShares/files/read",
            f"{_FILES}/fileShares/files/write",
            f"{_FILES}/fileShares/files/delete",
            f"{_FILES}/fileShares/files/modifypermissions/action",
            f"{_FILES}/readFileBackupSemantics/action",
            f"{_FILES}/writeFileBackupSemantics/action",
        ),
    ),
    RoleDefinition(
        name="17d1049b-9a84-46fb-8f53-869881c3d3ab",
        role_name="Storage Account Contributor",
        actions=(
            *_COMMON,
            "Microsoft.Insights/diagnosticSettings/*",
            "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
            "Microsoft.ResourceHealth/availabilityStatuses/read",
            "Microsoft.Storage/storageAccounts/*",
        ),
    ),
    RoleDefinition(
        name="00482a5a-887f-4fb3-b363-3b7fe8e74483",
        role_name="Key Vault Administrator",
        actions=(
            *_COMMON,
            "Microsoft.KeyVault/checkNameAvailability/read",
            "Microsoft.KeyVault/deletedVaults/read",
            "Microsoft.KeyVault/locations/*/read",
            f"{_VAULTS}/*/read",
            "Microsoft.KeyVault/operations/read",
        ),
        data_actions=(f"{_VAULTS}/*",),
    ),
    RoleDefinition(
        name="4633458b-17de-408a-b874-0445c86b69e6",
        role_name="Key Vault Secrets User",
        data_actions=(f"{_VAULTS}/secrets/getSecret/action", f"{_VAULTS}/secrets/readMetadata/action"),
    ),
    RoleDefinition(
        name="f25e0fa2-a7c8-4377-a976-54943a77a395",
        role_name="Key Vault Contributor",
        actions=(*_COMMON, "Microsoft.KeyVault/*"),
        not_actions=(
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            "Microsoft.KeyVault/hsmPools/*",
            "Microsoft.KeyVault/managedHsms/*",
        ),
    ),
    RoleDefinition(
        name="f6c7c914-8db3-469d-8ca1-694a8f32e121",
        role_name="AzureML Data Scientist",
        actions=tuple(f"{_WORKSPACES}/*/{verb}" for verb in ("read", "action", "delete", "write")),
        not_actions=(
            f"{_WORKSPACES}/delete",
            f"{_WORKSPACES}/write",
            f"{_WORKSPACES}/computes/*/write",
            f"{_WORKSPACES}/computes/*/delete",
            f"{_WORKSPACES}/computes/listKeys/action",
            f"{_WORKSPACES}/listKeys/action",
            f"{_WORKSPACES}/hubs/write",
            f"{_WORKSPACES}/hubs/delete",
            f"{_WORKSPACES}/featurestores/write",
            f"{_WORKSPACES}/featurestores/delete",
        ),
    ),
    RoleDefinition(
        name="ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
        role_name="Azure Machine Learning Workspace Connection Secrets Reader",
        actions=(f"{_WORKSPACES}/connections/listsecrets/action", f"{_WORKSPACES}/metadata/secrets/read"),
    ),
    RoleDefinition(
        name="e503ece1-11d0-4e8e-8e2c-7a6c3bf38815",
        role_name="AzureML Compute Operator",
        actions=(f"{_WORKSPACES}/computes/*", f"{_WORKSPACES}/notebooks/vm/*"),
    ),
    RoleDefinition(
        name="f1a07417-d97a-45cb-824c-7a7467783830",
        role_name="Managed Identity Operator",
        actions=(*_COMMON, f"{_IDENTITIES}/*/read", f"{_IDENTITIES}/*/assign/action"),
    ),
    RoleDefinition(
        name="4d97b98b-1d4f-4787-a291-c67834d212e7",
        role_name="Network Contributor",
        actions=(*_COMMON, "Microsoft.Network/*", "Microsoft.ResourceHealth/availabilityStatuses/read"),
    ),
    RoleDefinition(
        name="85cb6faf-e071-4c9b-8136-154b5a04f717",
        role_name="Kubernetes Extension Contributor",
        actions=(
            *_COMMON,
            "Microsoft.KubernetesConfiguration/extensions/write",
            "Microsoft.KubernetesConfiguration/extensions/read",
            "Microsoft.KubernetesConfiguration/extensions/delete",
            "Microsoft.KubernetesConfiguration/extensions/operations/read",
        ),
    ),
    RoleDefinition(
        name="ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8",
        role_name="Azure Kubernetes Service Contributor Role",
        actions=(
            f"{_CLUSTERS}/read",
            f"{_CLUSTERS}/write",
            "Microsoft.ContainerService/locations/*",
            f"{_CLUSTERS}/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Support/*",
        ),
    ),
    RoleDefinition(
        name="4abbcc35-e782-43d8-92f1-2d3f1bd2285f",
        role_name="Azure Kubernetes Service Cluster User Role",
        actions=(f"{_CLUSTERS}/listClusterUserCredential/action", f"{_CLUSTERS}/read"),
    ),
    RoleDefinition(
        name="0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
        role_name="Azure Kubernetes Service Cluster Admin Role",
        actions=(
            f"{_CLUSTERS}/listClusterAdminCredential/action",
            f"{_CLUSTERS}/accessProfiles/listCredential/action",
            f"{_CLUSTERS}/read",
            f"{_CLUSTERS}/runcommand/action",
        ),
    ),
    RoleDefinition(
        name="b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
        role_name="Azure Kubernetes Service RBAC Cluster Admin",
        actions=(*_COMMON, f"{_CLUSTERS}/listClusterUserCredential/action"),
        data_actions=(f"{_CLUSTERS}/*",),
    ),
    RoleDefinition(
        name="a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb",
        role_name="Azure Kubernetes Service RBAC Writer",
        actions=(*_COMMON,),
        data_actions=(
            f"{_CLUSTERS}/apps/*",
            f"{_CLUSTERS}/batch/*",
            f"{_CLUSTERS}/configmaps/*",
            f"{_CLUSTERS}/persistentvolumeclaims/*",
            f"{_CLUSTERS}/pods/*",
            f"{_CLUSTERS}/secrets/*",
            f"{_CLUSTERS}/serviceaccounts/*",
            f"{_CLUSTERS}/services/*",
        ),
    ),
)
DEFINITIONS = types.MappingProxyType({role.name: role for role in _ROLES})
"""The roles by their GUIDs."""
