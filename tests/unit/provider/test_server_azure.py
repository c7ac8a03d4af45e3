"""What the plugin knows of Azure, over real gRPC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from aml_infra import azure_client, naming
from aml_infra.azure_client import AzureClient
from aml_infra.provider import functions, wire
from aml_infra.provider.lifecycle import Interruption
from aml_infra.provider.soft_deletions import SoftDeletions
from aml_infra.provider.wire import UNKNOWN, Secret
from tests.unit.azure.transport import Credential, Transport
from tests.unit.provider.plugin import Plugin, open_plugin

URN = f"urn:pulumi:test::project::aml-infra:index:Workspace${naming.SOFT_DELETION_TYPE}::vault"
VAULT = "/subscriptions/s/resourceGroups/pets/providers/Microsoft.KeyVault/vaults/kv"
DELETED = "/subscriptions/s/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv"
LOOK = f"{DELETED}?api-version=2024-11-01"
KEPT = {"properties": {"vaultId": VAULT, "scheduledPurgeDate": "2026-12-24T10:00:00Z", "purgeProtectionEnabled": True}}


@pytest.fixture
def azure() -> Iterator[Transport]:
    """Azure, which must be asked all that is expected."""
    transport = Transport()
    yield transport
    assert transport.exchanges == []


@pytest.fixture
def plugin(azure: Transport) -> Iterator[Plugin]:
    """A plugin that listens, and asks that Azure."""
    interruption = Interruption()
    types = {naming.SOFT_DELETION_TYPE: SoftDeletions(interruption, lambda: AzureClient(Credential(), azure))}
    given = {"resourceId": VAULT, "location": "westeurope", "purge": True}
    with open_plugin(types, interruption, URN, given) as plugin:
        yield plugin


def test_a_soft_deletion_from_check_to_delete(plugin: Plugin, azure: Transport) -> None:
    """Check, preview, a create that recovers, the update after it, no diff, read, delete."""
    inputs = plugin.check().inputs
    azure.expect("GET", LOOK, KEPT)
    previewed = plugin.create(inputs, preview=True)
    assert wire.decode(previewed.properties)["mode"] == "recover"

    azure.expect("GET", LOOK, KEPT)
    created = plugin.create(inputs)
    assert (created.id, wire.decode(created.properties)) == (VAULT, {**plugin.given, "mode": "recover"})
    urn, told = plugin.engine.messages[-1]
    assert (urn, "is recovered" in told) == (URN, True)

    asked = {"urn": URN, "id": VAULT, "old_inputs": inputs, "news": inputs}
    difference = plugin.stub.Diff(provider_pb2.DiffRequest(**asked, olds=created.properties))
    assert (list(difference.detailedDiff), list(difference.replaces)) == (["mode"], [])

    azure.expect("GET", LOOK, status=404)
    updated = plugin.stub.Update(provider_pb2.UpdateRequest(**asked, olds=created.properties))
    assert wire.decode(updated.properties)["mode"] == "default"
    same = plugin.stub.Diff(provider_pb2.DiffRequest(**asked, olds=updated.properties))
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE

    azure.expect("GET", LOOK, status=404)
    read = plugin.stub.Read(provider_pb2.ReadRequest(urn=URN, id=VAULT, properties=updated.properties, inputs=inputs))
    assert (read.id, read.properties, read.inputs) == (VAULT, updated.properties, inputs)

    azure.expect("GET", LOOK, KEPT)
    plugin.stub.Delete(provider_pb2.DeleteRequest(urn=URN, id=VAULT, properties=updated.properties))
    assert "as it has purge protection" in plugin.engine.messages[-1][1]


def test_a_preview_of_what_is_not_known_yet(plugin: Plugin) -> None:
    """Neither the id nor the mode is; nobody is asked."""
    checked = plugin.check(resourceId=UNKNOWN)
    previewed = plugin.create(checked.inputs, preview=True)

    assert list(checked.failures) == []
    assert (previewed.id, wire.decode(previewed.properties)["mode"]) == ("", UNKNOWN)


def test_check_answers_with_every_failure(plugin: Plugin) -> None:
    """Each reason starts with the user's property path."""
    answer = plugin.check(resourceId="kv", location=3)

    assert [failure.reason.partition(":")[0] for failure in answer.failures] == ["resource_id", "location"]


def invoke(plugin: Plugin, token: str, **args: Any) -> Any:
    """``Invoke``."""
    return plugin.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=wire.encode(args)))


def test_a_registrys_token_is_a_secret(plugin: Plugin, azure: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user name is none."""
    monkeypatch.setattr(azure_client, "open_client", lambda: AzureClient(Credential(), azure))
    azure.expect("POST", "https://contoso.azurecr.io/oauth2/exchange", {"refresh_token": "refresh"})

    answer = invoke(plugin, "aml-infra:index:getRegistryToken", server="contoso.azurecr.io")

    username = "00000000-0000-0000-0000-000000000000"
    assert wire.decode(getattr(answer, "return")) == {"username": username, "password": Secret("refresh")}


def test_a_quota_that_azure_refuses_to_tell_is_a_failure(
    plugin: Plugin, azure: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words that a user needs."""
    monkeypatch.setattr(azure_client, "open_client", lambda: AzureClient(Credential(), azure))
    path = "/subscriptions/s/providers/Microsoft.MachineLearningServices/locations/westeurope/vmSizes"
    refused = {"error": {"code": "MissingSubscriptionRegistration", "message": "register it"}}
    azure.expect("GET", f"{path}?api-version=2025-12-01", refused, status=409)
    demand = {"subscriptionId": "s", "location": "westeurope", "vmSize": "x", "nodes": 1, "lowPriority": False}

    answer = invoke(plugin, "aml-infra:index:getQuota", **demand)

    assert "(MissingSubscriptionRegistration: register it)" in answer.failures[0].reason


def test_schema_has_every_property_and_function(plugin: Plugin) -> None:
    """What other languages see is what there is."""
    schema = json.loads(plugin.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    resource = schema["resources"][naming.SOFT_DELETION_TYPE]

    assert set(resource["inputProperties"]) == set(plugin.given)
    assert set(resource["properties"]) == {*plugin.given, "mode"}
    assert schema["functions"]["aml-infra:index:getRegistryToken"]["outputs"]["properties"]["password"]["secret"]
    assert set(schema["functions"]) == set(functions.FUNCTIONS)
