"""``GpuCluster``: the compute target that runs jobs on a cluster of an Azure Machine Learning workspace."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from aml_infra import arguments, azure_names, rules, vm_sizes
from aml_infra.components import (
    azure_functions,
    azure_place,
    beside_workspace,
    image_access,
    workspace_args,
    workspace_computes,
    workspace_creation,
)
from aml_infra.components import workspace as workspaces
from aml_infra.components.compute_target import ComputeArgs
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.errors import Problem
from aml_infra.spec import Demand

if TYPE_CHECKING:
    from pulumi_azure_native import machinelearningservices

    from aml_infra.components.environment import CuratedImage
    from aml_infra.components.image_access import JobImage
    from aml_infra.components.training_image import TrainingImage

CLUSTER = "AmlCompute"
"""What the service calls a cluster, among its kinds of compute."""

NOT_CHANGED_IN_PLACE = (
    "identity",
    "location",
    "sku",
    "properties.computeLocation",
    "properties.description",
    "properties.disableLocalAuth",
    "properties.resourceId",
    "properties.properties.enableNodePublicIp",
    "properties.properties.isolatedNetwork",
    "properties.properties.osType",
    "properties.properties.propertyBag",
    "properties.properties.remoteLoginPortPublicAccess",
    "properties.properties.subnet",
    "properties.properties.userAccountCredentials",
    "properties.properties.virtualMachineImage",
    "properties.properties.vmPriority",
    "properties.properties.vmSize",
)
"""What a cluster that was made elsewhere keeps as it is."""

_CLUSTER_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+/computes/[^/]+",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GpuClusterArgs(ComputeArgs):
    """What the cluster's nodes are, and how many there may be.

    Attributes:
        workspace: the workspace that it is in. The args of one may stand for it while the program is only validated.
        vm_size: size of the nodes, in any case; by default one with one NVIDIA T4, 4 processors and 28 GB.
        min_nodes: nodes that are there, and paid for, when nothing runs; 0 by default.
        max_nodes: the most that there may be.
        idle_seconds: seconds after which a node that has nothing to do is given back.
        low_priority: True: cheaper nodes, which Azure may take away at any time.
        subnet_id: id of the subnet that the nodes are in. By default they are in the managed network of the workspace.
        node_public_ip: whether nodes have public IP addresses, without which they need a managed network or a subnet.
            By default only where neither is known, as of a workspace that existed already.
        adopt: resource id of a cluster of the workspace that was made by hand: it is taken over as it is, with its size
            and network, and only its node counts, idle seconds and tags are managed from then on. Without it, another
            cluster takes its place. By default a new one is made.
        tags: on the cluster; those of the workspace by default.
    """

    workspace: Workspace | WorkspaceArgs
    vm_size: str = vm_sizes.DEFAULT
    min_nodes: int = 0
    max_nodes: int = 1
    idle_seconds: int = 120
    low_priority: bool = False
    subnet_id: pulumi.Input[str] | None = None
    node_public_ip: bool | None = None
    adopt: str | None = None
    tags: Mapping[str, str] | None = None

    @property
    def has_public_ip(self) -> bool:
        """Whether nodes have public IP addresses."""
        if self.node_public_ip is not None:
            return self.node_public_ip
        return self.subnet_id is None and not self._has_managed_network

    @property
    def _has_managed_network(self) -> bool:
        made = workspaces.find_args(self.workspace)
        return made is not None and made.managed_network != "disabled"

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of ``Args``)
        """Everything that is wrong with the arguments; the service is asked for the quota when the cluster is made."""
        return arguments.find_problems(
            self,
            GpuClusterArgs._find_rule_problems,
            stand_ins={"workspace": workspace_args.STAND_IN},
            related={"workspace": ("subnet_id",), "max_nodes": ("min_nodes",)},
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = [*vm_sizes.find_problems(self.vm_size), *self._find_count_problems()]
        if self.subnet_id is not None and self._has_managed_network:
            problems.append(
                Problem(
                    "subnet_id",
                    "is given, but the workspace has a managed network, which its clusters are in; leave it out, or "
                    "give the workspace managed_network='disabled'",
                )
            )
        if self.adopt is not None and not _CLUSTER_ID.fullmatch(self.adopt):
            fix = "`az ml compute show --query id` shows it, as in '/subscriptions/.../computes/gpu-cluster'"
            problems.append(Problem("adopt", f"is {self.adopt!r}, no resource id of a cluster; {fix}"))
        return problems

    def _find_count_problems(self) -> list[Problem]:
        problems = []
        if self.min_nodes < 0:
            problems.append(Problem("min_nodes", f"is {self.min_nodes}; allowed are whole numbers from 0 on"))
        if self.max_nodes < 1:
            problems.append(Problem("max_nodes", f"is {self.max_nodes}; allowed are whole numbers from 1 on"))
        elif self.min_nodes > self.max_nodes:
            fix = f"allowed are at most the {self.max_nodes} of max_nodes"
            problems.append(Problem("min_nodes", f"is {self.min_nodes}; {fix}"))
        if self.idle_seconds < 1:
            problems.append(Problem("idle_seconds", f"is {self.idle_seconds}; allowed are whole numbers from 1 on"))
        return problems

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of the contract)
        """What the cluster cannot give of what a job asks for."""
        problems = vm_sizes.find_demand_problems(self.vm_size, demand)
        problems += rules.find_instance_type_problems(demand, "a GpuCluster")
        if demand.workers > self.max_nodes:
            fix = f"the cluster has at most {self.max_nodes} nodes, one for each worker; raise its max_nodes"
            problems.append(Problem("distribution.workers", f"is {demand.workers}; {fix}"))
        return problems

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why no node of the workspace can run a job's image."""
        return image_access.find_workspace_problems(image, self.workspace)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterAddress:
    """Where a cluster is that exists already."""

    workspace: Workspace
    cluster_name: str

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of ``Args``)
        """What cannot be the name of a cluster."""
        return arguments.find_problems(
            self, ClusterAddress._find_rule_problems, stand_ins={"workspace": None, "cluster_name": ""}
        )

    def _find_rule_problems(self) -> list[Problem]:
        found = azure_names.find_name_problem("compute", self.cluster_name)
        return [] if found is None else [Problem("cluster_name", found)]

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:  # noqa: ARG002 (not known)
        """What the cluster cannot give of what a job asks for; what it has, the plugin asks when it is known."""
        return rules.find_instance_type_problems(demand, "a GpuCluster")


