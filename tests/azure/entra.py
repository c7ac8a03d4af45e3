"""Microsoft Entra ID, as the official clients of Python and Go sign service principals in.

Only the grant of client credentials, by a secret or by the assertion of a federated issuer:
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow. Errors are those of
https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

import hmac
import json
import re
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jwt
from jwt import algorithms
from starlette import applications, requests, responses, routing

from tests.azure import directory

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

HOST = "login.microsoftonline.com"
_LOGIN = f"https://{HOST}"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# MSAL for Go asks for these with everything; they change nothing about an application's token.
_RESERVED_SCOPES = frozenset({"openid", "offline_access", "profile"})

_RESOURCES = re.compile(
    r"https://(management\.azure\.com|management\.core\.windows\.net|storage\.azure\.com|vault\.azure\.net"
    r"|ml\.azure\.com|containerregistry\.azure\.net|graph\.microsoft\.com"
    r"|[a-z0-9]{3,24}\.(blob|dfs|file|queue|table)\.core\.windows\.net)/?"
    rf"|{directory.KUBERNETES}",
    re.IGNORECASE,
)


class SignInRefused(Exception):
    """A sign-in fails.

    Attributes:
        status: Of the answer.
        error: OAuth's name of the error.
        number: What follows AADSTS.
        text: What the description says, before the ids of the request.
    """

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error
        self.number = number
        self.text = text


def build_app(cloud: Cloud) -> applications.Starlette:
    """What answers for login.microsoftonline.com.

    Tokens live for an hour of the cloud's clock.
    """

    async def discover_instances(request: requests.Request) -> responses.Response:
        return responses.JSONResponse(_build_instances(request.query_params.get("authorization_endpoint")))

    async def discover_tenant(request: requests.Request) -> responses.Response:
        try:
            _check_tenant(cloud, request.path_params["tenant"], "invalid_tenant")
        except SignInRefused as refusal:
            return _answer_refusal(cloud, request, refusal)
        return responses.JSONResponse(_build_configuration(cloud.tenant_id))

    async def list_keys(_request: requests.Request) -> responses.Response:
        key = json.loads(algorithms.RSAAlgorithm.to_jwk(cloud.directory.public_key))
        ids = {"use": "sig", "kid": cloud.directory.key_id, "x5t": cloud.directory.key_id}
        return responses.JSONResponse({"keys": [{**key, **ids}]})

    async def give_token(request: requests.Request) -> responses.Response:
        fields = urllib.parse.parse_qs((await request.body()).decode(), keep_blank_values=True)
        form = {name: values[-1] for name, values in fields.items()}
        with cloud.lock:
            try:
                token = _sign_in(cloud, request.path_params["tenant"], form)
            except SignInRefused as refusal:
                return _answer_refusal(cloud, request, refusal)
        lifetime = cloud.directory.token_seconds - 1
        body = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}
        return responses.JSONResponse(body, headers=_NOT_STORED)

    return applications.Starlette(
        routes=[
            routing.Route("/common/discovery/instance", discover_instances),
            routing.Route("/{tenant}/v2.0/.well-known/openid-configuration", discover_tenant),
            routing.Route("/{tenant}/discovery/v2.0/keys", list_keys),
            routing.Route("/{tenant}/oauth2/v2.0/token", give_token, methods=["POST"]),
        ]
    )


def _sign_in(cloud: Cloud, tenant: str, form: Mapping[str, str]) -> str:
    _check_tenant(cloud, tenant, "invalid_request")
    for name in ("grant_type", "client_id", "scope"):
        if not form.get(name):
            text = f"The request body must contain the following parameter: '{name}'."
            raise SignInRefused(400, "invalid_request", 900144, text)
    if form["grant_type"] != "client_credentials":
        text = f"The app requested an unsupported grant type '{form['grant_type']}'."
        raise SignInRefused(400, "unsupported_grant_type", 70003, text)
    identity = cloud.directory.find(form["client_id"])
    if identity is None:
        text = (
            f"Application with identifier '{form['client_id']}' was not found in the directory '{cloud.tenant_id}'."
            f" {_NOT_INSTALLED} You may have sent your authentication request to the wrong tenant."
        )
        raise SignInRefused(400, "unauthorized_client", 700016, text)
    audience = _read_audience(cloud.tenant_id, form["scope"])
    if form.get("client_assertion"):
        _check_assertion(cloud, identity, form)
    else:
        _check_secret(cloud, identity, form)
    return cloud.directory.issue(identity.principal, audience)


def _check_tenant(cloud: Cloud, tenant: str, error: str) -> None:
    if tenant.lower() != cloud.tenant_id.lower():
        text = (
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the"
            " correct cloud. Check with your subscription administrator, this may happen if there are no active"
            " subscriptions for the tenant."
        )
        raise SignInRefused(400, error, 90002, text)


def _read_audience(tenant_id: str, scope: str) -> str:
    scopes = [each for each in scope.split() if each not in _RESERVED_SCOPES]
    if len(scopes) != 1 or not scopes[0].endswith("/.default"):
        text = f"The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
        raise SignInRefused(400, "invalid_scope", 70011, text)
    # Azure's clients put "/.default" after a resource that may end with a slash itself; the token's audience keeps it.
    audience = scopes[0].removesuffix("/.default")
    if not _RESOURCES.fullmatch(audience):
        text = (
            f"The resource principal named {audience} was not found in the tenant named {tenant_id}. {_NOT_INSTALLED}"
            " You might have sent your authentication request to the wrong tenant."
        )
        raise SignInRefused(400, "invalid_resource", 500011, text)
    return audience


def _check_secret(cloud: Cloud, identity: directory.Identity, form: Mapping[str, str]) -> None:
    client_id = form["client_id"]
    if not form.get("client_secret"):
        text = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
        raise SignInRefused(401, "invalid_client", 7000216, text)
    given = form["client_secret"].encode()
    known = [each for each in identity.secrets if hmac.compare_digest(each.value.encode(), given)]
    if not known:
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value,"
            f" not the client secret ID, for a secret added to app '{client_id}'."
        )
        raise SignInRefused(401, "invalid_client", 7000215, text)
    now = cloud.clock.now()
    if all(each.expires is not None and each.expires <= now for each in known):
        text = (
            f"The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new"
            " keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added"
            " security: https://aka.ms/certCreds."
        )
        raise SignInRefused(401, "invalid_client", 7000222, text)


def _check_assertion(cloud: Cloud, identity: directory.Identity, form: Mapping[str, str]) -> None:
    if form.get("client_assertion_type") != _ASSERTION_TYPE:
        text = "The request body must contain the following parameter: 'client_assertion_type'."
        raise SignInRefused(400, "invalid_request", 900144, text)
    try:
        claims = jwt.decode(form["client_assertion"], options={"verify_signature": False, "require": _ASSERTED})
    except jwt.InvalidTokenError:
        raise SignInRefused(401, "invalid_client", 50027, "JWT token is invalid or malformed.") from None
    _check_federation(identity, claims)
    if not cloud.directory.is_signed_by_issuer(form["client_assertion"]):
        text = "Client assertion failed signature validation."
        raise SignInRefused(401, "invalid_client", 700027, text)
    now = cloud.clock.now()
    if not claims.get("nbf", claims["iat"]) <= now.timestamp() < claims["exp"]:
        text = f"Client assertion is not within its valid time range. Current time: {now:%Y-%m-%dT%H:%M:%S}Z."
        raise SignInRefused(401, "invalid_client", 700024, text)


def _check_federation(identity: directory.Identity, claims: Mapping[str, Any]) -> None:
    issuer, subject, audience = (claims[name] for name in ("iss", "sub", "aud"))
    start = "No matching federated identity record found for presented assertion"
    if not identity.federated:
        text = (
            f"{start}. Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion Audience:"
            f" '{audience}'. {_FEDERATION_PAGE}"
        )
        raise SignInRefused(400, "invalid_request", 70021, text)
    matching = identity.federated
    for number, name, value in (
        (700211, "issuer", issuer),
        (700213, "subject", subject),
        (700212, "audience", audience),
    ):
        matching = [each for each in matching if getattr(each, name) == value]
        if not matching:
            text = (
                f"{start} {name} '{value}'. Please check your federated identity credential Subject, Audience and"
                f" Issuer against the presented assertion. {_FEDERATION_PAGE}"
            )
            raise SignInRefused(401, "invalid_client", number, text)


def _answer_refusal(cloud: Cloud, request: requests.Request, refusal: SignInRefused) -> responses.Response:
    trace = str(uuid.uuid4())
    correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
    time = f"{cloud.clock.now():%Y-%m-%d %H:%M:%SZ}"
    body = {
        "error": refusal.error,
        "error_description": f"AADSTS{refusal.number}: {refusal.text} Trace ID: {trace} Correlation ID: {correlation}"
        f" Timestamp: {time}",
        "error_codes": [refusal.number],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{_LOGIN}/error?code={refusal.number}",
    }
    return responses.JSONResponse(body, refusal.status, _NOT_STORED)


def _build_instances(authorization_endpoint: str | None) -> dict[str, Any]:
    path = urllib.parse.urlsplit(authorization_endpoint or "").path
    tenant = path.split("/")[1] if path.count("/") > 1 else "common"
    aliases = [HOST, "login.windows.net", "login.microsoft.com", "sts.windows.net"]
    return {
        "tenant_discovery_endpoint": f"{_LOGIN}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": HOST, "preferred_cache": "login.windows.net", "aliases": aliases}],
    }


def _build_configuration(tenant_id: str) -> dict[str, Any]:
    authority = f"{_LOGIN}/{tenant_id}"
    return {
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{authority}/v2.0",
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }


_ASSERTED = ["iss", "sub", "aud", "iat", "exp"]
_NOT_STORED = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
_NOT_INSTALLED = (
    "This can happen if the application has not been installed by the administrator of the tenant or consented to by"
    " any user in the tenant."
)
_FEDERATION_PAGE = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
