"""GET of resources and collections, and what has no resource type: subscriptions, providers, operations."""

from __future__ import annotations

import copy
import re
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.azure import arm_ids, authorization, services
from tests.azure.arm_errors import ArmError, not_found, unknown_version
from tests.azure.cloud import LOCATIONS, RESOURCE_MANAGER, Cloud
from tests.azure.resource_types import Answer, Request

if TYPE_CHECKING:
    from tests.azure.directory import Principal

METADATA = "/metadata/endpoints"
PUBLIC_CLOUD = {
    "name": "AzureCloud",
    "portal": "https://portal.azure.com",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com/",
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        "tenant": "common",
        "identityProvider": "AAD",
    },
    "resourceManager": "https://management.azure.com/",
    "graph": "https://graph.windows.net/",
    "graphAudience": "https://graph.windows.net/",
    "batch": "https://batch.core.windows.net/",
    "gallery": "https://gallery.azure.com/",
    "media": "https://rest.media.azure.net",
    "sqlManagement": "https://management.core.windows.net:8443/",
    "activeDirectoryDataLake": "https://datalake.azure.net/",
    "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/aliases.json",
    "suffixes": {
        "acrLoginServer": "azurecr.io",
        "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
        "keyVaultDns": "vault.azure.net",
        "sqlServerHostname": "database.windows.net",
        "storage": "core.windows.net",
    },
}
"""What everybody may ask of Resource Manager: the addresses of the public cloud, of which it lists all."""

_OPERATION = re.compile(r".*/locations/[^/]+/(asyncOperations|operationResults)/([^/]+)", re.IGNORECASE)
_PROVIDER = re.compile(r"/subscriptions/[^/]+/providers(?:/([^/]+)(/register)?)?", re.IGNORECASE)


def read(request: Request, *, is_stale: bool = False) -> Answer:
    """The resource, or a page of the collection."""
    authorization.require(request, "read")
    if not request.path.is_resource:
        return _list(request)
    resource = request.old
    if resource is None:
        if request.resource_type.name == "Microsoft.Resources/resourceGroups":
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{request.path.name}' could not be found.")
        raise not_found(request.resource_type.name, request.path.name, request.path.resource_group)
    body = resource.previous if is_stale and resource.previous is not None else resource.body
    return Answer(request.resource_type.service.show(request, resource, copy.deepcopy(body)))


def _list(request: Request) -> Answer:
    if not request.resource_type.is_listed:
        raise ArmError(405, "MethodNotAllowed", f"A list of {request.resource_type.name} cannot be read.")
    parent = request.path.parent_id
    if request.resource_type.makes_parent and "hash" in request.query:
        # Content is looked for under all names, and the one that is asked for may be a new one.
        parent = arm_ids.parse(parent).parent_id
    is_inside = len(request.path.types) > 1 or request.path.resource_group
    if is_inside and request.cloud.resources.get(parent) is None:
        outer = arm_ids.parse(parent)
        if outer.type == "Microsoft.Resources/resourceGroups":
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{outer.name}' could not be found.")
        raise not_found(outer.type, outer.name, outer.resource_group)
    found = [
        request.resource_type.service.show(request, each, copy.deepcopy(each.body))
        for each in request.resource_type.service.list(request)
    ]
    return build_page(request.cloud, request.path.text, request.query, found)


def build_page(cloud: Cloud, path: str, query: Mapping[str, str], found: list[Any]) -> Answer:
    """The page of ``found`` that the query asks for, and the way to the next."""
    start = int(query.get("$skiptoken", "0"))
    end = start + cloud.page_size
    page: dict[str, Any] = {"value": found[start:end]}
    if end < len(found):
        kept = {name: value for name, value in query.items() if name != "$skiptoken"}
        following = urllib.parse.urlencode({**kept, "$skiptoken": end}, safe="$")
        page["nextLink"] = f"{RESOURCE_MANAGER}{path}?{following}"
    return Answer(page)


def find_special(
    cloud: Cloud, method: str, path: arm_ids.ArmPath, query: Mapping[str, str], body: dict[str, Any], who: Principal
) -> Answer | None:
    """The answer about what has no resource type; None if the path is not of that kind."""
    operation = _OPERATION.fullmatch(path.text)
    if operation is not None:
        return _show_operation(cloud, path, operation[2], is_status=operation[1].lower() == "asyncoperations")
    provider = _PROVIDER.fullmatch(path.text)
    if provider is not None:
        return _answer_provider(cloud, method, provider[1] or "", is_register=bool(provider[2]))
    if method == "GET" and path.key in ("/subscriptions", cloud.subscription):
        shown = {
            "id": cloud.subscription,
            "subscriptionId": cloud.subscription_id,
            "tenantId": cloud.tenant_id,
            "displayName": "tests",
            "state": "Enabled",
        }
        return Answer(shown if path.key == cloud.subscription else {"value": [shown]})
    if method == "GET" and path.key == f"{cloud.subscription}/locations":
        return Answer({"value": [{"name": name, "displayName": text} for name, text in LOCATIONS.items()]})
    found = services.find_function(path)
    if found is not None:
        function, action = found
        if query["api-version"] not in function.versions:
            raise unknown_version(function.name, query["api-version"], function.versions)
        check_registered(cloud, function.name.partition("/")[0])
        return function.call(services.FunctionCall(cloud, method, path, query, body, who, action))
    return None


def check_registered(cloud: Cloud, namespace: str) -> None:
    """Refuses what belongs to a resource provider that the subscription does not use yet."""
    if namespace.lower() not in cloud.registered:
        text = (
            f"The subscription is not registered to use namespace '{namespace}'. See "
            "https://aka.ms/rps-not-found for how to register subscriptions."
        )
        raise ArmError(409, "MissingSubscriptionRegistration", text)


def _show_operation(cloud: Cloud, path: arm_ids.ArmPath, number: str, *, is_status: bool) -> Answer:
    operation = cloud.operations.ask(number)
    headers = dict(cloud.operations.build_wait())
    if is_status:
        shown: dict[str, Any] = {"id": path.text, "name": number, "status": operation.status}
        if operation.error is not None:
            shown["error"] = operation.error.build_body()["error"]
        # Errors of operations are told with status 200.
        return Answer(shown, 200, headers)
    if operation.status == "InProgress":
        return Answer(None, 202, {**headers, "Location": f"{RESOURCE_MANAGER}{path.text}?api-version=2020-01-01"})
    if operation.error is not None:
        raise operation.error
    return Answer(operation.result) if operation.result is not None else Answer(status=204)


def _answer_provider(cloud: Cloud, method: str, namespace: str, *, is_register: bool) -> Answer:
    if is_register and method == "POST":
        if not services.has_namespace(namespace):
            raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
        cloud.registered.add(namespace.lower())
    elif method != "GET":
        raise ArmError(405, "MethodNotAllowed", f"{method} is not allowed for resource providers.")
    shown = [_show_provider(cloud, each) for each in services.list_namespaces()]
    if not namespace:
        return Answer({"value": shown})
    for each in shown:
        if each["namespace"].lower() == namespace.lower():
            return Answer(each)
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")


def _show_provider(cloud: Cloud, namespace: str) -> dict[str, Any]:
    types = [
        {
            "resourceType": each.name.partition("/")[2],
            "locations": list(LOCATIONS.values()),
            "apiVersions": sorted(each.models, reverse=True),
        }
        for each in services.list_types()
        if each.namespace == namespace
    ]
    state = "Registered" if namespace.lower() in cloud.registered else "NotRegistered"
    return {
        "id": f"{cloud.subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": state,
        "resourceTypes": types,
    }
