"""What a Kubernetes cluster that is attached to Azure Machine Learning has for a job. Pure.

Follows https://learn.microsoft.com/azure/machine-learning/how-to-manage-kubernetes-instance-types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aml_infra.errors import Problem
from aml_infra.quantities import read_quantity
from aml_infra.spec import Demand

KIND = "Kubernetes"
"""What the service calls an attached cluster, among its kinds of compute."""

GPU = "nvidia.com/gpu"

SERVICE_DEFAULT = "defaultinstancetype"
"""What a job that names no instance type has: one of the service's own, unless the cluster has one of that name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InstanceType:
    """A size that jobs on an attached cluster can have: what each of their pods is given, and on which nodes it is.

    Attributes:
        cpus: processors, fractions allowed.
        memory_gb: memory in GB (2**30 bytes).
        gpus: NVIDIA's; 0 by default.
        node_selector: labels of the nodes that its pods are on; by default any node.
    """

    cpus: float
    memory_gb: float
    gpus: int = 0
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read_instance_types(properties: Mapping[str, Any]) -> dict[str, InstanceType]:
    """The instance types of a compute, as Resource Manager shows them; of what has no limit there is no end."""
    found = {}
    for name, each in (properties.get("instanceTypes") or {}).items():
        resources = (each or {}).get("resources") or {}
        has = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
        found[name] = InstanceType(
            cpus=round(read_quantity(has["cpu"]), 6) if has.get("cpu") else float("inf"),
            memory_gb=read_quantity(has["memory"]) / 1024**3 if has.get("memory") else float("inf"),
            gpus=int(read_quantity(str(has.get(GPU) or "0"))),
            node_selector=(each or {}).get("nodeSelector") or {},
        )
    return found


def find_demand_problems(
    instance_types: Mapping[str, InstanceType], chosen: str, demand: Demand, path: str = "instance_type"
) -> list[Problem]:
    """What a job asks for and an attached cluster does not give.

    Args:
        instance_types: that there are, by name; empty where that is not known.
        chosen: the one that the job is to have; each worker is a pod of it.
        demand: what it asks for.
        path: what names the instance type.
    """
    problems = _find_input_problems(demand)
    if not instance_types:
        return problems
    if chosen not in instance_types:
        there = f"there are {', '.join(sorted(instance_types))}"
        return [*problems, Problem(path, f"is {chosen!r}, which the attached cluster does not have; {there}")]
    resources = demand.resources
    asked = {"cpus": resources.cpus, "memory_gb": resources.memory_gb, "gpus": resources.gpus}
    wanted = {name: amount for name, amount in asked.items() if amount is not None}
    amounts = {name: _list_amounts(each) for name, each in instance_types.items()}
    fitting = sorted(
        name for name, has in amounts.items() if all(has[what] >= amount for what, amount in wanted.items())
    )
    for what, amount in wanted.items():
        if amount > amounts[chosen][what]:
            most = max(has[what] for has in amounts.values())
            if fitting:
                fix = f"name one that has as much in instance_type: {', '.join(fitting)}"
            elif most >= amount:
                fix = "no instance type has all that is asked for; add one that has"
            else:
                fix = f"the most that any has is {most:g}; ask for at most that, or add a larger one"
            has = f"instance type {chosen!r} has {amounts[chosen][what]:g}"
            problems.append(Problem(what, f"is {amount:g}; {has}; {fix}"))
    return problems


def _list_amounts(given: InstanceType) -> dict[str, float]:
    """What it has, by the names that a job asks by."""
    return {"cpus": given.cpus, "memory_gb": given.memory_gb, "gpus": given.gpus}


def _find_input_problems(demand: Demand) -> list[Problem]:
    """See https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-kubernetes-compute."""
    return [
        Problem(
            f"inputs[{name!r}].mode",
            "is 'download', and on an attached cluster pods that download data never start; leave it out, as 'mount' "
            "does there",
        )
        for name, given in demand.inputs.items()
        if given.mode == "download"
    ]
