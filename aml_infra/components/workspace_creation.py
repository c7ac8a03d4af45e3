"""How a workspace is made: in which order, and who may do what with it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pulumi

from aml_infra import arguments
from aml_infra.components import (
    azure_place,
    diagnostics,
    role_assignments,
    workspace_dependencies,
    workspace_network,
)
from aml_infra.components.azure_place import Place
from aml_infra.components.soft_deletion import SoftDeletion, SoftDeletionArgs
from aml_infra.components.workspace_args import MANAGED_NETWORKS, WorkspaceArgs
from aml_infra.errors import Problem

if TYPE_CHECKING:
    from pulumi_azure_native import (
        applicationinsights,
        authorization,
        keyvault,
        machinelearningservices,
        managedidentity,
        operationalinsights,
        storage,
    )

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"

CHANGED_BY_THE_SERVICE = (
    "containerRegistry",
    "managedNetwork.firewallSku",
    "managedNetwork.outboundRules",
    "managedNetwork.status",
)
"""What the service adds to a workspace while it is used."""

IDENTITY_ROLES = {
    "storage": ("Contributor", "Storage Blob Data Contributor", "Storage File Data Privileged Contributor"),
    "vault": ("Contributor", "Key Vault Administrator"),
    "insights": ("Contributor",),
}
"""What the workspace's identity must be allowed before the workspace is made, and on what; see
https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication."""

CONTRIBUTOR_ROLES = {"workspace": "AzureML Data Scientist", "storage": "Storage Blob Data Contributor"}
"""What someone who trains must be allowed, and on what."""

COMPUTE_ROLES = {
    "storage": "Storage Blob Data Contributor",
    "workspace": "Azure Machine Learning Workspace Connection Secrets Reader",
}
"""What the identity of computes must be allowed, and on what: a job's secrets are in a connection of the workspace."""

after = azure_place.after


@dataclasses.dataclass(frozen=True, kw_only=True)
class Creation:
    """What was made."""

    workspace: machinelearningservices.Workspace
    workspace_name: pulumi.Output[str]
    account: storage.StorageAccount
    vault: keyvault.Vault
    insights: applicationinsights.Component
    logs: operationalinsights.Workspace
    identity: managedidentity.UserAssignedIdentity


