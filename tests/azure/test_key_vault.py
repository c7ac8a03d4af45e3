from __future__ import annotations

from typing import Any

import pytest

from tests.azure import arm_client
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud

DAY = 24 * 3600


@pytest.fixture
def vault(group: str) -> str:
    """The id of a vault that is not there yet."""
    return f"{group}/providers/Microsoft.KeyVault/vaults/kv-tests"


def build(cloud: Cloud, **properties: Any) -> dict[str, Any]:
    """A vault's body."""
    common = {
        "tenantId": cloud.tenant_id,
        "sku": {"family": "A", "name": "standard"},
        "enableRbacAuthorization": True,
    }
    return {"location": "westeurope", "properties": {**common, **properties}}


def find_deleted(cloud: Cloud, name: str = "kv-tests") -> str:
    """Where a deleted vault is asked after."""
    return f"{cloud.subscription}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/{name}"


def test_new_vault_gets_defaults(cloud: Cloud, client: Client, vault: str) -> None:
    """What was not said is filled in as the service does, and the answer has status 200."""
    made = client.put(vault, build(cloud))
    read = client.get(vault)

    assert made.status == 200
    assert made.properties["provisioningState"] == "RegisteringDns"
    assert read.properties == {
        "tenantId": cloud.tenant_id,
        "sku": {"family": "A", "name": "standard"},
        "enableRbacAuthorization": True,
        "accessPolicies": [],
        "enabledForDeployment": False,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": 90,
        "publicNetworkAccess": "Enabled",
        "vaultUri": "https://kv-tests.vault.azure.net/",
        "provisioningState": "Succeeded",
    }


def test_address_is_shown_as_range(cloud: Cloud, client: Client, vault: str) -> None:
    """A rule for one address reads as a range of one."""
    rules = {"defaultAction": "Deny", "ipRules": [{"value": "10.1.2.3"}]}

    read = client.make(vault, build(cloud, networkAcls=rules))

    assert read.properties["networkAcls"]["ipRules"] == [{"value": "10.1.2.3/32"}]


@pytest.mark.parametrize("name", ["kv", "1kv-tests", "kv-tests-", "kv--tests", "kv_tests", "k" * 25])
def test_bad_name_is_refused(cloud: Cloud, client: Client, group: str, name: str) -> None:
    """Names keep to the service's rule."""
    answer = client.put(f"{group}/providers/Microsoft.KeyVault/vaults/{name}", build(cloud))

    assert (answer.status, answer.code) == (400, "VaultNameNotValid")


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"tenantId": "33333333-3333-4333-8333-333333333333"}, "tenant"),
        ({"enableRbacAuthorization": False}, "accessPolicies"),
        ({"enablePurgeProtection": False}, "irreversible"),
        ({"enableSoftDelete": False}, "enableSoftDelete"),
        ({"softDeleteRetentionInDays": 6}, "7 to 90"),
        ({"softDeleteRetentionInDays": 91}, "7 to 90"),
        ({"publicNetworkAccess": "Sometimes"}, "publicNetworkAccess"),
    ],
)
def test_what_no_vault_may_have_is_refused(
    cloud: Cloud, client: Client, vault: str, properties: dict[str, Any], text: str
) -> None:
    """Values that the service does not take."""
    answer = client.put(vault, build(cloud, **properties))

    assert (answer.status, answer.code) == (400, "BadRequest")
    assert text in answer.message


def test_retention_cannot_change(cloud: Cloud, client: Client, vault: str) -> None:
    """The days that a deleted vault is kept are set once."""
    client.make(vault, build(cloud, softDeleteRetentionInDays=7))

    answer = client.put(vault, build(cloud, softDeleteRetentionInDays=8))

    assert (answer.status, answer.code) == (400, "BadRequest")
    assert "can't be modified" in answer.message


def test_purge_protection_stays(cloud: Cloud, client: Client, vault: str) -> None:
    """A PUT that does not speak of purge protection leaves it on, and none switches it off."""
    client.make(vault, build(cloud, enablePurgeProtection=True))

    read = client.make(vault, build(cloud))
    answer = client.patch(vault, {"properties": {"enablePurgeProtection": False}})

    assert read.properties["enablePurgeProtection"] is True
    assert answer.status == 400


def test_patch_changes_and_leaves_the_rest(cloud: Cloud, client: Client, vault: str) -> None:
    """A PATCH of one property keeps the others."""
    client.make(vault, build(cloud, softDeleteRetentionInDays=7))

    answer = client.patch(vault, {"properties": {"publicNetworkAccess": "Disabled"}})

    assert answer.status == 200
    assert answer.properties["publicNetworkAccess"] == "Disabled"
    assert answer.properties["softDeleteRetentionInDays"] == 7


def test_name_is_taken_in_all_of_azure(cloud: Cloud, client: Client, vault: str) -> None:
    """Others' vaults, and the subscription's own in other groups, keep their names."""
    client.make(vault, build(cloud))
    other = f"{cloud.subscription}/resourceGroups/rg-other"
    client.make(other, {"location": "westeurope"})
    cloud.taken_names.add(("microsoft.keyvault/vaults", "kv-others"))

    own = client.put(f"{other}/providers/Microsoft.KeyVault/vaults/KV-TESTS", build(cloud))
    others = client.put(f"{other}/providers/Microsoft.KeyVault/vaults/kv-others", build(cloud))

    assert (own.status, own.code) == (others.status, others.code) == (409, "VaultAlreadyExists")


