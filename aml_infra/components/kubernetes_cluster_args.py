"""The arguments of ``KubernetesCluster``, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from aml_infra import arguments, rules, vm_sizes
from aml_infra.components import aks_cluster_args, image_access, kubeconfig, kubernetes_names, validation
from aml_infra.components.aks_cluster import AksCluster
from aml_infra.components.aks_cluster_args import AksClusterArgs
from aml_infra.components.compute_target import ComputeArgs
from aml_infra.components.container_registry import ContainerRegistry
from aml_infra.components.validation import Machine
from aml_infra.errors import Problem
from aml_infra.spec import Demand

if TYPE_CHECKING:
    from aml_infra.components.image_access import JobImage

OPERATORS = ("Exists", "Equal")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MAX_GPUS = 100_000
MAX_CPUS = 1_000_000
MAX_GB = 1_000_000
MIN_GB = 0.001

OF_THE_NAMESPACE = ("gpu_quota", "cpu_quota", "memory_quota_gb")
"""What is said of all that is in a namespace, by whoever it belongs to."""

SHARED_CLASS = "azurefile-csi"
"""The class of AKS for volumes that several nodes write to."""

OF_THE_CLAIM = ("storage_class", "storage_gb", "shared_storage")
"""What is said of a claim that is made."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toleration:
    """A taint of nodes that the pods of runs tolerate.

    See https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/.

    Attributes:
        key: of the taint, as in ``nvidia.com/gpu``. By default every key, which needs ``Exists``.
        operator: ``Exists``, whatever the value, or ``Equal``. By default ``Equal`` where there is a value.
        value: of the taint.
        effect: ``NoSchedule``, ``PreferNoSchedule`` or ``NoExecute``; by default every effect.
        seconds: how long a pod stays on a node that gets the taint; only with ``NoExecute``. For good by default.
    """

    key: str = ""
    operator: str | None = None
    value: str = ""
    effect: str | None = None
    seconds: int | None = None

    @property
    def chosen_operator(self) -> str:
        """The operator, given or not."""
        return self.operator or ("Equal" if self.value else "Exists")

    def find_problems(self) -> list[Problem]:
        """What is wrong with it."""
        return arguments.find_problems(
            self,
            Toleration._find_rule_problems,
            related={"operator": ("key", "value"), "value": ("key",), "key": ("operator",), "effect": ("seconds",)},
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = []
        if self.key and (found := kubernetes_names.find_key_problem(self.key)):
            problems.append(Problem("key", found))
        if self.chosen_operator not in OPERATORS:
            problems.append(Problem("operator", f"is {self.operator!r}; allowed are {', '.join(OPERATORS)}"))
        elif not self.key and self.chosen_operator != "Exists":
            problems.append(Problem("key", "is missing; only the operator 'Exists' needs none"))
        if found := kubernetes_names.find_value_problem(self.value):
            problems.append(Problem("value", found))
        elif self.value and self.chosen_operator == "Exists":
            problems.append(Problem("value", f"is {self.value!r}, and 'Exists' asks for none; leave one of them out"))
        if self.effect is not None and self.effect not in EFFECTS:
            problems.append(Problem("effect", f"is {self.effect!r}; allowed are {', '.join(EFFECTS)}"))
        if self.seconds is not None and self.effect != "NoExecute":
            problems.append(Problem("seconds", f"is {self.seconds}, and only the effect 'NoExecute' has a time"))
        elif self.seconds is not None and self.seconds < 0:
            problems.append(Problem("seconds", f"is {self.seconds}; allowed are whole numbers from 0 on"))
        return problems

    def describe(self) -> dict[str, str | int]:
        """As the API writes it."""
        written = {
            "key": self.key,
            "operator": self.chosen_operator,
            "value": self.value,
            "effect": self.effect,
            "tolerationSeconds": self.seconds,
        }
        return {name: value for name, value in written.items() if value not in ("", None)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubernetesClusterArgs(ComputeArgs):
    """Where on which cluster runs are, and what they may have there.

    Attributes:
        kubeconfig: path of the kubeconfig; a relative path is taken from the program's working folder. By default
            what kubectl takes, ``$KUBECONFIG`` or ``~/.kube/config``; without either, in a pod, the pod's cluster.
        context: name of a context in it; by default the current one. Another one is another cluster.
        cluster: an AKS cluster, in place of a kubeconfig; whoever is logged in to Azure is logged in there. The args of
            one may stand for it while the program is only validated.
        namespace: where runs are; by default it is called like the component.
        create_namespace: False: it exists already, and stays as it is; quotas and defaults are its owner's then.
        registry: where images with the source are pushed to, and pulled from with its login. By default the source goes
            into the repository of the image itself, and nodes must be able to pull from there.
        gpu_quota: GPUs that all runs together may have at a time; no limit by default.
        cpu_quota: processors, likewise.
        memory_quota_gb: memory in GB (2**30 bytes), likewise.
        default_cpus: processors that are set aside for a run that asks for none. It may use more.
        default_memory_gb: memory in GB, likewise.
        outputs_claim: name of a PersistentVolumeClaim in the namespace, for what runs write. By default one is made.
        storage_class: of the claim that is made; by default the cluster's own, or, where it is an AKS cluster and the
            storage is shared, ``azurefile-csi``.
        storage_gb: its size in GB. It can grow, where the class can.
        shared_storage: False: ReadWriteOnce, for clusters whose runs are on one node at a time, or that have no class
            for ReadWriteMany.
        queue: Kueue's LocalQueue that runs wait in; by default there is none.
        node_selector: labels of the nodes that runs are on, besides, where it is an AKS cluster, those of its pool.
        tolerations: taints of nodes that runs tolerate, likewise.
        autoscaling: True: nodes are made when they are needed, so that those of today are no limit to what a job may
            ask for. By default where it is an AKS cluster.
        priority_class: of the pods of runs; by default the cluster's own.
        shared_memory_gb: size of ``/dev/shm`` in each pod, in GB, which counts as memory of the run.
        egress_cidrs: addresses that runs may reach besides DNS and one another, as in ``["10.0.0.0/8"]``; by default
            all. The network of the cluster must know network policies.
        device_plugin: True: NVIDIA's device plugin is put on the nodes, where the cluster does not bring it. By
            default where it is an AKS cluster.
        pending_minutes: a run whose pods cannot start for so long, as there is no node or no image, has failed.
        runtime: of Kubeflow Trainer, as in ``torch-distributed``: runs are TrainJobs, with what that gives to its
            pods. Its operator must be in the cluster. By default runs are Jobs, which need none.
    """

    kubeconfig: str | os.PathLike[str] | None = None
    context: str | None = None
    cluster: AksCluster | AksClusterArgs | None = None
    namespace: str | None = None
    create_namespace: bool = True
    registry: ContainerRegistry | None = None
    gpu_quota: int | None = None
    cpu_quota: float | None = None
    memory_quota_gb: float | None = None
    default_cpus: float = 0.5
    default_memory_gb: float = 1
    outputs_claim: str | None = None
    storage_class: str | None = None
    storage_gb: float = 100
    shared_storage: bool = True
    queue: str | None = None
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: Sequence[Toleration] = ()
    autoscaling: bool | None = None
    priority_class: str | None = None
    shared_memory_gb: float = 2
    egress_cidrs: Sequence[str] | None = None
    device_plugin: bool | None = None
    pending_minutes: float = 30
    runtime: str | None = None

    @property
    def aks(self) -> AksClusterArgs | None:
        """How the AKS cluster is made; None where it is another one."""
        return self.cluster.args if isinstance(self.cluster, AksCluster) else self.cluster

    @property
    def has_autoscaling(self) -> bool:
        """Whether nodes are made when they are needed."""
        return self.cluster is not None if self.autoscaling is None else self.autoscaling

    @property
    def has_device_plugin(self) -> bool:
        """Whether the device plugin is put on the nodes."""
        return self.cluster is not None if self.device_plugin is None else self.device_plugin

    @property
    def chosen_storage_class(self) -> str | None:
        """The class of the claim, given or not."""
        return SHARED_CLASS if self.storage_class is None and self.aks and self.shared_storage else self.storage_class

    @property
    def all_node_labels(self) -> Mapping[str, str]:
        """Labels of the nodes that runs are on."""
        return {**(self.aks.node_selector if self.aks else {}), **self.node_selector}

    @property
    def all_tolerations(self) -> Sequence[Toleration]:
        """Taints that runs tolerate."""
        taints = [aks_cluster_args.read_taint(each) for each in self.aks.all_taints] if self.aks else []
        own = [Toleration(key=key, value=value, effect=effect) for key, value, effect in taints]
        return [*own, *self.tolerations]

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of ``Args``)
        """Everything that is wrong with the arguments; the cluster itself is asked by the backend."""
        return arguments.find_problems(
            self,
            KubernetesClusterArgs._find_rule_problems,
            related={
                "kubeconfig": ("context",),
                "cluster": ("kubeconfig", "context"),
                "create_namespace": ("namespace", *OF_THE_NAMESPACE),
            },
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = _find_cluster_problems(self)
        problems += _find_namespace_problems(self)
        problems += _find_name_problems(self)
        problems += _find_amount_problems(self)
        if self.registry is not None:
            problems += [problem.under("registry") for problem in self.registry.find_problems()]
        if self.outputs_claim is not None:
            text = "is of a claim that is made, and outputs_claim names one that exists; leave one of them out"
            problems += [Problem(name, text) for name in OF_THE_CLAIM if _is_given(self, name)]
        problems += _find_node_problems(self)
        for index, cidr in enumerate(self.egress_cidrs or ()):
            problems += _find_cidr_problems(f"egress_cidrs[{index}]", cidr)
        return problems

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of the contract)
        """What Kubernetes does not do of what a job asks for, and what is above a quota."""
        resources, workers = demand.resources, demand.workers
        problems = rules.find_service_problems(demand, "Kubernetes")
        if self.aks is not None:
            problems += vm_sizes.find_demand_problems(self.aks.vm_size, demand)
        out_of_range = {problem.path for problem in rules.find_resource_problems(resources, None)}
        each = f" for each of {workers} workers" if workers > 1 else ""
        return problems + [
            Problem(path, f"is {asked:g}{each}; {name} is {quota:g}; ask for at most that together, or raise it")
            for path, asked, name, quota in (
                ("gpus", resources.gpus, "gpu_quota", self.gpu_quota),
                ("cpus", resources.cpus, "cpu_quota", self.cpu_quota),
                ("memory_gb", resources.memory_gb, "memory_quota_gb", self.memory_quota_gb),
            )
            if asked is not None and quota is not None and path not in out_of_range and asked * workers > quota
        ]

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why no node can pull a job's image."""
        return image_access.find_registry_problems(image)


def _find_cluster_problems(args: KubernetesClusterArgs) -> list[Problem]:
    if args.cluster is None:
        return validation.collect(lambda: kubeconfig.find_access(args.kubeconfig, args.context))
    text = "is given, and cluster says which one it is; leave one of them out"
    return [Problem(name, text) for name in ("kubeconfig", "context") if getattr(args, name) is not None]


def _is_given(args: KubernetesClusterArgs, name: str) -> bool:
    default = next(field.default for field in dataclasses.fields(args) if field.name == name)
    return bool(getattr(args, name) != default)


def _find_namespace_problems(args: KubernetesClusterArgs) -> list[Problem]:
    if not args.create_namespace:
        text = "is of a namespace that is made, and create_namespace is False; leave it out, and ask whoever owns the"
        problems = [Problem(name, f"{text} namespace") for name in OF_THE_NAMESPACE if _is_given(args, name)]
        if args.namespace is None:
            problems.append(Problem("namespace", "is missing; create_namespace is False, so name the one that exists"))
        return problems
    if args.namespace == "default" or (args.namespace or "").startswith("kube-"):
        fix = "give another name, or create_namespace=False to use it as it is"
        return [Problem("namespace", f"is {args.namespace!r}, which each cluster has already; {fix}")]
    return []


def _find_name_problems(args: KubernetesClusterArgs) -> list[Problem]:
    checks: tuple[tuple[str, Callable[[str], str | None]], ...] = (
        ("namespace", kubernetes_names.find_label_problem),
        ("outputs_claim", kubernetes_names.find_name_problem),
        ("storage_class", kubernetes_names.find_name_problem),
        # It is the value of a label of each run.
        ("queue", kubernetes_names.find_label_problem),
        ("priority_class", kubernetes_names.find_name_problem),
        ("runtime", kubernetes_names.find_name_problem),
    )
    problems = []
    for name, check in checks:
        value = getattr(args, name)
        if value is not None and (found := check(value)):
            problems.append(Problem(name, found))
    return problems


def _find_amount_problems(args: KubernetesClusterArgs) -> list[Problem]:
    ranges = {
        "cpu_quota": (0.001, MAX_CPUS, "processors"),
        "memory_quota_gb": (MIN_GB, MAX_GB, "GB"),
        "default_cpus": (0.001, rules.MAX_CPUS, "processors"),
        "default_memory_gb": (MIN_GB, rules.MAX_MEMORY_GB, "GB"),
        "storage_gb": (MIN_GB, MAX_GB, "GB"),
        "shared_memory_gb": (MIN_GB, rules.MAX_MEMORY_GB, "GB"),
        "pending_minutes": (0.01, rules.MAX_TIMEOUT_MINUTES, "minutes"),
    }
    problems = []
    if args.gpu_quota is not None and not 0 <= args.gpu_quota <= MAX_GPUS:
        problems.append(Problem("gpu_quota", f"is {args.gpu_quota}; allowed are whole numbers from 0 to {MAX_GPUS}"))
    for name, (low, high, unit) in ranges.items():
        amount = getattr(args, name)
        if amount is not None and (found := kubernetes_names.find_amount_problem(amount, low, high, unit)):
            problems.append(Problem(name, found))
    return problems


def _find_node_problems(args: KubernetesClusterArgs) -> list[Problem]:
    problems = []
    for key, value in args.node_selector.items():
        found = kubernetes_names.find_key_problem(key) or kubernetes_names.find_value_problem(value)
        if found:
            problems.append(Problem(f"node_selector[{key!r}]", found))
    for index, toleration in enumerate(args.tolerations):
        problems += [problem.under(f"tolerations[{index}]") for problem in toleration.find_problems()]
    return problems


def _find_cidr_problems(path: str, cidr: str) -> list[Problem]:
    try:
        ipaddress.ip_network(cidr)
    except ValueError as error:
        return [Problem(path, f"is {cidr!r}, no range of addresses ({error}); give one as in '10.0.0.0/8'")]
    return []
