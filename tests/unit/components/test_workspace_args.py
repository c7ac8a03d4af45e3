from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pulumi
import pytest

from aml_infra.components.role_assignments import Principal
from aml_infra.components.validation import Machine
from aml_infra.components.workspace_args import ZONES, OutboundRule, WorkspaceArgs
from tests.unit.components.azure_resources import USER

NETWORK = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/hub/subnets/ml"
BLOB_ZONE = f"{NETWORK}/privateDnsZones/privatelink.blob.core.windows.net"
APPROVED = "allow_only_approved_outbound"
PYPI = OutboundRule(fqdn="pypi.org")


def find(**given: Any) -> list[str]:
    """The problems of arguments, as lines."""
    return [str(problem) for problem in WorkspaceArgs(**{"location": "westeurope", **given}).find_problems(Machine())]


def test_a_location_is_enough() -> None:
    """Everything else has a default."""
    assert find() == []


def test_everything_can_be_said(tmp_path: pathlib.Path) -> None:
    """At once."""
    assert (
        find(
            resource_group="rg-pets",
            workspace_name="pets",
            friendly_name="Pets",
            description="Cats and dogs",
            public_network_access=True,
            high_business_impact=True,
            managed_network=APPROVED,
            outbound_rules={
                "pypi": PYPI,
                "conda": OutboundRule(fqdn="*.anaconda.org"),
                "data": OutboundRule(resource_id="/some/storage", subresource="blob"),
                "monitor": OutboundRule(service_tag="AzureMonitor", port_ranges="80,443,8000-8080", protocol="TCP"),
            },
            private_endpoint_subnet_id=SUBNET,
            private_dns_zone_ids=[f"{NETWORK}/privateDnsZones/{zone}" for zone in ZONES],
            purge_protection=False,
            soft_delete_days=7,
            storage_redundancy="Standard_ZRS",
            log_retention_days=730,
            contributors={"ada": Principal(object_id=USER)},
            config_path=tmp_path / "new" / "config.json",
            tags={"team": "vision"},
        )
        == []
    )


def test_what_is_not_known_yet_is_no_problem() -> None:
    """A subnet, a resource and a person may be made by the same program."""
    later = pulumi.Output.from_input("")

    assert (
        find(
            private_endpoint_subnet_id=later,
            private_dns_zone_ids=[BLOB_ZONE],
            outbound_rules={"data": OutboundRule(resource_id=later, subresource="blob")},
            contributors={"job": Principal(object_id=later, type="ServicePrincipal")},
        )
        == []
    )


def test_all_problems_are_told_at_once() -> None:
    """Of every kind."""
    found = find(
        location="West Europe",
        resource_group="rg.",
        workspace_name="p",
        managed_network="open",
        soft_delete_days=91,
        storage_redundancy="LRS",
        private_dns_zone_ids=[BLOB_ZONE],
        contributors={"ada": Principal(object_id="ada")},
        config_path="/",
        tags={"a/b": "c"},
    )

    assert [line.partition(":")[0] for line in found] == [
        "location",
        "resource_group",
        "workspace_name",
        "managed_network",
        "storage_redundancy",
        "soft_delete_days",
        "private_dns_zone_ids",
        "contributors['ada'].object_id",
        "config_path",
        "tags['a/b']",
    ]


@pytest.mark.parametrize(
    ("given", "meant"),
    [("West Europe", "westeurope"), ("WestEurope", "westeurope"), ("", "westeurope"), ("east-us-2", "eastus2")],
)
def test_a_location_is_written_as_azure_does(given: str, meant: str) -> None:
    """The message has the likely one."""
    assert find(location=given) == [f"location: is {given!r}, no name of a region; write it as in {meant!r}"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"managed_network": "open"},
            "managed_network: is 'open'; allowed are allow_internet_outbound, allow_only_approved_outbound, disabled",
        ),
        (
            {"storage_redundancy": "Premium_LRS"},
            (
                "storage_redundancy: is 'Premium_LRS'; allowed are Standard_LRS, Standard_ZRS, Standard_GRS, "
                "Standard_RAGRS, Standard_GZRS, Standard_RAGZRS"
            ),
        ),
        ({"soft_delete_days": 6}, "soft_delete_days: is 6; allowed are whole numbers from 7 to 90"),
        ({"soft_delete_days": 91}, "soft_delete_days: is 91; allowed are whole numbers from 7 to 90"),
        ({"log_retention_days": 7}, "log_retention_days: is 7; allowed are whole numbers from 30 to 730"),
        ({"log_retention_days": 731}, "log_retention_days: is 731; allowed are whole numbers from 30 to 730"),
        (
            {"workspace_name": "pets dev"},
            (
                "workspace_name: is 'pets dev', 8 characters; allowed are 3 to 33 letters, digits, hyphens and "
                "underscores, starting with a letter or digit, as in 'pets'"
            ),
        ),
    ],
)
def test_another_choice_is_refused(given: dict[str, Any], message: str) -> None:
    """With those that there are."""
    assert find(**given) == [message]


def test_rules_need_a_managed_network() -> None:
    """Without one, nothing would keep them."""
    assert find(managed_network="disabled", outbound_rules={"pypi": PYPI}) == [
        (
            "outbound_rules: need a managed network, and managed_network is 'disabled'; choose "
            "'allow_only_approved_outbound' for managed_network, or leave the rules out"
        )
    ]


