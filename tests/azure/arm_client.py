"""A client of an app in this process: sends one request after the other, without a network."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
import uuid
from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette import applications

from tests.azure import arm_ids, front, resource_manager, services
from tests.azure.cloud import RESOURCE_MANAGER, Cloud
from tests.azure.directory import Principal
from tests.azure.resources import Resource
from tests.event_loop import run_alone

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SECRETS_READER = "ea01e6af-a1c1-4350-9563-ad00f8c72ec5"


class ConnectionCut(Exception):
    """The server cut the connection instead of answering."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Response:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The error's code; empty where there is none."""
        return self._read_error("code")

    @property
    def message(self) -> str:
        """The error's sentence; empty where there is none."""
        return self._read_error("message")

    @property
    def properties(self) -> dict[str, Any]:
        """The properties in the body."""
        found: dict[str, Any] = self.body["properties"]
        return found

    def _read_error(self, key: str) -> str:
        return str(self.body["error"][key]) if isinstance(self.body, dict) and "error" in self.body else ""


class Client:
    """Talks to Resource Manager as one principal.

    The API version is the newest that the type knows, unless the path says one.
    """

    def __init__(self, cloud: Cloud, principal: Principal) -> None:
        self.cloud = cloud
        self.principal = principal
        self._app = resource_manager.build_app(cloud)

    def get(self, path: str) -> Response:
        """Reads."""
        return self.call("GET", path)

    def put(self, path: str, body: Mapping[str, Any]) -> Response:
        """Makes or replaces; what takes time is not waited for."""
        return self.call("PUT", path, body)

    def make(self, path: str, body: Mapping[str, Any]) -> Response:
        """Likewise, and waits; what is returned is how the resource reads then."""
        answer = self.put(path, body)
        assert not answer.code, answer.message
        self.cloud.operations.end_all()
        return self.get(path)

    def patch(self, path: str, body: Mapping[str, Any]) -> Response:
        """Changes."""
        return self.call("PATCH", path, body)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Response:
        """Asks for an action."""
        return self.call("POST", path, body)

    def delete(self, path: str) -> Response:
        """Deletes; what takes time is not waited for."""
        return self.call("DELETE", path)

    def follow(self, answer: Response, header: str = "Azure-AsyncOperation") -> Response:
        """Asks after an operation until it has ended."""
        url = answer.headers[header.lower()]
        while True:
            found = self.get(url.removeprefix(RESOURCE_MANAGER))
            is_over = found.status != 202 and (found.body or {}).get("status") != "InProgress"
            if is_over:
                return found

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Response:
        """Sends a request, with a token of its own unless another is given; an empty one is none.

        Raises:
            ConnectionCut: The server cut the connection.
        """
        path, _, query = path.partition("?")
        if "api-version" not in query:
            query = "&".join(filter(None, [query, f"api-version={_find_version(path)}"]))
        content = b"" if body is None else json.dumps(body).encode()
        if token is None:
            # A new token each time, as tests move the clock by days.
            token = self.cloud.directory.issue(self.principal, RESOURCE_MANAGER)
        return run_alone(_send(self._app, method, path, query, content, token))


def log_in(cloud: Cloud, role: str, scope: str) -> Client:
    """The client of a new service principal that has a role on a scope."""
    principal = cloud.directory.add_application(str(uuid.uuid4()), str(uuid.uuid4()))
    assign(cloud, principal, role, scope)
    return Client(cloud, principal)


def assign(cloud: Cloud, principal: Principal, role: str, scope: str) -> None:
    """Gives a principal a role, as somebody did before the test."""
    kind = "Microsoft.Authorization/roleAssignments"
    name = str(uuid.uuid4())
    body = {
        "id": f"{scope}/providers/{kind}/{name}",
        "name": name,
        "type": kind,
        "properties": {
            "scope": scope,
            "principalId": principal.object_id,
            "principalType": principal.kind,
            "roleDefinitionId": f"{cloud.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        },
    }
    cloud.resources.put(Resource(id=str(body["id"]), type=kind, body=body))


def _find_version(path: str) -> str:
    parsed = arm_ids.parse(path)
    for each in (parsed, arm_ids.parse(path.rpartition("/")[0])):
        kind = services.find_type(each.type)
        if kind is not None:
            return max(kind.models)
    found = services.find_function(parsed)
    return max(found[0].versions) if found is not None else "2022-09-01"


async def _send(
    app: applications.Starlette, method: str, path: str, query: str, content: bytes, token: str
) -> Response:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"management.azure.com"), (b"user-agent", b"tests")]
    if token:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    cuts: list[str] = []
    scope = {
        "type": "http",
        "method": method,
        "path": urllib.parse.unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "extensions": {front.RESET: lambda: cuts.append(path)},
    }
    await app(scope, receive, send)
    if cuts:
        raise ConnectionCut(f"{method} {path}")
    content = b"".join(message.get("body", b"") for message in sent)
    return Response(
        status=sent[0]["status"],
        headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
        body=json.loads(content) if content else None,
    )
