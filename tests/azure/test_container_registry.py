from __future__ import annotations

from typing import Any

import pytest

from tests.azure import arm_client
from tests.azure.arm_client import READER, Client
from tests.azure.cloud import Cloud

PREMIUM_ONLY: list[dict[str, Any]] = [
    {"publicNetworkAccess": "Disabled"},
    {"zoneRedundancy": "Enabled"},
    {"dataEndpointEnabled": True},
    {"policies": {"quarantinePolicy": {"status": "enabled"}}},
    {"policies": {"retentionPolicy": {"status": "enabled", "days": 7}}},
    {"policies": {"trustPolicy": {"status": "enabled", "type": "Notary"}}},
    {"networkRuleSet": {"defaultAction": "Deny"}},
    {"networkRuleSet": {"defaultAction": "Allow", "ipRules": [{"action": "Allow", "value": "10.0.0.1"}]}},
]


@pytest.fixture
def registry(group: str) -> str:
    """The id of a registry that is not there yet."""
    return f"{group}/providers/Microsoft.ContainerRegistry/registries/crTests"


def build(sku: str = "Premium", **properties: Any) -> dict[str, Any]:
    """A registry's body."""
    return {"location": "westeurope", "sku": {"name": sku}, "properties": properties}


def test_new_registry_takes_time_and_gets_defaults(client: Client, registry: str) -> None:
    """It is followed by Azure-AsyncOperation; what was not said is filled in."""
    made = client.put(registry, build())
    ended = client.follow(made)
    read = client.get(registry)

    assert (made.status, made.properties["provisioningState"]) == (201, "Creating")
    assert ended.body["status"] == "Succeeded"
    assert read.body["sku"] == {"name": "Premium", "tier": "Premium"}
    assert read.properties["loginServer"] == "crtests.azurecr.io"
    assert read.properties["adminUserEnabled"] is False
    assert read.properties["networkRuleSet"] == {"defaultAction": "Allow", "ipRules": []}
    assert read.properties["policies"]["exportPolicy"] == {"status": "enabled"}


@pytest.mark.parametrize("properties", PREMIUM_ONLY)
@pytest.mark.parametrize("sku", ["Basic", "Standard"])
def test_smaller_tiers_lack_features(client: Client, registry: str, sku: str, properties: dict[str, Any]) -> None:
    """What only Premium has is refused elsewhere."""
    answer = client.put(registry, build(sku, **properties))

    assert (answer.status, answer.code) == (400, "SkuNotSupported")


@pytest.mark.parametrize("properties", PREMIUM_ONLY)
def test_premium_has_all_features(client: Client, registry: str, properties: dict[str, Any]) -> None:
    """And Premium takes it."""
    assert client.put(registry, build(**properties)).status == 201


def test_images_leave_closed_registries_only_by_policy(client: Client, registry: str) -> None:
    """The export policy can be disabled only where the registry is closed to the public."""
    closed: dict[str, Any] = {"policies": {"exportPolicy": {"status": "disabled"}}}

    is_open = client.put(registry, build(**closed))
    is_closed = client.put(registry, build(**closed, publicNetworkAccess="Disabled"))

    assert (is_open.status, is_closed.status) == (400, 201)


def test_tier_can_change(client: Client, registry: str) -> None:
    """Up and down, as long as the smaller one has what the registry uses."""
    client.make(registry, build("Basic"))
    client.follow(client.patch(registry, {"sku": {"name": "Premium"}}))
    down = client.patch(registry, {"sku": {"name": "Standard"}})
    client.follow(down)
    refused = client.patch(registry, {"properties": {"publicNetworkAccess": "Disabled"}})

    assert down.status == 200
    assert "networkRuleSet" not in client.get(registry).properties
    assert refused.code == "SkuNotSupported"


def test_zone_redundancy_cannot_change(client: Client, registry: str) -> None:
    """It is chosen once."""
    client.make(registry, build())

    answer = client.put(registry, build(zoneRedundancy="Enabled"))

    assert answer.status == 409


def test_passwords_are_shown_only_for_the_admin_user(client: Client, registry: str) -> None:
    """Without an admin user there are no credentials to list."""
    client.make(registry, build())
    refused = client.post(f"{registry}/listCredentials")
    client.make(registry, build(adminUserEnabled=True))
    shown = client.post(f"{registry}/listCredentials").body

    assert (refused.status, refused.code) == (400, "UnAuthorizedForCredentialOperations")
    assert "admin user is disabled" in refused.message
    assert shown["username"] == "crTests"
    assert [each["name"] for each in shown["passwords"]] == ["password", "password2"]


def test_reader_sees_no_passwords(cloud: Cloud, client: Client, registry: str) -> None:
    """Listing credentials is a right of its own."""
    client.make(registry, build(adminUserEnabled=True))
    reader = arm_client.log_in(cloud, READER, cloud.subscription)

    assert reader.post(f"{registry}/listCredentials").code == "AuthorizationFailed"


def test_name_is_taken_in_all_of_azure(cloud: Cloud, client: Client, registry: str) -> None:
    """Others' registries, and the subscription's own in other groups, keep their names."""
    client.make(registry, build())
    other = f"{cloud.subscription}/resourceGroups/rg-other"
    client.make(other, {"location": "westeurope"})
    cloud.taken_names.add(("microsoft.containerregistry/registries", "crothers"))
    registries = f"{other}/providers/Microsoft.ContainerRegistry/registries"
    check = f"{cloud.subscription}/providers/Microsoft.ContainerRegistry/checkNameAvailability"

    answers = [client.put(f"{registries}/{name}", build()) for name in ("CRTESTS", "crothers")]
    checks = [
        client.post(check, {"name": name, "type": "Microsoft.ContainerRegistry/registries"}).body
        for name in ("crtests", "crothers", "cr-tests", "crfree")
    ]

    assert {(each.status, each.code) for each in answers} == {(409, "AlreadyInUse")}
    assert [each["nameAvailable"] for each in checks] == [False, False, False, True]


@pytest.mark.parametrize("name", ["cr01", "cr-tests", "cr_tests", "c" * 51])
def test_bad_name_is_refused(client: Client, registry: str, name: str) -> None:
    """Names keep to the service's rule."""
    assert client.put(f"{registry.rpartition('/')[0]}/{name}", build()).code == "InvalidResourceName"


def test_usage_is_told(client: Client, registry: str) -> None:
    """The tier's room is known; a registry that is missing has none."""
    client.make(registry, build("Basic"))

    (size,) = client.get(f"{registry}/listUsages").body["value"]

    assert (size["name"], size["limit"]) == ("Size", 10 * 2**30)
    assert client.get(f"{registry}x/listUsages").status == 404


def test_deletion_takes_time(client: Client, registry: str) -> None:
    """It is accepted, and followed by Location."""
    client.make(registry, build())

    accepted = client.delete(registry)
    client.follow(accepted, "Location")

    assert accepted.status == 202
    assert client.get(registry).status == 404
