"""The plugin's process."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import sys
import threading

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc

from tests.azure_native_stand_in import servicer

_MAX_MESSAGE_BYTES = 400 * 1024 * 1024
_MAX_CALLS = 128


def main() -> None:
    """Serves until the engine ends it; the port is the first line of standard output, as with every plugin."""
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ]
    with grpc.insecure_channel(sys.argv[1], options=options) as channel:
        engine = engine_pb2_grpc.EngineStub(channel)

        def say(urn: str, text: str) -> None:
            with contextlib.suppress(grpc.RpcError):
                engine.Log(servicer.build_warning(urn, text), timeout=60)

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(_MAX_CALLS), options=options)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer.StandIn(say), server)
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


if __name__ == "__main__":
    main()
