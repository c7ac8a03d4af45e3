"""Whose calls Resource Manager takes, and what it lets them do."""

from __future__ import annotations

import uuid

import pytest

from tests.azure import arm_client, directory
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud

ACCOUNT = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}


@pytest.fixture
def stranger(cloud: Cloud) -> Client:
    """The client of a principal that has no role."""
    return Client(cloud, cloud.directory.add_application(str(uuid.uuid4()), str(uuid.uuid4())))


def test_a_call_without_a_token_is_told_where_to_get_one(client: Client, cloud: Cloud) -> None:
    """The challenge names the tenant, from which the official clients learn it."""
    answer = client.call("GET", cloud.subscription, token="")

    assert (answer.status, answer.code) == (401, "AuthenticationFailed")
    assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=")
    assert cloud.tenant_id in answer.headers["www-authenticate"]


def test_a_token_that_nobody_signed_is_refused(client: Client, cloud: Cloud) -> None:
    """A token of another maker is none."""
    answer = client.call("GET", cloud.subscription, token="a.b.c")  # noqa: S106 (no secret)

    assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")


def test_a_token_ends_with_its_hour(client: Client, cloud: Cloud) -> None:
    """The clock decides, and tests move it."""
    token = cloud.directory.issue(client.principal, directory.MANAGEMENT)
    cloud.clock.move(seconds=3601)

    answer = client.call("GET", cloud.subscription, token=token)

    assert (answer.status, answer.code) == (401, "ExpiredAuthenticationToken")


def test_a_token_for_another_service_is_refused(client: Client, cloud: Cloud) -> None:
    """Storage's tokens do not open Resource Manager."""
    token = cloud.directory.issue(client.principal, "https://storage.azure.com")

    answer = client.call("GET", cloud.subscription, token=token)

    assert (answer.status, answer.code) == (401, "InvalidAuthenticationTokenAudience")


@pytest.mark.parametrize("audience", [directory.MANAGEMENT, "https://management.core.windows.net/"])
def test_resource_manager_has_two_names(client: Client, cloud: Cloud, audience: str) -> None:
    """The older name is as good, with a slash at its end or without."""
    token = cloud.directory.issue(client.principal, audience)

    assert client.call("GET", cloud.subscription, token=token).status == 200


@pytest.mark.parametrize(("method", "action"), [("PUT", "write"), ("GET", "read"), ("DELETE", "delete")])
def test_who_has_no_role_may_do_nothing(stranger: Client, group: str, method: str, action: str) -> None:
    """The refusal says who may not do what where, by the action's name."""
    answer = stranger.call(method, group, {"location": "westeurope"} if method == "PUT" else None)

    assert (answer.status, answer.code) == (403, "AuthorizationFailed")
    assert stranger.principal.object_id in answer.message
    assert f"resourceGroups/{action}' over scope '{group}'" in answer.message


def test_a_reader_reads_and_does_not_write(cloud: Cloud, group: str) -> None:
    """Actions decide, not names."""
    reader = arm_client.log_in(cloud, arm_client.READER, cloud.subscription)

    assert reader.get(group).status == 200
    assert reader.put(group, {"location": "westeurope"}).code == "AuthorizationFailed"


def test_a_reader_gets_no_keys(cloud: Cloud, client: Client, group: str) -> None:
    """An action on a resource is more than reading it."""
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/pets"
    client.make(path, ACCOUNT)

    answer = arm_client.log_in(cloud, arm_client.READER, group).post(f"{path}/listKeys")

    assert (answer.status, answer.code) == (403, "AuthorizationFailed")
    assert "Microsoft.Storage/storageAccounts/listKeys/action" in answer.message


def test_a_role_counts_below_its_scope_only(cloud: Cloud, client: Client, group: str) -> None:
    """Who contributes to one group has nothing to say in another, whose name begins alike."""
    client.put(f"{group}2", {"location": "westeurope"})
    contributor = arm_client.log_in(cloud, arm_client.CONTRIBUTOR, group)
    account = "providers/Microsoft.Storage/storageAccounts/pets"

    assert contributor.put(f"{group}/{account}", ACCOUNT).status == 202
    assert contributor.get(f"{group}2/{account}").code == "AuthorizationFailed"
