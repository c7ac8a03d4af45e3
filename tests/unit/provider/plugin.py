"""The plugin over real gRPC, with an engine that only listens."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from aml_infra.provider import server, wire
from aml_infra.provider.lifecycle import Interruption
from aml_infra.provider.resource_type import ResourceType


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def Log(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        self.messages.append((request.urn, request.message))
        return empty_pb2.Empty()


class Plugin:
    """The plugin, its engine, and a client that speaks to it as the engine does.

    Attributes:
        stub: the client.
        engine: what the plugin tells.
        urn: of the resource that is asked for.
        given: inputs of it that are right.
    """

    def __init__(
        self, stub: provider_pb2_grpc.ResourceProviderStub, engine: Engine, urn: str, given: dict[str, Any]
    ) -> None:
        self.stub = stub
        self.engine = engine
        self.urn = urn
        self.given = given

    def check(self, **changes: Any) -> Any:
        """``Check`` of the given inputs with changes."""
        news = wire.encode({**self.given, **changes})
        return self.stub.Check(provider_pb2.CheckRequest(urn=self.urn, news=news))

    def create(self, inputs: Any, *, preview: bool = False) -> Any:
        """``Create``."""
        return self.stub.Create(provider_pb2.CreateRequest(urn=self.urn, properties=inputs, preview=preview))


@contextlib.contextmanager
def open_plugin(
    types: Mapping[str, ResourceType], interruption: Interruption, urn: str, given: dict[str, Any]
) -> Iterator[Plugin]:
    """A plugin that serves ``types``, and listens."""
    engine = Engine()
    threads = concurrent.futures.ThreadPoolExecutor(4)
    listening = grpc.server(threads)
    engine_pb2_grpc.add_EngineServicer_to_server(engine, listening)
    serving = grpc.server(threads)
    ports = [each.add_insecure_port("127.0.0.1:0") for each in (listening, serving)]
    listening.start()
    with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as to_engine:
        servicer = server.Servicer(types, interruption, engine_pb2_grpc.EngineStub(to_engine))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, serving)
        serving.start()
        with grpc.insecure_channel(f"127.0.0.1:{ports[1]}") as to_plugin:
            yield Plugin(provider_pb2_grpc.ResourceProviderStub(to_plugin), engine, urn, given)
        serving.stop(0).wait()
    listening.stop(0).wait()
    threads.shutdown()
