"""A workspace with all its parts, made by the official management clients alone."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from azure.core.credentials import TokenCredential
from azure.mgmt.applicationinsights import ApplicationInsightsManagementClient
from azure.mgmt.applicationinsights import models as insights_models
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01 import models as authorization_models
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault import models as vault_models
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from azure.mgmt.loganalytics import models as log_models
from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient
from azure.mgmt.machinelearningservices import models as learning_models
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.msi import models as identity_models
from azure.mgmt.resource import ResourceManagementClient
from azure.mgmt.resource.resources import models as resource_models
from azure.mgmt.storage import StorageManagementClient
from azure.mgmt.storage import models as storage_models

from tests.azure import built_in_roles

LOCATION = "westeurope"
TENANT = "11111111-1111-4111-8111-111111111111"
PROVIDERS = (
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.KubernetesConfiguration",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What was made, by id; and the names that clients ask for."""

    group: str
    workspace: str
    workspace_id: str
    account: str
    account_id: str
    identity_id: str
    principal_id: str

    @property
    def tracking_uri(self) -> str:
        """Where MLflow finds the workspace, through azureml-mlflow."""
        return f"azureml://{LOCATION}.api.azureml.ms/mlflow/v1.0{self.workspace_id}"


def make(credential: TokenCredential, subscription: str, prefix: str, *, takes_keys: bool = False) -> Parts:
    """Makes a resource group with storage, vault, logs, an identity with its roles, and a workspace.

    Whoever has a key of the storage can open it only if ``takes_keys``.
    """
    group = make_group(credential, subscription, f"{prefix}-group")
    with StorageManagementClient(credential, subscription) as storage:
        account = storage.storage_accounts.begin_create(
            group,
            f"{prefix}store",
            storage_models.StorageAccountCreateParameters(
                sku=storage_models.Sku(name="Standard_LRS"),
                kind="StorageV2",
                location=LOCATION,
                allow_shared_key_access=takes_keys,
            ),
        ).result()
    with KeyVaultManagementClient(credential, subscription) as vaults:
        properties = vault_models.VaultProperties(
            tenant_id=TENANT, sku=vault_models.Sku(family="A", name="standard"), enable_rbac_authorization=True
        )
        vault = vaults.vaults.begin_create_or_update(
            group,
            f"{prefix}-vault",
            vault_models.VaultCreateOrUpdateParameters(location=LOCATION, properties=properties),
        ).result()
    with LogAnalyticsManagementClient(credential, subscription) as analytics:
        logs = analytics.workspaces.begin_create_or_update(
            group,
            f"{prefix}-logs",
            log_models.Workspace(
                location=LOCATION, sku=log_models.WorkspaceSku(name="PerGB2018"), retention_in_days=30
            ),
        ).result()
    with ApplicationInsightsManagementClient(credential, subscription) as monitoring:
        component = insights_models.ApplicationInsightsComponent(
            location=LOCATION, kind="web", application_type="web", workspace_resource_id=logs.id
        )
        insights = monitoring.components.create_or_update(group, f"{prefix}-insights", component)
    with ManagedServiceIdentityClient(credential, subscription) as identities:
        identity = identities.user_assigned_identities.create_or_update(
            group, f"{prefix}-identity", identity_models.Identity(location=LOCATION)
        )
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
    for role in ("Contributor", "Storage Blob Data Contributor", "Key Vault Administrator"):
        assign(credential, subscription, scope, identity.principal_id, role)
    with MachineLearningServicesMgmtClient(credential, subscription) as learning:
        kept = learning_models.ManagedServiceIdentity(
            type="UserAssigned", user_assigned_identities={identity.id: learning_models.UserAssignedIdentity()}
        )
        workspace = learning.workspaces.begin_create_or_update(
            group,
            f"{prefix}-ws",
            learning_models.Workspace(
                location=LOCATION,
                identity=kept,
                primary_user_assigned_identity=identity.id,
                storage_account=account.id,
                key_vault=vault.id,
                application_insights=insights.id,
                public_network_access="Enabled",
            ),
        ).result()
    return Parts(
        group=group,
        workspace=str(workspace.name),
        workspace_id=str(workspace.id),
        account=str(account.name),
        account_id=str(account.id),
        identity_id=identity.id,
        principal_id=identity.principal_id,
    )


def make_group(credential: TokenCredential, subscription: str, name: str) -> str:
    """Makes a resource group; gives its name."""
    with ResourceManagementClient(credential, subscription) as client:
        client.resource_groups.create_or_update(name, resource_models.ResourceGroup(location=LOCATION))
    return name


def assign(credential: TokenCredential, subscription: str, scope: str, principal_id: str, role: str) -> None:
    """Gives a role, by its name."""
    definition = next(each for each in built_in_roles.DEFINITIONS.values() if each.role_name == role)
    parameters = authorization_models.RoleAssignmentCreateParameters(
        role_definition_id=definition.build_body(f"/subscriptions/{subscription}")["id"],
        principal_id=principal_id,
        principal_type="ServicePrincipal",
    )
    with AuthorizationManagementClient(credential, subscription) as client:
        client.role_assignments.create(scope, str(uuid.uuid4()), parameters)
