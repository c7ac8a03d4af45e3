"""``AksCluster``: a cluster of Azure Kubernetes Service, for ``KubernetesCluster`` to run jobs on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pulumi

from aml_infra import aks_kubeconfig, arguments, vm_sizes
from aml_infra.components import (
    aks_profiles,
    azure_functions,
    azure_place,
    beside_workspace,
    diagnostics,
    role_assignments,
    workspace_dependencies,
)
from aml_infra.components.aks_cluster_args import POOL, AksClusterArgs
from aml_infra.components.azure_place import Place
from aml_infra.components.workspace import Workspace
from aml_infra.errors import Problem

if TYPE_CHECKING:
    from pulumi_azure_native import authorization, containerservice, managedidentity

ROLE_SECONDS = 300.0
"""How long Azure may take until a role that was granted holds."""

ADMINISTRATOR = "Azure Kubernetes Service RBAC Cluster Admin"


class AksCluster(pulumi.ComponentResource):
    """A cluster of Azure Kubernetes Service.

    It has a few nodes for its own pods, and a pool for runs that grows from ``min_nodes`` when there is something to
    do. Nobody has a password or a certificate for it: Entra ID signs people in, roles of Azure say what they may, and
    it acts as identities of its own. Give it to ``KubernetesClusterArgs.cluster``.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    id: pulumi.Output[str]
    """Resource id; known at preview where the cluster is there."""

    cluster_name: pulumi.Output[str]
    """Its name in Azure."""

    kubelet_principal_id: pulumi.Output[str]
    """Object id of the identity that nodes act as, to let them pull from more registries."""

    oidc_issuer_url: pulumi.Output[str]
    """Who signs the tokens of service accounts, for federated credentials of Entra ID."""

    kubeconfig: pulumi.Output[str]
    """A kubeconfig without a secret: whoever uses it is logged in to Azure. Known when the cluster can be used."""

    resource_id: pulumi.Output[str]
    """Likewise ``id``, but known at every preview."""

    args: AksClusterArgs
    """How it is made."""

    def __init__(self, name: str, args: AksClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        arguments.require(name, args, AksClusterArgs)
        workspace = beside_workspace.find_workspace(name, args)
        super().__init__("aml-infra:index:AksCluster", name, None, opts)
        self.args = args
        client = self._find_client(name)
        place = beside_workspace.find_place(self, name, workspace, args.tags)
        kubelet = workspace_dependencies.make_identity(place, "kubelet")
        self.cluster_name = place.build_name("kubernetes")
        cluster = self._make_cluster(place, kubelet, client.apply(lambda known: known.tenant_id))
        awaited = [
            self._make_pool(place, cluster),
            *self._grant_roles(place, cluster, kubelet, client),
            *self._send_logs(place, workspace, cluster),
        ]
        self.id = cluster.id
        self.resource_id = place.build_id(aks_kubeconfig.CLUSTERS, self.cluster_name)
        self.kubelet_principal_id = kubelet.principal_id
        self.oidc_issuer_url = cluster.oidc_issuer_profile.apply(lambda known: str(known.issuer_url if known else ""))
        self.kubeconfig = self._find_kubeconfig(name, awaited)
        self.register_outputs({"id": self.id, "clusterName": self.cluster_name, "oidcIssuerUrl": self.oidc_issuer_url})

    def _find_client(self, name: str) -> pulumi.Output[authorization.GetClientConfigResult]:
        from pulumi_azure_native import authorization

        def check(known: authorization.GetClientConfigResult) -> authorization.GetClientConfigResult:
            if self.args.administrators is None and not known.object_id:
                fix = "list who may do everything in the cluster, or {} for nobody"
                text = f"is missing, and the login has no object id; {fix}"
                arguments.raise_for([Problem(f"{name}.administrators", text)])
            return known

        return authorization.get_client_config_output(opts=pulumi.InvokeOutputOptions(parent=self)).apply(check)

    def _make_cluster(
        self, place: Place, kubelet: managedidentity.UserAssignedIdentity, tenant_id: pulumi.Output[str]
    ) -> containerservice.ManagedCluster:
        from pulumi_azure_native import containerservice

        name, args = place.name, self.args
        identity = workspace_dependencies.make_identity(place)
        grants = [
            # So that it may give the other identity to nodes.
            role_assignments.grant(
                f"{name}-kubelet-operator",
                "Managed Identity Operator",
                scope=kubelet.id,
                principal_id=identity.principal_id,
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]
        if args.subnet_id is not None:
            grants.append(
                role_assignments.grant(
                    f"{name}-subnet-network",
                    "Network Contributor",
                    scope=args.subnet_id,
                    principal_id=identity.principal_id,
                    opts=pulumi.ResourceOptions(parent=self),
                )
            )
        return containerservice.ManagedCluster(
            f"{name}-cluster",
            resource_name_=self.cluster_name,
            resource_group_name=place.group,
            location=place.location,
            identity=containerservice.ManagedClusterIdentityArgs(
                type=containerservice.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
            ),
            identity_profile={
                "kubeletidentity": containerservice.UserAssignedIdentityArgs(
                    resource_id=kubelet.id, client_id=kubelet.client_id, object_id=kubelet.principal_id
                )
            },
            dns_prefix=self.cluster_name,
            node_resource_group=self.cluster_name.apply(lambda known: f"{known}-nodes"),
            tags=place.tags,
            **aks_profiles.build_cluster(args, tenant_id),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The name is the same.
                delete_before_replace=True,
                depends_on=grants,
            ),
        )

    def _make_pool(self, place: Place, cluster: containerservice.ManagedCluster) -> containerservice.AgentPool:
        """The nodes of runs; a pool of its own, as it can be replaced by another without the cluster."""
        from pulumi_azure_native import containerservice

        args = self.args
        quota = azure_functions.build_quota_hook(
            place.name,
            azure_functions.Demand(
                subscription_id=place.subscription_id,
                location=place.location,
                vm_size=vm_sizes.normalize(args.vm_size),
                nodes=args.max_nodes,
                low_priority=args.low_priority,
                service="compute",
            ),
        )
        return containerservice.AgentPool(
            f"{place.name}-pool",
            agent_pool_name=POOL,
            resource_group_name=place.group,
            resource_name_=azure_place.after(cluster, self.cluster_name),
            **aks_profiles.build_pool(args),
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=True,
                # Azure refuses to change these.
                replace_on_changes=["scaleSetPriority", "vnetSubnetID"],
                hooks=pulumi.ResourceHookBinding(before_create=[quota], before_update=[quota]),
            ),
        )

    def _grant_roles(
        self,
        place: Place,
        cluster: containerservice.ManagedCluster,
        kubelet: managedidentity.UserAssignedIdentity,
        client: pulumi.Output[authorization.GetClientConfigResult],
    ) -> list[pulumi.Resource]:
        args = self.args
        administrators: dict[str, tuple[pulumi.Input[str], pulumi.Input[str]]] = {
            who: (principal.object_id, principal.type) for who, principal in (args.administrators or {}).items()
        }
        if args.administrators is None:
            kind = client.apply(lambda known: role_assignments.find_principal_type(known.client_id))
            administrators["deployer"] = (client.apply(lambda known: known.object_id), kind)
        granted: list[pulumi.Resource] = [
            role_assignments.grant(
                f"{place.name}-{who}-admin",
                ADMINISTRATOR,
                scope=cluster.id,
                principal_id=object_id,
                principal_type=kind,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for who, (object_id, kind) in administrators.items()
        ]
        if args.registry is not None:
            granted.append(
                role_assignments.grant(
                    f"{place.name}-kubelet-pull",
                    "AcrPull",
                    scope=args.registry.id,
                    principal_id=kubelet.principal_id,
                    opts=pulumi.ResourceOptions(parent=self),
                )
            )
        return granted

    def _send_logs(
        self, place: Place, workspace: Workspace, cluster: containerservice.ManagedCluster
    ) -> list[pulumi.Resource]:
        if not workspace.is_created:
            return []
        return [
            diagnostics.send_diagnostics(
                f"{place.name}-diagnostics",
                resource_id=cluster.id,
                log_analytics_id=workspace.log_analytics_id.apply(str),
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]

    def _find_kubeconfig(self, name: str, awaited: list[pulumi.Resource]) -> pulumi.Output[str]:
        cluster_id = self.id
        for each in awaited:
            cluster_id = azure_place.after(each, cluster_id)
        found = azure_functions.get_kubernetes_access(
            name,
            cluster_id,
            # Whoever is no administrator by this very program has what roles there are.
            wait_seconds=ROLE_SECONDS if self.args.administrators is None else 0,
            parent=self,
        )

        def write(cluster_name: str) -> pulumi.Output[str]:
            user = aks_kubeconfig.build_user(sys.executable)
            return found.apply(lambda access: json.dumps(access.build_kubeconfig(cluster_name, user)))

        return self.cluster_name.apply(write)
