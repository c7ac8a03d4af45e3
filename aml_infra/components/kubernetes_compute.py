"""``KubernetesCompute``: a Kubernetes cluster that is attached to an Azure Machine Learning workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from aml_infra import arguments, attached_clusters
from aml_infra.attached_clusters import InstanceType
from aml_infra.components import (
    azure_place,
    azureml_extension,
    beside_workspace,
    image_access,
    kubernetes_names,
    kubernetes_objects,
    role_assignments,
    workspace_computes,
    workspace_creation,
)
from aml_infra.components.aks_cluster import AksCluster
from aml_infra.components.aks_cluster_args import AksClusterArgs
from aml_infra.components.kubeconfig import Access
from aml_infra.components.kubernetes_compute_args import (
    ARC,
    ARC_EXTENSION,
    ClusterId,
    ComputeAddress,
    KubernetesComputeArgs,
    find_cluster_id,
    find_cluster_problem,
)
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.errors import Problem
from aml_infra.spec import Demand

if TYPE_CHECKING:
    from pulumi_azure_native import machinelearningservices
    from pulumi_kubernetes import Provider

    from aml_infra.components.environment import CuratedImage
    from aml_infra.components.image_access import JobImage
    from aml_infra.components.training_image import TrainingImage

ROLES = ("Reader", "Kubernetes Extension Contributor", "Azure Kubernetes Service Cluster Admin Role")
"""What the identity of the workspace must be allowed on the cluster before it is attached; see
https://learn.microsoft.com/azure/machine-learning/how-to-attach-kubernetes-to-workspace."""

DEFINITION = "amlarc.azureml.com/v1alpha1"
"""What the extension defines instance types in."""


