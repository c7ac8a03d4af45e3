"""Calls of the stand-in over the protocol's own messages, as the engine makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2

from aml_infra.provider import wire
from tests.azure_native_stand_in import servicer
from tests.azure_native_stand_in.exchanges import Conversation, Exchange, FixedCredential, open_manager
from tests.plugin_stand_ins.calls import Context

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"
STORAGE_ACCOUNT = "azure-native:storage:StorageAccount"
STORAGE_PATH = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/pets"
STORAGE_ASK = f"{STORAGE_PATH}?api-version=2024-01-01"
STORAGE_INPUTS: Mapping[str, Any] = {
    "accountName": "pets",
    "resourceGroupName": "g",
    "location": "westeurope",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
    "enableHttpsTrafficOnly": True,
}
STORAGE_BODY: Mapping[str, Any] = {
    "location": "westeurope",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
    "properties": {"supportsHttpsTrafficOnly": True},
}
STORAGE_ANSWER: Mapping[str, Any] = {
    "id": STORAGE_PATH,
    "name": "pets",
    "type": "Microsoft.Storage/storageAccounts",
    "location": "westeurope",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS", "tier": "Standard"},
    "properties": {
        "supportsHttpsTrafficOnly": True,
        "provisioningState": "Succeeded",
        "accessTier": "Hot",
        "newerThanWeKnow": 1,
    },
}
COMPUTE = "azure-native:machinelearningservices:Compute"
WORKSPACE_PATH = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w"
COMPUTE_INPUTS: Mapping[str, Any] = {
    "computeName": "gpu",
    "resourceGroupName": "g",
    "workspaceName": "w",
    "location": "westeurope",
    "identity": {"type": "UserAssigned", "userAssignedIdentities": ["/subscriptions/1/identity"]},
    "properties": {
        "computeType": "AmlCompute",
        "properties": {
            "vmSize": "STANDARD_NC4AS_T4_V3",
            "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT2M"},
        },
    },
}


def urn(token: str) -> str:
    """The address of a resource named ``one``."""
    return f"urn:pulumi:test::project::aml-infra:index:Workspace${token}::one"


def open_plugin(*exchanges: Exchange) -> tuple[servicer.StandIn, Conversation, list[str]]:
    """The configured stand-in, what is said to the service, and the warnings that it shows."""
    conversation = Conversation(*exchanges)
    warnings: list[str] = []
    plugin = servicer.StandIn(
        lambda _, text: warnings.append(text), lambda *_: (FixedCredential(), open_manager(conversation))
    )
    plugin.Configure(provider_pb2.ConfigureRequest(args=wire.encode({"subscriptionId": SUBSCRIPTION})), Context())
    return plugin, conversation, warnings


def check(
    token: str, inputs: Mapping[str, Any], olds: Mapping[str, Any] | None = None, *exchanges: Exchange
) -> tuple[dict[str, Any], list[str]]:
    """The checked inputs and what is wrong with them."""
    plugin, conversation, _ = open_plugin(*exchanges)
    request = provider_pb2.CheckRequest(urn=urn(token), news=wire.encode(inputs), olds=wire.encode(olds or {}))
    response = plugin.Check(request, Context())
    conversation.check_end()
    return wire.decode(response.inputs), [each.reason for each in response.failures]


def diff(token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> provider_pb2.DiffResponse:
    """Old and new inputs compared."""
    plugin, _, _ = open_plugin()
    request = provider_pb2.DiffRequest(urn=urn(token), old_inputs=wire.encode(old), news=wire.encode(new))
    return plugin.Diff(request, Context())


def create(plugin: servicer.StandIn, token: str, inputs: Mapping[str, Any], context: Any = None) -> Any:
    """Makes a resource."""
    request = provider_pb2.CreateRequest(urn=urn(token), properties=wire.encode(inputs))
    return plugin.Create(request, context or Context())


def read(plugin: servicer.StandIn, **given: Mapping[str, Any]) -> provider_pb2.ReadResponse:
    """Reads the storage account."""
    encoded: dict[str, Any] = {name: wire.encode(value) for name, value in given.items()}
    return plugin.Read(provider_pb2.ReadRequest(urn=urn(STORAGE_ACCOUNT), id=STORAGE_PATH, **encoded), Context())
