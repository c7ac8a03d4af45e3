"""Storage accounts: names, keys, what cannot be changed, and what goes with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud

ACCOUNT: dict[str, Any] = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}


@pytest.fixture
def path(group: str) -> str:
    """The id of an account that there is not yet."""
    return f"{group}/providers/Microsoft.Storage/storageAccounts/pets"


def test_a_new_account_shows_what_the_service_adds(client: Client, path: str) -> None:
    """Endpoints, encryption, network rules, the tier."""
    made = client.make(path, ACCOUNT)

    assert made.properties["primaryEndpoints"]["blob"] == "https://pets.blob.core.windows.net/"
    assert made.properties["encryption"]["services"]["blob"]["enabled"] is True
    assert made.properties["networkAcls"]["bypass"] == "AzureServices"
    assert made.body["sku"] == {"name": "Standard_LRS", "tier": "Standard"}


def test_a_change_is_done_at_once(client: Client, path: str) -> None:
    """The first PUT takes time, a later one does not."""
    client.make(path, ACCOUNT)

    answer = client.put(path, {**ACCOUNT, "properties": {"allowSharedKeyAccess": False}})

    assert (answer.status, answer.properties["provisioningState"]) == (200, "Succeeded")
    assert "location" not in answer.headers


@pytest.mark.parametrize("name", ["ab", "Pets", "pets-1", "a" * 25])
def test_a_name_keeps_to_its_rule(client: Client, path: str, name: str) -> None:
    """3 to 24 lower-case letters and digits."""
    answer = client.put(f"{path.removesuffix('pets')}{name}", ACCOUNT)

    assert (answer.status, answer.code) == (400, "AccountNameInvalid")


def test_a_name_that_somebody_has_is_taken(cloud: Cloud, client: Client, path: str) -> None:
    """Names are unique in all of Azure, which can be asked first."""
    cloud.taken_names.add(("microsoft.storage/storageaccounts", "pets"))
    check = f"{cloud.subscription}/providers/Microsoft.Storage/checkNameAvailability"

    answer = client.put(path, ACCOUNT)
    asked = client.post(check, {"name": "pets", "type": "Microsoft.Storage/storageAccounts"})

    assert (answer.status, answer.code) == (409, "StorageAccountAlreadyTaken")
    assert (asked.body["nameAvailable"], asked.body["reason"]) == (False, "AlreadyExists")


@pytest.mark.parametrize(
    "change", [{"kind": "BlobStorage"}, {"location": "eastus"}, {"properties": {"isHnsEnabled": True}}]
)
def test_what_it_is_stays(client: Client, path: str, change: dict[str, Any]) -> None:
    """Kind, place and hierarchical names."""
    client.make(path, {**ACCOUNT, "properties": {"isHnsEnabled": False}})

    assert client.put(path, {**ACCOUNT, **change}).status == 409


def test_keys_are_not_given_out_where_they_are_off(client: Client, path: str) -> None:
    """Two keys, or a refusal."""
    client.make(path, ACCOUNT)
    given = client.post(f"{path}/listKeys")
    client.make(path, {**ACCOUNT, "properties": {"allowSharedKeyAccess": False}})
    refused = client.post(f"{path}/listKeys")

    assert [each["keyName"] for each in given.body["keys"]] == ["key1", "key2"]
    assert (refused.status, refused.code) == (403, "KeyBasedAuthenticationNotPermitted")


def test_its_blobs_have_settings(client: Client, path: str) -> None:
    """They come and go with the account, and are called default."""
    client.make(path, ACCOUNT)

    changed = client.put(
        f"{path}/blobServices/default", {"properties": {"deleteRetentionPolicy": {"enabled": True, "days": 7}}}
    )

    assert (changed.status, changed.properties["deleteRetentionPolicy"]["days"]) == (200, 7)
    assert client.put(f"{path}/blobServices/other", {"properties": {}}).status == 400
    client.delete(path)
    assert client.get(f"{path}/blobServices/default").status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Storage", "properties": {"isHnsEnabled": True}},
        {"properties": {"isSftpEnabled": True}},
        {"kind": "BlockBlobStorage"},
        {"properties": {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "10.0.0.0/16"}]}}},
        {"properties": {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "20.1.2.3/32"}]}}},
        {"properties": {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "home"}]}}},
        {"properties": {"networkAcls": {"defaultAction": "Deny", "virtualNetworkRules": [{"id": "/subnets/none"}]}}},
    ],
)
def test_what_no_account_may_have_is_refused(client: Client, path: str, change: dict[str, Any]) -> None:
    """Kinds have their features, and rules are for public ranges and for subnets that are there."""
    assert client.put(path, {**ACCOUNT, **change}).status == 400


@pytest.mark.parametrize(("sku", "status"), [("Standard_GRS", 200), ("Standard_ZRS", 409), ("Premium_LRS", 409)])
def test_redundancy_changes_within_its_sort(client: Client, path: str, sku: str, status: int) -> None:
    """Copies in another region come and go; zones and the tier stay."""
    client.make(path, ACCOUNT)

    assert client.patch(path, {"sku": {"name": sku}}).status == status


def test_who_does_not_ask_gets_old_tls(client: Client, path: str) -> None:
    """The service's default is not the safe one."""
    assert client.make(path, ACCOUNT).properties["minimumTlsVersion"] == "TLS1_0"


def test_settings_cannot_be_deleted_alone(client: Client, path: str) -> None:
    """Those of blobs and of files go with their account."""
    client.make(path, ACCOUNT)

    assert client.delete(f"{path}/blobServices/default").code == "MethodNotAllowed"
    assert client.delete(f"{path}/fileServices/default").code == "MethodNotAllowed"


@pytest.mark.parametrize(
    ("name", "reason"), [("petsfree", None), ("pets", "AlreadyExists"), ("Pets", "AccountNameInvalid")]
)
def test_names_are_asked_after(cloud: Cloud, client: Client, path: str, name: str, reason: str | None) -> None:
    """Names that are free, in use, and not valid."""
    client.make(path, ACCOUNT)
    check = f"{cloud.subscription}/providers/Microsoft.Storage/checkNameAvailability"

    answer = client.post(check, {"name": name, "type": "Microsoft.Storage/storageAccounts"})

    assert answer.body["nameAvailable"] is (reason is None)
    assert answer.body.get("reason") == reason
    assert client.post(check, {"name": name}).status == 400
