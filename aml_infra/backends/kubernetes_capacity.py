"""What the nodes of a cluster have for a run. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from aml_infra import rules
from aml_infra.errors import Problem
from aml_infra.quantities import read_quantity
from aml_infra.spec import Capacity, Demand

_FIX = "where nodes are made when they are needed, set autoscaling"


def find_problems(nodes: Sequence[Mapping[str, Any]], selector: Mapping[str, str], demand: Demand) -> list[Problem]:
    """What no node could give to a worker, if nothing else ran on it.

    Args:
        nodes: of the cluster, as the API shows them.
        selector: labels of those that a run may be on.
        demand: of the run.
    """
    fitting = [node for node in nodes if selector.items() <= (node["metadata"].get("labels") or {}).items()]
    if not fitting:
        labels = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
        what = f"is {labels!r}, and no node has these labels" if nodes else "no node is there"
        return [Problem("compute.node_selector", f"{what}; change it; {_FIX}")]
    amounts = [read_allocatable(node) for node in fitting]
    most = Capacity(
        cpus=max(each.cpus for each in amounts), memory_gb=max(each.memory_gb for each in amounts), gpus=True
    )
    problems = rules.find_capacity_problems(dataclasses.replace(demand, workers=1), most, "the largest node")
    gpus, wanted = max(each.gpus for each in amounts), demand.resources.gpus
    if wanted > gpus:
        told = f"is {wanted}; the largest node has {gpus}; ask for at most that many; {_FIX}"
        problems.append(Problem("gpus", told))
    return problems


@dataclasses.dataclass(frozen=True, kw_only=True)
class Allocatable:
    """What a node has for pods.

    Attributes:
        cpus: processors.
        memory_gb: memory in GB (2**30 bytes).
        gpus: NVIDIA's.
    """

    cpus: float
    memory_gb: float
    gpus: int


def read_allocatable(node: Mapping[str, Any]) -> Allocatable:
    """What a node has for pods, if nothing else ran on it."""
    told = node["status"].get("allocatable") or {}
    return Allocatable(
        cpus=read_quantity(told.get("cpu") or "0"),
        memory_gb=read_quantity(told.get("memory") or "0") / 1024**3,
        gpus=int(told.get("nvidia.com/gpu") or 0),
    )
