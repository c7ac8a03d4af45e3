from __future__ import annotations

import pytest

from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud


@pytest.fixture
def identity(group: str) -> str:
    """The id of an identity that is not there yet."""
    return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tests"


def test_identity_is_in_the_directory(cloud: Cloud, client: Client, identity: str) -> None:
    """A new identity has ids, and is a service principal that the directory's servers do not all know yet."""
    made = client.put(identity, {"location": "westeurope"})
    principal = cloud.directory.find_principal(made.properties["principalId"])

    assert made.status == 201
    assert made.properties["tenantId"] == cloud.tenant_id
    assert principal is not None
    assert principal.client_id == made.properties["clientId"]
    assert principal.kind == "ServicePrincipal"
    assert not cloud.directory.is_replicated(principal.object_id)


def test_ids_stay(client: Client, identity: str) -> None:
    """Changes by PUT and PATCH keep the ids."""
    made = client.put(identity, {"location": "westeurope"})
    put = client.put(identity, {"location": "westeurope", "tags": {"a": "b"}})
    patched = client.patch(identity, {"tags": {"a": "c"}})

    assert put.status == patched.status == 200
    assert made.properties == put.properties == patched.properties
    assert patched.body["tags"] == {"a": "c"}


def test_deleted_identity_leaves_the_directory(cloud: Cloud, client: Client, identity: str) -> None:
    """Its service principal goes, and one made under the same name is another."""
    first = client.put(identity, {"location": "westeurope"}).properties["principalId"]

    status = client.delete(identity).status
    second = client.put(identity, {"location": "westeurope"}).properties["principalId"]

    assert status == 200
    assert cloud.directory.find_principal(first) is None
    assert first != second


@pytest.mark.parametrize("name", ["id", "-id-tests", "id.tests", "i" * 129])
def test_bad_name_is_refused(client: Client, identity: str, name: str) -> None:
    """Names keep to the service's rule."""
    answer = client.put(f"{identity.rpartition('/')[0]}/{name}", {"location": "westeurope"})

    assert (answer.status, answer.code) == (400, "InvalidResourceName")
