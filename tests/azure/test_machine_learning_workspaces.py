"""Workspaces of Machine Learning: what they need, what they cannot change, and how they come back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.azure import arm_client, workspaces
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.workspaces import Parts

PATH = "providers/Microsoft.MachineLearningServices/workspaces/pets"


def test_a_new_workspace_shows_what_the_service_adds(client: Client, workspace: str) -> None:
    """Its number, where its services are, the identity's ids, and the state."""
    made = client.get(workspace)

    properties = made.properties
    assert properties["discoveryUrl"] == "https://westeurope.api.azureml.ms/discovery"
    assert properties["mlFlowTrackingUri"] == f"azureml://westeurope.api.azureml.ms/mlflow/v1.0{workspace}"
    assert (properties["provisioningState"], properties["publicNetworkAccess"]) == ("Succeeded", "Enabled")
    assert properties["managedNetwork"]["status"] == {"status": "Inactive", "sparkReady": False}
    (identity,) = made.body["identity"]["userAssignedIdentities"].values()
    assert set(identity) == {"principalId", "clientId"}
    assert len(properties["workspaceId"]) == 36


def test_it_takes_time_and_is_accepted_with_202(client: Client, group: str, parts: Parts) -> None:
    """The operation is followed by either header."""
    answer = client.put(f"{group}/{PATH}", workspaces.build_body(parts))

    assert answer.status == 202
    assert client.follow(answer).body["status"] == "Succeeded"
    assert {"azure-asyncoperation", "location"} <= set(answer.headers)


def test_ids_of_its_parts_are_shown_in_another_case(client: Client, workspace: str, parts: Parts) -> None:
    """As the service does; clients must not take it for a change."""
    shown = client.get(workspace).properties["storageAccount"]

    assert shown != parts.storage
    assert shown.lower() == parts.storage.lower()


@pytest.mark.parametrize("name", ["storageAccount", "keyVault", "applicationInsights"])
def test_each_part_has_to_be_there(client: Client, group: str, parts: Parts, name: str) -> None:
    """An id of something that there is not is refused."""
    body = workspaces.build_body(parts, **{name: f"{parts.storage}2"})

    answer = client.put(f"{group}/{PATH}", body)

    assert (answer.status, answer.code) == (400, "ValidationError")
    assert name in answer.message


@pytest.mark.parametrize("name", ["storageAccount", "keyVault"])
def test_its_parts_stay(client: Client, workspace: str, parts: Parts, name: str) -> None:
    """Storage and vault cannot be replaced by others."""
    other = client.cloud.resources.get(parts.storage if name == "storageAccount" else parts.vault)
    assert other is not None
    client.cloud.resources.put(type(other)(id=f"{other.id}2", type=other.type, body={**other.body, "name": "pets2"}))

    answer = client.put(workspace, workspaces.build_body(parts, **{name: f"{other.id}2"}))

    assert (answer.status, answer.code) == (409, "PropertyChangeNotAllowed")


def test_business_impact_stays(client: Client, workspace: str, parts: Parts) -> None:
    """It is decided when the workspace is made."""
    answer = client.put(workspace, workspaces.build_body(parts, hbiWorkspace=True))

    assert (answer.status, answer.code) == (409, "PropertyChangeNotAllowed")


def test_a_managed_network_is_not_opened_again(client: Client, workspace: str, parts: Parts) -> None:
    """It can become stricter, and not looser."""
    network = {"isolationMode": "AllowInternetOutbound"}
    client.make(workspace, workspaces.build_body(parts, managedNetwork=network))

    answer = client.put(workspace, workspaces.build_body(parts, managedNetwork={"isolationMode": "Disabled"}))

    assert (answer.status, answer.code) == (400, "ValidationError")
    assert "from AllowInternetOutbound to Disabled" in answer.message


def test_an_identity_without_its_roles_fails_the_creation(
    cloud: Cloud, client: Client, group: str, parts: Parts
) -> None:
    """In the operation, whose answer has status 200 all the same."""
    for each in cloud.resources:
        if each.properties.get("principalId") == parts.principal.object_id and each.type.endswith("roleAssignments"):
            cloud.resources.remove(each.id)

    ended = client.follow(client.put(f"{group}/{PATH}", workspaces.build_body(parts)))

    assert (ended.status, ended.body["status"]) == (200, "Failed")
    assert ended.code == "FailedToPerformOperationWithUserAssignedIdentity"


