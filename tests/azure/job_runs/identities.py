"""Who a job is: the identity of its compute, its endpoint for that identity's tokens, and the run's own token."""

from __future__ import annotations

import calendar
import contextlib
import functools
import http
import json
import secrets
import threading
from collections.abc import Mapping
from http import server
from typing import TYPE_CHECKING, Any
from urllib import parse

import jwt

from tests.azure.directory import Principal
from tests.azure.resources import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

_PATH = "/MSI/auth"
_API_VERSION = "2017-09-01"
_TOKEN_SECONDS = 21 * 24 * 3600
_MANAGED_TOKEN_SECONDS = 24 * 3600
_ISSUER = "https://run-tokens.azureml.ms"


def list_identities(cloud: Cloud, cluster: Resource) -> list[Principal]:
    """The user-assigned identities of a cluster; the service makes use of the first unless it is told of another."""
    assigned: Mapping[str, Any] = (cluster.body.get("identity") or {}).get("userAssignedIdentities") or {}
    found = [cloud.resources.get(each) for each in assigned]
    return [
        Principal(object_id=each.properties["principalId"], client_id=each.properties["clientId"])
        for each in found
        if each is not None
    ]


class RunTokens:
    """The tokens of runs, with which they may do everything in their workspace's run history and MLflow.

    The service signs them itself; who a run's token speaks for, and how long it is good, is not documented.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._key = secrets.token_bytes(32)

    def issue(self, workspace: Resource, job: str) -> tuple[str, int]:
        """A token, and when it ends, in seconds since 1970."""
        now = calendar.timegm(self._cloud.clock.now().utctimetuple())
        claims = {
            "iss": _ISSUER,
            "aud": "azureml",
            "exp": now + _TOKEN_SECONDS,
            "role": "Contributor",
            "scope": workspace.id,
            "workspaceId": workspace.properties["workspaceId"],
            "tid": self._cloud.tenant_id,
            "runId": job,
        }
        return jwt.encode(claims, self._key, "HS256"), now + _TOKEN_SECONDS

    def find_scope(self, token: str) -> str | None:
        """The id of the workspace that a token is for; None if it is none of ours, or has ended."""
        options: Any = {"verify_aud": False, "verify_exp": False}
        try:
            claims = jwt.decode(token, self._key, ["HS256"], options=options)
        except jwt.InvalidTokenError:
            return None
        has_ended = claims["exp"] <= calendar.timegm(self._cloud.clock.now().utctimetuple())
        return None if has_ended else str(claims["scope"])


def build_token(cloud: Cloud, principal: Principal, resource: str) -> dict[str, str]:
    """A token of a managed identity, as machines of all kinds are given it."""
    token = cloud.directory.issue(principal, resource.removesuffix("/.default"), _MANAGED_TOKEN_SECONDS)
    end = calendar.timegm(cloud.clock.now().utctimetuple()) + _MANAGED_TOKEN_SECONDS
    return {
        "access_token": token,
        "expires_on": str(end),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": principal.client_id,
    }


class ManagedIdentities:
    """The endpoint on each node that gives tokens of the cluster's identities.

    See "Access Azure resources in a training job" in how-to-identity-based-service-authentication; the form of its
    answers is what azure-identity and MSAL read.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._principals: dict[str, tuple[Principal, ...]] = {}
        self._server: server.ThreadingHTTPServer | None = None
        self._thread = threading.Thread(name="managed-identities", target=self._serve)

    def open(self, principals: tuple[Principal, ...]) -> tuple[str, str]:
        """The address for a job of a cluster with these identities, and the secret that it must send."""
        with self._lock:
            if self._server is None:
                self._server = server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
                self._thread.start()
            secret = secrets.token_hex(16)
            self._principals[secret] = principals
        return f"http://127.0.0.1:{self._server.server_port}{_PATH}", secret

    def close(self) -> None:
        """Ends it, if it was ever opened."""
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def answer(self, path: str, secret: str) -> tuple[int, dict[str, str]]:
        """Status and body."""
        asked = parse.urlsplit(path)
        query = {name: values[0] for name, values in parse.parse_qs(asked.query).items()}
        if asked.path != _PATH or query.get("api-version") != _API_VERSION or not query.get("resource"):
            return http.HTTPStatus.BAD_REQUEST, {"statusCode": "400", "message": f"{path} is not served"}
        principals = self._principals.get(secret)
        if principals is None:
            return http.HTTPStatus.UNAUTHORIZED, {"statusCode": "401", "message": "The secret is not right."}
        wanted = query.get("clientid", principals[0].client_id)
        for principal in principals:
            if principal.client_id == wanted:
                return http.HTTPStatus.OK, build_token(self._cloud, principal, query["resource"])
        text = f"No managed identity was found for client id {wanted}."
        return http.HTTPStatus.BAD_REQUEST, {"statusCode": "400", "message": text}

    def _serve(self) -> None:
        assert self._server is not None
        self._server.serve_forever(poll_interval=0.05)


class _Handler(server.BaseHTTPRequestHandler):
    def __init__(self, identities: ManagedIdentities, *args: Any) -> None:
        self._identities = identities
        super().__init__(*args)

    def do_GET(self) -> None:
        status, body = self._identities.answer(self.path, self.headers.get("secret", ""))
        content = json.dumps(body).encode()
        with contextlib.suppress(ConnectionError):  # the job may have ended
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""
