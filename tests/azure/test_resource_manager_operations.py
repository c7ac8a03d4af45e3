"""Changes that take time: how they are followed, and what they hold up; and lists, which come in pages."""

from __future__ import annotations

import pytest

from tests.azure.arm_client import Client
from tests.azure.cloud import RESOURCE_MANAGER, Cloud

ACCOUNT = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}


@pytest.fixture
def account(group: str) -> str:
    """The id of a storage account that there is not yet."""
    return f"{group}/providers/Microsoft.Storage/storageAccounts/pets"


def test_an_operation_ends_after_it_was_asked_often_enough(cloud: Cloud, client: Client, account: str) -> None:
    """202 while it goes on, then what was made; nobody has to wait for a clock."""
    cloud.operations.polls = 2

    started = client.put(account, ACCOUNT)
    location = started.headers["location"].removeprefix(RESOURCE_MANAGER)
    polled = [client.get(location) for _ in range(3)]

    assert (started.status, started.headers["retry-after"]) == (202, "0")
    assert [each.status for each in polled] == [202, 202, 200]
    assert polled[-1].properties["provisioningState"] == "Succeeded"


def test_a_resource_that_is_being_made_says_so(client: Client, account: str) -> None:
    """It can be read, and is not ready."""
    client.put(account, ACCOUNT)

    assert client.get(account).properties["provisioningState"] == "Creating"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_resource_that_is_being_made_takes_no_other_change(client: Client, account: str, method: str) -> None:
    """One operation at a time."""
    client.put(account, ACCOUNT)

    answer = client.call(method, account, ACCOUNT if method == "PUT" else None)

    assert (answer.status, answer.code) == (409, "AnotherOperationInProgress")


def test_a_test_may_end_what_is_under_way(cloud: Cloud, client: Client, account: str) -> None:
    """As time does when nobody asks."""
    client.put(account, ACCOUNT)

    cloud.operations.end_all()

    assert client.get(account).properties["provisioningState"] == "Succeeded"


def test_an_operation_that_there_is_not_is_not_found(cloud: Cloud, client: Client) -> None:
    """A wrong number is told."""
    answer = client.get(f"{cloud.subscription}/providers/Microsoft.Storage/locations/westeurope/operationResults/1")

    assert answer.status == 404


def test_a_group_goes_in_time_with_all_that_is_in_it(cloud: Cloud, client: Client, group: str, account: str) -> None:
    """The deletion is followed by its Location; then group and contents are gone."""
    client.make(account, ACCOUNT)

    started = client.delete(group)
    during = client.get(group).properties["provisioningState"]
    cloud.operations.end_all()

    assert (started.status, during) == (202, "Deleting")
    assert client.get(group).code == "ResourceGroupNotFound"
    assert cloud.resources.get(account) is None


def test_a_delete_of_what_is_not_there_is_no_error(client: Client, account: str) -> None:
    """204, so that it can be repeated."""
    assert client.delete(account).status == 204


def test_a_list_comes_in_pages(cloud: Cloud, client: Client) -> None:
    """Each page leads to the next, and the last to none."""
    cloud.page_size = 2
    for name in ("a", "b", "c"):
        client.put(f"{cloud.subscription}/resourceGroups/{name}", {"location": "westeurope"})

    first = client.get(f"{cloud.subscription}/resourceGroups").body
    second = client.get(first["nextLink"].removeprefix(RESOURCE_MANAGER)).body

    assert [each["name"] for page in (first, second) for each in page["value"]] == ["a", "b", "c"]
    assert "$skiptoken=2" in first["nextLink"]
    assert "nextLink" not in second


def test_a_list_holds_what_is_in_its_scope(cloud: Cloud, client: Client, group: str, account: str) -> None:
    """A group's list has the group's accounts, the subscription's all of them."""
    kind = "providers/Microsoft.Storage/storageAccounts"
    client.make(account, ACCOUNT)
    client.put(f"{group}2", {"location": "westeurope"})
    client.make(f"{group}2/{kind}/others", ACCOUNT)

    inside, everywhere = (client.get(f"{scope}/{kind}").body["value"] for scope in (f"{group}2", cloud.subscription))

    assert [each["name"] for each in inside] == ["others"]
    assert sorted(each["name"] for each in everywhere) == ["others", "pets"]
