"""The services around a workspace, each by its own management client."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure import identity
from azure.core import exceptions
from azure.mgmt.applicationinsights import ApplicationInsightsManagementClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerregistry.v2023_01_01_preview import models as registry_models
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault import models as vault_models
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.monitor.v2021_05_01_preview import models as monitor_models
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.msi import models as identity_models
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.network import models as network_models
from azure.mgmt.storage import StorageManagementClient
from azure.mgmt.storage import models as storage_models

from tests.azure import built_in_roles, server
from tests.azure.conformance import parts
from tests.azure.services import network


@pytest.fixture(scope="module")
def made(azure: server.Azure, credential: identity.DefaultAzureCredential) -> parts.Parts:
    """A workspace with its parts."""
    return parts.make(credential, azure.cloud.subscription_id, "parts")


@pytest.fixture
def vaults(azure: server.Azure, credential: identity.DefaultAzureCredential) -> Iterator[KeyVaultManagementClient]:
    """The client of azure-mgmt-keyvault."""
    with KeyVaultManagementClient(credential, azure.cloud.subscription_id) as client:
        yield client


def _build_vault(*, purge_protection: bool = False) -> vault_models.VaultCreateOrUpdateParameters:
    properties = vault_models.VaultProperties(
        tenant_id=parts.TENANT,
        sku=vault_models.Sku(family="A", name="standard"),
        enable_rbac_authorization=True,
        enable_purge_protection=purge_protection or None,
    )
    return vault_models.VaultCreateOrUpdateParameters(location=parts.LOCATION, properties=properties)


def test_a_deleted_vault_blocks_its_name(vaults: KeyVaultManagementClient, made: parts.Parts) -> None:
    """It is soft-deleted: listed, in the way of a new one, and gone when it is purged."""
    vaults.vaults.begin_create_or_update(made.group, "parts-again", _build_vault()).result()
    vaults.vaults.delete(made.group, "parts-again")
    assert "parts-again" in {vault.name for vault in vaults.vaults.list_deleted()}
    with pytest.raises(exceptions.HttpResponseError, match="ConflictError"):
        vaults.vaults.begin_create_or_update(made.group, "parts-again", _build_vault()).result()

    vaults.vaults.begin_purge_deleted("parts-again", parts.LOCATION).result()

    vault = vaults.vaults.begin_create_or_update(made.group, "parts-again", _build_vault()).result()
    assert vault.properties.vault_uri == "https://parts-again.vault.azure.net/"


def test_a_protected_vault_cannot_be_purged(vaults: KeyVaultManagementClient, made: parts.Parts) -> None:
    """Nobody can, before its days are over; it can be recovered under its name."""
    parameters = _build_vault(purge_protection=True)
    vaults.vaults.begin_create_or_update(made.group, "parts-kept", parameters).result()
    vaults.vaults.delete(made.group, "parts-kept")
    with pytest.raises(exceptions.HttpResponseError):
        vaults.vaults.begin_purge_deleted("parts-kept", parts.LOCATION).result()

    parameters.properties.create_mode = vault_models.CreateMode.RECOVER
    recovered = vaults.vaults.begin_create_or_update(made.group, "parts-kept", parameters).result()

    assert recovered.properties.enable_purge_protection


def test_storage_names_are_checked(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts
) -> None:
    """In advance when asked, and when an account is made."""
    with StorageManagementClient(credential, azure.cloud.subscription_id) as client:
        ask = storage_models.StorageAccountCheckNameAvailabilityParameters
        assert client.storage_accounts.check_name_availability(ask(name="partsfree")).name_available
        assert not client.storage_accounts.check_name_availability(ask(name=made.account)).name_available
        parameters = storage_models.StorageAccountCreateParameters(
            sku=storage_models.Sku(name="Standard_LRS"), kind="StorageV2", location=parts.LOCATION
        )
        with pytest.raises((exceptions.HttpResponseError, ValueError), match="Bad_Name"):
            client.storage_accounts.begin_create(made.group, "Bad_Name", parameters)


def test_logs_and_insights_are_shown(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts
) -> None:
    """An insights component has a connection string, and names its logs."""
    with LogAnalyticsManagementClient(credential, azure.cloud.subscription_id) as client:
        logs = client.workspaces.get(made.group, "parts-logs")
    with ApplicationInsightsManagementClient(credential, azure.cloud.subscription_id) as insights:
        component = insights.components.get(made.group, "parts-insights")

    assert logs.provisioning_state == "Succeeded"
    assert str(component.workspace_resource_id).lower() == str(logs.id).lower()
    assert str(component.connection_string).startswith("InstrumentationKey=")


def test_diagnostics_of_a_workspace_go_to_its_logs(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts
) -> None:
    """A setting on any resource, which is listed and deleted with the client of azure-mgmt-monitor."""
    logs = (
        f"{made.workspace_id.partition('/providers/')[0]}/providers/Microsoft.OperationalInsights/workspaces/parts-logs"
    )
    given = monitor_models.DiagnosticSettingsResource(
        workspace_id=logs, logs=[monitor_models.LogSettings(category_group="allLogs", enabled=True)]
    )
    with MonitorManagementClient(credential, azure.cloud.subscription_id) as client:
        settings: Any = client.diagnostic_settings
        settings.create_or_update(made.workspace_id, "to-logs", given)
        assert [each.name for each in settings.list(made.workspace_id)] == ["to-logs"]

        settings.delete(made.workspace_id, "to-logs")

        assert not list(settings.list(made.workspace_id))


def test_a_role_given_twice_is_a_conflict(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts
) -> None:
    """The same role, principal and scope under another name is refused; the first is found in the list."""
    definition = next(each for each in built_in_roles.DEFINITIONS.values() if each.role_name == "Reader")
    given = RoleAssignmentCreateParameters(
        role_definition_id=definition.build_body(azure.cloud.subscription)["id"],
        principal_id=made.principal_id,
        principal_type="ServicePrincipal",
    )
    name = str(uuid.uuid4())
    with AuthorizationManagementClient(credential, azure.cloud.subscription_id) as client:
        client.role_assignments.create(made.account_id, name, given)
        with pytest.raises(exceptions.ResourceExistsError, match="RoleAssignmentExists"):
            client.role_assignments.create(made.account_id, str(uuid.uuid4()), given)

        assert name in {each.name for each in client.role_assignments.list_for_scope(made.account_id)}
        client.role_assignments.delete(made.account_id, name)


def test_a_new_identity_needs_its_type_told(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts
) -> None:
    """Without principalType a grant right after the identity was made does not find it: the known race."""
    with ManagedServiceIdentityClient(credential, azure.cloud.subscription_id) as identities:
        new = identities.user_assigned_identities.create_or_update(
            made.group, "parts-new", identity_models.Identity(location=parts.LOCATION)
        )
    definition = next(each for each in built_in_roles.DEFINITIONS.values() if each.role_name == "Reader")
    given: Any = RoleAssignmentCreateParameters(
        role_definition_id=definition.build_body(azure.cloud.subscription)["id"], principal_id=str(new.principal_id)
    )
    # The client itself would say that it is a user.
    given.principal_type = None
    with AuthorizationManagementClient(credential, azure.cloud.subscription_id) as client:
        with pytest.raises(exceptions.HttpResponseError, match="PrincipalNotFound"):
            client.role_assignments.create(made.account_id, str(uuid.uuid4()), given)

        given.principal_type = "ServicePrincipal"
        client.role_assignments.create(made.account_id, str(uuid.uuid4()), given)


def test_a_registry_is_changed(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts
) -> None:
    """Its administrator stays off; the tier can be raised."""
    with ContainerRegistryManagementClient(credential, azure.cloud.subscription_id, "2023-01-01-preview") as client:
        given = registry_models.Registry(location=parts.LOCATION, sku=registry_models.Sku(name="Basic"))
        client.registries.begin_create(made.group, "partsregistry", given).result()

        update = registry_models.RegistryUpdateParameters(sku=registry_models.Sku(name="Premium"))
        changed = client.registries.begin_update(made.group, "partsregistry", update).result()

        assert (changed.sku.name, changed.admin_user_enabled) == ("Premium", False)
        with pytest.raises(exceptions.HttpResponseError):
            client.registries.list_credentials(made.group, "partsregistry")
        client.registries.begin_delete(made.group, "partsregistry").result()
        assert not list(client.registries.list_by_resource_group(made.group))


def test_a_private_endpoint_leads_to_the_storage(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts
) -> None:
    """Its connection is approved, as the caller owns the account."""
    group_id = made.workspace_id.partition("/providers/")[0]
    subnet = network.add_network(azure.cloud, group_id, "parts-network", "endpoints") + "/subnets/endpoints"
    connection = network_models.PrivateLinkServiceConnection(
        name="storage", private_link_service_id=made.account_id, group_ids=["blob"]
    )
    given = network_models.PrivateEndpoint(
        location=parts.LOCATION,
        subnet=network_models.Subnet(id=subnet),
        private_link_service_connections=[connection],
    )
    with NetworkManagementClient(credential, azure.cloud.subscription_id) as client:
        endpoint: Any = client.private_endpoints.begin_create_or_update(made.group, "parts-endpoint", given).result()

        (found,) = endpoint.private_link_service_connections or []
        assert found.private_link_service_connection_state.status == "Approved"
        client.private_endpoints.begin_delete(made.group, "parts-endpoint").result()
