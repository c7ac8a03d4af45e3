"""The arguments of ``AksCluster``, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping, Sequence

import pulumi

from aml_infra import arguments, vm_sizes
from aml_infra.components import kubernetes_names, workspace_args
from aml_infra.components import workspace as workspaces
from aml_infra.components.registry import Registry
from aml_infra.components.role_assignments import Principal
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.errors import Problem

POOL = "training"
"""Name of the pool that runs are on; a label of its nodes says it."""

POOL_LABEL = "kubernetes.azure.com/agentpool"
SPOT_TAINT = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
"""What AKS itself puts on nodes that may be taken away."""

TIERS = ("Free", "Standard", "Premium")
MAX_NODES = 1000
DNS_HOST = 10
"""Which address of the services' range name servers have."""

_TAINT = re.compile(r"(?P<key>[^=:]+)(=(?P<value>[^:]*))?:(?P<effect>NoSchedule|PreferNoSchedule|NoExecute)")
_VERSION = re.compile(r"1\.\d+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AksClusterArgs:
    """How the cluster is made: its nodes, and who reaches it.

    Attributes:
        workspace: the workspace whose resource group, region and logs it has. The args of one may stand for it while
            the program is only validated.
        vm_size: size of the nodes that runs are on, in any case; by default one with one NVIDIA T4, 4 processors and
            28 GB.
        min_nodes: such nodes that are there, and paid for, when nothing runs; 0 by default.
        max_nodes: the most that there may be.
        low_priority: True: spot nodes, which are cheaper, and which Azure may take away at any time.
        taints: of these nodes, as in ``["nvidia.com/gpu=present:NoSchedule"]``, to keep other pods away.
        idle_minutes: minutes after which a node that has nothing to do is given back.
        system_vm_size: size of the nodes of the cluster's own pods. It cannot be changed later.
        system_min_nodes: such nodes that are there at all times; at least 1.
        system_max_nodes: the most that there may be.
        kubernetes_version: minor version, as in ``"1.34"``, to which patches come by themselves; by default AKS's own
            choice. It can be raised, by one at a time.
        tier: ``Free``, ``Standard`` (with an uptime that Azure warrants) or ``Premium``, of the control plane.
        local_accounts: True: whoever may get it has a certificate of an administrator, as Azure Machine Learning needs,
            which logs in to attached clusters so.
        registry: the registry that nodes may pull from, as themselves.
        private_cluster: True: the API server has no public address. By default as the workspace has it. It cannot be
            changed later.
        authorized_ip_ranges: addresses that the API server can be reached from, where it is public; by default all.
        subnet_id: id of the subnet that the nodes are in; by default AKS makes a network for them.
        pod_cidr: addresses of pods, which are known within the cluster only; by default 10.244.0.0/16.
        service_cidr: addresses of services, likewise; by default 10.0.0.0/16. The subnet's network must not have them.
        administrators: who may do everything in the cluster, by a name of your choice. By default whoever runs
            ``pulumi up``.
        tags: on all resources; those of the workspace by default.
    """

    workspace: Workspace | WorkspaceArgs
    vm_size: str = vm_sizes.DEFAULT
    min_nodes: int = 0
    max_nodes: int = 1
    low_priority: bool = False
    taints: Sequence[str] = ("nvidia.com/gpu=present:NoSchedule",)
    idle_minutes: int = 10
    system_vm_size: str = "STANDARD_D4S_V3"
    system_min_nodes: int = 1
    system_max_nodes: int = 3
    kubernetes_version: str | None = None
    tier: str = "Free"
    local_accounts: bool = False
    registry: Registry | None = None
    private_cluster: bool | None = None
    authorized_ip_ranges: Sequence[str] = ()
    subnet_id: pulumi.Input[str] | None = None
    pod_cidr: str | None = None
    service_cidr: str | None = None
    administrators: Mapping[str, Principal] | None = None
    tags: Mapping[str, str] | None = None

    @property
    def is_private(self) -> bool:
        """Whether the API server has no public address."""
        if self.private_cluster is not None:
            return self.private_cluster
        made = workspaces.find_args(self.workspace)
        return made is None or not made.public_network_access

    @property
    def node_selector(self) -> Mapping[str, str]:
        """Labels of the nodes that runs are on."""
        return {POOL_LABEL: POOL}

    @property
    def all_taints(self) -> Sequence[str]:
        """Taints of these nodes, AKS's own among them."""
        return [*self.taints, *([SPOT_TAINT] if self.low_priority else [])]

    @property
    def dns_service_ip(self) -> str | None:
        """The address of name servers, where that of services is given."""
        return None if self.service_cidr is None else str(ipaddress.ip_network(self.service_cidr)[DNS_HOST])

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of ``Args``)
        """Everything that is wrong with the arguments; the service is asked for the quota when nodes are declared."""
        return arguments.find_problems(
            self,
            AksClusterArgs._find_rule_problems,
            stand_ins={"workspace": workspace_args.STAND_IN},
            related={
                **dict.fromkeys(("workspace", "private_cluster"), ("authorized_ip_ranges",)),
                "max_nodes": ("min_nodes",),
                "system_max_nodes": ("system_min_nodes",),
            },
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = vm_sizes.find_problems(self.vm_size)
        problems += [
            dataclasses.replace(each, path="system_vm_size") for each in vm_sizes.find_problems(self.system_vm_size)
        ]
        problems += _find_count_problems("min_nodes", self.min_nodes, "max_nodes", self.max_nodes, fewest=0)
        problems += _find_count_problems(
            "system_min_nodes", self.system_min_nodes, "system_max_nodes", self.system_max_nodes, fewest=1
        )
        if self.idle_minutes < 1:
            problems.append(Problem("idle_minutes", f"is {self.idle_minutes}; allowed are whole numbers from 1 on"))
        for index, taint in enumerate(self.taints):
            problems += _find_taint_problems(f"taints[{index}]", taint)
        problems += self._find_choice_problems()
        problems += self._find_address_problems()
        for who, principal in (self.administrators or {}).items():
            problems += [problem.under(f"administrators[{who!r}]") for problem in principal.find_problems()]
        return problems

    def _find_choice_problems(self) -> list[Problem]:
        problems = []
        if self.tier not in TIERS:
            problems.append(Problem("tier", f"is {self.tier!r}; allowed are {', '.join(TIERS)}"))
        version = self.kubernetes_version
        if version is not None and not _VERSION.fullmatch(version):
            fix = "give a minor version, as in '1.34': patches come by themselves"
            problems.append(Problem("kubernetes_version", f"is {version!r}; {fix}"))
        return problems

    def _find_address_problems(self) -> list[Problem]:
        problems = [
            problem
            for index, given in enumerate(self.authorized_ip_ranges)
            for problem in _find_range_problems(f"authorized_ip_ranges[{index}]", given)
        ]
        if self.authorized_ip_ranges and self.is_private:
            fix = "leave them out, or set private_cluster=False"
            problems.append(Problem("authorized_ip_ranges", f"are given, and the API server is private; {fix}"))
        for name in ("pod_cidr", "service_cidr"):
            given = getattr(self, name)
            problems += [] if given is None else _find_range_problems(name, given)
        if not problems and self.service_cidr and ipaddress.ip_network(self.service_cidr).num_addresses <= DNS_HOST:
            fix = "give a larger range, as in '10.0.0.0/16'"
            problems.append(Problem("service_cidr", f"is {self.service_cidr!r}, of too few addresses; {fix}"))
        return problems


def read_taint(text: str) -> tuple[str, str, str]:
    """Key, value and effect of a taint that is written as AKS does."""
    found = _TAINT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no taint")
    return found["key"], found["value"] or "", found["effect"]


def _find_count_problems(low_name: str, low: int, high_name: str, high: int, *, fewest: int) -> list[Problem]:
    problems = []
    if low < fewest:
        problems.append(Problem(low_name, f"is {low}; allowed are whole numbers from {fewest} on"))
    if not 1 <= high <= MAX_NODES:
        problems.append(Problem(high_name, f"is {high}; allowed are whole numbers from 1 to {MAX_NODES}"))
    elif low > high:
        problems.append(Problem(low_name, f"is {low}; allowed are at most the {high} of {high_name}"))
    return problems


def _find_taint_problems(path: str, text: str) -> list[Problem]:
    if not _TAINT.fullmatch(text):
        form = "'key=value:effect', with NoSchedule, PreferNoSchedule or NoExecute as effect"
        return [Problem(path, f"is {text!r}; allowed is {form}")]
    key, value, _ = read_taint(text)
    found = kubernetes_names.find_key_problem(key) or kubernetes_names.find_value_problem(value)
    return [Problem(path, found)] if found else []


def _find_range_problems(path: str, given: str) -> list[Problem]:
    try:
        ipaddress.ip_network(given)
    except ValueError as error:
        return [Problem(path, f"is {given!r}, no range of addresses ({error}); give one as in '10.0.0.0/16'")]
    return []