def make_group(
    parent: pulumi.Resource, name: str, args: WorkspaceArgs, subscription_id: pulumi.Output[str]
) -> pulumi.Output[str]:
    """The id of the resource group, made unless there is one already."""
    group_name = pulumi.Output.from_input(
        args.resource_group or azure_place.build_name("resource_group", subscription_id, name)
    )
    group_id = pulumi.Output.concat("/subscriptions/", subscription_id, "/resourceGroups/", group_name)
    if args.resource_group is not None:
        return group_id
    from pulumi_azure_native import resources

    group = resources.ResourceGroup(
        f"{name}-group",
        resource_group_name=group_name,
        location=args.location,
        tags=args.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return azure_place.after(group, group_id)


def make_all(place: Place, args: WorkspaceArgs, client: authorization.GetClientConfigResult) -> Creation:
    """The workspace, and all that belongs to it."""
    creation = _make_workspace(place, args, client.tenant_id)
    workspace, account, vault = creation.workspace, creation.account, creation.vault
    principal_id = creation.identity.principal_id
    grant(place, "identity", "workspace", "Contributor", scope=workspace.id, principal_id=principal_id)
    scopes = {"workspace": workspace.id, "storage": account.id}
    for who, (object_id, principal_type) in _list_contributors(args, client).items():
        for what, role in CONTRIBUTOR_ROLES.items():
            grant(
                place,
                f"contributor-{who}",
                what,
                role,
                scope=scopes[what],
                principal_id=object_id,
                principal_type=principal_type,
            )
    workspace_network.make_rules(place, args.outbound_rules, workspace)
    for what, resource_id in (
        ("workspace", workspace.id),
        ("blobs", pulumi.Output.concat(account.id, "/blobServices/default")),
        ("vault", vault.id),
    ):
        diagnostics.send_diagnostics(
            f"{place.name}-{what}-diagnostics",
            resource_id=resource_id,
            log_analytics_id=creation.logs.id,
            opts=pulumi.ResourceOptions(parent=place.parent),
        )
    if args.private_endpoint_subnet_id is not None:
        for target in workspace_network.list_targets(workspace.id, account.id, vault.id):
            endpoint_id = workspace_network.make_endpoint(
                place, target, subnet_id=args.private_endpoint_subnet_id, zone_ids=args.private_dns_zone_ids
            )
            if target.resource_id is account.id:
                # The studio shows data where the identity sees that the endpoint is there.
                where = f"{target.part}-endpoint"
                grant(place, "identity", where, "Reader", scope=endpoint_id, principal_id=principal_id)
    return creation


def _make_workspace(place: Place, args: WorkspaceArgs, tenant_id: str) -> Creation:
    workspace_name = pulumi.Output.from_input(args.workspace_name or place.build_name("workspace"))
    workspace_id = place.build_id(WORKSPACES, workspace_name)
    account = workspace_dependencies.make_storage(place, args, workspace_id=workspace_id, tenant_id=tenant_id)
    vault = workspace_dependencies.make_vault(place, args, tenant_id=tenant_id)
    logs = workspace_dependencies.make_logs(place, args)
    insights = workspace_dependencies.make_insights(place, logs)
    identity = workspace_dependencies.make_identity(place)
    scopes = {"storage": account.id, "vault": vault.id, "insights": insights.id}
    grants: list[pulumi.Resource] = [
        grant(place, "identity", what, role, scope=scopes[what], principal_id=identity.principal_id)
        for what, roles in IDENTITY_ROLES.items()
        for role in roles
    ]
    from pulumi_azure_native import machinelearningservices

    guard = SoftDeletion(
        f"{place.name}-guard",
        SoftDeletionArgs(
            resource_id=workspace_id,
            location=place.location,
            purge=True,
        ),
        # The purge comes right after the workspace's delete, while what belonged to it is still there; also where the
        # workspace is replaced, as the new one has the same name.
        pulumi.ResourceOptions(
            parent=place.parent,
            delete_before_replace=True,
            depends_on=[account, vault],
            replacement_trigger=args.high_business_impact,
        ),
    )
    workspace = machinelearningservices.Workspace(
        f"{place.name}-workspace",
        # Whatever its name comes from is deleted after the workspace, and made before it.
        workspace_name=azure_place.after(guard, workspace_name),
        resource_group_name=place.group,
        location=place.location,
        application_insights=insights.id,
        description=args.description,
        friendly_name=args.friendly_name or place.name,
        hbi_workspace=args.high_business_impact,
        identity=machinelearningservices.ManagedServiceIdentityArgs(
            type="UserAssigned", user_assigned_identities=[identity.id]
        ),
        key_vault=vault.id,
        managed_network=machinelearningservices.ManagedNetworkSettingsArgs(
            isolation_mode=MANAGED_NETWORKS[args.managed_network]
        ),
        primary_user_assigned_identity=identity.id,
        public_network_access="Enabled" if args.public_network_access else "Disabled",
        storage_account=account.id,
        system_datastores_auth_mode="Identity",
        tags=place.tags,
        v1_legacy_mode=False,
        opts=pulumi.ResourceOptions(
            parent=place.parent,
            delete_before_replace=True,
            depends_on=grants,
            ignore_changes=list(CHANGED_BY_THE_SERVICE),
            # Azure refuses to change these. It refuses another key vault and another storage account, too, but for them
            # no workspace is thrown away.
            replace_on_changes=["hbiWorkspace", "location"],
        ),
    )
    return Creation(
        workspace=workspace,
        workspace_name=azure_place.after(workspace, workspace_name),
        account=account,
        vault=vault,
        insights=insights,
        logs=logs,
        identity=identity,
    )


def grant(
    place: Place,
    who: str,
    what: str,
    role: str,
    *,
    scope: pulumi.Input[str],
    principal_id: pulumi.Input[str],
    principal_type: pulumi.Input[str] = "ServicePrincipal",
) -> pulumi.Resource:
    """Assigns ``role`` on ``what`` to ``who``: words that the name of the resource is made of."""
    return role_assignments.grant(
        "-".join([place.name, who, what, *role.lower().split()]),
        role,
        scope=scope,
        principal_id=principal_id,
        principal_type=principal_type,
        opts=pulumi.ResourceOptions(parent=place.parent),
    )


def check_login(name: str, args: WorkspaceArgs, client: authorization.GetClientConfigResult) -> None:
    """Raises ``InvalidInput`` if whoever is logged in cannot be a contributor, and there is no other."""
    if args.contributors is None and not client.object_id:
        fix = "list who may train in the workspace, or {} for nobody"
        arguments.raise_for([Problem(f"{name}.contributors", f"is missing, and the login has no object id; {fix}")])


def _list_contributors(
    args: WorkspaceArgs, client: authorization.GetClientConfigResult
) -> dict[str, tuple[pulumi.Input[str], str]]:
    """Object id and type of each contributor."""
    if args.contributors is None:
        return {"deployer": (client.object_id, role_assignments.find_principal_type(client.client_id))}
    return {who: (principal.object_id, principal.type) for who, principal in args.contributors.items()}