class GpuCluster(pulumi.ComponentResource):
    """A cluster of an Azure Machine Learning workspace as a compute target; without jobs it has ``min_nodes`` nodes.

    Nobody can log in to its nodes; they have the identity ``workspace.compute_identity``. What Azure cannot change in
    place, such as the size, is part of the cluster's name: another one is made before the old one is deleted.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    id: pulumi.Output[str]
    """Resource id."""

    cluster_name: pulumi.Output[str]
    """Its name in the workspace."""

    provisioning_state: pulumi.Output[str]
    """``Creating``, ``Updating``, ``Succeeded``, ``Failed``, ``Deleting``, ``Canceled`` or ``Unknown``."""

    allocation_state: pulumi.Output[str]
    """``Steady``, or ``Resizing`` while nodes come or go."""

    current_node_count: pulumi.Output[int]
    """Nodes that there were when the service was last asked."""

    target_node_count: pulumi.Output[int]
    """Nodes that there shall be."""

    workspace: Workspace
    """The workspace that it is in."""

    backend = "azureml"

    def __init__(
        self, name: str, args: GpuClusterArgs | ClusterAddress, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        arguments.require(name, args, GpuClusterArgs, ClusterAddress)
        workspace = beside_workspace.find_workspace(name, args)
        super().__init__("aml-infra:index:GpuCluster", name, None, opts)
        self._name, self._args, self.workspace = name, args, workspace
        if isinstance(args, GpuClusterArgs):
            cluster_name = _build_name(name, args, workspace)
            made = self._make(name, args, workspace, cluster_name)
            # Not the output of that name, which a preview of a change does not know.
            self.id, self.cluster_name = made.id, workspace_creation.after(made, cluster_name)
            properties = made.properties
        else:
            found = workspace_computes.find_compute(self, self.workspace, args.cluster_name)
            self.id = found.apply(lambda known: str(known.id))
            self.cluster_name = found.apply(lambda known: str(known.name))
            where = f"{name}.cluster_name"
            properties = found.apply(
                lambda known: workspace_computes.check_kind(where, known.properties, CLUSTER, "cluster")
            )
        read = workspace_computes.read
        self.provisioning_state = properties.apply(lambda known: read(known, "provisioningState"))
        nodes = properties.apply(lambda known: read(known, "properties")).apply(self._tell_errors)
        self.allocation_state = nodes.apply(lambda known: read(known, "allocationState"))
        self.current_node_count = nodes.apply(lambda known: read(known, "currentNodeCount")).apply(int)
        self.target_node_count = nodes.apply(lambda known: read(known, "targetNodeCount")).apply(int)
        self.register_outputs({"id": self.id, "clusterName": self.cluster_name})

    @classmethod
    def get(
        cls, name: str, *, workspace: Workspace, cluster_name: str, opts: pulumi.ResourceOptions | None = None
    ) -> GpuCluster:
        """A cluster that exists already. Nothing of it is changed or deleted.

        Args:
            name: name of the component.
            workspace: the workspace that it is in.
            cluster_name: its name there.
            opts: options of the component.
        """
        return cls(name, ClusterAddress(workspace=workspace, cluster_name=cluster_name), opts)

    @property
    def backend_options(self) -> Mapping[str, pulumi.Input[str]]:
        """Where the backend finds the cluster."""
        # A preview does not know the id of a cluster that is not there, which it then cannot ask about anything.
        name = pulumi.Output.all(self.cluster_name, self.id).apply(lambda known: str(known[0]))
        options = workspace_computes.build_options(self.workspace, name)
        if isinstance(self._args, GpuClusterArgs):
            options["declared"] = "true"
        return options

    @property
    def dependencies(self) -> Sequence[pulumi.Resource]:
        """The workspace with all that belongs to it: who may train, its network, its connections to registries."""
        return (self.workspace,)

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:
        """What the cluster cannot give of what a job asks for."""
        return self._args.find_demand_problems(demand, machine)

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why no node of the workspace can run a job's image."""
        return image_access.find_workspace_problems(image, self.workspace)

    def find_reference(self, image: TrainingImage | CuratedImage) -> pulumi.Output[str]:
        """The environment that the workspace has of the image; without one, the image's own reference."""
        return workspace_computes.find_reference(image, self.workspace)

    def _make(
        self, name: str, args: GpuClusterArgs, workspace: Workspace, cluster_name: pulumi.Output[str]
    ) -> machinelearningservices.Compute:
        from pulumi_azure_native import machinelearningservices

        quota = azure_functions.build_quota_hook(
            name,
            azure_functions.Demand(
                subscription_id=workspace.subscription_id,
                location=workspace.location,
                vm_size=vm_sizes.normalize(args.vm_size),
                nodes=args.max_nodes,
                low_priority=args.low_priority,
            ),
        )
        made = workspace.args
        return machinelearningservices.Compute(
            f"{name}-cluster",
            compute_name=cluster_name,
            resource_group_name=workspace.resource_group_name,
            workspace_name=workspace.workspace_name,
            location=workspace.location,
            # Of a cluster that was made elsewhere it is ignored, and Pulumi cannot read it where Azure has none.
            identity=None
            if args.adopt is not None
            else machinelearningservices.ManagedServiceIdentityArgs(
                type="UserAssigned", user_assigned_identities=[workspace.compute_identity.id]
            ),
            properties=_build_properties(args),
            tags=args.tags if args.tags is not None else (made.tags if made is not None else {}),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The new one has another name, and azure-native would delete first whatever has a name of ours.
                delete_before_replace=False,
                hooks=pulumi.ResourceHookBinding(before_create=[quota], before_update=[quota]),
                import_=args.adopt,
                ignore_changes=list(NOT_CHANGED_IN_PLACE) if args.adopt is not None else None,
            ),
        )

    def _tell_errors(self, nodes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Warns of what keeps nodes from coming, such as a missing quota: Azure calls the cluster made all the same."""
        for each in nodes.get("errors") or ():
            error = each["error"]
            pulumi.log.warn(f"{self._name}: Azure says {error['code']}: {error['message']}", self)
        return nodes


def _build_name(name: str, args: GpuClusterArgs, workspace: Workspace) -> pulumi.Output[str]:
    """The cluster's name, with all in its digest that Azure cannot change in place.

    A cluster that was deleted and made again under its name kept its old size (Azure/azure-rest-api-specs#18889). Its
    identity is the workspace's, so that it cannot be another one in the same workspace.
    """
    if args.adopt is not None:
        return pulumi.Output.from_input(args.adopt.rpartition("/")[2])

    def build(subnet_id: str | None) -> pulumi.Output[str]:
        size = vm_sizes.normalize(args.vm_size).removeprefix("STANDARD_")
        facts = [size, "low" if args.low_priority else "", (subnet_id or "").lower(), str(args.has_public_ip)]
        return azure_place.build_name("compute", workspace.subscription_id, name, " ".join(filter(None, facts)))

    return pulumi.Output.from_input(args.subnet_id).apply(build)


def _build_properties(args: GpuClusterArgs) -> machinelearningservices.AmlComputeArgs:
    from pulumi_azure_native import machinelearningservices

    subnet = None if args.subnet_id is None else machinelearningservices.ResourceIdArgs(id=args.subnet_id)
    return machinelearningservices.AmlComputeArgs(
        compute_type=CLUSTER,
        disable_local_auth=True,
        properties=machinelearningservices.AmlComputePropertiesArgs(
            enable_node_public_ip=args.has_public_ip,
            remote_login_port_public_access="Disabled",
            scale_settings=machinelearningservices.ScaleSettingsArgs(
                max_node_count=args.max_nodes,
                min_node_count=args.min_nodes,
                node_idle_time_before_scale_down=f"PT{args.idle_seconds}S",
            ),
            subnet=subnet,
            vm_priority="LowPriority" if args.low_priority else "Dedicated",
            vm_size=vm_sizes.normalize(args.vm_size),
        ),
    )
