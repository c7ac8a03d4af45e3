from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure import identity
from azure.core import exceptions
from azure.mgmt.resource import ResourceManagementClient

from tests.azure import server


@pytest.fixture(scope="module")
def resources(credential: identity.DefaultAzureCredential, azure: server.Azure) -> Iterator[ResourceManagementClient]:
    """The client of azure-mgmt-resource."""
    with ResourceManagementClient(credential, azure.cloud.subscription_id) as client:
        yield client


def test_a_group_is_made_changed_and_deleted(resources: ResourceManagementClient) -> None:
    """The whole life of a resource group, its deletion being a long-running operation."""
    groups = resources.resource_groups
    made = groups.create_or_update("pets", {"location": "westeurope", "tags": {"team": "vision"}})
    assert made.properties.provisioning_state == "Succeeded"

    groups.create_or_update("pets", {"location": "westeurope", "tags": {"team": "sound"}})

    assert groups.get("pets").tags == {"team": "sound"}
    assert groups.check_existence("pets")
    groups.begin_delete("pets").result()
    assert not groups.check_existence("pets")
    with pytest.raises(exceptions.ResourceNotFoundError, match="'pets' could not be found"):
        groups.get("pets")


def test_a_list_has_pages(azure: server.Azure, resources: ResourceManagementClient) -> None:
    """The client follows from page to page."""
    names = {f"paged-{number}" for number in range(5)}
    for name in names:
        resources.resource_groups.create_or_update(name, {"location": "westeurope"})
    before, azure.cloud.page_size = azure.cloud.page_size, 2

    found = {group.name for group in resources.resource_groups.list()}

    azure.cloud.page_size = before
    assert found >= names


def test_a_provider_is_registered(resources: ResourceManagementClient) -> None:
    """A provider that the subscription does not use yet is registered, and seen so."""
    assert resources.providers.register("Microsoft.Storage").registration_state in {"Registering", "Registered"}

    assert resources.providers.get("Microsoft.Storage").registration_state == "Registered"


def test_an_impossible_location_is_refused(resources: ResourceManagementClient) -> None:
    """The error names the location and those that there are."""
    with pytest.raises(exceptions.HttpResponseError, match="'atlantis'"):
        resources.resource_groups.create_or_update("nowhere", {"location": "atlantis"})
