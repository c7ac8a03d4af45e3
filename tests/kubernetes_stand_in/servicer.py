"""The gRPC side: Pulumi's resource-provider protocol in terms of the lifecycle."""

from __future__ import annotations

import importlib.metadata
import threading
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from aml_infra.provider import wire
from tests.kubernetes_stand_in import (
    checkpoints,
    checks,
    clusters,
    configuration,
    immutables,
    normalization,
    objects,
    secrecy,
)
from tests.kubernetes_stand_in.clusters import Cluster, Connect
from tests.kubernetes_stand_in.configuration import Configuration
from tests.kubernetes_stand_in.lifecycle import Lifecycle, Request
from tests.kubernetes_stand_in.objects import Kind
from tests.plugin_stand_ins import differences, protocol
from tests.plugin_stand_ins.errors import ConfigurationError, StandInError
from tests.plugin_stand_ins.process import Say

VERSION = importlib.metadata.version("pulumi-kubernetes")

_HOW_TO_DROP = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the "
    'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Strict: what is not defined here fails as not implemented."""

    def __init__(self, say: Say, connect: Connect = configuration.connect) -> None:
        self._say = say
        self._connect = connect
        self._configured: Cluster | None = None
        self._interrupted = threading.Event()

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        failures = [
            provider_pb2.CheckFailure(property=name, reason="is no configuration of the kubernetes stand-in")
            for name in configuration.find_unknown(wire.decode(request.news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        old, new = protocol.decode(request.old_inputs), protocol.decode(request.news)
        changes = differences.compare(old, new)
        replaces = configuration.find_replacing(old, new)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=replaces,
            diffs=sorted({str(path[0]) for path in changes}),
        )

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        with protocol.answer_errors(context):
            given = Configuration(protocol.decode(request.args))
            self._configured = clusters.reach(given, self._connect)
            return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    @property
    def _cluster(self) -> Cluster:
        if self._configured is None:
            raise ConfigurationError("the provider is not configured yet")
        return self._configured

    def _open_lifecycle(self) -> Lifecycle:
        return self._cluster.open_lifecycle(self._interrupted)

    def _is_set(self, name: str) -> bool:
        return self._cluster.configuration.is_set(name)

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        with protocol.answer_errors(context):
            if self._cluster.server is None and self._is_set("skipUpdateUnreachable"):
                text = "Cluster is unreachable but skipUpdateUnreachable flag is set to true, skipping..."
                self._say(request.urn, text)
                return provider_pb2.CheckResponse(inputs=request.olds)
            kind, given = _find_kind(request.urn), wire.decode(request.news)
            inputs = checkpoints.unspell(protocol.simplify(given))
            shape = self._cluster.find_shape(kind)
            failures = [provider_pb2.CheckFailure(reason=each) for each in checks.find_problems(kind, inputs, shape)]
            completed = checks.complete(
                protocol.find_name(request.urn),
                normalization.normalize(inputs, shape),
                checkpoints.unspell(protocol.decode(request.olds)),
                request.randomSeed,
                self._cluster.find_default_namespace(kind),
            )
            marked = secrecy.mark_secrets(checkpoints.spell(completed), given)
            return provider_pb2.CheckResponse(inputs=wire.encode(marked), failures=failures)

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        with protocol.answer_errors(context):
            kind = _find_kind(request.urn)
            shape = self._cluster.find_shape(kind)
            old = checkpoints.parse_outputs(protocol.decode(request.olds))
            new = normalization.normalize(checkpoints.unspell(protocol.decode(request.news)), shape)
            live = normalization.prune(old.live, normalization.normalize(old.inputs, shape))
            changes = {
                path: change
                for path, change in differences.compare(live, new).items()
                if not _is_ignored(differences.format_path(path), request.ignoreChanges)
            }
            mutable = [name for name in ("Secret", "ConfigMap") if self._is_set(f"enable{name}Mutable")]
            replacing = immutables.find_replacing(kind, changes, new, mutable)
            is_same_name = objects.build_id(new) == objects.build_id(old.live)
            deletes_first = is_same_name and not objects.has_annotation(new, objects.AUTONAMED)
            return protocol.build_diff(changes, replacing, deletes_first=deletes_first)

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        with protocol.answer_errors(context, request.properties):
            asked = _read_request(request, request.properties, is_preview=request.preview)
            if request.preview and (self._cluster.server is None or wire.has_unknown(asked.inputs)):
                return provider_pb2.CreateResponse(properties=request.properties)
            made = self._open_lifecycle().create(asked)
            if made is None:
                return provider_pb2.CreateResponse(properties=request.properties)
            return provider_pb2.CreateResponse(id=made.resource_id, properties=wire.encode(made.outputs))

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        with protocol.answer_errors(context, request.news):
            asked = _read_request(request, request.news, is_preview=request.preview)
            if request.preview and (self._cluster.server is None or wire.has_unknown(asked.inputs)):
                return provider_pb2.UpdateResponse(properties=request.news)
            old = checkpoints.parse_outputs(protocol.decode(request.olds))
            made = self._open_lifecycle().update(asked, old)
            if made is None:
                return provider_pb2.UpdateResponse(properties=request.news)
            return provider_pb2.UpdateResponse(properties=wire.encode(made.outputs))

    def _drop(self, urn: str, problem: str) -> None:
        """Lets go of a resource that cannot be reached, if that is wanted."""
        self._say(urn, f"configured Kubernetes cluster is unreachable: {self._cluster.unreachable}")
        if not self._is_set("deleteUnreachable"):
            raise StandInError(f"{problem}. {_HOW_TO_DROP}")

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        with protocol.answer_errors(context):
            if self._cluster.server is None:
                self._drop(request.urn, "failed to read resource state due to unreachable cluster")
                return provider_pb2.ReadResponse()
            asked = _read_request(request, request.inputs)
            old = checkpoints.parse_outputs(protocol.decode(request.properties))
            found = self._open_lifecycle().read(asked, request.id, old)
            if found is None:
                return provider_pb2.ReadResponse()
            inputs, made = found
            return provider_pb2.ReadResponse(
                id=made.resource_id, properties=wire.encode(made.outputs), inputs=wire.encode(inputs)
            )

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        with protocol.answer_errors(context):
            old = checkpoints.parse_outputs(protocol.decode(request.properties))
            if self._cluster.server is None:
                self._drop(request.urn, "configured Kubernetes cluster is unreachable")
                return empty_pb2.Empty()
            asked = Request(
                urn=request.urn,
                kind=_find_kind(request.urn),
                inputs=old.inputs,
                given=wire.decode(request.properties),
                seconds=request.timeout,
            )
            self._open_lifecycle().delete(asked, request.id, old)
            return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        self._interrupted.set()
        return empty_pb2.Empty()


def _find_kind(urn: str) -> Kind:
    return Kind.parse_token(protocol.find_token(urn))


def _read_request(request: Any, inputs: Any, *, is_preview: bool = False) -> Request:
    given = wire.decode(inputs)
    return Request(
        urn=request.urn,
        kind=_find_kind(request.urn),
        inputs=checkpoints.unspell(protocol.simplify(given)),
        given=given,
        seconds=getattr(request, "timeout", None),
        is_preview=is_preview,
    )


def _is_ignored(path: str, ignored: Any) -> bool:
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in ignored)
