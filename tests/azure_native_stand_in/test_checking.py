"""What is wrong with inputs and what changed in them, as the engine is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from aml_infra.provider import wire
from aml_infra.provider.wire import UNKNOWN
from tests.azure_native_stand_in import servicer
from tests.azure_native_stand_in.calls import (
    COMPUTE,
    COMPUTE_INPUTS,
    GROUP,
    STORAGE_ACCOUNT,
    STORAGE_INPUTS,
    SUBSCRIPTION,
    WORKSPACE_PATH,
    check,
    diff,
    open_plugin,
)
from tests.azure_native_stand_in.exchanges import Exchange
from tests.plugin_stand_ins.calls import Aborted, Context, describe


@pytest.mark.parametrize(
    ("token", "inputs", "problem"),
    [
        (STORAGE_ACCOUNT, {"allowSharedKeyAcces": False}, "allowSharedKeyAcces: could not find member"),
        (STORAGE_ACCOUNT, {"minimumTlsVersion": "TLS12"}, "minimumTlsVersion: 'TLS12' is not one of TLS1_0"),
        (STORAGE_ACCOUNT, {"sku": {"nam": "x", "name": "Standard_LRS"}}, "sku.nam: could not find member"),
        (STORAGE_ACCOUNT, {"sku": {}}, "sku.name: is required in Sku"),
        (STORAGE_ACCOUNT, {"isHnsEnabled": "no"}, "isHnsEnabled: must be a boolean, not 'no'"),
        (STORAGE_ACCOUNT, {"supportsHttpsTrafficOnly": True}, "supportsHttpsTrafficOnly: could not find member"),
        (COMPUTE, {"properties": {"computeType": "Aml"}}, "properties.computeType: 'Aml' is not a"),
        (
            COMPUTE,
            {"properties": {"computeType": "AmlCompute", "properties": {"vmsize": "x"}}},
            "properties.properties.vmsize: could not find member 'vmsize' on AmlComputeProperties; it is",
        ),
    ],
)
def test_inputs_that_the_sdk_does_not_know_fail(token: str, inputs: Mapping[str, Any], problem: str) -> None:
    """Misspelt, misplaced, of the wrong type: preview fails and tells the user's path."""
    base = STORAGE_INPUTS if token == STORAGE_ACCOUNT else COMPUTE_INPUTS
    _, problems = check(token, {**base, **inputs})

    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_what_is_not_known_yet_is_not_wrong() -> None:
    """At preview ids and names of others come later."""
    inputs, problems = check(STORAGE_ACCOUNT, {**STORAGE_INPUTS, "resourceGroupName": UNKNOWN, "sku": UNKNOWN})

    assert problems == []
    assert inputs["sku"] is UNKNOWN


def test_the_service_own_limits_are_told_before_it_is_asked() -> None:
    """What only the service's model knows fails too, by the wire's path."""
    retention = {"retentionInDays": "many", "resourceGroupName": "g", "workspaceName": "w", "location": "westeurope"}
    _, problems = check("azure-native:operationalinsights:Workspace", retention)

    assert problems == ["retentionInDays: must be an integer, not 'many'"]


def test_a_name_is_made_up_where_none_is_given() -> None:
    """As the official plugin does: with a random suffix, kept later, and then nothing is deleted first."""
    without = {name: value for name, value in STORAGE_INPUTS.items() if name != "accountName"}
    first, _ = check(STORAGE_ACCOUNT, without)
    second, _ = check(STORAGE_ACCOUNT, without, first)

    assert first["accountName"].startswith("one")
    assert first == second
    assert not diff(STORAGE_ACCOUNT, first, {**first, "location": "eastus"}).deleteBeforeReplace


def test_the_location_is_the_resource_groups_where_none_is_given() -> None:
    """It is asked for, as it is no input of the resource."""
    without = {name: value for name, value in STORAGE_INPUTS.items() if name != "location"}
    ask = Exchange(ask=f"GET {GROUP}?api-version=2024-03-01", answer={"id": GROUP, "location": "northeurope"})
    inputs, problems = check(STORAGE_ACCOUNT, without, None, ask)

    assert (inputs["location"], problems) == ("northeurope", [])


