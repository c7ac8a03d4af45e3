"""The gRPC side: Pulumi's resource-provider protocol in terms of the lifecycle."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import engine_pb2, plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from aml_infra.provider import wire
from aml_infra.provider.wire import UNKNOWN
from tests.azure_native_stand_in import checks, comparison, credentials, functions, lifecycle, resource_types
from tests.azure_native_stand_in.credentials import Configuration
from tests.azure_native_stand_in.errors import ConfigurationError, StandInError, UnknownNameError
from tests.azure_native_stand_in.lifecycle import Manager
from tests.azure_native_stand_in.resource_types import ResourceType

VERSION = "3.29.0"

Say = Callable[[str, str], None]
"""Shows a warning: the resource's URN and the text."""

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
        with _errors(context):
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
        with _errors(context):
            kind, name = _find_kind(request.urn), request.urn.split("::", 3)[3]
            given, old_inputs = _decode(request.news), _decode(request.olds)
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
        old, new = _decode(request.old_inputs), _decode(request.news)
        changes = comparison.compare(old, new)
        replacing = comparison.find_replacing(changes, kind.replaces | set(kind.parameters))
        kinds = provider_pb2.PropertyDiff.Kind
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=sorted({comparison.find_root(each) for each in replacing}),
            diffs=sorted({comparison.find_root(each) for each in changes}),
            deleteBeforeReplace=bool(replacing) and not old.get(checks.RANDOMLY_NAMED),
            hasDetailedDiff=True,
            detailedDiff={
                path: provider_pb2.PropertyDiff(
                    kind=kinds.Value(f"{change.value}_REPLACE" if path in replacing else change.value), inputDiff=True
                )
                for path, change in changes.items()
            },
        )

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        with _errors(context, request.properties):
            kind, inputs = _find_kind(request.urn), _decode(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(
                    properties=wire.encode(lifecycle.foresee_outputs(kind, inputs, None))
                )
            made = self._lifecycle(request.urn).create(kind, inputs)
            return provider_pb2.CreateResponse(id=made.resource_id, properties=wire.encode(made.outputs))

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        with _errors(context, request.news):
            kind, inputs = _find_kind(request.urn), _decode(request.news)
            if request.preview:
                outputs = lifecycle.foresee_outputs(kind, inputs, _decode(request.olds))
                return provider_pb2.UpdateResponse(properties=wire.encode(outputs))
            made = self._lifecycle(request.urn).update(kind, inputs)
            return provider_pb2.UpdateResponse(properties=wire.encode(made.outputs))

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        with _errors(context):
            kind = _find_kind(request.urn)
            outputs = self._lifecycle(request.urn).read(kind, request.id)
            if outputs is None:
                return provider_pb2.ReadResponse()
            old_inputs = _decode(request.inputs)
            if old_inputs:
                inputs = lifecycle.refresh_inputs(kind, old_inputs, _decode(request.properties), outputs)
            else:
                inputs = lifecycle.import_inputs(kind, request.id, outputs)
            return provider_pb2.ReadResponse(id=request.id, properties=wire.encode(outputs), inputs=wire.encode(inputs))

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        with _errors(context):
            self._lifecycle(request.urn).delete(_find_kind(request.urn), request.id)
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        with _errors(context):
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
                args = _decode(request.args)
                result = functions.get_resource(manager, self._given["subscriptionId"], kind, args)
            response = provider_pb2.InvokeResponse()
            # The field's name is a keyword of Python.
            getattr(response, "return").CopyFrom(wire.encode(result))
            return response

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        self._interrupted.set()
        return empty_pb2.Empty()


def build_warning(urn: str, text: str) -> engine_pb2.LogRequest:
    """A warning for the engine."""
    return engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text, urn=urn)


@contextlib.contextmanager
def _errors(context: Any, inputs: Any = None) -> Iterator[None]:
    """Answers what was refused as text, and what exists but failed with its state, so that the engine keeps it."""
    try:
        yield
    except lifecycle.InitFailedError as error:
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.made.resource_id,
                properties=wire.encode(error.made.outputs),
                reasons=[str(error)],
                inputs=inputs,
            )
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error)[:500], details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, str(error)[:500])
    except StandInError as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _find_kind(urn: str) -> ResourceType:
    token = urn.split("::", 3)[2].rpartition("$")[2]
    found = resource_types.list_types().get(token)
    if found is None:
        known = ", ".join(resource_types.list_types())
        raise UnknownNameError(f"resource type {token!r} is not served by the azure-native stand-in; there are {known}")
    return found


def _decode(struct: Any) -> dict[str, Any]:
    """Plain data without nulls, and with integers, which the protocol does not have."""
    plain: dict[str, Any] = _normalize(wire.reveal(wire.decode(struct)))
    return plain


def _normalize(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normalize(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_normalize(one) for one in value if one is not None]
    return int(value) if isinstance(value, float) and value.is_integer() else value
