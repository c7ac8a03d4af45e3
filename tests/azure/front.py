"""The one TLS port behind all of Azure's host names, and the proxy that leads to it, in a thread of their own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import uvicorn
from starlette import requests, responses
from uvicorn.protocols.http import h11_impl

from tests.azure import forwarding, proxy, tls

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RESET = "aml-infra.reset"
"""The extension of a request's scope that an app calls to cut the connection, as a crash of the service does."""


class Front:
    """Serves apps by host name.

    Attributes:
        proxy: The way to it.
        failures: What went wrong inside the apps, and never may.
    """

    def __init__(
        self, apps: Mapping[str, App], certificates: tls.Certificates, forwarder: forwarding.Forwarder
    ) -> None:
        """Serves `apps`; a leading `*` of a host name stands for one label."""
        self.failures: list[BaseException] = []
        self._apps = [(proxy.compile_name(name), app) for name, app in apps.items()]
        self._forwarder = forwarder
        self._listeners = [_listen(), _listen()]
        self.proxy = proxy.Proxy(apps, self._listeners[0].getsockname()[1])
        config = uvicorn.Config(
            self._dispatch, interface="asgi3", http=_Protocol, ws="none", lifespan="off",
            ssl_certfile=certificates.certificate, ssl_keyfile=certificates.key, log_config=None, access_log=False,
            proxy_headers=False, server_header=False, timeout_keep_alive=600, timeout_graceful_shutdown=5,
        )  # fmt: skip
        self._server = _Server(config, self.proxy)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="azure")  # noqa: TID251 (a thread's own)

    @property
    def proxy_url(self) -> str:
        """What HTTPS_PROXY must be."""
        return f"http://127.0.0.1:{self._listeners[1].getsockname()[1]}"

    @property
    def address(self) -> str:
        """Where the apps are without the proxy; the host name decides there, too."""
        return f"127.0.0.1:{self._listeners[0].getsockname()[1]}"

    def start(self) -> None:
        """Starts; connections are accepted from now on, and answered soon."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, with all connections."""
        self._server.ended.set_result(None)
        self._thread.join()

    async def _serve(self) -> None:
        https, tunnels = self._listeners
        await self._forwarder.open()
        gate = await self.proxy.serve(tunnels)
        try:
            await self._server.serve([https])
        finally:
            gate.close()
            await self._forwarder.close()

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").partition(":")[0]
        app = next((app for name, app in self._apps if name.fullmatch(host)), _refuse)
        try:
            await app(scope, receive, send)
        except requests.ClientDisconnect:
            # Nobody is there any more to be answered.
            scope["extensions"][RESET]()
        except BaseException as error:
            self.failures.append(error)
            raise


class _Server(uvicorn.Server):
    """Waits to be ended; uvicorn's own looks ten times a second, which is felt where many have nothing to do.

    It ends the tunnels first: a client that keeps its connection for later would else be waited for.
    """

    def __init__(self, config: uvicorn.Config, tunnels: proxy.Proxy) -> None:
        super().__init__(config)
        self._tunnels = tunnels
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()

    async def main_loop(self) -> None:
        ended = asyncio.wrap_future(self.ended)
        while not ended.done():
            await self.on_tick(0)
            await asyncio.wait([ended], timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._tunnels.close()
        await super().shutdown(sockets)


class _Protocol(h11_impl.H11Protocol):
    """Lets an app cut the connection of a request."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        app = self.app

        async def offer_reset(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[RESET] = lambda: proxy.reset(self.transport)
            await app(scope, receive, send)

        self.app = offer_reset


def _listen() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await responses.PlainTextResponse("no service has this name", 421)(scope, receive, send)
