"""What is asked of Azure Kubernetes Service for an ``AksCluster``: the settings of the cluster and of its pools.

See https://learn.microsoft.com/azure/aks/concepts-security.
"""

from __future__ import annotations

from typing import Any

import pulumi

from aml_infra import vm_sizes
from aml_infra.components.aks_cluster_args import AksClusterArgs

SYSTEM_POOL = "system"
SYSTEM_TAINT = "CriticalAddonsOnly=true:NoSchedule"
"""Keeps all pods from the nodes but those that the cluster cannot be without."""

IMAGE_HOURS = 168
"""Between two removals of images with known weaknesses that no pod uses; the service's own default."""


def build_cluster(args: AksClusterArgs, tenant_id: pulumi.Input[str]) -> dict[str, Any]:
    """The settings of the cluster, less names and identities."""
    from pulumi_azure_native import containerservice as aks

    return {
        "aad_profile": aks.ManagedClusterAADProfileArgs(managed=True, enable_azure_rbac=True, tenant_id=tenant_id),
        "agent_pool_profiles": [
            aks.ManagedClusterAgentPoolProfileArgs(
                name=SYSTEM_POOL,
                mode=aks.AgentPoolMode.SYSTEM,
                vm_size=vm_sizes.normalize(args.system_vm_size),
                enable_auto_scaling=True,
                min_count=args.system_min_nodes,
                max_count=args.system_max_nodes,
                node_taints=[SYSTEM_TAINT],
                **_build_nodes(args),
            )
        ],
        "api_server_access_profile": aks.ManagedClusterAPIServerAccessProfileArgs(
            authorized_ip_ranges=list(args.authorized_ip_ranges) or None,
            disable_run_command=True,
            enable_private_cluster=args.is_private,
            enable_private_cluster_public_fqdn=False if args.is_private else None,
            private_dns_zone="system" if args.is_private else None,
        ),
        "auto_scaler_profile": aks.ManagedClusterPropertiesAutoScalerProfileArgs(
            scale_down_unneeded_time=f"{args.idle_minutes}m"
        ),
        "auto_upgrade_profile": aks.ManagedClusterAutoUpgradeProfileArgs(
            node_os_upgrade_channel=aks.NodeOSUpgradeChannel.NODE_IMAGE, upgrade_channel=aks.UpgradeChannel.PATCH
        ),
        "disable_local_accounts": not args.local_accounts,
        "enable_rbac": True,
        "kubernetes_version": args.kubernetes_version,
        "network_profile": aks.ContainerServiceNetworkProfileArgs(
            dns_service_ip=args.dns_service_ip,
            load_balancer_sku=aks.LoadBalancerSku.STANDARD,
            network_dataplane=aks.NetworkDataplane.CILIUM,
            network_plugin=aks.NetworkPlugin.AZURE,
            network_plugin_mode=aks.NetworkPluginMode.OVERLAY,
            # What enforces the network policies of ``KubernetesCluster``.
            network_policy=aks.NetworkPolicy.CILIUM,
            pod_cidr=args.pod_cidr,
            service_cidr=args.service_cidr,
        ),
        "node_resource_group_profile": aks.ManagedClusterNodeResourceGroupProfileArgs(
            restriction_level=aks.RestrictionLevel.READ_ONLY
        ),
        "oidc_issuer_profile": aks.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
        "security_profile": aks.ManagedClusterSecurityProfileArgs(
            image_cleaner=aks.ManagedClusterSecurityProfileImageCleanerArgs(enabled=True, interval_hours=IMAGE_HOURS),
            workload_identity=aks.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True),
        ),
        "sku": aks.ManagedClusterSKUArgs(name=aks.ManagedClusterSKUName.BASE, tier=args.tier),
    }


def build_pool(args: AksClusterArgs) -> dict[str, Any]:
    """The settings of the pool that runs are on."""
    from pulumi_azure_native import containerservice as aks

    # Spot nodes: AKS says by a taint of its own that they are, and they cost at most what others do.
    spot = {
        "scale_set_priority": aks.ScaleSetPriority.SPOT,
        "scale_set_eviction_policy": aks.ScaleSetEvictionPolicy.DELETE,
        "spot_max_price": -1.0,
    }
    return {
        "mode": aks.AgentPoolMode.USER,
        "vm_size": vm_sizes.normalize(args.vm_size),
        "enable_auto_scaling": True,
        "min_count": args.min_nodes,
        "max_count": args.max_nodes,
        "node_taints": list(args.all_taints),
        "tags": dict(args.tags) if args.tags else None,
        **(spot if args.low_priority else {}),
        **_build_nodes(args),
    }


def _build_nodes(args: AksClusterArgs) -> dict[str, Any]:
    """What all nodes have in common."""
    from pulumi_azure_native import containerservice as aks

    return {
        "enable_node_public_ip": False,
        "os_sku": aks.OSSKU.UBUNTU,
        "os_type": aks.OSType.LINUX,
        "security_profile": aks.AgentPoolSecurityProfileArgs(ssh_access=aks.AgentPoolSSHAccess.DISABLED),
        "vnet_subnet_id": args.subnet_id,
    }