@pytest.mark.parametrize("name", ["ab", "-pets", "a" * 34])
def test_a_name_keeps_to_its_rule(client: Client, group: str, parts: Parts, name: str) -> None:
    """3 to 33 characters."""
    answer = client.put(f"{group}/{PATH.removesuffix('pets')}{name}", workspaces.build_body(parts))

    assert (answer.status, answer.code) == (400, "ValidationError")


def test_a_patch_changes_what_it_says(client: Client, workspace: str) -> None:
    """And leaves the rest."""
    answer = client.call("PATCH", workspace, {"properties": {"publicNetworkAccess": "Disabled"}})
    client.cloud.operations.end_all()

    properties = client.get(workspace).properties
    assert answer.status == 202
    assert (properties["publicNetworkAccess"], properties["systemDatastoresAuthMode"]) == ("Disabled", "Identity")


def test_a_deleted_workspace_keeps_its_name(client: Client, workspace: str, parts: Parts) -> None:
    """Until it is purged, which a DELETE of what is not there any more does."""
    _delete(client, workspace)
    refused = client.put(workspace, workspaces.build_body(parts))
    purged = client.delete(f"{workspace}?forceToPurge=true")

    assert (refused.status, refused.code) == (409, "Conflict")
    assert "Soft-deleted workspace exists" in refused.message
    assert purged.status in (200, 202)
    assert client.put(workspace, workspaces.build_body(parts)).status == 202


def test_a_live_workspace_can_be_purged_at_once(client: Client, workspace: str, parts: Parts) -> None:
    """Its name is free then."""
    _delete(client, f"{workspace}?forceToPurge=true")

    assert client.put(workspace, workspaces.build_body(parts)).status == 202


def test_a_second_purge_finds_nothing(client: Client, workspace: str) -> None:
    """204, as of anything that is not there."""
    _delete(client, f"{workspace}?forceToPurge=true")

    assert client.delete(f"{workspace}?forceToPurge=true").status == 204


def test_datastores_opened_by_identity_have_no_keys(client: Client, workspace: str, parts: Parts) -> None:
    """The default ones are made with the workspace."""
    store = f"{workspace}/datastores/workspaceblobstore"

    properties = client.get(store).properties
    assert (properties["isDefault"], properties["accountName"]) == (True, parts.storage.rpartition("/")[2])
    assert properties["credentials"] == {"credentialsType": "None"}
    assert client.post(f"{store}/listSecrets").status == 400


def test_a_workspace_of_an_account_without_keys_shows_none(client: Client, workspace: str, parts: Parts) -> None:
    """What is off cannot be had on a detour."""
    account: dict[str, Any] = {**workspaces.ACCOUNT, "properties": {"allowSharedKeyAccess": False}}
    client.make(parts.storage, account)

    assert client.post(f"{parts.storage}/listKeys").status == 403
    assert "userStorageKey" not in client.post(f"{workspace}/listKeys").body


def _delete(client: Client, path: str) -> None:
    assert client.delete(path).status == 202
    client.cloud.operations.end_all()


def test_a_group_that_goes_leaves_its_workspace_soft_deleted(
    cloud: Cloud, client: Client, group: str, workspace: str
) -> None:
    """So that a new group of that name cannot have a workspace of that name at once."""
    client.delete(group)
    cloud.operations.end_all()
    client.make(group, {"location": "westeurope"})
    vaults = f"{cloud.subscription}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults"
    client.follow(client.post(f"{vaults}/pets/purge"), "Location")
    parts = workspaces.make_parts(cloud, client, group)

    answer = client.put(workspace, workspaces.build_body(parts))

    assert (answer.status, answer.code) == (409, "Conflict")


def test_a_role_on_a_workspace_goes_with_it(cloud: Cloud, client: Client, workspace: str) -> None:
    """What stands on a resource is gone with it."""
    reader = cloud.directory.add_application(str(uuid.uuid4()), str(uuid.uuid4()))
    arm_client.assign(cloud, reader, arm_client.READER, workspace)

    _delete(client, f"{workspace}?forceToPurge=true")

    assert not [each for each in cloud.resources if each.properties.get("principalId") == reader.object_id]
