"""The arguments of ``Workspace``, and everything that can be wrong with them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence

import pulumi

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
        tags: on all resources.
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

    def find_problems(self, machine: Machine) -> list[Problem]:
        """Everything that is wrong with the arguments; the service is not asked."""
        return []
