"""A plugin's process."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

Say = Callable[[str, str], None]
"""Shows a warning: the resource's URN and the text."""

_MAX_MESSAGE_BYTES = 400 * 1024 * 1024
_MAX_CALLS = 128


def serve(build: Callable[[Say], provider_pb2_grpc.ResourceProviderServicer]) -> None:
    """Serves what ``build`` gives until the engine ends it; says its port first, as every plugin does."""
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ]
    with grpc.insecure_channel(sys.argv[1], options=options) as channel:
        engine = engine_pb2_grpc.EngineStub(channel)

        def say(urn: str, text: str) -> None:
            warning = engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text, urn=urn)
            with contextlib.suppress(grpc.RpcError):
                engine.Log(warning, timeout=60)

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(_MAX_CALLS), options=options)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(build(say), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        ended = threading.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: ended.set())
        # The engine holds the other end of standard input: it ends with the engine, however that ends.
        threading.Thread(target=_watch_engine, args=(ended,), daemon=True).start()
        while not ended.wait(timeout=1):
            pass
    os._exit(0)


def _watch_engine(ended: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ended.set()
