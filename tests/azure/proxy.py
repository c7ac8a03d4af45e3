"""A CONNECT proxy that takes connections to Azure's host names to this machine, and lets no other through."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Iterable

_CHUNK = 65536


class Proxy:
    """Clients are aimed at the test server by HTTPS_PROXY alone, so that nothing under test needs a switch.

    Attributes:
        refused: The `host:port` of each connection that was refused.
    """

    def __init__(self, names: Iterable[str], target_port: int) -> None:
        """Routes `names`, in which a leading `*` stands for one label, to a port of this machine."""
        self.refused: list[str] = []
        self._names = [compile_name(name) for name in names]
        self._target_port = target_port
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        """Begins to accept connections."""
        return await asyncio.start_server(self._accept, sock=listener)

    async def close(self) -> None:
        """Ends the connections that are open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._handle(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, *_ = head.decode("latin-1").split(" ")
            host, _, port = target.rpartition(":")
            known = any(name.fullmatch(host) for name in self._names)
            if method != "CONNECT" or port != "443" or not known:
                self.refused.append(target)
                await _refuse(writer, method, target)
                return
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            with contextlib.closing(back_writer):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_pass_on(reader, back_writer), _pass_on(back_reader, writer))


def compile_name(name: str) -> re.Pattern[str]:
    """A host name as an expression; a leading `*` stands for one label, as in certificates."""
    return re.compile(re.escape(name).replace(r"\*", r"[^.]+"), re.IGNORECASE)


async def _refuse(writer: asyncio.StreamWriter, method: str, target: str) -> None:
    text = (
        f"the tests' proxy has no way to {target} ({method}): it knows Azure's hosts only, see tests/azure/server.py\n"
    )
    head = f"HTTP/1.1 502 no way to {target}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n{text}".encode("latin-1", errors="replace"))
    await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes bytes on until the end; a connection that was reset is reset on the other side as well."""
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        reset(writer.transport)
    else:
        with contextlib.suppress(OSError):  # the other side may have gone first
            writer.write_eof()


def reset(transport: asyncio.BaseTransport) -> None:
    """Cuts a connection as a crash does: with RST, what was not sent yet is lost."""
    with contextlib.suppress(OSError):  # it may be closed already
        raw = transport.get_extra_info("socket")
        if raw is None:
            return
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()  # type: ignore[attr-defined]  # only writing transports have it, and all of ours write
