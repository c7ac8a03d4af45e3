"""The data plane of container registries: tokens by roles, in front of a real registry.

Each Azure registry has a folder of its own in it. The service's own description of the tokens:
https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import http
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib import parse

from starlette import requests, responses

from tests import local_registry
from tests.azure import data_planes, directory, forwarding, front, roles
from tests.azure.cloud import Cloud
from tests.azure.data_planes import Denied
from tests.azure.resources import Resource

REGISTRY = "Microsoft.ContainerRegistry/registries"
TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 - the user name that goes with a token
_SUFFIX = ".azurecr.io"
_AUDIENCES = ("https://containerregistry.azure.net", "https://management.azure.com")
_ACTIONS = {
    "pull": f"{REGISTRY}/pull/read",
    "push": f"{REGISTRY}/push/write",
    "delete": f"{REGISTRY}/artifacts/delete",
    "metadata_read": f"{REGISTRY}/pull/read",
    "metadata_write": f"{REGISTRY}/push/write",
}
"""What a role must allow, by the action of a scope."""
_REFRESH_SECONDS = 3 * 3600
_ACCESS_SECONDS = 75 * 60
_REPOSITORY = re.compile(r"/v2/(?P<name>.+)/(?:manifests|blobs|tags)/")


class Registries:
    """Serves ``<registry>.azurecr.io``, and the cloud's only registry at its ``registry_server``.

    Attributes:
        private: Whether callers come through private endpoints; else a registry without public access refuses them.
    """

    def __init__(
        self,
        cloud: Cloud,
        forwarder: forwarding.Forwarder,
        ensure_backend: Callable[[], local_registry.LocalRegistry],
    ) -> None:
        """Stands in front of a registry, which `ensure_backend` starts if need be."""
        self.private = False
        self._cloud = cloud
        self._forwarder = forwarder
        self._ensure_backend = ensure_backend
        self._key = secrets.token_bytes(32)

    async def __call__(self, scope: front.Scope, receive: front.Receive, send: front.Send) -> None:
        request = requests.Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Denied as error:
            detail = {"errors": [{"code": error.code, "message": str(error), "detail": None}]}
            headers = {"Docker-Distribution-Api-Version": "registry/2.0"}
            answer = responses.JSONResponse(detail, error.status, headers | error.headers)
        await answer(scope, receive, send)

    async def _answer(self, request: requests.Request) -> responses.Response:
        server = _find_server(request)
        registry = data_planes.find_by_name(self._cloud, REGISTRY, server.removesuffix(_SUFFIX))
        if server == self._cloud.registry_server:
            registry = next((each for each in self._cloud.resources if each.type == REGISTRY), None)
        if registry is None:
            # In Azure there is no such host.
            raise Denied(http.HTTPStatus.NOT_FOUND, "NAME_UNKNOWN", f"there is no registry {server!r}")
        if not self.private and registry.properties.get("publicNetworkAccess") == "Disabled":
            text = f"client with IP '{request.client.host if request.client else ''}' is not allowed access."
            raise Denied(http.HTTPStatus.FORBIDDEN, "DENIED", text)
        path, method = request.url.path, request.method
        if path == "/oauth2/exchange" and method == "POST":
            return await self._exchange(request, registry)
        if path == "/oauth2/token" and method in {"GET", "POST"}:
            return await self._give_access(request, registry)
        if path == "/v2" or path.startswith("/v2/"):
            self._check(request, registry)
            return await self._pass_on(request, registry)
        raise Denied(http.HTTPStatus.NOT_FOUND, "NOT_FOUND", f"{method} {path} is not served")

    async def _exchange(self, request: requests.Request, registry: Resource) -> responses.Response:
        """Gives a registry's refresh token for one of Entra ID."""
        given, _ = await _read_form(request)
        _check_form(given, "access_token", ("service", "access_token"))
        _check_service(given["service"], request)
        principal = self._identify(given["access_token"], request)
        if not self._find_actions(principal, registry, ("pull", "push", "delete")):
            raise _unauthorized(request, "the principal has no role on this registry")
        token = self._sign({"typ": "refresh", "sub": principal, "aud": _find_server(request)}, _REFRESH_SECONDS)
        return responses.JSONResponse({"refresh_token": token})

    async def _give_access(self, request: requests.Request, registry: Resource) -> responses.Response:
        """Gives an access token for a refresh token: those of the actions asked for that the principal may do."""
        if request.method == "GET":
            given = dict(request.query_params)
            scopes = request.query_params.getlist("scope")
            principal = self._identify_basic(request)
        else:
            given, scopes = await _read_form(request)
            if given.get("grant_type") == "password":
                _check_form(given, "password", ("service", "username", "password"))
                principal = self._identify_password(given["username"], given["password"], request)
            else:
                _check_form(given, "refresh_token", ("service", "refresh_token"))
                principal = self._read(given["refresh_token"], "refresh", request)["sub"]
        _check_service(given.get("service", ""), request)
        access = []
        for kind, name, actions in _split_scopes(scopes):
            allowed = self._find_actions(principal, registry, actions.split(","))
            access.append({"type": kind, "name": name, "actions": allowed})
        claims = {"typ": "access", "sub": principal, "aud": _find_server(request), "access": access}
        token = self._sign(claims, _ACCESS_SECONDS)
        # Docker's own clients read `token`, too, but take this one as well.
        return responses.JSONResponse({"access_token": token})

    def _check(self, request: requests.Request, registry: Resource) -> None:
        """Raises Denied unless the caller may do this."""
        kind, name, action = _find_need(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            principal = self._identify_basic(request)
            allowed = not name or action in self._find_actions(principal, registry, [action])
        elif scheme == "Bearer":
            access = self._read(token, "access", request)["access"]
            allowed = not name or any(
                (one["type"], one["name"]) == (kind, name) and action in one["actions"] for one in access
            )
        else:
            raise _unauthorized(request, "authentication required")
        if not allowed:
            raise _unauthorized(request, f"{action} of {name} is not allowed")

    async def _pass_on(self, request: requests.Request, registry: Resource) -> responses.Response:
        folder = registry.name.lower()
        raw = request.scope["raw_path"].decode("ascii")
        if raw.endswith("/_catalog"):
            raise Denied(http.HTTPStatus.NOT_IMPLEMENTED, "UNSUPPORTED", "the tests' registry lists no repositories")
        path = raw if raw.rstrip("/") == "/v2" else raw.replace("/v2/", f"/v2/{folder}/", 1)
        query = re.sub(r"(^|&)from=", rf"\1from={folder}%2F", request.url.query)
        backend = await asyncio.to_thread(self._ensure_backend)
        account = base64.b64encode(f"{local_registry.USER}:{backend.password}".encode()).decode()
        headers = {"Authorization": f"Basic {account}", "X-Forwarded-Proto": request.url.scheme}
        url = f"http://{backend.address}{path}" + (f"?{query}" if query else "")
        if path.endswith("/tags/list"):
            answer = await self._forwarder.fetch("GET", url, headers=headers)
            found = json.loads(bytes(answer.body))
            if "name" in found:
                found["name"] = found["name"].removeprefix(f"{folder}/")
            return responses.JSONResponse(found, answer.status_code)
        answer = await self._forwarder.forward(request, url, headers=headers)
        if "location" in answer.headers:
            answer.headers["location"] = answer.headers["location"].replace(f"/v2/{folder}/", "/v2/", 1)
        return answer

    def _find_actions(self, principal: str, registry: Resource, actions: Iterable[str]) -> list[str]:
        return [
            action
            for action in actions
            if action in _ACTIONS and roles.may(self._cloud, principal, _ACTIONS[action], registry.id)
        ]

    def _identify(self, token: str, request: requests.Request) -> str:
        try:
            return self._cloud.directory.identify(token, _AUDIENCES).object_id
        except directory.TokenError as error:
            raise _unauthorized(request, str(error)) from error

    def _identify_basic(self, request: requests.Request) -> str:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            raise _unauthorized(request, "authentication required")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _unauthorized(request, "the authorization is not Base64") from error
        return self._identify_password(user, password, request)

    def _identify_password(self, user: str, password: str, request: requests.Request) -> str:
        """Takes a refresh token, or one of Entra ID; the administrator's account is off in all that we make."""
        if user != TOKEN_USER:
            raise _unauthorized(request, "the administrator's account is not enabled, or there is no such token")
        if self._is_own(password):
            return str(self._read(password, "refresh", request)["sub"])
        return self._identify(password, request)

    def _sign(self, claims: Mapping[str, Any], seconds: int) -> str:
        now = int(time.time())
        head = {"alg": "HS256", "typ": "JWT"}
        whole = {**claims, "iss": "Azure Container Registry", "iat": now, "exp": now + seconds}
        text = ".".join(_encode(json.dumps(part).encode()) for part in (head, whole))
        return f"{text}.{self._compute_signature(text)}"

    def _compute_signature(self, text: str) -> str:
        return _encode(hmac.digest(self._key, text.encode(), hashlib.sha256))

    def _is_own(self, token: str) -> bool:
        text, _, signature = token.rpartition(".")
        return hmac.compare_digest(self._compute_signature(text), signature)

    def _read(self, token: str, kind: str, request: requests.Request) -> dict[str, Any]:
        """The claims of a token of ours, for this registry."""
        if not self._is_own(token):
            raise _unauthorized(request, "this is no token of this registry")
        part = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if claims["typ"] != kind or claims["aud"] != _find_server(request) or claims["exp"] < time.time():
            raise _unauthorized(request, f"this is no {kind} token of this registry, or it has expired")
        return claims


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _find_server(request: requests.Request) -> str:
    """What the registry is called by the caller."""
    return request.url.netloc.removesuffix(":443")


async def _read_form(request: requests.Request) -> tuple[dict[str, str], list[str]]:
    """The fields of a form, and its scopes, of which there may be several."""
    form = parse.parse_qs((await request.body()).decode())
    return {name: values[0] for name, values in form.items()}, form.get("scope", [])


def _check_form(given: Mapping[str, str], grant: str, needed: Iterable[str]) -> None:
    missing = [name for name in needed if not given.get(name)]
    if given.get("grant_type") != grant or missing:
        text = (
            f"grant_type is {given.get('grant_type')!r}, allowed is {grant!r}; missing: {', '.join(missing) or 'none'}"
        )
        raise Denied(http.HTTPStatus.BAD_REQUEST, "INVALID", text)


def _check_service(service: str, request: requests.Request) -> None:
    if service != _find_server(request):
        raise Denied(http.HTTPStatus.BAD_REQUEST, "INVALID", f"service is {service!r}, not {_find_server(request)!r}")


def _split_scopes(scopes: Iterable[str]) -> list[tuple[str, str, str]]:
    """`repository:name:pull,push`, several in one text or in several."""
    found = []
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        if not (kind and name and actions):
            raise Denied(
                http.HTTPStatus.BAD_REQUEST, "INVALID", f"scope {scope!r} is not of the form type:name:actions"
            )
        found.append((kind, name, actions))
    return found


def _find_need(request: requests.Request) -> tuple[str, str, str]:
    """What a request does: type, name and action; the name is empty where a login is enough."""
    found = _REPOSITORY.match(request.url.path)
    if found is None:
        return "registry", "", ""
    action = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "push")
    if request.method == "DELETE" and "/blobs/uploads/" in request.url.path:
        action = "push"
    return "repository", found["name"], action


def _unauthorized(request: requests.Request, text: str) -> Denied:
    kind, name, action = _find_need(request)
    server = _find_server(request)
    challenge = f'Bearer realm="https://{server}/oauth2/token",service="{server}"'
    if name:
        actions = "pull,push" if action == "push" else action
        challenge += f',scope="{kind}:{name}:{actions}"'
    return Denied(http.HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", text, {"WWW-Authenticate": challenge})