@pytest.mark.parametrize("rule", [PYPI, OutboundRule(service_tag="AzureMonitor", port_ranges="443", protocol="TCP")])
def test_a_rule_for_what_is_allowed_anyway_is_refused(rule: OutboundRule) -> None:
    """Azure would refuse it in the middle of an update."""
    assert find(outbound_rules={"extra": rule}) == [
        (
            "outbound_rules['extra']: is of no use, as managed_network allows the whole internet; choose "
            "'allow_only_approved_outbound' for managed_network, or leave the rule out"
        )
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (OutboundRule(), ": has nothing; give exactly one of fqdn, resource_id, service_tag"),
        (
            OutboundRule(fqdn="pypi.org", service_tag="AzureMonitor"),
            ": has fqdn and service_tag; give exactly one of fqdn, resource_id, service_tag",
        ),
        (OutboundRule(fqdn="https://pypi.org"), ".fqdn: is 'https://pypi.org'; give a host, as in 'pypi.org' or '*.an"),
        (OutboundRule(fqdn="pypi"), ".fqdn: is 'pypi'; give a host"),
        (
            dataclasses.replace(PYPI, port_ranges="443"),
            ".port_ranges: is '443', and there is no service_tag; leave it out",
        ),
        (OutboundRule(resource_id="/a"), ".subresource: is missing; give it with resource_id, as in 'blob'"),
        (
            OutboundRule(service_tag="AzureMonitor", protocol="TCP"),
            ".port_ranges: is missing; give it with service_tag, as in '443'",
        ),
        (
            OutboundRule(service_tag="AzureMonitor", port_ranges="443"),
            ".protocol: is missing; give it with service_tag, as in 'TCP'",
        ),
        (
            OutboundRule(service_tag="AzureMonitor", port_ranges="https", protocol="TCP"),
            ".port_ranges: is 'https'; write it as in '80,443' or '8000-8080'",
        ),
        (
            OutboundRule(service_tag="AzureMonitor", port_ranges="443", protocol="https"),
            ".protocol: is 'https'; allowed are TCP, UDP, ICMP, *",
        ),
    ],
)
def test_a_rule_leads_to_one_thing(rule: OutboundRule, message: str) -> None:
    """And says what belongs to it, and nothing else."""
    (found,) = find(managed_network=APPROVED, outbound_rules={"out": rule})

    assert found.startswith(f"outbound_rules['out']{message}")


def test_a_rule_has_a_name_that_azure_takes() -> None:
    """It is a part of an address there."""
    (found,) = find(managed_network=APPROVED, outbound_rules={"py/pi": PYPI})

    assert found.startswith("outbound_rules['py/pi']: has a name that is 'py/pi', 5 characters; allowed are 1 to 255 ")


@pytest.mark.parametrize("subnet", ["", "ml", f"{NETWORK}/virtualNetworks/hub", f"{SUBNET}/", f"{SUBNET} "])
def test_a_subnet_is_given_by_its_id(subnet: str) -> None:
    """Its name alone says nothing."""
    (found,) = find(private_endpoint_subnet_id=subnet)

    assert found == (
        f"private_endpoint_subnet_id: is {subnet!r}; give a subnet's id, as in '/subscriptions/.../resourceGroups/.../"
        "providers/Microsoft.Network/virtualNetworks/.../subnets/...'"
    )


def test_zones_need_endpoints() -> None:
    """There is nothing to register otherwise."""
    assert find(private_dns_zone_ids=[BLOB_ZONE]) == [
        (
            "private_dns_zone_ids: are of no use without private endpoints; give private_endpoint_subnet_id, too, or "
            "leave them out"
        )
    ]


@pytest.mark.parametrize(
    "zone", ["privatelink.blob.core.windows.net", f"{NETWORK}/privateDnsZones/privatelink.azurecr.io"]
)
def test_a_zone_that_no_endpoint_is_in_is_refused(zone: str) -> None:
    """With those that there are."""
    (found,) = find(private_endpoint_subnet_id=SUBNET, private_dns_zone_ids=[BLOB_ZONE, zone])

    assert found == (
        f"private_dns_zone_ids[1]: is {zone!r}; allowed are ids of the private DNS zones privatelink.api.azureml.ms, "
        "privatelink.notebooks.azure.net, privatelink.blob.core.windows.net, privatelink.file.core.windows.net, "
        "privatelink.vaultcore.azure.net"
    )


def test_a_contributor_has_a_plain_name() -> None:
    """It is a part of the names of resources."""
    assert find(contributors={"Ada Lovelace": Principal(object_id=USER)}) == [
        "contributors['Ada Lovelace']: is no name for a contributor; allowed are letters, digits, '.', '_' and '-'"
    ]


def test_there_may_be_no_contributor() -> None:
    """Others may grant the roles."""
    assert find(contributors={}) == []


def test_the_file_must_be_able_to_be_one(tmp_path: pathlib.Path) -> None:
    """Which is told before hours of an update."""
    file = tmp_path / "file"
    file.write_text("")

    assert find(config_path=tmp_path) == [
        f"config_path: {str(tmp_path)!r} is a folder; give the path of a file in it, as in 'config.json'"
    ]
    assert find(config_path=file / "config.json") == [
        f"config_path: is {str(file / 'config.json')!r}, but {str(file)!r} is a file; give another path"
    ]
    assert find(config_path=file) == []


def test_tags_are_as_azure_takes_them() -> None:
    """On every resource."""
    assert find(tags={"a<b": "", "long": "x" * 257}) == [
        "tags['a<b']: is no name for a tag; allowed are up to 128 characters without < > % & \\ ? /",
        "tags['long']: has a value of 257 characters; allowed are 256",
    ]
    assert find(tags={str(number): "" for number in range(51)}) == ["tags: are 51; Azure allows 50"]
