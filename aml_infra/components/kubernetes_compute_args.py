"""The arguments of ``KubernetesCompute``, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pulumi

from aml_infra import arguments, attached_clusters, azure_names, rules
from aml_infra.attached_clusters import InstanceType
from aml_infra.components import (
    azureml_extension,
    image_access,
    kubeconfig,
    kubernetes_names,
    validation,
    workspace_args,
)
from aml_infra.components.aks_cluster import AksCluster
from aml_infra.components.aks_cluster_args import AksClusterArgs
from aml_infra.components.compute_target import ComputeArgs
from aml_infra.components.kubeconfig import Access
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.errors import Problem
from aml_infra.spec import Demand

if TYPE_CHECKING:
    from aml_infra.components.image_access import JobImage

AKS = "managedClusters"
ARC = "connectedClusters"
PROVIDERS = {AKS: "Microsoft.ContainerService", ARC: "Microsoft.Kubernetes"}
"""The kinds of clusters that can be attached, and whose they are."""

TOLERATED = ("ml.azure.com/amlarc=", "ml.azure.com/amlarc:")
"""Taints that the extension and all jobs tolerate; see
https://learn.microsoft.com/azure/machine-learning/reference-kubernetes."""

EXAMPLE = "/subscriptions/.../resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/vision"

_CLUSTER_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/(?:Microsoft\.ContainerService/managedClusters|Microsoft\.Kubernetes/connectedClusters)/(?P<name>[^/]+)",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterId:
    """The resource id of a cluster, taken apart.

    Attributes:
        subscription_id: of the cluster.
        group: its resource group.
        kind: ``AKS`` or ``ARC``.
        name: its name.
    """

    subscription_id: str
    group: str
    kind: str
    name: str

    @property
    def provider(self) -> str:
        """Whose clusters these are."""
        return PROVIDERS[self.kind]


def find_cluster_id(text: str) -> ClusterId | None:
    """The parts of ``text``; None if it is no id of a cluster that can be attached."""
    found = _CLUSTER_ID.fullmatch(text)
    if found is None:
        return None
    kind = AKS if f"/{AKS}/".lower() in text.lower() else ARC
    return ClusterId(subscription_id=found["subscription"], group=found["group"], kind=kind, name=found["name"])


def find_cluster_problem(text: str) -> str | None:
    """Why ``text`` is no cluster that can be attached; None if it is one."""
    if find_cluster_id(text) is not None:
        return None
    fix = "`az aks show --query id`, or `az connectedk8s show --query id`, shows it"
    return f"is {arguments.show(text)}, no resource id of a cluster; {fix}, as in {EXAMPLE!r}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubernetesComputeArgs(ComputeArgs):
    """Which cluster is attached to which workspace, and what its jobs can have.

    Attributes:
        workspace: the workspace. The args of one may stand for it while the program is only validated.
        cluster: an ``AksCluster`` with ``local_accounts``; or the resource id of a cluster of AKS, or of one that is
            connected to Azure Arc, in the workspace's subscription. The args of an ``AksCluster`` may stand for it
            while the program is only validated.
        instance_types: sizes that jobs can have, by name: lower-case letters, digits, ``-`` and ``.``. They are of the
            whole cluster, whoever else is attached to it.
        default_instance_type: what jobs have that name none; by default the first of them.
        namespace: where on the cluster jobs are. Azure does not make it.
        create_namespace: True: it is made here, by the login.
        kubeconfig: path of a kubeconfig with a login to the cluster, by which instance types are made there. A relative
            path is taken from the program's working folder. Without ``kubeconfig`` and ``context`` there is the login
            of an ``AksCluster``; to another cluster there is none, and instance types of these names must be there.
        context: name of a context in it, or in what kubectl takes; by default the current one.
        create_extension: False: the cluster has Azure Machine Learning's extension already, which it can have once.
        extension_settings: further settings of the extension, as Azure's documentation names them, such as
            ``{"installVolcano": "False"}``. By default it does what training needs, and nothing else.
        grant_roles: False: the identity of the workspace has its roles on the cluster already, as of another
            ``KubernetesCompute`` of the two.
        tags: on the compute; those of the workspace by default.
    """

    workspace: Workspace | WorkspaceArgs
    cluster: AksCluster | AksClusterArgs | pulumi.Input[str]
    instance_types: Mapping[str, InstanceType]
    default_instance_type: str | None = None
    namespace: str = "default"
    create_namespace: bool = False
    kubeconfig: str | os.PathLike[str] | None = None
    context: str | None = None
    create_extension: bool = True
    extension_settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    grant_roles: bool = True
    tags: Mapping[str, str] | None = None

    @property
    def chosen_default(self) -> str:
        """What jobs have that name no instance type."""
        return self.default_instance_type or next(iter(self.instance_types), "")

    @property
    def _has_login(self) -> bool:
        given = self.kubeconfig is not None or self.context is not None
        return given or isinstance(self.cluster, (AksCluster, AksClusterArgs))

    def find_login(self) -> Access | None:
        """The way to the cluster, if one is given; there may be that of an ``AksCluster``.

        Raises:
            InvalidInput: it cannot be used.
        """
        if self.kubeconfig is None and self.context is None:
            return None
        return kubeconfig.find_access(self.kubeconfig, self.context)

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of ``Args``)
        """Everything that is wrong with the arguments; the cluster itself is Azure's to ask."""
        return arguments.find_problems(
            self,
            KubernetesComputeArgs._find_rule_problems,
            stand_ins={
                "workspace": workspace_args.STAND_IN,
                "cluster": EXAMPLE,
                "instance_types": {"small": InstanceType(cpus=4, memory_gb=16)},
            },
            related={
                "cluster": ("create_extension",),
                "instance_types": ("default_instance_type",),
                "namespace": ("create_namespace",),
                "create_namespace": ("namespace",),
                "kubeconfig": ("context", "create_namespace"),
                "context": ("kubeconfig", "create_namespace"),
                "create_extension": ("extension_settings",),
            },
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = self._find_cluster_problems()
        problems += _find_instance_type_problems(self)
        if found := kubernetes_names.find_label_problem(self.namespace):
            problems.append(Problem("namespace", found))
        problems += validation.collect(self.find_login)
        if self.create_namespace and not self._has_login:
            fix = "give kubeconfig or context, or make the namespace by `kubectl create namespace`"
            problems.append(Problem("create_namespace", f"is True, and there is no login to the cluster; {fix}"))
        if self.create_namespace and (self.namespace == "default" or self.namespace.startswith("kube-")):
            fix = "give another name, or leave create_namespace out"
            problems.append(Problem("namespace", f"is {self.namespace!r}, which each cluster has already; {fix}"))
        if self.create_extension:
            return problems + azureml_extension.find_setting_problems(self.extension_settings)
        if self.extension_settings:
            fix = "leave one of them out"
            problems.append(Problem("extension_settings", f"are given, and create_extension is False; {fix}"))
        return problems

    def _find_cluster_problems(self) -> list[Problem]:
        made = self.cluster.args if isinstance(self.cluster, AksCluster) else self.cluster
        if isinstance(made, AksClusterArgs):
            # Arguments of its own that are of a wrong type are told where it is made.
            return [] if arguments.find_type_problems(made) else _find_aks_problems(made)
        if not arguments.is_known(self.cluster):
            return []
        cluster = str(self.cluster)
        if found := find_cluster_problem(cluster):
            return [Problem("cluster", found)]
        known = find_cluster_id(cluster)
        if self.create_extension and known is not None and known.kind == ARC:
            return [Problem("create_extension", ARC_EXTENSION)]
        return []

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of the contract)
        """What no pod of the job's instance type has of what the job asks for."""
        chosen = demand.instance_type or self.chosen_default
        out_of_range = {problem.path for problem in rules.find_resource_problems(demand.resources, None)}
        found = attached_clusters.find_demand_problems(self.instance_types, chosen, demand)
        return [problem for problem in found if problem.path not in out_of_range]

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why no compute of the workspace can run a job's image."""
        return image_access.find_workspace_problems(image, self.workspace)


