"""Resources made, changed, read and deleted, as the engine asks for it."""

from __future__ import annotations

import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from aml_infra.provider import wire
from aml_infra.provider.wire import UNKNOWN
from tests.azure_native_stand_in.calls import (
    COMPUTE,
    COMPUTE_INPUTS,
    GROUP,
    STORAGE_ACCOUNT,
    STORAGE_ANSWER,
    STORAGE_ASK,
    STORAGE_BODY,
    STORAGE_INPUTS,
    STORAGE_PATH,
    WORKSPACE_PATH,
    create,
    open_plugin,
    read,
    urn,
)
from tests.azure_native_stand_in.exchanges import Exchange
from tests.plugin_stand_ins.calls import Aborted, Context


def test_a_resource_is_put_in_the_wires_form() -> None:
    """It must not exist; what a GET answers afterwards are the outputs, without what the SDK does not know."""
    plugin, conversation, _ = open_plugin(
        Exchange(ask=f"GET {STORAGE_ASK}", status=404),
        Exchange(ask=f"PUT {STORAGE_ASK}", sends=STORAGE_BODY, answer=STORAGE_ANSWER),
        Exchange(ask=f"GET {STORAGE_ASK}", answer=STORAGE_ANSWER),
    )
    response = create(plugin, STORAGE_ACCOUNT, {**STORAGE_INPUTS, "azureApiVersion": "2024-01-01"})
    conversation.check_end()

    assert response.id == STORAGE_PATH
    assert wire.decode(response.properties) == {
        "name": "pets",
        "type": "Microsoft.Storage/storageAccounts",
        "location": "westeurope",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "enableHttpsTrafficOnly": True,
        "provisioningState": "Succeeded",
        "accessTier": "Hot",
        "azureApiVersion": "2024-01-01",
    }


def test_a_list_of_identities_is_a_map_on_the_wire() -> None:
    """And numbers that the protocol made floats are integers again."""
    ask = f"{WORKSPACE_PATH}/computes/gpu?api-version=2025-12-01"
    sends = {
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/subscriptions/1/identity": {}}},
        "properties": COMPUTE_INPUTS["properties"],
    }
    answer = {"id": f"{WORKSPACE_PATH}/computes/gpu", **sends}
    plugin, conversation, _ = open_plugin(
        Exchange(ask=f"GET {ask}", status=404),
        Exchange(ask=f"PUT {ask}", sends=sends, answer=answer),
        Exchange(ask=f"GET {ask}", answer=answer),
    )
    create(plugin, COMPUTE, COMPUTE_INPUTS)

    conversation.check_end()


def test_what_exists_is_not_adopted() -> None:
    """The official plugin's words: users search for them."""
    plugin, conversation, _ = open_plugin(Exchange(ask=f"GET {STORAGE_ASK}", answer=STORAGE_ANSWER))

    with pytest.raises(Aborted, match=f"cannot create already existing resource '{STORAGE_PATH}'"):
        create(plugin, STORAGE_ACCOUNT, STORAGE_INPUTS)
    conversation.check_end()


