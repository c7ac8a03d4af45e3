from __future__ import annotations

from typing import Any

import pytest

from tests.azure.arm_client import Client


@pytest.fixture
def workspace(client: Client, group: str) -> str:
    """The id of a log workspace."""
    workspace = f"{group}/providers/Microsoft.OperationalInsights/workspaces/log-tests"
    client.make(workspace, {"location": "westeurope"})
    return workspace


@pytest.fixture
def component(group: str) -> str:
    """The id of a component that is not there yet."""
    return f"{group}/providers/Microsoft.Insights/components/appi-tests"


def build(workspace: str, **properties: Any) -> dict[str, Any]:
    """A component's body."""
    common = {"Application_Type": "web", "WorkspaceResourceId": workspace}
    return {"location": "westeurope", "kind": "web", "properties": {**common, **properties}}


def test_component_is_filled(client: Client, component: str, workspace: str) -> None:
    """It gets keys and ids, and defaults for what was not said; the answer has status 200."""
    made = client.put(component, build(workspace))
    properties = made.properties

    assert made.status == 200
    assert properties["InstrumentationKey"] in properties["ConnectionString"]
    assert properties["AppId"] in properties["ConnectionString"]
    assert properties["ApplicationId"] == properties["Name"] == "appi-tests"
    assert properties["IngestionMode"] == "LogAnalytics"
    assert properties["RetentionInDays"] == 90
    assert properties["provisioningState"] == "Succeeded"


def test_keys_stay(client: Client, component: str, workspace: str) -> None:
    """A change keeps keys and ids."""
    made = client.put(component, build(workspace)).properties

    changed = client.put(component, build(workspace, RetentionInDays=30)).properties

    assert changed == {**made, "RetentionInDays": 30}


def test_patch_takes_tags_only(client: Client, component: str, workspace: str) -> None:
    """Nothing else can be changed with PATCH."""
    client.put(component, build(workspace))

    tags = client.patch(component, {"tags": {"a": "b"}})
    properties = client.patch(component, {"properties": {"RetentionInDays": 30}})

    assert tags.body["tags"] == {"a": "b"}
    assert tags.properties["InstrumentationKey"]
    assert properties.code == "InvalidRequestContent"


@pytest.mark.parametrize(
    "properties",
    [
        {"WorkspaceResourceId": None},
        {"WorkspaceResourceId": "/subscriptions/none"},
        {"Application_Type": None},
        {"RetentionInDays": 31},
    ],
)
def test_what_no_component_may_have_is_refused(
    client: Client, component: str, workspace: str, properties: dict[str, Any]
) -> None:
    """Its workspace must be there, and its retention one of those that there are."""
    answer = client.put(component, build(workspace, **properties))

    assert (answer.status, answer.code) == (400, "BadRequest")


@pytest.mark.parametrize("name", ["appi-tests.", "appi tests ", "a" * 261])
def test_bad_name_is_refused(client: Client, component: str, workspace: str, name: str) -> None:
    """Names keep to the service's rule."""
    place = component.rpartition("/")[0]

    assert client.put(f"{place}/{name}", build(workspace)).code == "InvalidResourceName"


def test_component_goes_at_once(client: Client, component: str, workspace: str) -> None:
    """It is deleted with status 200, and nothing of it stays."""
    client.put(component, build(workspace))

    assert client.delete(component).status == 200
    assert client.get(component).status == 404
    assert client.delete(component).status == 204
