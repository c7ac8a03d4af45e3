"""Private endpoints and their names: https://learn.microsoft.com/rest/api/virtualnetwork/private-endpoints.

Networks and zones are somebody else's: tests put them there with ``add_network`` and ``add_zone``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from tests.azure import arm_ids
from tests.azure.arm_errors import ArmError
from tests.azure.cloud import Cloud
from tests.azure.resource_types import Request, ResourceType, Service, find
from tests.azure.resources import Resource

VERSION = "2024-05-01"
ENDPOINTS = "Microsoft.Network/privateEndpoints"
ZONE_GROUPS = f"{ENDPOINTS}/privateDnsZoneGroups"
INTERFACES = "Microsoft.Network/networkInterfaces"
NETWORKS = "Microsoft.Network/virtualNetworks"
SUBNETS = f"{NETWORKS}/subnets"
ZONES = "Microsoft.Network/privateDnsZones"
_MODELS = "azure.mgmt.network.models"
_STORAGE = ("blob", "dfs", "file", "queue", "table", "web")
GROUP_IDS = {
    "microsoft.containerregistry/registries": ("registry",),
    "microsoft.keyvault/vaults": ("vault",),
    "microsoft.machinelearningservices/workspaces": ("amlworkspace",),
    "microsoft.storage/storageaccounts": _STORAGE,
}
"""What an endpoint can lead to, by the type of its target: see private-endpoint-overview."""

_CONNECTIONS = ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections")
_APPROVED = {"status": "Approved", "description": "Auto-Approved", "actionsRequired": "None"}
_PENDING = {"status": "Pending", "description": "Awaiting approval", "actionsRequired": "None"}
_HOSTS = {
    "amlworkspace": ("{id}.workspace.{region}.api.azureml.ms", "{id}.workspace.{region}.cert.api.azureml.ms"),
    "registry": ("{name}.{region}.data.azurecr.io", "{name}.azurecr.io"),
    "vault": ("{name}.vault.azure.net",),
}


class Endpoints(Service):
    """Connects subnets with resources."""

    def check(self, request: Request) -> None:
        """Its subnet and its target must be there, and the target have what it asks for."""
        subnet_id = find(request.body, "properties.subnet.id")
        subnet = request.cloud.resources.get(subnet_id or "")
        if subnet is None or subnet.type != SUBNETS:
            raise _missing(request, subnet_id)
        network = request.cloud.resources.get(arm_ids.parse(subnet.id).parent_id)
        if network is None or network.body["location"] != request.body["location"]:
            raise _missing(request, subnet_id)
        connections = list(_list_connections(request.body))
        if len(connections) != 1:
            text = f"A private endpoint has exactly one connection, and '{request.path.name}' has {len(connections)}."
            raise ArmError(400, "InvalidPrivateEndpointConnection", text)
        _check_connection(request, connections[0])
        if request.old is not None:
            (before,) = _list_connections(request.old.body)
            if (
                _identify(before) != _identify(connections[0])
                or find(request.old.body, "properties.subnet.id").lower() != str(subnet_id).lower()
            ):
                text = f"The subnet and the target of private endpoint '{request.path.name}' cannot be changed."
                raise ArmError(400, "PrivateEndpointCannotBeUpdated", text)

    def fill(self, request: Request) -> None:
        """Adds the network interface, and the names and addresses that lead to the target."""
        properties, old = request.properties, request.old.properties if request.old is not None else {}
        name = properties.get("customNetworkInterfaceName") or f"{request.path.name}.nic.{uuid.uuid4()}"
        properties.setdefault("customNetworkInterfaceName", "")
        interface = f"{request.path.group_id}/providers/{INTERFACES}/{name}"
        properties["networkInterfaces"] = old.get("networkInterfaces", [{"id": interface}])
        for kind in _CONNECTIONS:
            for each in properties.setdefault(kind, []):
                each["id"] = f"{request.path.text}/{kind}/{each['name']}"
                state = _APPROVED if kind == _CONNECTIONS[0] else _PENDING
                each["properties"] |= {
                    "provisioningState": "Succeeded",
                    "privateLinkServiceConnectionState": dict(state),
                }
        properties.setdefault("ipConfigurations", [])
        properties["customDnsConfigs"] = old.get("customDnsConfigs") or _build_names(request)
        properties["provisioningState"] = "Succeeded"
        request.body["etag"] = f'W/"{uuid.uuid4()}"'

    def made(self, request: Request, resource: Resource) -> None:
        """The interface is there, and the target knows of the endpoint."""
        store, properties = request.cloud.resources, resource.properties
        (interface,) = properties["networkInterfaces"]
        if store.get(interface["id"]) is None:
            store.put(_build_interface(resource, interface["id"]))
        (connection,) = _list_connections(resource.body)
        target = store.get(connection["properties"]["privateLinkServiceId"])
        if target is None:
            raise _missing(request, connection["properties"]["privateLinkServiceId"])
        known = _forget(target, resource)
        known.append(
            {
                "id": f"{target.id}/privateEndpointConnections/{resource.name}.{uuid.uuid4()}",
                "properties": {
                    "privateEndpoint": {"id": resource.id},
                    "privateLinkServiceConnectionState": connection["properties"]["privateLinkServiceConnectionState"],
                    "provisioningState": "Succeeded",
                },
            }
        )

    def deleted(self, request: Request, resource: Resource) -> None:
        """The interface goes, and the target forgets the endpoint."""
        store = request.cloud.resources
        for interface in resource.properties["networkInterfaces"]:
            store.remove(interface["id"])
        for connection in _list_connections(resource.body):
            target = store.get(connection["properties"]["privateLinkServiceId"])
            if target is not None:
                _forget(target, resource)


def _missing(request: Request, resource_id: str | None) -> ArmError:
    return ArmError(
        400,
        "InvalidResourceReference",
        f"Resource {resource_id} referenced by resource {request.path.text} was not found. Please make sure that the "
        "referenced resource exists, and that both resources are in the same region.",
    )


def _list_connections(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in _CONNECTIONS:
        yield from find(body, f"properties.{kind}") or []


def _identify(connection: dict[str, Any]) -> tuple[str, list[str]]:
    properties = connection["properties"]
    return properties["privateLinkServiceId"].lower(), properties["groupIds"]


def _check_connection(request: Request, connection: dict[str, Any]) -> None:
    properties = connection.get("properties") or {}
    target_id, groups = properties.get("privateLinkServiceId"), properties.get("groupIds") or []
    target = request.cloud.resources.get(target_id or "")
    if target is None or not connection.get("name"):
        raise _missing(request, target_id)
    known = GROUP_IDS.get(target.type.lower(), ())
    if len(groups) != 1 or groups[0] not in known:
        text = (
            f"Call to {target.type} failed. Error message: the group ids {groups} are not valid: exactly one of "
            f"{', '.join(known) or 'none'} is allowed."
        )
        raise ArmError(400, "InvalidGroupId", text)
    if groups == ["registry"] and target.body["sku"]["name"] != "Premium":
        text = f"Private endpoints are not supported for the SKU {target.body['sku']['name']} of '{target.id}'."
        raise ArmError(400, "SkuNotSupported", text)


def _build_names(request: Request) -> list[dict[str, Any]]:
    (connection,) = _list_connections(request.body)
    target = request.cloud.resources.get(connection["properties"]["privateLinkServiceId"])
    assert target is not None
    (group,) = connection["properties"]["groupIds"]
    patterns = _HOSTS.get(group, (f"{{name}}.{group}.core.windows.net",))
    own = {"name": target.name.lower(), "region": target.body["location"], "id": target.properties.get("workspaceId")}
    count = sum(each.type == ENDPOINTS for each in request.cloud.resources)
    # Four addresses of a subnet are the platform's own.
    start = 4 + 8 * count
    return [
        {"fqdn": pattern.format(**own), "ipAddresses": [f"10.0.{start // 256}.{(start + at) % 256}"]}
        for at, pattern in enumerate(patterns)
    ]


def _build_interface(endpoint: Resource, interface_id: str) -> Resource:
    configurations = [
        {
            "name": f"privateEndpointIpConfig.{at}",
            "properties": {
                "privateIPAddress": each["ipAddresses"][0],
                "subnet": {"id": endpoint.properties["subnet"]["id"]},
                "primary": at == 0,
            },
        }
        for at, each in enumerate(endpoint.properties["customDnsConfigs"])
    ]
    properties = {
        "provisioningState": "Succeeded",
        "privateEndpoint": {"id": endpoint.id},
        "ipConfigurations": configurations,
    }
    return _build(interface_id, INTERFACES, endpoint.body["location"], properties)


def _forget(target: Resource, endpoint: Resource) -> list[dict[str, Any]]:
    """The target's connections, less those of the endpoint."""
    known: list[dict[str, Any]] = target.properties.get("privateEndpointConnections") or []
    left = [each for each in known if each["properties"]["privateEndpoint"]["id"].lower() != endpoint.id.lower()]
    target.properties["privateEndpointConnections"] = left
    return left


