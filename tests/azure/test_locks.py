"""Locks: what they keep from being deleted or changed, and for whom."""

from __future__ import annotations

import pytest

from tests.azure import arm_client
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud

ACCOUNT = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
LOCK = "providers/Microsoft.Authorization/locks/keep"


@pytest.fixture
def account(client: Client, group: str) -> str:
    """The id of a storage account that is there."""
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/pets"
    client.make(path, ACCOUNT)
    return path


def test_a_locked_group_and_what_is_in_it_stay(client: Client, group: str, account: str) -> None:
    """The refusal names the lock's scope; changes are allowed."""
    client.put(f"{group}/{LOCK}", {"properties": {"level": "CanNotDelete"}})

    answers = [client.delete(path) for path in (group, account)]

    assert [(each.status, each.code) for each in answers] == [(409, "ScopeLocked")] * 2
    assert f"following scope(s) are locked: '{group}'" in answers[1].message
    assert client.put(account, ACCOUNT).status == 200


def test_a_group_stays_with_what_is_locked_in_it(client: Client, group: str, account: str) -> None:
    """Nothing of it goes."""
    client.put(f"{account}/{LOCK}", {"properties": {"level": "CanNotDelete"}})

    assert client.delete(group).code == "ScopeLocked"
    assert client.get(account).status == 200


def test_what_can_only_be_read_is_not_changed(client: Client, group: str, account: str) -> None:
    """Level ReadOnly forbids changes, too, and new resources."""
    client.put(f"{group}/{LOCK}", {"properties": {"level": "ReadOnly"}})

    assert client.put(account, ACCOUNT).code == "ScopeLocked"
    assert client.put(f"{account}2", ACCOUNT).code == "ScopeLocked"
    assert client.call("PATCH", account, {"tags": {}}).code == "ScopeLocked"


def test_a_lock_that_is_removed_holds_nothing(client: Client, group: str) -> None:
    """Removing it is not forbidden by it."""
    client.put(f"{group}/{LOCK}", {"properties": {"level": "ReadOnly"}})

    assert client.delete(f"{group}/{LOCK}").status == 200
    assert client.delete(group).status == 202


def test_who_contributes_does_not_lock(cloud: Cloud, group: str) -> None:
    """Locks are for owners."""
    contributor = arm_client.log_in(cloud, arm_client.CONTRIBUTOR, group)

    answer = contributor.put(f"{group}/{LOCK}", {"properties": {"level": "ReadOnly"}})

    assert (answer.status, answer.code) == (403, "AuthorizationFailed")
