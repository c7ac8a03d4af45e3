"""What the services beside Resource Manager have in common: they look into the cloud, and their calls are counted."""

from __future__ import annotations

import dataclasses
import re

import anyio.to_thread
from starlette import requests, responses

from tests.api_faults import Fault
from tests.azure import front, resources
from tests.azure.cloud import Call, Cloud

_NAMES = re.compile(
    r"(?<=/)([0-9a-f]{8}-[0-9a-f-]{27}|sha256:[0-9a-f]{64}|[^/]*\d[^/.]*)(?=/|$)|/subscriptions/.+?/workspaces/[^/]+",
    re.IGNORECASE,
)


class Denied(Exception):
    """A refusal; each service words it in its own form.

    Attributes:
        status: the HTTP status.
        code: the service's word for it.
        headers: what the answer has in its head besides.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


def find_by_name(cloud: Cloud, resource_type: str, name: str) -> resources.Resource | None:
    """The resource of a type whose names are unique in all of Azure."""
    found = (each for each in cloud.resources if each.type == resource_type)
    return next((each for each in found if each.name.lower() == name.lower()), None)


def record(cloud: Cloud, host: str, app: front.App) -> front.App:
    """`app`, with its calls added to those of the cloud, and the faults that a test has asked for.

    The calls are counted as ones to `host`. Where a fault says 429, storage says what it says then: 503, `ServerBusy`.
    """

    async def serve(scope: front.Scope, receive: front.Receive, send: front.Send) -> None:
        request = requests.Request(scope)

        async def note(message: front.Message) -> None:
            if message["type"] == "http.response.start":
                cloud.calls.append(_describe(request, host, message["status"]))
            await send(message)

        fault = cloud.faults.take(request.method, request.url.path, request.url.hostname or "")
        if fault is None:
            await app(scope, receive, note)
        else:
            if fault.status == 429 and "blob." in host:
                # See https://learn.microsoft.com/azure/storage/blobs/scalability-targets.
                fault = dataclasses.replace(fault, status=503, code="ServerBusy", retry_after=None)
            await _fail(fault, app, scope, receive, note)

    return serve


async def _fail(fault: Fault, app: front.App, scope: front.Scope, receive: front.Receive, send: front.Send) -> None:
    """Answers a request as a fault has it."""
    reset = scope["extensions"][front.RESET]
    is_cut = False

    async def lose(message: front.Message) -> None:
        """Nothing is sent."""

    async def halve(message: front.Message) -> None:
        nonlocal is_cut
        if message["type"] == "http.response.start":
            await send(message)
        elif not is_cut:
            is_cut = True
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            reset()

    if fault.kind == "delay":
        await anyio.to_thread.run_sync(fault.wait)
        await app(scope, receive, send)
    elif fault.kind == "status":
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        body = {"error": {"code": fault.code, "message": "A fault that a test asked for."}}
        await responses.JSONResponse(body, fault.status, headers)(scope, receive, send)
    elif fault.kind == "cut":
        await app(scope, receive, halve)
    else:
        if fault.kind == "answer lost":
            await app(scope, receive, lose)
        reset()


def _describe(request: requests.Request, host: str, status: int) -> Call:
    return Call(
        host=request.url.hostname or "",
        method=request.method,
        path=request.url.path,
        operation=f"{request.method} {host}{_NAMES.sub('*', request.url.path)}",
        api_version=request.headers.get("x-ms-version", ""),
        status=status,
        principal="",
        user_agent=request.headers.get("user-agent", ""),
    )