def test_what_failed_after_it_came_into_being_is_kept() -> None:
    """The engine gets the id and what is there, so that the next update repairs it."""
    operation = "https://management.azure.com/subscriptions/s/operations/1"
    headers = {"Azure-AsyncOperation": operation, "Retry-After": "0"}
    failed = {"status": "Failed", "error": {"code": "Broken", "message": "half way"}}
    plugin, conversation, _ = open_plugin(
        Exchange(ask=f"GET {STORAGE_ASK}", status=404),
        Exchange(ask=f"PUT {STORAGE_ASK}", sends=STORAGE_BODY, status=202, headers=headers),
        Exchange(ask="GET /subscriptions/s/operations/1", answer=failed),
        Exchange(ask=f"GET {STORAGE_ASK}", answer=STORAGE_ANSWER),
    )
    context = Context()
    with pytest.raises(Aborted, match="half way"):
        create(plugin, STORAGE_ACCOUNT, STORAGE_INPUTS, context)
    conversation.check_end()
    status = status_pb2.Status.FromString(context.trailers["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    status.details[0].Unpack(detail)

    assert (detail.id, list(detail.reasons)) == (STORAGE_PATH, ['Code="Broken" Message="half way"'])
    assert wire.decode(detail.properties)["provisioningState"] == "Succeeded"
    assert wire.decode(detail.inputs) == STORAGE_INPUTS


def test_a_preview_knows_what_is_given() -> None:
    """The rest comes later, at every depth."""
    plugin, _, _ = open_plugin()
    request = provider_pb2.CreateRequest(
        urn=urn(STORAGE_ACCOUNT),
        properties=wire.encode({**STORAGE_INPUTS, "identity": {"type": "SystemAssigned"}}),
        preview=True,
    )
    outputs = wire.decode(plugin.Create(request, Context()).properties)

    assert outputs["enableHttpsTrafficOnly"] is True
    assert outputs["primaryEndpoints"] is UNKNOWN
    assert outputs["identity"]["type"] == "SystemAssigned"
    assert outputs["identity"]["principalId"] is UNKNOWN


def test_the_access_policies_of_a_vault_are_not_wiped() -> None:
    """A new vault has none; an update without them keeps what is there."""
    token = "azure-native:keyvault:Vault"  # noqa: S105 - a name of Pulumi's
    path = f"{GROUP}/providers/Microsoft.KeyVault/vaults/v"
    given = {"tenantId": "t", "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    inputs = {"vaultName": "v", "resourceGroupName": "g", "location": "westeurope", "properties": given}
    kept = {**given, "accessPolicies": [{"tenantId": "t", "objectId": "o", "permissions": {"secrets": ["get"]}}]}
    ask = f"{path}?api-version=2024-11-01"
    plugin, conversation, _ = open_plugin(
        Exchange(ask=f"GET {ask}", answer={"id": path, "properties": kept}),
        Exchange(ask=f"PUT {ask}", sends={"location": "westeurope", "properties": kept}, answer={"id": path}),
        Exchange(ask=f"GET {ask}", answer={"id": path, "properties": kept}),
    )
    plugin.Update(provider_pb2.UpdateRequest(urn=urn(token), id=path, news=wire.encode(inputs)), Context())

    conversation.check_end()


def test_a_refresh_finds_no_change_where_there_is_none() -> None:
    """Defaults of the service are outputs, not inputs."""
    plugin, _, _ = open_plugin(
        Exchange(ask=f"GET {STORAGE_ASK}", answer=STORAGE_ANSWER),
        Exchange(ask=f"GET {STORAGE_ASK}", answer=STORAGE_ANSWER),
    )
    outputs = wire.decode(read(plugin).properties)
    response = read(plugin, inputs=STORAGE_INPUTS, properties=outputs)

    assert wire.decode(response.inputs) == STORAGE_INPUTS


def test_a_refresh_takes_over_what_somebody_changed() -> None:
    """What moved in the outputs moves in the inputs, whether it was given or not."""
    changed = {**STORAGE_ANSWER, "properties": {"supportsHttpsTrafficOnly": False, "accessTier": "Cool"}}
    plugin, _, _ = open_plugin(
        Exchange(ask=f"GET {STORAGE_ASK}", answer=STORAGE_ANSWER), Exchange(ask=f"GET {STORAGE_ASK}", answer=changed)
    )
    outputs = wire.decode(read(plugin).properties)
    response = read(plugin, inputs=STORAGE_INPUTS, properties=outputs)

    expected = {**STORAGE_INPUTS, "enableHttpsTrafficOnly": False, "accessTier": "Cool"}
    assert wire.decode(response.inputs) == expected


def test_what_is_gone_is_gone() -> None:
    """A refresh drops it from the state."""
    plugin, _, _ = open_plugin(Exchange(ask=f"GET {STORAGE_ASK}", status=404))

    assert read(plugin, inputs=STORAGE_INPUTS).id == ""


def test_what_cannot_be_seen_is_not_gone() -> None:
    """A refusal fails the refresh."""
    error = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    plugin, _, _ = open_plugin(Exchange(ask=f"GET {STORAGE_ASK}", status=403, answer=error))

    with pytest.raises(Aborted, match="AuthorizationFailed"):
        read(plugin, inputs=STORAGE_INPUTS)


def test_an_import_finds_the_inputs() -> None:
    """From the id and from what is there; what the service sets itself is no input."""
    plugin, _, _ = open_plugin(Exchange(ask=f"GET {STORAGE_ASK}", answer=STORAGE_ANSWER))
    inputs = wire.decode(read(plugin).inputs)

    assert inputs == {**STORAGE_INPUTS, "accessTier": "Hot", "azureApiVersion": "2024-01-01"}


def test_deleting_is_a_delete() -> None:
    """What is gone already is fine."""
    plugin, conversation, _ = open_plugin(Exchange(ask=f"DELETE {STORAGE_ASK}", status=204))
    plugin.Delete(provider_pb2.DeleteRequest(urn=urn(STORAGE_ACCOUNT), id=STORAGE_PATH), Context())

    conversation.check_end()
