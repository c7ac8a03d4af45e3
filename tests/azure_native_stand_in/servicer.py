"""The gRPC side: Pulumi's resource-provider protocol in terms of the lifecycle."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from aml_infra.provider import wire
from aml_infra.provider.wire import UNKNOWN
from tests.azure_native_stand_in import checks, comparison, credentials, functions, lifecycle, resource_types
from tests.azure_native_stand_in.credentials import Configuration
from tests.azure_native_stand_in.lifecycle import Manager
from tests.azure_native_stand_in.resource_types import ResourceType
from tests.plugin_stand_ins import protocol
from tests.plugin_stand_ins.errors import ConfigurationError, UnknownNameError
from tests.plugin_stand_ins.process import Say

VERSION = "3.29.0"

Connect = Callable[[Configuration, threading.Event], tuple[Any, Manager]]
"""Gives the credential and Resource Manager for a configuration; the event ends its waits."""


def connect(configuration: Configuration, interrupted: threading.Event) -> tuple[Any, Manager]:
    """Signs in to Azure."""
    from tests.azure_native_stand_in.resource_manager import InterruptibleTransport, ResourceManager

    credential = credentials.open_credential(configuration)
    return credential, ResourceManager(credential, InterruptibleTransport(interrupted))


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Strict: what is not defined here fails as not implemented."""

    def __init__(self, say: Say, connect: Connect = connect) -> None:
        self._say = say
        self._connect = connect
        self._configuration: Configuration | None = None
        self._interrupted = threading.Event()

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        failures = [
            provider_pb2.CheckFailure(property=name, reason="is no configuration of the azure-native stand-in")
            for name in credentials.find_unknown(wire.decode(request.news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        with protocol.answer_errors(context):
            self._configuration = Configuration(wire.reveal(wire.decode(request.args)))
            # Secrets come in plain and are marked again by the engine, as with the official plugin.
            return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=False)

    @functools.cached_property
    def _account(self) -> tuple[Any, Manager]:
        return self._connect(self._given, self._interrupted)

    @property
    def _given(self) -> Configuration:
        if self._configuration is None:
            raise ConfigurationError("the provider is not configured yet")
        return self._configuration

    def _lifecycle(self, urn: str) -> lifecycle.Lifecycle:
        _, manager = self._account
        return lifecycle.Lifecycle(manager, self._given["subscriptionId"], lambda text: self._say(urn, text))

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        with protocol.answer_errors(context):
            kind, name = _find_kind(request.urn), protocol.find_name(request.urn)
            given, old_inputs = protocol.decode(request.news), protocol.decode(request.olds)
            if checks.is_unchanged(kind, given, old_inputs):
                return provider_pb2.CheckResponse(inputs=wire.encode(old_inputs))
            find_location = functools.partial(self._find_location, kind)
            inputs = checks.complete(kind, name, given, old_inputs, find_location)
            failures = [provider_pb2.CheckFailure(reason=each) for each in checks.find_problems(kind, inputs)]
            return provider_pb2.CheckResponse(inputs=wire.encode(inputs), failures=failures)

    def _find_location(self, kind: ResourceType, inputs: Mapping[str, Any]) -> Any:
        if self._given["location"]:
            return self._given["location"]
        group = inputs.get("resourceGroupName")
        if group is None or group is UNKNOWN or kind.name == "ResourceGroup":
            return group if group is UNKNOWN else None
        groups = resource_types.list_types()["azure-native:resources:ResourceGroup"]
        _, manager = self._account
        found = manager.get(groups.build_path(self._given["subscriptionId"], inputs), groups.api_version)
        return None if found is None else found["location"]

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        kind = _find_kind(request.urn)
        old, new = protocol.decode(request.old_inputs), protocol.decode(request.news)
        changes = comparison.compare(old, new)
        replacing = comparison.find_replacing(changes, kind.replaces | set(kind.parameters))
        return protocol.build_diff(changes, replacing, deletes_first=not old.get(checks.RANDOMLY_NAMED))

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        with protocol.answer_errors(context, request.properties):
            kind, inputs = _find_kind(request.urn), protocol.decode(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(
                    properties=wire.encode(lifecycle.foresee_outputs(kind, inputs, None))
                )
            made = self._lifecycle(request.urn).create(kind, inputs)
            return provider_pb2.CreateResponse(id=made.resource_id, properties=wire.encode(made.outputs))

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        with protocol.answer_errors(context, request.news):
            kind, inputs = _find_kind(request.urn), protocol.decode(request.news)
            if request.preview:
                outputs = lifecycle.foresee_outputs(kind, inputs, protocol.decode(request.olds))
                return provider_pb2.UpdateResponse(properties=wire.encode(outputs))
            made = self._lifecycle(request.urn).update(kind, inputs)
            return provider_pb2.UpdateResponse(properties=wire.encode(made.outputs))

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        with protocol.answer_errors(context):
            kind = _find_kind(request.urn)
            outputs = self._lifecycle(request.urn).read(kind, request.id)
            if outputs is None:
                return provider_pb2.ReadResponse()
            old_inputs = protocol.decode(request.inputs)
            if old_inputs:
                inputs = lifecycle.refresh_inputs(kind, old_inputs, protocol.decode(request.properties), outputs)
            else:
                inputs = lifecycle.import_inputs(kind, request.id, outputs)
            return provider_pb2.ReadResponse(id=request.id, properties=wire.encode(outputs), inputs=wire.encode(inputs))

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        with protocol.answer_errors(context):
            self._lifecycle(request.urn).delete(_find_kind(request.urn), request.id)
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        with protocol.answer_errors(context):
            credential, manager = self._account
            if request.tok == functions.GET_CLIENT_CONFIG:
                identity = credentials.read_identity(self._given, credential)
                result = {
                    "clientId": identity.client_id,
                    "objectId": identity.object_id,
                    "subscriptionId": self._given["subscriptionId"],
                    "tenantId": identity.tenant_id,
                }
            else:
                kind = functions.find_getter(request.tok)
                args = protocol.decode(request.args)
                result = functions.get_resource(manager, self._given["subscriptionId"], kind, args)
            response = provider_pb2.InvokeResponse()
            # The field's name is a keyword of Python.
            getattr(response, "return").CopyFrom(wire.encode(result))
            return response

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        self._interrupted.set()
        return empty_pb2.Empty()


def _find_kind(urn: str) -> ResourceType:
    token = protocol.find_token(urn)
    found = resource_types.list_types().get(token)
    if found is None:
        known = ", ".join(resource_types.list_types())
        raise UnknownNameError(f"resource type {token!r} is not served by the azure-native stand-in; there are {known}")
    return found
