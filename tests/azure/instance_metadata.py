"""What nodes of the cloud's only managed cluster are told of themselves: tokens of the identity of its kubelets.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token. In Azure it is at a
link-local address of each machine, by HTTP.
"""

from __future__ import annotations

import http
from typing import TYPE_CHECKING

from starlette import requests, responses, routing

from tests.azure.directory import Principal
from tests.azure.job_runs import identities
from tests.azure.services.container_service import shared

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

PATH = "/metadata/identity/oauth2/token"
_API_VERSION = "2018-02-01"


def build_route(cloud: Cloud) -> routing.Route:
    """The one question that is answered."""

    async def answer(request: requests.Request) -> responses.Response:
        query = request.query_params
        if request.headers.get("metadata") != "true":
            return _refuse("Required metadata header not specified")
        if query.get("api-version") != _API_VERSION or not query.get("resource"):
            return _refuse(f"{dict(query)} is not served")
        with cloud.lock:
            cluster = shared.find_only_cluster(cloud)
            if cluster is None:
                return _refuse("Identity not found")
            kubelet = cluster.properties["identityProfile"]["kubeletidentity"]
            principal = Principal(object_id=kubelet["objectId"], client_id=kubelet["clientId"])
            return responses.JSONResponse(identities.build_token(cloud, principal, query["resource"]))

    return routing.Route(PATH, answer)


def _refuse(text: str) -> responses.Response:
    body = {"error": "invalid_request", "error_description": text}
    return responses.JSONResponse(body, http.HTTPStatus.BAD_REQUEST)
