"""What a workspace needs to be made, with the settings that docs/security.md lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from aml_infra.components import azure_place
from aml_infra.components.azure_place import Place
from aml_infra.components.soft_deletion import SoftDeletion, SoftDeletionArgs
from aml_infra.components.workspace_args import WorkspaceArgs

if TYPE_CHECKING:
    from pulumi_azure_native import (
        applicationinsights,
        keyvault,
        managedidentity,
        operationalinsights,
        storage,
    )

RECOVERABLE_DAYS = 7
"""Days for which deleted blobs and containers can be recovered."""


def make_storage(
    place: Place, args: WorkspaceArgs, *, workspace_id: pulumi.Output[str], tenant_id: str
) -> storage.StorageAccount:
    """The storage account: access by role only, and recovery of deleted blobs."""
    from pulumi_azure_native import storage

    # The service itself goes through the firewall as this one workspace.
    rules = [storage.ResourceAccessRuleArgs(resource_id=workspace_id, tenant_id=tenant_id)]
    account = storage.StorageAccount(
        f"{place.name}-storage",
        account_name=place.build_name("storage_account"),
        resource_group_name=place.group,
        location=place.location,
        kind="StorageV2",
        sku=storage.SkuArgs(name=args.storage_redundancy),
        access_tier=storage.AccessTier.HOT,
        allow_blob_public_access=False,
        allow_cross_tenant_replication=False,
        allow_shared_key_access=False,
        default_to_o_auth_authentication=True,
        enable_https_traffic_only=True,
        encryption=storage.EncryptionArgs(key_source="Microsoft.Storage", require_infrastructure_encryption=True),
        is_local_user_enabled=False,
        minimum_tls_version="TLS1_2",
        network_rule_set=storage.NetworkRuleSetArgs(
            bypass="AzureServices",
            default_action=storage.DefaultAction.ALLOW if args.public_network_access else storage.DefaultAction.DENY,
            resource_access_rules=None if args.public_network_access else rules,
        ),
        public_network_access="Enabled" if args.public_network_access else "Disabled",
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=place.parent),
    )
    kept = storage.DeleteRetentionPolicyArgs(enabled=True, days=RECOVERABLE_DAYS)
    storage.BlobServiceProperties(
        f"{place.name}-blobs",
        account_name=account.name,
        blob_services_name="default",
        resource_group_name=place.group,
        container_delete_retention_policy=kept,
        delete_retention_policy=kept,
        # The workspace allows its studio to read from the browser.
        opts=pulumi.ResourceOptions(parent=place.parent, ignore_changes=["cors"]),
    )
    return account


def make_vault(place: Place, args: WorkspaceArgs, *, tenant_id: str) -> keyvault.Vault:
    """The key vault: access by role only, recoverable, and closed but for Azure's own services."""
    from pulumi_azure_native import keyvault

    name = place.build_name("key_vault")
    guard = SoftDeletion(
        f"{place.name}-vault-guard",
        SoftDeletionArgs(
            resource_id=place.build_id("Microsoft.KeyVault/vaults", name),
            location=place.location,
            purge=not args.purge_protection,
        ),
        pulumi.ResourceOptions(parent=place.parent, delete_before_replace=True),
    )
    return keyvault.Vault(
        f"{place.name}-vault",
        # Whatever its name comes from is deleted after the vault, and made before it.
        vault_name=azure_place.after(guard, name),
        resource_group_name=place.group,
        location=place.location,
        properties=keyvault.VaultPropertiesArgs(
            create_mode=guard.mode.apply(keyvault.CreateMode),
            # Azure takes no False here.
            enable_purge_protection=args.purge_protection or None,
            enable_rbac_authorization=True,
            enable_soft_delete=True,
            network_acls=keyvault.NetworkRuleSetArgs(bypass="AzureServices", default_action="Deny"),
            public_network_access="Enabled" if args.public_network_access else "Disabled",
            sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.STANDARD),
            soft_delete_retention_in_days=args.soft_delete_days,
            tenant_id=tenant_id,
        ),
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=place.parent, delete_before_replace=True, replace_on_changes=["location"]),
    )


def make_logs(place: Place, args: WorkspaceArgs) -> operationalinsights.Workspace:
    """The Log Analytics workspace that all logs go to."""
    from pulumi_azure_native import operationalinsights

    return operationalinsights.Workspace(
        f"{place.name}-logs",
        workspace_name=place.build_name("log_analytics"),
        resource_group_name=place.group,
        location=place.location,
        features=operationalinsights.WorkspaceFeaturesArgs(
            disable_local_auth=True, enable_log_access_using_only_resource_permissions=True
        ),
        retention_in_days=args.log_retention_days,
        sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=place.parent),
    )


def make_insights(place: Place, logs: operationalinsights.Workspace) -> applicationinsights.Component:
    """Application Insights, which keeps its data in the Log Analytics workspace."""
    from pulumi_azure_native import applicationinsights

    return applicationinsights.Component(
        f"{place.name}-insights",
        resource_name_=place.build_name("application_insights"),
        resource_group_name=place.group,
        location=place.location,
        application_type="web",
        disable_local_auth=True,
        ingestion_mode="LogAnalytics",
        kind="web",
        tags=place.tags,
        workspace_resource_id=logs.id,
        opts=pulumi.ResourceOptions(parent=place.parent),
    )


def make_identity(place: Place, part: str = "") -> managedidentity.UserAssignedIdentity:
    """A user-assigned identity: the workspace's own, or that of its ``part``."""
    from pulumi_azure_native import managedidentity

    return managedidentity.UserAssignedIdentity(
        "-".join(filter(None, [place.name, part, "identity"])),
        resource_name_=place.build_name("identity", part),
        resource_group_name=place.group,
        location=place.location,
        tags=place.tags,
        # Preview does not know the principal of an identity that is changed, and would show all its roles as replaced.
        opts=pulumi.ResourceOptions(parent=place.parent, ignore_changes=["tags"]),
    )
