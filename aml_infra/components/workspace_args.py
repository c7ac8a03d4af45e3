"""The arguments of ``Workspace``, and everything that can be wrong with them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import pulumi

from aml_infra import arguments, azure_names
from aml_infra.components import file_places
from aml_infra.components.role_assignments import Principal
from aml_infra.components.validation import Machine
from aml_infra.errors import Problem

MANAGED_NETWORKS = {
    "allow_internet_outbound": "AllowInternetOutbound",
    "allow_only_approved_outbound": "AllowOnlyApprovedOutbound",
    "disabled": "Disabled",
}
"""What ``managed_network`` may be, and what the service calls it."""

REDUNDANCIES = ("Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_RAGRS", "Standard_GZRS", "Standard_RAGZRS")

SOFT_DELETE_DAYS = (7, 90)
LOG_RETENTION_DAYS = (30, 730)

ZONES = {
    "privatelink.api.azureml.ms": "workspace",
    "privatelink.notebooks.azure.net": "workspace",
    "privatelink.blob.core.windows.net": "blob",
    "privatelink.file.core.windows.net": "file",
    "privatelink.vaultcore.azure.net": "vault",
}
"""The private DNS zones that the private endpoints are registered in, and what each of them leads to."""

REGISTRY_ZONE = "privatelink.azurecr.io"
"""The private DNS zone that the private endpoint of a registry is registered in."""

PROTOCOLS = ("TCP", "UDP", "ICMP", "*")

_OF_A_KIND = ("subresource", "port_ranges", "protocol")

MOST_TAGS = 50
LONGEST_TAG_VALUE = 256

_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+")
_PORTS = re.compile(r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*")
_GROUP = r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.Network"
_SUBNET_ID = re.compile(rf"{_GROUP}/virtualNetworks/[^/\s]+/subnets/[^/\s]+", re.IGNORECASE)
_ZONE_ID = re.compile(rf"{_GROUP}/privateDnsZones/[^/\s]+", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutboundRule:
    """Where the workspace's managed network lets jobs connect to: exactly one of a host, a resource and a service tag.

    Attributes:
        fqdn: a host, such as ``pypi.org`` or ``*.anaconda.org``.
        resource_id: id of an Azure resource, which gets a private endpoint in the managed network.
        subresource: which part of it, such as ``blob``; as ``resource_id`` needs it.
        service_tag: a group of addresses that Azure keeps, such as ``AzureMonitor``.
        port_ranges: ports of the service tag, such as ``80,443`` or ``8000-8080``.
        protocol: protocol of the service tag: ``TCP``, ``UDP``, ``ICMP`` or ``*``.
    """

    fqdn: str | None = None
    resource_id: pulumi.Input[str] | None = None
    subresource: str | None = None
    service_tag: str | None = None
    port_ranges: str | None = None
    protocol: str | None = None

    def find_problems(self) -> list[Problem]:
        """What is wrong with the values that are known already."""
        return arguments.find_problems(
            self,
            OutboundRule._find_rule_problems,
            # Whichever of the three it is decides what belongs to it.
            related=dict.fromkeys(("fqdn", "resource_id", "service_tag"), ("", *_OF_A_KIND)),
        )

    def _find_rule_problems(self) -> list[Problem]:
        kinds = {"fqdn": self.fqdn, "resource_id": self.resource_id, "service_tag": self.service_tag}
        given = [name for name, value in kinds.items() if value is not None]
        if len(given) != 1:
            found = " and ".join(given) or "nothing"
            return [Problem("", f"has {found}; give exactly one of {', '.join(kinds)}")]
        problems = []
        for name, value, kind, example in (
            ("subresource", self.subresource, "resource_id", "blob"),
            ("port_ranges", self.port_ranges, "service_tag", "443"),
            ("protocol", self.protocol, "service_tag", "TCP"),
        ):
            if kind in given and value is None:
                problems.append(Problem(name, f"is missing; give it with {kind}, as in {example!r}"))
            if kind not in given and value is not None:
                problems.append(Problem(name, f"is {value!r}, and there is no {kind}; leave it out"))
        if self.fqdn is not None and not _HOST.fullmatch(self.fqdn):
            problems.append(Problem("fqdn", f"is {self.fqdn!r}; give a host, as in 'pypi.org' or '*.anaconda.org'"))
        if self.port_ranges is not None and not _PORTS.fullmatch(self.port_ranges):
            problems.append(Problem("port_ranges", f"is {self.port_ranges!r}; write it as in '80,443' or '8000-8080'"))
        if self.protocol is not None and self.protocol not in PROTOCOLS:
            problems.append(Problem("protocol", f"is {self.protocol!r}; allowed are {', '.join(PROTOCOLS)}"))
        return problems


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkspaceArgs:
    """How the workspace is made, with the resources that it needs.

    Attributes:
        location: Azure region, as in ``westeurope``.
        resource_group: name of an existing resource group. By default one is made.
        workspace_name: 3 to 33 letters, digits, hyphens and underscores. By default it is derived from the names of
            the component and the stack.
        friendly_name: shown in the studio; by default the component's name.
        description: free text.
        public_network_access: True: the workspace and its storage can be reached from the internet, by those who have a
            role. By default only through a private endpoint.
        high_business_impact: True: the service collects less diagnostic data, and encrypts the disks of computes. It
            cannot be changed later: the workspace is replaced.
        managed_network: what jobs can reach: ``allow_internet_outbound`` (default), ``allow_only_approved_outbound``
            (``outbound_rules``) or ``disabled`` (no managed network; a cluster may be in a subnet of its own). Azure
            does not let it be disabled later.
        outbound_rules: what the managed network lets jobs connect to, by name.
        private_endpoint_subnet_id: id of the subnet that gets private endpoints for the workspace, its storage and its
            key vault. By default there are none.
        private_dns_zone_ids: ids of the private DNS zones that the endpoints are registered in.
        purge_protection: False: a deleted key vault can be purged, and is, when the stack is destroyed. Azure does not
            let it be switched off later.
        soft_delete_days: days for which a deleted key vault can be recovered: 7 to 90. It cannot be changed later.
        storage_redundancy: how often and where the storage account keeps everything, as in ``Standard_LRS`` (three
            times in one data centre) or ``Standard_ZRS`` (in three zones).
        log_retention_days: days for which logs are kept: 30 to 730.
        contributors: who may train in the workspace, by a name of your choice: they get the roles AzureML Data
            Scientist on the workspace and Storage Blob Data Contributor on its storage. By default whoever runs
            ``pulumi up``.
        config_path: the ``config.json`` that Azure's SDKs read is written there by ``up``. By default it is not.
        tags: on all resources; identities keep those that they were made with.
    """

    location: str
    resource_group: str | None = None
    workspace_name: str | None = None
    friendly_name: str | None = None
    description: str | None = None
    public_network_access: bool = False
    high_business_impact: bool = False
    managed_network: str = "allow_internet_outbound"
    outbound_rules: Mapping[str, OutboundRule] = dataclasses.field(default_factory=dict)
    private_endpoint_subnet_id: pulumi.Input[str] | None = None
    private_dns_zone_ids: Sequence[str] = ()
    purge_protection: bool = True
    soft_delete_days: int = 90
    storage_redundancy: str = "Standard_LRS"
    log_retention_days: int = 30
    contributors: Mapping[str, Principal] | None = None
    config_path: str | os.PathLike[str] | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (there is nothing to ask it)
        """Everything that is wrong with the arguments; the service is not asked."""
        return arguments.find_problems(
            self,
            WorkspaceArgs._find_rule_problems,
            stand_ins={"location": STAND_IN.location},
            related={
                "managed_network": ("outbound_rules",),
                "private_endpoint_subnet_id": ("private_dns_zone_ids",),
            },
        )

    def _find_rule_problems(self) -> list[Problem]:
        return [
            *_find_name_problems(self),
            *_find_choice_problems(self),
            *_find_rule_problems(self),
            *_find_endpoint_problems(self),
            *_find_contributor_problems(self),
            *_find_config_problems(self),
            *_find_tag_problems(self.tags),
        ]


STAND_IN = WorkspaceArgs(location="westeurope")
"""Stands for a workspace that could not be read, while what belongs to it is looked at."""


def _find_name_problems(args: WorkspaceArgs) -> list[Problem]:
    problems = []
    if not re.fullmatch(r"[a-z][a-z0-9]+", args.location):
        meant = re.sub(r"[^a-z0-9]", "", args.location.lower()) or "westeurope"
        problems.append(Problem("location", f"is {args.location!r}, no name of a region; write it as in {meant!r}"))
    for path, kind, name in (
        ("resource_group", "resource_group", args.resource_group),
        ("workspace_name", "workspace", args.workspace_name),
    ):
        found = None if name is None else azure_names.find_name_problem(kind, name)
        if found is not None:
            problems.append(Problem(path, found))
    return problems


def _find_choice_problems(args: WorkspaceArgs) -> list[Problem]:
    problems = []
    for path, choice, allowed in (
        ("managed_network", args.managed_network, MANAGED_NETWORKS),
        ("storage_redundancy", args.storage_redundancy, REDUNDANCIES),
    ):
        if choice not in allowed:
            problems.append(Problem(path, f"is {choice!r}; allowed are {', '.join(allowed)}"))
    for path, days, (least, most) in (
        ("soft_delete_days", args.soft_delete_days, SOFT_DELETE_DAYS),
        ("log_retention_days", args.log_retention_days, LOG_RETENTION_DAYS),
    ):
        if not least <= days <= most:
            problems.append(Problem(path, f"is {days}; allowed are whole numbers from {least} to {most}"))
    return problems


def _find_rule_problems(args: WorkspaceArgs) -> list[Problem]:
    problems = []
    if args.outbound_rules and args.managed_network == "disabled":
        fix = "choose 'allow_only_approved_outbound' for managed_network, or leave the rules out"
        problems.append(Problem("outbound_rules", f"need a managed network, and managed_network is 'disabled'; {fix}"))
    for name, rule in args.outbound_rules.items():
        path = f"outbound_rules[{name!r}]"
        found = azure_names.find_name_problem("outbound_rule", name)
        if found is not None:
            problems.append(Problem(path, f"has a name that {found}"))
        problems += [problem.under(path) for problem in rule.find_problems()]
        if args.managed_network == "allow_internet_outbound" and rule.resource_id is None:
            fix = "choose 'allow_only_approved_outbound' for managed_network, or leave the rule out"
            problems.append(Problem(path, f"is of no use, as managed_network allows the whole internet; {fix}"))
    return problems


def _find_endpoint_problems(args: WorkspaceArgs) -> list[Problem]:
    problems = []
    subnet_id = args.private_endpoint_subnet_id
    if isinstance(subnet_id, str) and not _SUBNET_ID.fullmatch(subnet_id):
        form = "/subscriptions/.../resourceGroups/.../providers/Microsoft.Network/virtualNetworks/.../subnets/..."
        problems.append(Problem("private_endpoint_subnet_id", f"is {subnet_id!r}; give a subnet's id, as in {form!r}"))
    if args.private_dns_zone_ids and subnet_id is None:
        fix = "give private_endpoint_subnet_id, too, or leave them out"
        problems.append(Problem("private_dns_zone_ids", f"are of no use without private endpoints; {fix}"))
    for index, zone_id in enumerate(args.private_dns_zone_ids):
        if not _ZONE_ID.fullmatch(zone_id) or find_zone(zone_id) not in ZONES:
            allowed = f"allowed are ids of the private DNS zones {', '.join(ZONES)}"
            problems.append(Problem(f"private_dns_zone_ids[{index}]", f"is {zone_id!r}; {allowed}"))
    return problems


def find_zone(zone_id: str) -> str:
    """The name of the private DNS zone ``zone_id``."""
    return zone_id.rpartition("/")[2].lower()


def _find_contributor_problems(args: WorkspaceArgs) -> list[Problem]:
    problems = []
    for name, principal in (args.contributors or {}).items():
        path = f"contributors[{name!r}]"
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            problems.append(
                Problem(path, "is no name for a contributor; allowed are letters, digits, '.', '_' and '-'")
            )
        problems += [problem.under(path) for problem in principal.find_problems()]
    return problems


def _find_config_problems(args: WorkspaceArgs) -> list[Problem]:
    if args.config_path is None:
        return []
    path = pathlib.Path(os.path.abspath(args.config_path))
    if os.path.isdir(path):
        return [
            Problem("config_path", f"{str(path)!r} is a folder; give the path of a file in it, as in 'config.json'")
        ]
    if os.path.isfile(path):
        return []
    found = file_places.find_problem(path, "give another path")
    return [] if found is None else [Problem("config_path", found)]


def _find_tag_problems(tags: Mapping[str, str]) -> list[Problem]:
    problems = []
    if len(tags) > MOST_TAGS:
        problems.append(Problem("tags", f"are {len(tags)}; Azure allows {MOST_TAGS}"))
    for name, value in tags.items():
        if not re.fullmatch(r"[^<>%&\\?/\x00-\x1f]{1,128}", name):
            allowed = "allowed are up to 128 characters without < > % & \\ ? /"
            problems.append(Problem(f"tags[{name!r}]", f"is no name for a tag; {allowed}"))
        if len(value) > LONGEST_TAG_VALUE:
            found = f"has a value of {len(value)} characters; allowed are {LONGEST_TAG_VALUE}"
            problems.append(Problem(f"tags[{name!r}]", found))
    return problems
