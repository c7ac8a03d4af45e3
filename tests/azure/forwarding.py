"""Passes requests on to the real services behind the test server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

import aiohttp
import multidict
import yarl
from starlette import background, requests, responses

_CHUNK = 65536
_IDLE_SECONDS = 2.0
"""A connection that was idle for longer is not used again: after 5, Azurite and MLflow's server cut it, maybe just
then."""

_OWN = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"})
"""Headers between two neighbours, which are not passed on."""
_UNSENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that the client library would add to the caller's."""


class Forwarder:
    """One pool of connections; bodies are streamed both ways, and stay as they are."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Must be called on the loop on which requests will come."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(keepalive_timeout=_IDLE_SECONDS),
            auto_decompress=False,
            skip_auto_headers=_UNSENT,
            timeout=timeout,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def forward(
        self,
        request: requests.Request,
        url: str,
        *,
        headers: Mapping[str, str],
        drop: Iterable[str] = (),
        context: ssl.SSLContext | None = None,
        content: bytes | None = None,
        rewrite: Callable[[bytes], bytes] | None = None,
    ) -> responses.Response:
        """Sends `request` to `url`, and gives the answer as it comes.

        Args:
            request: What came; its body has not been read.
            url: Where it goes, as it is to be on the wire.
            headers: Replace or add to those of the request.
            drop: Headers that are not passed on, in lower case.
            context: Whom to trust, for HTTPS.
            content: What is sent in place of the request's body, which has been read then.
            rewrite: Makes another body of an answer in JSON.
        """
        assert self._session is not None, "open() comes first"
        gone = {*_OWN, *drop, *(name.lower() for name in headers)}
        if content is not None:
            gone.add("content-length")
        # Docker says what it accepts in several headers of one name.
        kept = [(name, value) for name, value in request.headers.items() if name.lower() not in gone]
        sent = multidict.CIMultiDict([*kept, *headers.items()])
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        try:
            answer = await self._session.request(
                request.method,
                yarl.URL(url, encoded=True),
                headers=sent,
                data=content if content is not None else request.stream() if has_body else None,
                allow_redirects=False,
                ssl=context if context is not None else True,
            )
        except aiohttp.ClientConnectionError as error:
            if isinstance(error.__cause__, requests.ClientDisconnect):
                raise error.__cause__ from error
            raise
        if rewrite is not None and answer.content_type == "application/json":
            async with answer:
                changed = rewrite(await answer.read())
            return responses.Response(changed, answer.status, media_type="application/json")
        passed = responses.StreamingResponse(
            _read(answer), answer.status, background=background.BackgroundTask(answer.release)
        )
        passed.raw_headers = [
            (name.lower(), value) for name, value in answer.raw_headers if name.lower().decode() not in _OWN
        ]
        return passed

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> responses.Response:
        """Sends a request of our own, without a body, and reads the whole answer."""
        assert self._session is not None, "open() comes first"
        trust = context if context is not None else True
        async with self._session.request(method, yarl.URL(url, encoded=True), headers=headers, ssl=trust) as answer:
            return responses.Response(await answer.read(), answer.status, dict(answer.headers))


async def _read(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for chunk in answer.content.iter_chunked(_CHUNK):
        yield chunk