def test_what_was_checked_before_is_not_looked_at_again() -> None:
    """Unless something else is given or left out than the last time, or pulumi-azure-native has another version."""
    checked, _ = check(STORAGE_ACCOUNT, STORAGE_INPUTS)
    wrong = {**checked, "kind": "Storage"}

    assert check(STORAGE_ACCOUNT, STORAGE_INPUTS, checked) == (checked, [])
    assert check(STORAGE_ACCOUNT, {**STORAGE_INPUTS, "kind": "Storage"}, wrong)[1] == []
    assert len(check(STORAGE_ACCOUNT, {**STORAGE_INPUTS, "kind": "Storag"}, wrong)[1]) == 1
    assert check(STORAGE_ACCOUNT, STORAGE_INPUTS, {**checked, "azureApiVersion": "2020-01-01"})[0] == checked
    assert "tags" not in check(STORAGE_ACCOUNT, STORAGE_INPUTS, {**checked, "tags": {"a": "b"}})[0]


def test_nothing_changed_is_no_difference() -> None:
    """Nor is another spelling of the location."""
    response = diff(STORAGE_ACCOUNT, STORAGE_INPUTS, {**STORAGE_INPUTS, "location": "West Europe"})

    assert response.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert describe(response) == {}


def test_a_change_deep_inside_is_told_by_its_path() -> None:
    """A preview shows that one number, in place."""
    properties = COMPUTE_INPUTS["properties"]
    scale = {**properties["properties"]["scaleSettings"], "maxNodeCount": 8}
    changed = {**properties, "properties": {**properties["properties"], "scaleSettings": scale}}
    response = diff(COMPUTE, COMPUTE_INPUTS, {**COMPUTE_INPUTS, "properties": changed})

    assert describe(response) == {"properties.properties.scaleSettings.maxNodeCount": "UPDATE"}
    assert list(response.replaces) == []


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"accountName": "dogs"}, {"accountName": "UPDATE_REPLACE"}),
        ({"location": "eastus"}, {"location": "UPDATE_REPLACE"}),
        ({"isHnsEnabled": True}, {"isHnsEnabled": "ADD_REPLACE"}),
        ({"resourceGroupName": UNKNOWN}, {"resourceGroupName": "UPDATE_REPLACE"}),
        ({"tags": {"a": "b"}}, {"tags": "ADD"}),
    ],
)
def test_what_cannot_change_replaces(change: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """A path's parameters and what the official plugin knows as immutable; the old one goes first, as its name does."""
    response = diff(STORAGE_ACCOUNT, STORAGE_INPUTS, {**STORAGE_INPUTS, **change})

    assert describe(response) == kinds
    assert response.deleteBeforeReplace == ("tags" not in change)


def test_a_getter_reads_what_exists() -> None:
    """Its result has the id, too."""
    ask = f"{WORKSPACE_PATH}?api-version=2025-12-01"
    answer = {"id": WORKSPACE_PATH, "name": "w", "properties": {"discoveryUrl": "https://d", "hbiWorkspace": True}}
    plugin, _, _ = open_plugin(Exchange(ask=f"GET {ask}", answer=answer))
    request = provider_pb2.InvokeRequest(
        tok="azure-native:machinelearningservices:getWorkspace",
        args=wire.encode({"resourceGroupName": "g", "workspaceName": "w"}),
    )
    result = wire.decode(getattr(plugin.Invoke(request, Context()), "return"))

    assert result == {
        "id": WORKSPACE_PATH,
        "name": "w",
        "discoveryUrl": "https://d",
        "hbiWorkspace": True,
        "azureApiVersion": "2025-12-01",
    }


@pytest.mark.parametrize(
    "token", ["azure-native:containerregistry:listRegistryCredentials", "azure-native:storage:getBlob"]
)
def test_functions_that_are_not_ours_are_refused(token: str) -> None:
    """Above all those that hand out keys."""
    plugin, _, _ = open_plugin()

    with pytest.raises(Aborted, match="not served"):
        plugin.Invoke(provider_pb2.InvokeRequest(tok=token), Context())


def test_an_unknown_configuration_is_refused() -> None:
    """A misspelt name would be ignored silently."""
    plugin = servicer.StandIn(lambda *_: None)
    request = provider_pb2.CheckRequest(news=wire.encode({"subscriptionID": "x", "location": "westeurope"}))

    assert [each.property for each in plugin.CheckConfig(request, Context()).failures] == ["subscriptionID"]


def test_a_subscription_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the configuration or the environment."""
    monkeypatch.delenv("ARM_SUBSCRIPTION_ID", raising=False)
    plugin = servicer.StandIn(lambda *_: None)

    with pytest.raises(Aborted, match="subscription ID must be configured"):
        plugin.Configure(provider_pb2.ConfigureRequest(), Context())
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", SUBSCRIPTION)
    assert not plugin.Configure(provider_pb2.ConfigureRequest(), Context()).acceptSecrets
