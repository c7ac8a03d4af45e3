"""What nodes of the cloud's only managed cluster are told of themselves: tokens of the identity of its kubelets.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token. In Azure it is at a
link-local address of each machine, by HTTP.
"""

from __future__ import annotations

import calendar
import http
from typing import TYPE_CHECKING

from starlette import requests, responses, routing

from tests.azure.services.container_service.shared import CLUSTERS

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.directory import Principal

PATH = "/metadata/identity/oauth2/token"
_API_VERSION = "2018-02-01"
_TOKEN_SECONDS = 24 * 3600


def build_route(cloud: Cloud) -> routing.Route:
    """The one question that is answered."""

    async def answer(request: requests.Request) -> responses.Response:
        query = request.query_params
        if request.headers.get("metadata") != "true":
            return _refuse("Required metadata header not specified")
        if query.get("api-version") != _API_VERSION or not query.get("resource"):
            return _refuse(f"{dict(query)} is not served")
        with cloud.lock:
            principal = _find_kubelet(cloud)
            if principal is None:
                return _refuse("Identity not found")
            token = cloud.directory.issue(principal, query["resource"].removesuffix("/"), _TOKEN_SECONDS)
            end = calendar.timegm(cloud.clock.now().utctimetuple()) + _TOKEN_SECONDS
        return responses.JSONResponse(
            {
                "access_token": token,
                "client_id": principal.client_id,
                "expires_in": str(_TOKEN_SECONDS),
                "expires_on": str(end),
                "resource": query["resource"],
                "token_type": "Bearer",
            }
        )

    return routing.Route(PATH, answer)


def _find_kubelet(cloud: Cloud) -> Principal | None:
    for cluster in cloud.resources:
        if cluster.type == CLUSTERS:
            return cloud.directory.find_principal(cluster.properties["identityProfile"]["kubeletidentity"]["objectId"])
    return None


def _refuse(text: str) -> responses.Response:
    body = {"error": "invalid_request", "error_description": text}
    return responses.JSONResponse(body, http.HTTPStatus.BAD_REQUEST)
