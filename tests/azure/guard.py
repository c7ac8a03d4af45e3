"""What API servers of AKS ask about whoever comes to them: who that is, and what the roles of Azure allow there.

In Azure it is called guard, and answers the webhooks of Kubernetes, as here:
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication and
https://kubernetes.io/docs/reference/access-authn-authz/webhook/. What actions of Azure requests are is in
https://learn.microsoft.com/azure/aks/manage-azure-rbac. It speaks for the cloud's only managed cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette import applications, requests, responses, routing

from tests.azure import directory, instance_metadata, roles
from tests.azure.services.container_service.shared import CLUSTERS, find_only_cluster

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

HOST = "localhost"
"""The name that API servers know it by."""

_VERBS = {
    "get": "read",
    "list": "read",
    "watch": "read",
    "create": "write",
    "patch": "write",
    "update": "write",
    "delete": "delete",
    "deletecollection": "delete",
}
"""The last part of the action that a verb is; of any other verb it is ``action``."""


def build_app(cloud: Cloud) -> applications.Starlette:
    """The app for API servers, and for nodes."""

    async def identify(request: requests.Request) -> responses.Response:
        review = await request.json()
        with cloud.lock:
            status = _identify(cloud, str(review["spec"]["token"]))
        return _answer(review, status)

    async def authorize(request: requests.Request) -> responses.Response:
        review = await request.json()
        with cloud.lock:
            status = {"allowed": _is_allowed(cloud, review["spec"])}
        return _answer(review, status)

    return applications.Starlette(
        routes=[
            routing.Route("/identify", identify, methods=["POST"]),
            routing.Route("/authorize", authorize, methods=["POST"]),
            instance_metadata.build_route(cloud),
        ]
    )


def _answer(review: dict[str, Any], status: dict[str, Any]) -> responses.Response:
    return responses.JSONResponse({**{key: review[key] for key in ("apiVersion", "kind")}, "status": status})


def _identify(cloud: Cloud, token: str) -> dict[str, Any]:
    """Whose token it is; nobody's where it is for another service, or the cluster does not ask Entra ID."""
    cluster = find_only_cluster(cloud)
    if cluster is None or not cluster.properties.get("aadProfile"):
        return {"authenticated": False}
    try:
        principal = cloud.directory.identify(token, (directory.KUBERNETES,))
    except directory.TokenError as error:
        return {"authenticated": False, "error": error.message}
    user = {"username": principal.object_id, "uid": principal.object_id, "extra": {"oid": [principal.object_id]}}
    return {"authenticated": True, "user": user}


def _is_allowed(cloud: Cloud, spec: dict[str, Any]) -> bool:
    """Whether a role allows it; users of other kinds are for Kubernetes' own rules alone."""
    cluster, (oid, *_) = find_only_cluster(cloud), (spec.get("extra") or {}).get("oid") or [""]
    if cluster is None or not oid or not cluster.properties["aadProfile"].get("enableAzureRBAC"):
        return False
    asked = spec.get("resourceAttributes")
    if asked is None:
        # Paths such as /version and /openapi.
        return roles.may_data(cloud, oid, f"{CLUSTERS}/nonresource/read", cluster.id)
    parts = [asked.get("group"), asked.get("resource"), asked.get("subresource")]
    last = _VERBS.get(asked["verb"], "action")
    scope = f"{cluster.id}/namespaces/{asked['namespace']}" if asked.get("namespace") else cluster.id
    return roles.may_data(cloud, oid, "/".join([CLUSTERS, *filter(None, parts), last]), scope)
