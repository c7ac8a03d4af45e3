"""How a workspace is reached, and what its jobs reach: private endpoints, and rules of its managed network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from aml_infra.components import workspace_args
from aml_infra.components.azure_place import Place
from aml_infra.components.workspace_args import ZONES, OutboundRule

if TYPE_CHECKING:
    from pulumi_azure_native import machinelearningservices


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """What a private endpoint leads to.

    Attributes:
        part: what it is called here.
        group_id: what Azure calls it.
        resource_id: id of the resource that it is a part of.
    """

    part: str
    group_id: str
    resource_id: pulumi.Output[str]


def list_targets(
    workspace_id: pulumi.Output[str], storage_id: pulumi.Output[str], vault_id: pulumi.Output[str]
) -> list[Target]:
    """What whoever works in the workspace must reach."""
    return [
        Target(part="workspace", group_id="amlworkspace", resource_id=workspace_id),
        Target(part="blob", group_id="blob", resource_id=storage_id),
        Target(part="file", group_id="file", resource_id=storage_id),
        Target(part="vault", group_id="vault", resource_id=vault_id),
    ]


def make_endpoint(
    place: Place, target: Target, *, subnet_id: pulumi.Input[str], zone_ids: Sequence[str]
) -> pulumi.Output[str]:
    """An endpoint, registered in those of ``zone_ids`` that are for it; its id."""
    # This takes 2 s to import.
    from pulumi_azure_native import network

    endpoint = network.PrivateEndpoint(
        f"{place.name}-{target.part}-endpoint",
        private_endpoint_name=place.build_name("private_endpoint", target.part),
        resource_group_name=place.group,
        location=place.location,
        private_link_service_connections=[
            network.PrivateLinkServiceConnectionArgs(
                name=target.part, group_ids=[target.group_id], private_link_service_id=target.resource_id
            )
        ],
        # As a dictionary, since the class adds settings of the subnet itself, which is not ours.
        subnet={"id": subnet_id},
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=place.parent),
    )
    zones = {
        workspace_args.find_zone(each): each
        for each in zone_ids
        if {**ZONES, workspace_args.REGISTRY_ZONE: "registry"}[workspace_args.find_zone(each)] == target.part
    }
    if zones:
        network.PrivateDnsZoneGroup(
            f"{place.name}-{target.part}-zones",
            private_dns_zone_group_name="default",
            private_endpoint_name=endpoint.name,
            resource_group_name=place.group,
            private_dns_zone_configs=[
                network.PrivateDnsZoneConfigArgs(name=name.replace(".", "-"), private_dns_zone_id=zone_id)
                for name, zone_id in sorted(zones.items())
            ],
            opts=pulumi.ResourceOptions(parent=place.parent),
        )
    return endpoint.id


def make_rules(
    place: Place, rules: Mapping[str, OutboundRule], workspace: machinelearningservices.Workspace
) -> list[pulumi.Resource]:
    """The rules of the managed network, one after the other: the service refuses two changes at a time."""
    from pulumi_azure_native import machinelearningservices

    made: list[pulumi.Resource] = []
    for rule_name, rule in sorted(rules.items()):
        made.append(
            machinelearningservices.ManagedNetworkSettingsRule(
                f"{place.name}-rule-{rule_name}",
                properties=_build_rule(rule),
                resource_group_name=place.group,
                rule_name=rule_name,
                workspace_name=workspace.name,
                opts=pulumi.ResourceOptions(parent=place.parent, depends_on=made[-1:]),
            )
        )
    return made


def _build_rule(
    rule: OutboundRule,
) -> (
    machinelearningservices.FqdnOutboundRuleArgs
    | machinelearningservices.PrivateEndpointOutboundRuleArgs
    | machinelearningservices.ServiceTagOutboundRuleArgs
):
    from pulumi_azure_native import machinelearningservices

    if rule.fqdn is not None:
        return machinelearningservices.FqdnOutboundRuleArgs(type="FQDN", category="UserDefined", destination=rule.fqdn)
    if rule.service_tag is not None:
        return machinelearningservices.ServiceTagOutboundRuleArgs(
            type="ServiceTag",
            category="UserDefined",
            destination=machinelearningservices.ServiceTagDestinationArgs(
                action="Allow", port_ranges=rule.port_ranges, protocol=rule.protocol, service_tag=rule.service_tag
            ),
        )
    return machinelearningservices.PrivateEndpointOutboundRuleArgs(
        type="PrivateEndpoint",
        category="UserDefined",
        destination=machinelearningservices.PrivateEndpointDestinationArgs(
            service_resource_id=rule.resource_id, spark_enabled=False, subresource_target=rule.subresource
        ),
    )
