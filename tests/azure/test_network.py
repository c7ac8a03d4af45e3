from __future__ import annotations

from typing import Any

import pytest

from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.services import network


@pytest.fixture
def subnet(cloud: Cloud, group: str) -> str:
    """The id of a subnet in westeurope."""
    return f"{network.add_network(cloud, group, 'vnet-tests', 'endpoints')}/subnets/endpoints"


@pytest.fixture
def vault(cloud: Cloud, client: Client, group: str) -> str:
    """The id of a key vault."""
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kv-tests"
    sku = {"family": "A", "name": "standard"}
    properties = {"tenantId": cloud.tenant_id, "sku": sku, "enableRbacAuthorization": True}
    client.make(vault, {"location": "westeurope", "properties": properties})
    return vault


@pytest.fixture
def endpoint(group: str) -> str:
    """The id of an endpoint that is not there yet."""
    return f"{group}/providers/Microsoft.Network/privateEndpoints/pe-tests"


def build(subnet: str, target: str, *groups: str, **properties: Any) -> dict[str, Any]:
    """An endpoint's body."""
    connection = {"name": "one", "properties": {"privateLinkServiceId": target, "groupIds": list(groups)}}
    common = {"subnet": {"id": subnet}, "privateLinkServiceConnections": [connection]}
    return {"location": "westeurope", "properties": {**common, **properties}}


