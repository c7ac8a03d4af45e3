"""What the services beside Resource Manager have in common: they look into the cloud, and their calls are counted."""

from __future__ import annotations

import re

from starlette import requests

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
    """`app`, with its calls added to those of the cloud; they are counted as ones to `host`."""

    async def serve(scope: front.Scope, receive: front.Receive, send: front.Send) -> None:
        request = requests.Request(scope)

        async def note(message: front.Message) -> None:
            if message["type"] == "http.response.start":
                cloud.calls.append(_describe(request, host, message["status"]))
            await send(message)

        await app(scope, receive, note)

    return serve


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
