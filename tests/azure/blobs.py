"""The gate in front of Azurite: roles and the account's settings decide, then the request goes on as it is.

Azurite knows accounts and their keys, checks signatures of keys and of shared access signatures, and does the rest.
"""

from __future__ import annotations

import asyncio
import base64
import http
import json
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, quote
from xml.sax import saxutils

from starlette import requests, responses

from tests.azure import azurite, data_planes, directory, forwarding, front, roles, tls
from tests.azure.cloud import Cloud
from tests.azure.data_planes import Denied
from tests.azure.resources import Resource

ACCOUNT = "Microsoft.Storage/storageAccounts"
SUFFIX = ".blob.core.windows.net"
_AUDIENCE = "https://storage.azure.com"
_DATASTORE = "Microsoft.MachineLearningServices/workspaces/datastores"
_CONTAINERS = f"{ACCOUNT}/blobServices/containers"
BLOBS = f"{_CONTAINERS}/blobs"
_TOKEN_SECONDS = 3600


class Blobs:
    """Serves ``<account>.blob.core.windows.net``.

    Attributes:
        private: Whether callers come through private endpoints; else an account without public access refuses them.
    """

    def __init__(
        self,
        cloud: Cloud,
        emulator: azurite.Azurite,
        forwarder: forwarding.Forwarder,
        certificates: tls.Certificates,
    ) -> None:
        self.private = False
        self._cloud = cloud
        self._emulator = emulator
        self._forwarder = forwarder
        self._context = certificates.build_client_context()
        self._containers: set[tuple[str, str]] = set()

    async def __call__(self, scope: front.Scope, receive: front.Receive, send: front.Send) -> None:
        request = requests.Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Denied as error:
            answer = _build_error(error)
        await answer(scope, receive, send)

    async def _answer(self, request: requests.Request) -> responses.Response:
        name = request.url.hostname.removesuffix(SUFFIX) if request.url.hostname else ""
        account = data_planes.find_by_name(self._cloud, ACCOUNT, name)
        if account is None:
            # In Azure there is no such host.
            raise Denied(http.HTTPStatus.NOT_FOUND, "ResourceNotFound", f"there is no storage account {name!r}")
        self._check_network(account)
        query = parse_qs(request.url.query, keep_blank_values=True)
        container = request.url.path.strip("/").partition("/")[0]
        authorization = request.headers.get("authorization", "")
        headers: dict[str, str] = {}
        if authorization.startswith("Bearer "):
            principal = self._check_bearer(request, account, container, query)
            headers["Authorization"] = f"Bearer {build_token(principal)}"
        elif "sig" in query:
            self._check_signature(request, account, container, query)
        elif authorization:
            _check_keys_allowed(account)
        elif not account.properties.get("allowBlobPublicAccess"):
            raise Denied(
                http.HTTPStatus.UNAUTHORIZED,
                "NoAuthenticationInformation",
                "Server failed to authenticate the request. Please refer to the information in the "
                "www-authenticate header.",
            )
        emulator = await asyncio.to_thread(self._emulator.ensure)
        await self._make_ready(emulator, account, container)
        raw = request.scope["raw_path"].decode("ascii")
        url = f"{emulator}{raw}" + (f"?{request.url.query}" if request.url.query else "")
        return await self._forwarder.forward(request, url, headers=headers, context=self._context)

    def _check_network(self, account: Resource) -> None:
        properties = account.properties
        denied = (properties.get("networkAcls") or {}).get("defaultAction") == "Deny"
        if not self.private and (denied or properties.get("publicNetworkAccess") == "Disabled"):
            message = "This request is not authorized to perform this operation."
            raise Denied(http.HTTPStatus.FORBIDDEN, "AuthorizationFailure", message)

    def _check_bearer(
        self, request: requests.Request, account: Resource, container: str, query: Mapping[str, list[str]]
    ) -> str:
        token = request.headers["authorization"].removeprefix("Bearer ")
        try:
            principal = self._cloud.directory.identify(token, [_AUDIENCE, f"https://{account.name}{SUFFIX}"])
        except directory.TokenError as error:
            text = f"Server failed to authenticate the request. {error}"
            raise Denied(http.HTTPStatus.UNAUTHORIZED, "InvalidAuthenticationInfo", text) from error
        self._check_role(request, principal.object_id, account, container, query)
        return principal.object_id

    def _check_role(
        self,
        request: requests.Request,
        principal: str,
        account: Resource,
        container: str,
        query: Mapping[str, list[str]],
    ) -> None:
        scope = f"{account.id}/blobServices/default/containers/{container}" if container else account.id
        kind, verb = _find_need(request, query)
        # What is inside of a container is data; the containers themselves are not.
        allows = roles.may_data if kind == BLOBS else roles.may
        if not allows(self._cloud, principal, f"{kind}/{verb}", scope):
            message = "This request is not authorized to perform this operation using this permission."
            raise Denied(http.HTTPStatus.FORBIDDEN, "AuthorizationPermissionMismatch", message)

    def _check_signature(
        self, request: requests.Request, account: Resource, container: str, query: Mapping[str, list[str]]
    ) -> None:
        """A signature made with a key needs keys to be allowed; one made for a principal can do what that one may."""
        if "skoid" in query:
            self._check_role(request, query["skoid"][0], account, container, query)
        else:
            _check_keys_allowed(account)

    async def _make_ready(self, emulator: str, account: Resource, container: str) -> None:
        """Tells Azurite of the accounts that there are, and makes the containers that the workspace made in Azure."""
        self._emulator.set_accounts(list_keys(self._cloud))
        place = (account.id.lower(), container)
        if container and place not in self._containers and self._is_declared(account, container):
            headers = {
                "Host": f"{account.name}{SUFFIX}",
                "Authorization": f"Bearer {build_token('')}",
                "x-ms-version": "2021-12-02",
            }
            url = f"{emulator}/{quote(container)}?restype=container"
            await self._forwarder.fetch("PUT", url, headers=headers, context=self._context)
            self._containers.add(place)

    def _is_declared(self, account: Resource, container: str) -> bool:
        """Whether Resource Manager, or a workspace's datastore, knows this container."""
        if self._cloud.resources.get(f"{account.id}/blobServices/default/containers/{container}"):
            return True
        stores = [each.properties for each in self._cloud.resources if each.type == _DATASTORE]
        return (account.name, container) in [(each.get("accountName"), each.get("containerName")) for each in stores]


