"""Resource Manager: ``management.azure.com``, strict about everything that it can know.

What is the same for all types is here; what their own services do is in ``tests.azure.services``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import anyio.to_thread
from starlette import applications, requests, responses, routing

from tests.api_faults import Fault
from tests.azure import arm_ids, authorization, changes, front, reads, services
from tests.azure.arm_errors import ArmError, unknown_version
from tests.azure.cloud import Call, Cloud
from tests.azure.resource_types import Answer, Request, ResourceType

METHODS = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]


def build_app(cloud: Cloud) -> applications.Starlette:
    """The app for ``management.azure.com``."""

    async def serve(request: requests.Request) -> responses.Response:
        content = await request.body()
        fault = cloud.faults.take(request.method, request.url.path)
        if fault is not None and fault.kind == "delay":
            await anyio.to_thread.run_sync(fault.wait)
        if fault is not None and fault.kind == "reset":
            return _cut(request)
        with cloud.lock:
            answer, who = _answer(cloud, request, content, fault)
            cloud.jobs.notify()
        cloud.calls.append(_describe(request, answer.status, who))
        if fault is not None and fault.kind == "answer lost":
            return _cut(request)
        headers = {"x-ms-request-id": f"{len(cloud.calls):08d}", **answer.headers}
        if answer.body is None:
            return responses.Response(status_code=answer.status, headers=headers)
        return responses.JSONResponse(answer.body, answer.status, headers=headers)

    return applications.Starlette(routes=[routing.Route("/{path:path}", serve, methods=METHODS)])


def _cut(request: requests.Request) -> responses.Response:
    request.scope["extensions"][front.RESET]()
    return responses.Response()


def _describe(request: requests.Request, status: int, who: str) -> Call:
    path = arm_ids.parse(request.url.path)
    query = _read_query(request)
    return Call(
        host=request.url.hostname or "",
        method=request.method,
        path=request.url.path,
        operation=f"{request.method} {path.type}{'' if path.is_resource else ' (collection or action)'}",
        api_version=query.get("api-version", ""),
        status=status,
        principal=who,
        user_agent=request.headers.get("user-agent", ""),
    )


def _answer(cloud: Cloud, request: requests.Request, content: bytes, fault: Fault | None) -> tuple[Answer, str]:
    who = ""
    if request.method == "GET" and request.url.path == reads.METADATA:
        return Answer([reads.PUBLIC_CLOUD]), who
    try:
        principal = authorization.identify(cloud, request.headers)
        who = principal.object_id
        if fault is not None and fault.kind == "status":
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            error = ArmError(fault.status, fault.code, "A fault that a test asked for.")
            return Answer(error.build_body(), error.status, headers), who
        path, query = arm_ids.parse(request.url.path), _read_query(request)
        is_stale = fault is not None and fault.kind == "stale read"
        answer = _route(cloud, request, path, query, content, principal, is_stale=is_stale)
        return answer, who
    except ArmError as error:
        return Answer(error.build_body(), error.status, error.headers), who


def _read_query(request: requests.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.query_params.items()}


def _route(
    cloud: Cloud,
    request: requests.Request,
    path: arm_ids.ArmPath,
    query: Mapping[str, str],
    content: bytes,
    principal: Any,
    *,
    is_stale: bool,
) -> Answer:
    if not query.get("api-version"):
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", text)
    if path.subscription and path.subscription.lower() != cloud.subscription_id:
        text = f"The subscription '{path.subscription}' could not be found."
        raise ArmError(404, "SubscriptionNotFound", text)
    special = reads.find_special(cloud, request.method, path, query, _read_body(content), principal)
    if special is not None:
        return special
    resource_type, target, action = _find_type(cloud, request.method, path)
    if query["api-version"] not in resource_type.models:
        raise unknown_version(resource_type.name, query["api-version"], resource_type.models)
    reads.check_registered(cloud, resource_type.namespace)
    found = Request(
        cloud=cloud,
        path=target,
        resource_type=resource_type,
        api_version=query["api-version"],
        principal=principal,
        query=query,
        body=_read_body(content),
        old=cloud.resources.get(target.text) if target.is_resource else None,
        action=action,
    )
    if request.method == "PUT":
        return changes.put(found)
    if request.method == "PATCH":
        return changes.patch(found)
    if request.method == "DELETE":
        return changes.delete(found)
    if request.method == "POST":
        return changes.act(found)
    answer = reads.read(found, is_stale=is_stale)
    return Answer(None, 204 if answer.status == 200 else answer.status) if request.method == "HEAD" else answer


def _read_body(content: bytes) -> dict[str, Any]:
    if not content:
        return {}
    try:
        body = json.loads(content)
    except ValueError as error:
        text = f"The request content was invalid and could not be deserialized: '{error}'."
        raise ArmError(400, "InvalidRequestContent", text) from error
    if not isinstance(body, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content must be an object.")
    return copy.deepcopy(body)


def _find_type(cloud: Cloud, method: str, path: arm_ids.ArmPath) -> tuple[ResourceType, arm_ids.ArmPath, str]:
    """The type that a request is about, the resource or collection, and the action asked of it."""
    known = services.find_type(path.type)
    if known is not None and (method != "POST" or path.is_resource):
        return known, path, ""
    # The last part may be an action on what comes before it.
    target = arm_ids.parse(path.text.rpartition("/")[0])
    known = services.find_type(target.type)
    if method == "POST" and known is not None:
        return known, target, path.text.rpartition("/")[2]
    namespace = path.namespace or "Microsoft.Resources"
    if not services.has_namespace(namespace):
        text = f"The resource namespace '{namespace}' is invalid."
        raise ArmError(404, "InvalidResourceNamespace", text)
    text = f"The resource type '{'/'.join(path.types)}' could not be found in the namespace '{namespace}'."
    raise ArmError(404, "InvalidResourceType", text)