def test_endpoint_is_filled(client: Client, endpoint: str, subnet: str, vault: str) -> None:
    """It has an interface with an address, names that lead there, and an approved connection."""
    made = client.put(endpoint, build(subnet, vault, "vault"))
    ended = client.follow(made)
    read = client.get(endpoint).properties
    interface = client.get(read["networkInterfaces"][0]["id"])

    assert (made.status, ended.body["status"]) == (201, "Succeeded")
    (name,) = read["customDnsConfigs"]
    (connection,) = read["privateLinkServiceConnections"]
    assert name["fqdn"] == "kv-tests.vault.azure.net"
    assert connection["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
    (configuration,) = interface.properties["ipConfigurations"]
    assert [configuration["properties"]["privateIPAddress"]] == name["ipAddresses"]
    assert interface.properties["privateEndpoint"] == {"id": endpoint}


def test_target_knows_its_endpoints(client: Client, endpoint: str, subnet: str, vault: str) -> None:
    """The target lists the endpoint until it is deleted; the interface goes with it."""
    made = client.make(endpoint, build(subnet, vault, "vault")).properties
    known = client.get(vault).properties["privateEndpointConnections"]

    client.follow(client.delete(endpoint))

    assert [each["properties"]["privateEndpoint"]["id"] for each in known] == [endpoint]
    assert client.get(vault).properties["privateEndpointConnections"] == []
    assert client.get(made["networkInterfaces"][0]["id"]).status == 404


def test_own_name_of_the_interface_is_kept(client: Client, endpoint: str, subnet: str, vault: str) -> None:
    """The interface is called as the endpoint says, also after the same PUT again."""
    body = build(subnet, vault, "vault", customNetworkInterfaceName="nic-tests")
    client.make(endpoint, body)

    read = client.make(endpoint, body).properties

    (interface,) = read["networkInterfaces"]
    assert interface["id"].endswith("/networkInterfaces/nic-tests")


@pytest.mark.parametrize("groups", [(), ("blob",), ("vault", "vault")])
def test_target_must_have_the_group(
    client: Client, endpoint: str, subnet: str, vault: str, groups: tuple[str, ...]
) -> None:
    """A vault has only the group ``vault``, and one is needed."""
    answer = client.put(endpoint, build(subnet, vault, *groups))

    assert (answer.status, answer.code) == (400, "InvalidGroupId")


def test_subnet_and_target_must_be_there(client: Client, endpoint: str, subnet: str, vault: str) -> None:
    """Neither may be missing, and the network must be in the endpoint's region."""
    answers = [
        client.put(endpoint, build(f"{subnet}x", vault, "vault")),
        client.put(endpoint, build(subnet, f"{vault}x", "vault")),
        client.put(endpoint, {**build(subnet, vault, "vault"), "location": "eastus"}),
    ]

    assert {(each.status, each.code) for each in answers} == {(400, "InvalidResourceReference")}


def test_exactly_one_connection(client: Client, endpoint: str, subnet: str, vault: str) -> None:
    """An endpoint without a connection is refused."""
    answer = client.put(endpoint, build(subnet, vault, "vault", privateLinkServiceConnections=[]))

    assert (answer.status, answer.code) == (400, "InvalidPrivateEndpointConnection")


def test_small_registry_takes_no_endpoint(client: Client, group: str, endpoint: str, subnet: str) -> None:
    """Registries have endpoints in the tier Premium only, and cannot leave it while they have."""
    registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/crtests"
    body = {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {}}
    client.make(registry, body)

    small = client.put(endpoint, build(subnet, registry, "registry"))
    client.make(registry, {**body, "sku": {"name": "Premium"}})
    names = client.make(endpoint, build(subnet, registry, "registry")).properties["customDnsConfigs"]
    down = client.put(registry, body)

    assert small.code == "SkuNotSupported"
    assert [each["fqdn"] for each in names] == ["crtests.westeurope.data.azurecr.io", "crtests.azurecr.io"]
    assert down.code == "SkuNotSupported"


def test_target_cannot_change(cloud: Cloud, client: Client, group: str, endpoint: str, subnet: str, vault: str) -> None:
    """An endpoint stays in its subnet."""
    client.make(endpoint, build(subnet, vault, "vault"))
    other = f"{network.add_network(cloud, group, 'vnet-other', 'a')}/subnets/a"

    assert client.put(endpoint, build(other, vault, "vault")).code == "PrivateEndpointCannotBeUpdated"


def test_interface_cannot_be_deleted(client: Client, endpoint: str, subnet: str, vault: str) -> None:
    """It goes with its endpoint only."""
    made = client.make(endpoint, build(subnet, vault, "vault")).properties

    assert client.delete(made["networkInterfaces"][0]["id"]).code == "NicInUseByPrivateEndpoint"


def test_group_goes_with_endpoints(
    cloud: Cloud, client: Client, group: str, endpoint: str, subnet: str, vault: str
) -> None:
    """A group's deletion takes its endpoints and their interfaces along."""
    client.make(endpoint, build(subnet, vault, "vault"))

    client.follow(client.delete(group), "Location")

    assert client.get(group).status == 404
    assert not cloud.resources.list_inside(group)


def test_zone_group_has_records(
    cloud: Cloud, client: Client, group: str, endpoint: str, subnet: str, vault: str
) -> None:
    """The endpoint's names are told as the records of its zone."""
    client.make(endpoint, build(subnet, vault, "vault"))
    zone = network.add_zone(cloud, group, "privatelink.vaultcore.azure.net")
    configs = [{"name": "vault", "properties": {"privateDnsZoneId": zone}}]

    read = client.make(f"{endpoint}/privateDnsZoneGroups/default", {"properties": {"privateDnsZoneConfigs": configs}})
    second = client.put(f"{endpoint}/privateDnsZoneGroups/more", {"properties": {"privateDnsZoneConfigs": configs}})

    (config,) = read.properties["privateDnsZoneConfigs"]
    (record,) = config["properties"]["recordSets"]
    assert record["fqdn"] == "kv-tests.privatelink.vaultcore.azure.net"
    assert second.code == "PrivateDnsZoneGroupAlreadyExists"


def test_zone_must_be_there(client: Client, endpoint: str, subnet: str, vault: str) -> None:
    """Neither an endpoint nor a zone that is missing has a zone group."""
    configs = [{"name": "vault", "properties": {"privateDnsZoneId": f"{vault}x"}}]
    body = {"properties": {"privateDnsZoneConfigs": configs}}
    orphan = client.put(f"{endpoint}/privateDnsZoneGroups/default", body)
    client.make(endpoint, build(subnet, vault, "vault"))

    answer = client.put(f"{endpoint}/privateDnsZoneGroups/default", body)
    empty = client.put(f"{endpoint}/privateDnsZoneGroups/default", {"properties": {"privateDnsZoneConfigs": []}})

    assert orphan.code == "ParentResourceNotFound"
    assert answer.code == "InvalidResourceReference"
    assert empty.code == "InvalidPrivateDnsZoneConfig"