def list_keys(cloud: Cloud) -> dict[str, str]:
    """The keys of all accounts that are ready, by name."""
    return {each.name: each.secrets["key"] for each in cloud.resources if each.type == ACCOUNT and each.secrets}


def _find_need(request: requests.Request, query: Mapping[str, list[str]]) -> tuple[str, str]:
    """What a role must allow, type and verb, see the service's page "Authorize with Microsoft Entra ID"."""
    if query.get("comp") == ["userdelegationkey"]:
        return f"{ACCOUNT}/blobServices", "generateUserDelegationKey/action"
    is_container = "restype" in query and query.get("comp") != ["list"]
    kind = _CONTAINERS if is_container or request.url.path == "/" else BLOBS
    return kind, {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(request.method, "write")


def _check_keys_allowed(account: Resource) -> None:
    if account.properties.get("allowSharedKeyAccess") is False:
        message = "Key based authentication is not permitted on this storage account."
        raise Denied(http.HTTPStatus.FORBIDDEN, "KeyBasedAuthenticationNotPermitted", message)


def build_token(principal: str) -> str:
    """A token as Azurite takes it, which looks into tokens and does not check signatures: we have done that."""
    now = int(time.time())
    claims = {
        "aud": _AUDIENCE,
        "iss": "https://sts.windows.net/tests/",
        "iat": now,
        "nbf": now - 60,
        "exp": now + _TOKEN_SECONDS,
        "oid": principal,
        "tid": "tests",
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, b"none"))


def _build_error(error: Denied) -> responses.Response:
    text = f"<Code>{error.code}</Code><Message>{saxutils.escape(str(error))}</Message>"
    headers = {"x-ms-error-code": error.code, **error.headers}
    if error.status == http.HTTPStatus.UNAUTHORIZED:
        place = "https://login.microsoftonline.com/common/oauth2/authorize"
        headers["WWW-Authenticate"] = f"Bearer authorization_uri={place} resource_id={_AUDIENCE}"
    body = f'<?xml version="1.0" encoding="utf-8"?><Error>{text}</Error>'
    return responses.Response(body, error.status, headers, "application/xml")
