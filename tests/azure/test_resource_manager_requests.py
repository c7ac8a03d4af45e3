"""What Resource Manager refuses of any request, whatever it is about."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud

ACCOUNT: dict[str, Any] = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}


def test_a_version_that_the_type_does_not_have_is_refused_with_those_that_it_has(client: Client, group: str) -> None:
    """The message lists the versions, as the official clients' users see it."""
    answer = client.get(f"{group}/providers/Microsoft.Storage/storageAccounts?api-version=2019-01-01")

    assert (answer.status, answer.code) == (400, "NoRegisteredProviderFound")
    assert "for API version '2019-01-01' and type 'storageAccounts'" in answer.message
    assert "'2024-01-01'" in answer.message


@pytest.mark.parametrize(
    ("version", "code"), [("latest", "InvalidApiVersionParameter"), ("", "MissingApiVersionParameter")]
)
def test_every_request_has_to_have_a_version(client: Client, group: str, version: str, code: str) -> None:
    """A version is a date; none is another error than a wrong one."""
    answer = client.get(f"{group}?api-version={version}")

    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("Microsoft.Storage/storageAcounts/pets", "InvalidResourceType"),
        ("Microsoft.Storrage/storageAccounts/pets", "InvalidResourceNamespace"),
    ],
)
def test_a_type_that_there_is_not_is_refused(client: Client, group: str, rest: str, code: str) -> None:
    """A misspelt type and a misspelt provider are different errors."""
    answer = client.put(f"{group}/providers/{rest}", ACCOUNT)

    assert (answer.status, answer.code) == (404, code)


def test_another_subscription_is_not_found(client: Client) -> None:
    """There is one subscription only."""
    answer = client.get("/subscriptions/44444444-4444-4444-8444-444444444444/resourceGroups")

    assert (answer.status, answer.code) == (404, "SubscriptionNotFound")


def test_a_provider_has_to_be_registered_first(cloud: Cloud, client: Client, group: str) -> None:
    """Its resources are refused until the subscription has been registered for it."""
    cloud.registered.discard("microsoft.storage")
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/pets"
    provider = f"{cloud.subscription}/providers/Microsoft.Storage"

    refused = client.put(path, ACCOUNT)
    before = client.get(provider).body["registrationState"]
    client.post(f"{provider}/register")

    assert (refused.status, refused.code) == (409, "MissingSubscriptionRegistration")
    assert before == "NotRegistered"
    assert client.put(path, ACCOUNT).status == 202


def test_a_group_that_is_missing_is_told(client: Client, cloud: Cloud) -> None:
    """Nothing is made in a group that there is not."""
    path = f"{cloud.subscription}/resourceGroups/none/providers/Microsoft.Storage/storageAccounts/pets"

    answer = client.put(path, ACCOUNT)

    assert (answer.status, answer.code) == (404, "ResourceGroupNotFound")


def test_an_outer_resource_that_is_missing_is_told(client: Client, group: str) -> None:
    """Nothing is made in a resource that there is not."""
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/pets/blobServices/default"

    answer = client.put(path, {"properties": {}})

    assert (answer.status, answer.code) == (404, "ParentResourceNotFound")


def test_every_problem_of_a_body_is_told_at_once(client: Client, group: str) -> None:
    """What no model of the official SDK has, and what has another type there, is refused."""
    properties = {"allowSharedKeyAcess": False, "supportsHttpsTrafficOnly": "yes", "minimumTlsVersion": "TLS9"}
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "properties": properties}

    answer = client.put(f"{group}/providers/Microsoft.Storage/storageAccounts/pets", body)

    assert (answer.status, answer.code) == (400, "InvalidRequestContent")
    for told in ("allowSharedKeyAcess", "supportsHttpsTrafficOnly: must", "'TLS9' is not one of", "kind: is required"):
        assert told in answer.message


def test_what_the_service_sets_itself_is_ignored(client: Client, cloud: Cloud) -> None:
    """A body may say what is read-only; nothing comes of it."""
    path = f"{cloud.subscription}/resourceGroups/pets"
    body = {"id": "/another", "location": "westeurope", "properties": {"provisioningState": "Failed"}}

    made = client.put(path, body)

    assert (made.body["id"], made.properties["provisioningState"]) == (path, "Succeeded")


def test_a_body_that_is_no_object_is_refused(client: Client, group: str) -> None:
    """The body of a PUT is one object."""
    answer = client.call("PUT", group, ["a"])

    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, "InvalidRequestContent"), ({"location": "mars"}, "LocationNotAvailableForResourceType")],
)
def test_a_location_has_to_be_one_of_azures(client: Client, cloud: Cloud, body: dict[str, str], code: str) -> None:
    """A resource that has a place has to have one that there is."""
    answer = client.put(f"{cloud.subscription}/resourceGroups/pets", body)

    assert (answer.status, answer.code) == (400, code)


def test_a_location_may_be_written_as_people_read_it(client: Client, cloud: Cloud) -> None:
    """``West Europe`` is ``westeurope``, which is what is shown."""
    answer = client.put(f"{cloud.subscription}/resourceGroups/pets", {"location": "West Europe"})

    assert answer.body["location"] == "westeurope"


def test_a_resource_cannot_move(client: Client, group: str) -> None:
    """Another location is no change in place."""
    answer = client.put(group, {"location": "eastus"})

    assert (answer.status, answer.code) == (409, "InvalidResourceLocation")


def test_case_does_not_matter_and_stays_as_it_was(client: Client, cloud: Cloud) -> None:
    """An id is found in any case, and shown as it was first written."""
    client.put(f"{cloud.subscription}/resourceGroups/Pets", {"location": "westeurope"})

    answer = client.get(f"{cloud.subscription.upper()}/RESOURCEGROUPS/pETS")

    assert answer.body["id"] == f"{cloud.subscription}/resourceGroups/Pets"


def test_a_head_tells_whether_there_is_one(client: Client, group: str) -> None:
    """204 and 404."""
    assert [client.call("HEAD", path).status for path in (group, f"{group}2")] == [204, 404]


def test_what_cannot_be_asked_of_a_resource_is_refused(client: Client, group: str) -> None:
    """An action that the type does not have is an unknown type, as in the service."""
    answer = client.post(f"{group}/dance")

    assert (answer.status, answer.code) == (404, "InvalidResourceType")


def test_each_request_is_written_down(client: Client, cloud: Cloud, group: str) -> None:
    """The log tells who asked for what, and never what a token or a body held."""
    cloud.calls.clear()

    client.get(f"{group}?api-version=2024-03-01")

    (call,) = cloud.calls
    assert (call.method, call.path, call.api_version, call.status) == ("GET", group, "2024-03-01", 200)
    assert (call.host, call.principal) == ("management.azure.com", client.principal.object_id)
    assert call.user_agent == "tests"
    assert "eyJ" not in repr(call)