class Interfaces(Service):
    """The interfaces of endpoints come and go with them."""

    def check_delete(self, request: Request, resource: Resource) -> None:
        """Only a group that is deleted takes them along; such a deletion has no version of this type."""
        if request.api_version:
            text = f"Network interface {resource.id} is in use by private endpoint and cannot be deleted."
            raise ArmError(400, "NicInUseByPrivateEndpoint", text)


class ZoneGroups(Service):
    """Has names of an endpoint kept in private zones."""

    def check(self, request: Request) -> None:
        """The zones must be there, and an endpoint has one group of them."""
        parent = request.path.parent_id
        for each in request.cloud.resources.list_inside(parent, ZONE_GROUPS):
            if each.id.lower() != request.path.key:
                text = f"Private endpoint '{parent}' already has the DNS zone group '{each.name}'."
                raise ArmError(400, "PrivateDnsZoneGroupAlreadyExists", text)
        configs = request.properties.get("privateDnsZoneConfigs") or []
        names = [str(each.get("name", "")).lower() for each in configs]
        if not configs or "" in names or len(set(names)) < len(names):
            text = "privateDnsZoneConfigs needs at least one zone, and a name of its own for each."
            raise ArmError(400, "InvalidPrivateDnsZoneConfig", text)
        for each in configs:
            zone_id = find(each, "properties.privateDnsZoneId")
            zone = request.cloud.resources.get(zone_id or "")
            if zone is None or zone.type != ZONES:
                raise _missing(request, zone_id)

    def fill(self, request: Request) -> None:
        """Tells which records are in the zones."""
        endpoint = request.cloud.resources.get(request.path.parent_id)
        assert endpoint is not None
        for each in request.properties["privateDnsZoneConfigs"]:
            zone = arm_ids.parse(each["properties"]["privateDnsZoneId"]).name
            known = endpoint.properties["customDnsConfigs"]
            each["properties"]["recordSets"] = list(_build_records(zone, known))
        request.properties["provisioningState"] = "Succeeded"
        request.body["etag"] = f'W/"{uuid.uuid4()}"'


