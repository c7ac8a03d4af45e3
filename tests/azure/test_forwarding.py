from __future__ import annotations

import asyncio

import pytest
from starlette import requests, responses

from tests.azure import forwarding
from tests.event_loop import run_alone

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request of a connection, and cuts it when the next one comes, as a service whose time is over."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()
    await reader.read(1)
    writer.close()


def test_a_connection_that_was_idle_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service may cut it at the same moment, and what changes something is not sent twice."""
    monkeypatch.setattr(forwarding, "_IDLE_SECONDS", 0.01)

    async def ask() -> list[int]:
        server = await asyncio.start_server(serve_once, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        forwarder = forwarding.Forwarder()
        await forwarder.open()
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
        statuses = []
        for _ in range(2):
            answer = await forwarder.forward(requests.Request(scope), url, headers={})
            assert isinstance(answer, responses.StreamingResponse)
            assert [chunk async for chunk in answer.body_iterator] == [b"ok"]
            statuses.append(answer.status_code)
            await asyncio.sleep(0.05)
        await forwarder.close()
        server.close()
        return statuses

    assert run_alone(ask()) == [200, 200]