ARC_EXTENSION = (
    "is True, and the extension of a cluster on Azure Arc needs an Azure Relay, which Azure's own tool makes with it; "
    "install it by `az k8s-extension create --extension-type Microsoft.AzureML.Kubernetes`, and set this to False"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComputeAddress:
    """Where an attached cluster is that was attached already."""

    workspace: Workspace
    compute_name: str

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of ``Args``)
        """What cannot be the name of a compute."""
        return arguments.find_problems(
            self, ComputeAddress._find_rule_problems, stand_ins={"workspace": None, "compute_name": ""}
        )

    def _find_rule_problems(self) -> list[Problem]:
        found = azure_names.find_name_problem("compute", self.compute_name)
        return [] if found is None else [Problem("compute_name", found)]

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:  # noqa: ARG002 (not known)
        """What the cluster cannot give of what a job asks for; what it has, the plugin asks when it is known."""
        return []


def _find_aks_problems(cluster: AksClusterArgs) -> list[Problem]:
    problems = []
    if not cluster.local_accounts:
        fix = "Azure Machine Learning logs in by one; give it local_accounts=True"
        problems.append(Problem("cluster", f"has no local accounts, and {fix}"))
    taints = [each for each in cluster.all_taints if not each.startswith(TOLERATED)]
    if taints:
        fix = "give it taints=(), and no low_priority"
        text = f"has nodes with {', '.join(taints)}, which the extension does not tolerate, and it has no other nodes"
        problems.append(Problem("cluster", f"{text}; {fix}"))
    return problems


def _find_instance_type_problems(args: KubernetesComputeArgs) -> list[Problem]:
    if not args.instance_types:
        example = "{'small': InstanceType(cpus=4, memory_gb=16)}"
        return [Problem("instance_types", f"is empty; give the sizes that jobs can have, as in {example}")]
    problems = []
    for name, each in args.instance_types.items():
        path = f"instance_types[{name!r}]"
        if found := kubernetes_names.find_name_problem(name):
            problems.append(Problem(path, found))
        for field, low, high, unit in (
            ("cpus", 0.001, rules.MAX_CPUS, "processors"),
            ("memory_gb", 0.001, rules.MAX_MEMORY_GB, "GB"),
        ):
            if found := kubernetes_names.find_amount_problem(getattr(each, field), low, high, unit):
                problems.append(Problem(f"{path}.{field}", found))
        if not 0 <= each.gpus <= rules.MAX_GPUS:
            text = f"is {each.gpus}; allowed are whole numbers from 0 to {rules.MAX_GPUS}"
            problems.append(Problem(f"{path}.gpus", text))
        for key, value in each.node_selector.items():
            found = kubernetes_names.find_key_problem(key) or kubernetes_names.find_value_problem(value)
            if found:
                problems.append(Problem(f"{path}.node_selector[{key!r}]", found))
    chosen = args.default_instance_type
    if chosen is not None and chosen not in args.instance_types:
        there = f"there are {', '.join(args.instance_types)}"
        problems.append(Problem("default_instance_type", f"is {chosen!r}, none of instance_types; {there}"))
    return problems
