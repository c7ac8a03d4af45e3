"""The gRPC side of the plugin: Pulumi's resource-provider protocol in terms of ``ResourceType``.

On the generated servicer and not on ``pulumi.provider.experimental``, which has no unknown values, no integers and no
created-but-failed answer (see docs/decisions). Calls are served by threads, because the clients of the services block.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.metadata
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from aml_infra import naming
from aml_infra.errors import AmlInfraError
from aml_infra.provider import functions, schema, wire
from aml_infra.provider.lifecycle import Interruption, Say
from aml_infra.provider.resource_type import Created, InitFailed, ResourceType
from aml_infra.provider.soft_deletions import SoftDeletions
from aml_infra.provider.training_runs import TrainingRuns

MAX_MESSAGE_BYTES = 400 * 1024 * 1024
"""What the engine allows."""

MAX_CALLS = 512
"""Calls served at once; a run that is followed holds one."""


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine.

    Args:
        types: what each type of resource is served by.
        interruption: raised when the engine is interrupted.
        engine: whom messages are sent to.
    """

    def __init__(
        self, types: Mapping[str, ResourceType], interruption: Interruption, engine: engine_pb2_grpc.EngineStub
    ) -> None:
        self._types = types
        self._interruption = interruption
        self._engine = engine
        self._because: dict[str, str] = {}

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=find_version())

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema=schema.build_schema(find_version()))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        with _errors(context):
            checked = self._find_type(request.urn).check(wire.decode(request.news))
            return provider_pb2.CheckResponse(
                inputs=wire.encode(checked.values),
                # The path is part of the reason: the engine would print the value beside it, whole.
                failures=[provider_pb2.CheckFailure(reason=str(problem)) for problem in checked.problems],
            )

    def Diff(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        type_ = self._find_type(request.urn)
        old_inputs, new_inputs = wire.decode(request.old_inputs), wire.decode(request.news)
        changes = type_.compare(old_inputs, wire.decode(request.olds), new_inputs)
        # The engine compares before it makes, and does not say what was there before when it does.
        self._because[request.urn] = type_.explain(old_inputs, new_inputs)
        kinds = provider_pb2.PropertyDiff.Kind
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=sorted({_find_property(path) for path, change in changes.items() if change.replaces}),
            diffs=sorted({_find_property(path) for path in changes}),
            hasDetailedDiff=True,
            deleteBeforeReplace=type_.must_end_first(wire.decode(request.olds), changes),
            detailedDiff={
                path: provider_pb2.PropertyDiff(
                    kind=kinds.Value(f"{change.kind.value}_REPLACE" if change.replaces else change.kind.value),
                    inputDiff=change.of_input,
                )
                for path, change in changes.items()
            },
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        with _errors(context, request.properties):
            name = _find_name(request.urn)
            created = self._make(request.urn, name, request.properties, None, preview=request.preview)
            return provider_pb2.CreateResponse(id=created.resource_id, properties=wire.encode(created.outputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        with _errors(context, request.news):
            old_outputs = wire.decode(request.olds)
            name = self._find_type(request.urn).find_name(_find_name(request.urn), request.id)
            created = self._make(request.urn, name, request.news, old_outputs, preview=request.preview)
            return provider_pb2.UpdateResponse(properties=wire.encode(created.outputs))

    def _make(
        self, urn: str, name: str, properties: Any, old_outputs: Mapping[str, Any] | None, *, preview: bool
    ) -> Created:
        type_ = self._find_type(urn)
        make = type_.preview if preview else type_.ensure
        return make(name, wire.decode(properties), self._say(urn), self._because.get(urn, ""), old_outputs)

    def Read(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        with _errors(context, request.inputs):
            type_ = self._find_type(request.urn)
            read = type_.read(request.id, wire.decode(request.inputs), wire.decode(request.properties))
            if read is None:
                return provider_pb2.ReadResponse()
            inputs = wire.encode(read.inputs)
            return provider_pb2.ReadResponse(
                id=read.id or request.id, properties=wire.encode(read.outputs), inputs=inputs
            )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        with _errors(context):
            type_ = self._find_type(request.urn)
            type_.delete(request.id, wire.decode(request.properties), self._say(request.urn))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        try:
            result = functions.call(request.tok, wire.reveal(wire.decode(request.args)))
        except AmlInfraError as error:
            return provider_pb2.InvokeResponse(failures=[provider_pb2.CheckFailure(reason=str(error))])
        response = provider_pb2.InvokeResponse()
        # The field's name is a keyword of Python.
        getattr(response, "return").CopyFrom(wire.encode(result))
        return response

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._interruption.raise_()
        return empty_pb2.Empty()

    def _find_type(self, urn: str) -> ResourceType:
        found = urn.split("::", 3)[2].rpartition("$")[2]
        if found not in self._types:
            raise AmlInfraError(f"resource type {found!r} does not exist; there are {', '.join(self._types)}")
        return self._types[found]

    def _say(self, urn: str) -> Say:
        def say(text: str) -> None:
            # An engine that is gone does not end the run; the plugin notices by itself and exits.
            with contextlib.suppress(grpc.RpcError):
                message = make_printable(text)
                self._engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn), timeout=60)

        return say


def make_printable(text: str) -> str:
    """``text`` as the engine can show it: its own markup for colours ends the engine where it is not one it knows."""
    return text.replace("<{%", "<{ %")


def find_version() -> str:
    """The version of the installed package."""
    return importlib.metadata.version("aml-infra")


def build_types(interruption: Interruption) -> dict[str, ResourceType]:
    """Every type of resource that the plugin serves."""
    return {
        naming.RUN_TYPE: TrainingRuns(interruption),
        naming.SOFT_DELETION_TYPE: SoftDeletions(interruption),
    }


def serve(engine_address: str) -> None:
    """Serves until the engine says so, interrupts, or is gone."""
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ]
    interruption = Interruption()
    ended = threading.Event()
    with grpc.insecure_channel(engine_address, options=options) as channel:
        servicer = Servicer(build_types(interruption), interruption, engine_pb2_grpc.EngineStub(channel))
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(MAX_CALLS), options=options)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        _watch_signals(ended)
        _watch_engine(ended)
        server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        # Not in one wait: a signal that comes at the moment when a wait begins does not end it.
        while not ended.wait(timeout=1):
            pass
        interruption.raise_()
        server.stop(grace=1).wait()
    # Threads that still wait for a service would keep the process; what they wait for goes on without it.
    sys.stdout.flush()
    os._exit(0)


def _watch_signals(ended: threading.Event) -> None:
    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    # The engine interrupts its plugins when it is done with them.
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def _watch_engine(ended: threading.Event) -> None:
    """Ends the plugin when the engine is gone: the engine holds the other end of its standard input."""
    if not stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        return  # started by hand, as a debugger does

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        ended.set()

    threading.Thread(target=watch, name="watch engine", daemon=True).start()


@contextlib.contextmanager
def _errors(context: grpc.ServicerContext, inputs: Any = None) -> Iterator[None]:
    """Answers our own errors as Pulumi expects them: created-but-failed with its state, the others as text."""
    try:
        yield
    except InitFailed as error:
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.resource_id,
                properties=wire.encode(error.outputs),
                reasons=[make_printable(str(error))],
                inputs=inputs if error.inputs is None else wire.encode(error.inputs),
            )
        )
        # The reasons are what is shown; said once more here, a long one would not fit into the trailers.
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message="the run failed", details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, "the run failed")
    except AmlInfraError as error:
        context.abort(grpc.StatusCode.UNKNOWN, make_printable(str(error)))


def _find_name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _find_property(path: str) -> str:
    return path.partition("[")[0]