class KubernetesCompute(pulumi.ComponentResource):
    """A Kubernetes cluster that is attached to an Azure Machine Learning workspace, as a compute target.

    Its jobs are jobs of the workspace, as those of a ``GpuCluster`` are, with the identity that computes have there.
    Another cluster or namespace is another compute, which is there before the old one is detached.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    id: pulumi.Output[str]
    """Resource id."""

    compute_name: pulumi.Output[str]
    """Its name in the workspace."""

    provisioning_state: pulumi.Output[str]
    """``Creating``, ``Updating``, ``Succeeded``, ``Failed``, ``Deleting``, ``Canceled`` or ``Unknown``."""

    cluster_id: pulumi.Output[str]
    """Resource id of the cluster."""

    workspace: Workspace
    """The workspace that it is attached to."""

    backend = "azureml"

    def __init__(
        self, name: str, args: KubernetesComputeArgs | ComputeAddress, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        arguments.require(name, args, KubernetesComputeArgs, ComputeAddress)
        is_stand_in = isinstance(args, KubernetesComputeArgs) and isinstance(args.cluster, AksClusterArgs)
        told = Problem("cluster", "is an AksClusterArgs; make an AksCluster of it, and pass that")
        workspace = beside_workspace.find_workspace(name, args, [told] if is_stand_in else [])
        super().__init__("aml-infra:index:KubernetesCompute", name, None, opts)
        self._name, self._args, self.workspace = name, args, workspace
        if isinstance(args, KubernetesComputeArgs):
            compute_name = self._build_name(args)
            made = self._make(args, compute_name)
            # Not the output of that name, which a preview of a change does not know.
            self.id, self.compute_name = made.id, workspace_creation.after(made, compute_name)
            properties = made.properties
        else:
            found = workspace_computes.find_compute(self, workspace, args.compute_name)
            self.id = found.apply(lambda known: str(known.id))
            self.compute_name = found.apply(lambda known: str(known.name))
            self.cluster_id = found.apply(lambda known: str(known.properties["resourceId"]))
            properties = found.apply(
                lambda known: workspace_computes.check_kind(
                    f"{name}.compute_name", known.properties, attached_clusters.KIND, "attached cluster"
                )
            )
        self.provisioning_state = properties.apply(lambda known: workspace_computes.read(known, "provisioningState"))
        self.register_outputs({"id": self.id, "computeName": self.compute_name})

    @classmethod
    def get(
        cls, name: str, *, workspace: Workspace, compute_name: str, opts: pulumi.ResourceOptions | None = None
    ) -> KubernetesCompute:
        """A cluster that is attached already. Nothing of it is changed or detached.

        Args:
            name: name of the component.
            workspace: the workspace that it is attached to.
            compute_name: its name there.
            opts: options of the component.
        """
        return cls(name, ComputeAddress(workspace=workspace, compute_name=compute_name), opts)

    @property
    def backend_options(self) -> Mapping[str, pulumi.Input[str]]:
        """Where the backend finds the compute, and the instance type of jobs that name none."""
        # Not known where a preview is about to make or change the compute, which then knows no new instance type yet.
        known = pulumi.Output.all(self.compute_name, self.id, self.provisioning_state)
        options = workspace_computes.build_options(self.workspace, known.apply(lambda found: str(found[0])))
        if isinstance(self._args, KubernetesComputeArgs):
            options["instance_type"] = self._args.chosen_default
        return options

    @property
    def dependencies(self) -> Sequence[pulumi.Resource]:
        """The compute with its instance types, and the workspace with all that belongs to it."""
        return (self, self.workspace)

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:
        """What no pod of the job's instance type has of what the job asks for."""
        return self._args.find_demand_problems(demand, machine)

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why no compute of the workspace can run a job's image."""
        return image_access.find_workspace_problems(image, self.workspace)

    def find_reference(self, image: TrainingImage | CuratedImage) -> pulumi.Output[str]:
        """The environment that the workspace has of the image; without one, the image's own reference."""
        return workspace_computes.find_reference(image, self.workspace)

    def _build_name(self, args: KubernetesComputeArgs) -> pulumi.Output[str]:
        """The compute's name, with all in its digest that Azure cannot change in place."""
        subscription_id = self.workspace.subscription_id
        if isinstance(args.cluster, AksClusterArgs):
            raise TypeError("args stand for a cluster")
        given = args.cluster.id if isinstance(args.cluster, AksCluster) else args.cluster
        checked = pulumi.Output.all(given, subscription_id).apply(lambda known: self._check(args, *known))
        self.cluster_id = checked
        cluster = checked.apply(_split)
        self._cluster = azureml_extension.Cluster(
            id=checked, group=cluster.apply(lambda known: known.group), name=cluster.apply(lambda known: known.name)
        )
        return cluster.apply(
            lambda known: azure_place.build_name(
                "compute", subscription_id, self._name, f"{known.name} {args.namespace} {known.group}".lower()
            )
        )

    def _check(self, args: KubernetesComputeArgs, cluster_id: str, subscription_id: str) -> str:
        """The id, where it may be that of the cluster."""
        found, cluster = find_cluster_problem(cluster_id), find_cluster_id(cluster_id)
        problems = [] if found is None else [Problem("cluster", found)]
        if cluster is not None and cluster.subscription_id.lower() != subscription_id.lower():
            fix = f"Azure attaches clusters of the workspace's subscription only, which is {subscription_id!r}"
            problems.append(Problem("cluster", f"is in subscription {cluster.subscription_id!r}; {fix}"))
        if cluster is not None and cluster.kind == ARC and args.create_extension:
            problems.append(Problem("create_extension", ARC_EXTENSION))
        arguments.raise_for(problem.under(self._name) for problem in problems)
        return cluster_id

    def _make(self, args: KubernetesComputeArgs, compute_name: pulumi.Output[str]) -> machinelearningservices.Compute:
        from pulumi_azure_native import machinelearningservices

        workspace = self.workspace
        before = self._grant_roles() if args.grant_roles else []
        if args.create_extension:
            opts = pulumi.ResourceOptions(parent=self, depends_on=before)
            before.append(azureml_extension.make_extension(self._name, self._cluster, args.extension_settings, opts))
        # Azure takes over what there is when the cluster is attached.
        before += self._make_objects(args, before)
        made = workspace.args
        return machinelearningservices.Compute(
            f"{self._name}-compute",
            compute_name=compute_name,
            resource_group_name=workspace.resource_group_name,
            workspace_name=workspace.workspace_name,
            location=workspace.location,
            identity=machinelearningservices.ManagedServiceIdentityArgs(
                type="UserAssigned", user_assigned_identities=[workspace.compute_identity.id]
            ),
            properties=_build_properties(args, self.cluster_id),
            tags=args.tags if args.tags is not None else (made.tags if made is not None else {}),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=before,
                # The new one has another name, and azure-native would delete first whatever has a name of ours.
                delete_before_replace=False,
            ),
        )

    def _grant_roles(self) -> list[pulumi.Resource]:
        return [
            role_assignments.grant(
                "-".join([self._name, *role.lower().split()]),
                role,
                scope=self.cluster_id,
                principal_id=self.workspace.identity_principal_id,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for role in ROLES
        ]

    def _make_objects(self, args: KubernetesComputeArgs, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """What is made in the cluster itself, where there is a login."""
        provider = self._make_provider(args)
        if provider is None:
            return []
        place = kubernetes_objects.Place(
            parent=self,
            provider=provider,
            name=self._name,
            slug=self._name,
            namespace=args.namespace,
            after=tuple(after),
        )
        made = [_make_instance_type(place, name, each) for name, each in args.instance_types.items()]
        if args.create_namespace:
            made.append(kubernetes_objects.make_namespace(place, "namespace", security="privileged"))
        return made

    def _make_provider(self, args: KubernetesComputeArgs) -> Provider | None:
        access = args.find_login()
        if access is None and isinstance(args.cluster, AksCluster):
            return kubernetes_objects.make_provider(self, self._name, Access(), args.cluster)
        return None if access is None else kubernetes_objects.make_provider(self, self._name, access)


def _split(cluster_id: str) -> ClusterId:
    found = find_cluster_id(cluster_id)
    if found is None:
        raise ValueError(cluster_id)
    return found


def _build_properties(
    args: KubernetesComputeArgs, cluster_id: pulumi.Output[str]
) -> machinelearningservices.KubernetesArgs:
    from pulumi_azure_native import machinelearningservices

    return machinelearningservices.KubernetesArgs(
        compute_type=attached_clusters.KIND,
        resource_id=cluster_id,
        properties=machinelearningservices.KubernetesPropertiesArgs(
            default_instance_type=args.chosen_default,
            namespace=args.namespace,
            instance_types={
                name: machinelearningservices.InstanceTypeSchemaArgs(
                    node_selector=dict(each.node_selector) or None,
                    resources=machinelearningservices.InstanceTypeSchemaResourcesArgs(**_build_resources(each)),
                )
                for name, each in args.instance_types.items()
            },
        ),
    )


def _make_instance_type(place: kubernetes_objects.Place, name: str, given: InstanceType) -> pulumi.Resource:
    from pulumi_kubernetes.apiextensions import CustomResource
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

    selector = {"nodeSelector": dict(given.node_selector)} if given.node_selector else {}
    resources = _build_resources(given)
    # A whole number, as the documentation has it.
    gpus = {attached_clusters.GPU: given.gpus} if given.gpus else {}
    return CustomResource(
        f"{place.name}-{name}",
        api_version=DEFINITION,
        kind="InstanceType",
        metadata=ObjectMetaArgs(name=name),
        spec={**selector, "resources": {**resources, "limits": {**resources["limits"], **gpus}}},
        opts=place.options,
    )


def _build_resources(given: InstanceType) -> dict[str, dict[str, str]]:
    """What is set aside for a pod is all that it may use: else it would be the first to go from a node that is full."""
    amounts = {"cpu": kubernetes_names.write_cpus(given.cpus), "memory": kubernetes_names.write_gb(given.memory_gb)}
    gpus = {attached_clusters.GPU: str(given.gpus)} if given.gpus else {}
    return {"requests": amounts, "limits": {**amounts, **gpus}}