def test_deleted_vault_blocks_its_name(cloud: Cloud, client: Client, vault: str) -> None:
    """A new vault under a deleted one's name is refused, in its group and in others, with different words."""
    client.make(vault, build(cloud))
    other = f"{cloud.subscription}/resourceGroups/rg-other"
    client.make(other, {"location": "westeurope"})
    assert client.delete(vault).status == 200

    same = client.put(vault, build(cloud))
    elsewhere = client.put(f"{other}/providers/Microsoft.KeyVault/vaults/kv-tests", build(cloud))

    assert (same.status, same.code) == (409, "ConflictError")
    assert "A vault with the same name already exists in deleted state" in same.message
    assert (elsewhere.status, elsewhere.code) == (409, "VaultAlreadyExists")


def test_group_goes_and_leaves_its_vaults_deleted(cloud: Cloud, client: Client, group: str, vault: str) -> None:
    """Vaults of a deleted group can still be found among the deleted."""
    client.make(vault, build(cloud))
    client.delete(group)
    cloud.operations.end_all()

    assert client.get(find_deleted(cloud)).properties["vaultId"] == vault


def test_recovery_brings_it_back(cloud: Cloud, client: Client, vault: str) -> None:
    """A recovered vault is as it was, whatever else the body says."""
    client.make(vault, build(cloud, softDeleteRetentionInDays=7, enablePurgeProtection=True))
    client.delete(vault)

    read = client.make(vault, build(cloud, createMode="recover", publicNetworkAccess="Disabled"))

    assert read.properties["softDeleteRetentionInDays"] == 7
    assert read.properties["publicNetworkAccess"] == "Enabled"
    assert "createMode" not in read.properties
    assert client.get(find_deleted(cloud)).status == 404


def test_recovery_needs_a_deleted_vault(cloud: Cloud, client: Client, vault: str) -> None:
    """Neither a vault that never was nor one that lives can be recovered."""
    never = client.put(vault, build(cloud, createMode="recover"))
    client.make(vault, build(cloud))
    alive = client.put(vault, build(cloud, createMode="recover"))

    assert (never.status, never.code) == (404, "DeletedVaultNotFound")
    assert (alive.status, alive.code) == (409, "ConflictError")


def test_deleted_vaults_are_listed(cloud: Cloud, client: Client, vault: str) -> None:
    """By region and for the subscription, with the day that they go for good."""
    client.make(vault, build(cloud, softDeleteRetentionInDays=7, enablePurgeProtection=True))
    client.delete(vault)

    one = client.get(find_deleted(cloud)).properties
    ours = client.get(find_deleted(cloud).rpartition("/")[0]).body["value"]
    empty = client.get(find_deleted(cloud).rpartition("/")[0].replace("westeurope", "eastus")).body["value"]
    everywhere = client.get(f"{cloud.subscription}/providers/Microsoft.KeyVault/deletedVaults").body["value"]

    assert one["purgeProtectionEnabled"] is True
    assert one["deletionDate"] < one["scheduledPurgeDate"]
    assert [each["name"] for each in ours] == [each["name"] for each in everywhere] == ["kv-tests"]
    assert empty == []


def test_purge_frees_the_name(cloud: Cloud, client: Client, vault: str) -> None:
    """Once the purge has ended, the name can be had again."""
    client.make(vault, build(cloud))
    client.delete(vault)

    accepted = client.post(f"{find_deleted(cloud)}/purge")
    early = client.put(vault, build(cloud))
    client.follow(accepted, "Location")

    assert accepted.status == 202
    assert early.code == "ConflictError"
    assert client.put(vault, build(cloud)).status == 200


def test_purge_protection_forbids_purge(cloud: Cloud, client: Client, vault: str) -> None:
    """A protected vault stays until its day, and then goes by itself."""
    client.make(vault, build(cloud, softDeleteRetentionInDays=7, enablePurgeProtection=True))
    client.delete(vault)

    answer = client.post(f"{find_deleted(cloud)}/purge")
    cloud.clock.move(seconds=7 * DAY)

    assert (answer.status, answer.code) == (400, "MethodNotAllowed")
    assert client.get(find_deleted(cloud)).status == 404
    assert client.put(vault, build(cloud)).status == 200


def test_purge_needs_its_own_right(cloud: Cloud, client: Client, vault: str, group: str) -> None:
    """An owner of the group alone cannot purge, as deleted vaults are the subscription's."""
    client.make(vault, build(cloud))
    client.delete(vault)
    small = arm_client.log_in(cloud, arm_client.OWNER, group)

    assert small.post(f"{find_deleted(cloud)}/purge").code == "AuthorizationFailed"


@pytest.mark.parametrize(
    ("name", "reason"), [("kv-free", None), ("kv-tests", "AlreadyExists"), ("k--v", "AccountNameInvalid")]
)
def test_name_is_asked_after(cloud: Cloud, client: Client, vault: str, name: str, reason: str | None) -> None:
    """The name of a deleted vault is not available either."""
    client.make(vault, build(cloud))
    client.delete(vault)
    url = f"{cloud.subscription}/providers/Microsoft.KeyVault/checkNameAvailability"

    answer = client.post(url, {"name": name, "type": "Microsoft.KeyVault/vaults"})

    assert answer.body["nameAvailable"] is (reason is None)
    assert answer.body.get("reason") == reason
