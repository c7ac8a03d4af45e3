from __future__ import annotations

from typing import Any

import pytest

from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud

DAY = 24 * 3600


@pytest.fixture
def workspace(group: str) -> str:
    """The id of a workspace that is not there yet."""
    return f"{group}/providers/Microsoft.OperationalInsights/workspaces/log-tests"


def build(**properties: Any) -> dict[str, Any]:
    """A workspace's body."""
    return {"location": "westeurope", "properties": properties}


def remove(client: Client, workspace: str, query: str = "") -> None:
    """Deletes a workspace, and waits."""
    client.follow(client.delete(f"{workspace}{query}"))


def test_new_workspace_takes_time_and_gets_defaults(client: Client, workspace: str) -> None:
    """It is followed by Azure-AsyncOperation; what was not said is filled in."""
    made = client.put(workspace, build())
    ended = client.follow(made)
    read = client.get(workspace).properties

    assert (made.status, made.properties["provisioningState"]) == (201, "Creating")
    assert ended.body["status"] == "Succeeded"
    assert read["provisioningState"] == "Succeeded"
    assert read["sku"]["name"] == "PerGB2018"
    assert read["retentionInDays"] == 30
    assert read["workspaceCapping"]["dailyQuotaGb"] == -1
    assert read["publicNetworkAccessForIngestion"] == read["publicNetworkAccessForQuery"] == "Enabled"
    assert {"customerId", "createdDate", "modifiedDate"} <= set(read)
    assert "lastSkuUpdate" in read["sku"]


def test_changes_are_done_at_once(client: Client, workspace: str) -> None:
    """PUT and PATCH of one that is there answer 200, and keep its ids."""
    made = client.make(workspace, build()).properties

    put = client.put(workspace, build(retentionInDays=60))
    patched = client.patch(workspace, {"properties": {"retentionInDays": 90}})

    assert put.status == patched.status == 200
    assert patched.properties["retentionInDays"] == 90
    assert patched.properties["customerId"] == made["customerId"]
    assert patched.properties["sku"] == made["sku"]


@pytest.mark.parametrize(
    "properties",
    [
        {"retentionInDays": 29},
        {"retentionInDays": 731},
        {"sku": {"name": "Free"}},
        {"sku": {"name": "CapacityReservation"}},
        {"sku": {"name": "PerGB2018", "capacityReservationLevel": 100}},
    ],
)
def test_what_the_tier_does_not_have_is_refused(client: Client, workspace: str, properties: dict[str, Any]) -> None:
    """Retention and tiers keep to the service's limits."""
    assert client.put(workspace, build(**properties)).status == 400


@pytest.mark.parametrize("name", ["log", "-log-tests", "log-tests-", "log_tests", "l" * 64])
def test_bad_name_is_refused(client: Client, workspace: str, name: str) -> None:
    """Names keep to the service's rule."""
    assert client.put(f"{workspace.rpartition('/')[0]}/{name}", build()).code == "InvalidResourceName"


def test_deleted_workspace_comes_back_in_its_place(cloud: Cloud, client: Client, workspace: str) -> None:
    """The same PUT within two weeks recovers it, with its id for customers and its keys."""
    made = client.make(workspace, build()).properties
    keys = client.post(f"{workspace}/sharedKeys").body
    listed = f"{cloud.subscription}/providers/Microsoft.OperationalInsights/deletedWorkspaces"
    remove(client, workspace)
    deleted = [each["id"] for each in client.get(listed).body["value"]]

    back = client.make(workspace, build()).properties

    assert deleted == [workspace]
    assert back["customerId"] == made["customerId"]
    assert back["createdDate"] == made["createdDate"]
    assert client.post(f"{workspace}/sharedKeys").body == keys
    assert client.get(listed).body["value"] == []


def test_deleted_name_cannot_be_used_elsewhere(cloud: Cloud, client: Client, workspace: str) -> None:
    """Neither in another group nor in another region, until two weeks are over."""
    client.make(workspace, build())
    remove(client, workspace)
    other = f"{cloud.subscription}/resourceGroups/rg-other"
    client.make(other, {"location": "westeurope"})
    elsewhere = f"{other}/providers/Microsoft.OperationalInsights/workspaces/log-tests"

    in_group = client.put(elsewhere, build())
    in_region = client.put(workspace, {**build(), "location": "eastus"})
    cloud.clock.move(seconds=14 * DAY)

    assert (in_group.status, in_group.code) == (in_region.status, in_region.code) == (409, "Conflict")
    assert client.put(elsewhere, build()).status == 201


def test_forced_deletion_is_final(client: Client, workspace: str) -> None:
    """A workspace that was deleted by force is not brought back: the next one is another."""
    first = client.make(workspace, build()).properties["customerId"]

    remove(client, workspace, "?force=true")

    assert client.make(workspace, build()).properties["customerId"] != first


def test_keys_are_refused_without_local_authentication(client: Client, workspace: str) -> None:
    """A workspace that takes no keys shows none."""
    client.make(workspace, build(features={"disableLocalAuth": True}))

    assert client.post(f"{workspace}/sharedKeys").status == 403