def _build_records(zone: str, known: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    # The zone of vaults has not the name that vaults are called by.
    public = zone.removeprefix("privatelink.").replace("vaultcore.", "vault.")
    for each in known:
        label = each["fqdn"].removesuffix(f".{public}")
        if label != each["fqdn"]:
            yield {
                "recordType": "A",
                "recordSetName": label,
                "fqdn": f"{label}.{zone}",
                "ttl": 10,
                "ipAddresses": each["ipAddresses"],
                "provisioningState": "Succeeded",
            }


def _build(resource_id: str, kind: str, location: str, properties: dict[str, Any]) -> Resource:
    name = resource_id.rpartition("/")[2]
    body = {"id": resource_id, "name": name, "type": kind, "location": location, "properties": properties}
    return Resource(id=resource_id, type=kind, body=body)


def add_network(cloud: Cloud, group_id: str, name: str, *subnets: str, location: str = "westeurope") -> str:
    """The id of a new virtual network with subnets."""
    network = f"{group_id}/providers/{NETWORKS}/{name}"
    space = {"addressPrefixes": ["10.0.0.0/16"]}
    cloud.resources.put(_build(network, NETWORKS, location, {"provisioningState": "Succeeded", "addressSpace": space}))
    for number, subnet in enumerate(subnets):
        properties = {"provisioningState": "Succeeded", "addressPrefix": f"10.0.{number}.0/24"}
        cloud.resources.put(_build(f"{network}/subnets/{subnet}", SUBNETS, location, properties))
    return network


def add_zone(cloud: Cloud, group_id: str, name: str) -> str:
    """The id of a new private zone, such as ``privatelink.vaultcore.azure.net``."""
    zone = f"{group_id}/providers/{ZONES}/{name}"
    cloud.resources.put(_build(zone, ZONES, "global", {"provisioningState": "Succeeded"}))
    return zone


TYPES = (
    ResourceType(
        name=ENDPOINTS,
        models={VERSION: f"{_MODELS}:PrivateEndpoint"},
        put="Azure-AsyncOperation",
        delete="both",
        has_location=True,
        service=Endpoints(),
    ),
    ResourceType(
        name=ZONE_GROUPS,
        models={VERSION: f"{_MODELS}:PrivateDnsZoneGroup"},
        put="Azure-AsyncOperation",
        delete="both",
        service=ZoneGroups(),
    ),
    ResourceType(name=INTERFACES, models={VERSION: ""}, service=Interfaces()),
    ResourceType(name=NETWORKS, models={VERSION: ""}),
    ResourceType(name=SUBNETS, models={VERSION: ""}),
    ResourceType(name=ZONES, models={"2024-06-01": ""}),
)
