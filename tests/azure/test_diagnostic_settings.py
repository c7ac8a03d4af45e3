from __future__ import annotations

from typing import Any

import pytest

from tests.azure import arm_client
from tests.azure.arm_client import READER, Client
from tests.azure.cloud import Cloud

ALL = {"categoryGroup": "allLogs", "enabled": True}
AUDIT = {"category": "AuditEvent", "enabled": True}


@pytest.fixture
def workspace(client: Client, group: str) -> str:
    """The id of a log workspace."""
    workspace = f"{group}/providers/Microsoft.OperationalInsights/workspaces/log-tests"
    client.make(workspace, {"location": "westeurope"})
    return workspace


@pytest.fixture
def vault(cloud: Cloud, client: Client, group: str) -> str:
    """The id of a key vault."""
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kv-tests"
    sku = {"family": "A", "name": "standard"}
    properties = {"tenantId": cloud.tenant_id, "sku": sku, "enableRbacAuthorization": True}
    client.make(vault, {"location": "westeurope", "properties": properties})
    return vault


def place(scope: str, name: str = "all") -> str:
    """The id of a setting."""
    return f"{scope}/providers/Microsoft.Insights/diagnosticSettings/{name}"


def build(workspace: str, **properties: Any) -> dict[str, Any]:
    """A setting's body."""
    return {"properties": {"workspaceId": workspace, **properties}}


def test_setting_is_kept_and_filled(client: Client, vault: str, workspace: str) -> None:
    """Metrics that were left out are listed as not enabled; the answers have status 200."""
    made = client.put(place(vault), build(workspace, logs=[ALL]))

    assert made.status == client.delete(place(vault)).status == 200
    retention = {"enabled": False, "days": 0}
    assert made.properties["logs"] == [{**ALL, "retentionPolicy": retention}]
    assert made.properties["metrics"] == [{"category": "AllMetrics", "enabled": False, "retentionPolicy": retention}]


def test_other_categories_are_listed(client: Client, vault: str, workspace: str) -> None:
    """Beside one category by name, the others are listed as not enabled."""
    logs = client.put(place(vault), build(workspace, logs=[AUDIT])).properties["logs"]

    assert [(each["category"], each["enabled"]) for each in logs] == [
        ("AuditEvent", True),
        ("AzurePolicyEvaluationDetails", False),
    ]


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({}, "At least one log"),
        ({"logs": [ALL], "workspaceId": None}, "data sink"),
        ({"logs": [ALL], "workspaceId": "/subscriptions/none"}, "not found"),
        ({"logs": [{"category": "AuditEvents", "enabled": True}]}, "'AuditEvents' is not supported"),
        ({"logs": [{"categoryGroup": "all", "enabled": True}]}, "'all' is not supported"),
        ({"logs": [{"enabled": True}]}, "either"),
        ({"logs": [ALL, AUDIT]}, "mix"),
        ({"metrics": [{"category": "Transaction", "enabled": True}]}, "'Transaction' is not supported"),
        ({"logs": [{**ALL, "retentionPolicy": {"enabled": True, "days": 7}}]}, "retention"),
        ({"logs": [ALL], "logAnalyticsDestinationType": "Table"}, "'Table'"),
    ],
)
def test_what_no_setting_may_have_is_refused(
    client: Client, vault: str, workspace: str, properties: dict[str, Any], text: str
) -> None:
    """Categories and destinations must be ones that there are."""
    answer = client.put(place(vault), build(workspace, **properties))

    assert answer.status == 400
    assert text in answer.message


def test_same_twice_to_one_place_is_refused(client: Client, vault: str, workspace: str) -> None:
    """A second setting may send what the first does not, and not the same to the same place."""
    client.put(place(vault), build(workspace, logs=[AUDIT]))

    twice = client.put(place(vault, "again"), build(workspace, logs=[ALL]))
    metrics = client.put(
        place(vault, "metrics"), build(workspace, metrics=[{"category": "AllMetrics", "enabled": True}])
    )

    assert (twice.status, twice.code) == (409, "Conflict")
    assert "AuditEvent" in twice.message
    assert metrics.status == 200


def test_only_types_with_logs_have_settings(client: Client, group: str, workspace: str) -> None:
    """Identities tell nothing of themselves; what is missing has no settings either."""
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tests"
    missing = client.put(place(identity), build(workspace, logs=[ALL]))
    client.put(identity, {"location": "westeurope"})
    silent = client.put(place(identity), build(workspace, logs=[ALL]))

    assert missing.status == 404
    assert (silent.status, silent.code) == (400, "ResourceTypeNotSupported")


def test_settings_are_listed_by_resource(client: Client, vault: str, workspace: str, group: str) -> None:
    """A list has only those of the resource itself."""
    client.put(place(vault), build(workspace, logs=[ALL]))
    client.put(place(workspace), build(workspace, logs=[ALL]))

    listed = client.get(place(vault).rpartition("/")[0]).body["value"]

    assert [each["id"] for each in listed] == [place(vault)]


def test_reader_may_not_set(cloud: Cloud, client: Client, vault: str, workspace: str) -> None:
    """Who only reads cannot have logs sent anywhere."""
    reader = arm_client.log_in(cloud, READER, cloud.subscription)

    assert reader.put(place(vault), build(workspace, logs=[ALL])).code == "AuthorizationFailed"
