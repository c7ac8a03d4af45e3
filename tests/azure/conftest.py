"""A cloud for each test, with a group in it, and clients that may do everything or little."""

from __future__ import annotations

import pytest

from tests.azure import arm_client, services, workspaces
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud

GROUP = "rg-tests"


@pytest.fixture
def cloud() -> Cloud:
    """A cloud whose subscription uses all resource providers."""
    cloud = Cloud()
    cloud.registered |= {each.lower() for each in services.list_namespaces()}
    return cloud


@pytest.fixture
def client(cloud: Cloud) -> Client:
    """The client of an owner of the subscription."""
    return arm_client.log_in(cloud, arm_client.OWNER, cloud.subscription)


@pytest.fixture
def group(cloud: Cloud, client: Client) -> str:
    """The id of a resource group in westeurope."""
    group = f"{cloud.subscription}/resourceGroups/{GROUP}"
    client.make(group, {"location": "westeurope"})
    return group


@pytest.fixture
def parts(cloud: Cloud, client: Client, group: str) -> workspaces.Parts:
    """What a workspace refers to."""
    return workspaces.make_parts(cloud, client, group)


@pytest.fixture
def workspace(client: Client, group: str, parts: workspaces.Parts) -> str:
    """The id of a workspace that is there."""
    path = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/pets"
    client.make(path, workspaces.build_body(parts))
    return path
