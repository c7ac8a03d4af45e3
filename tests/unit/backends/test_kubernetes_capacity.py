"""What nodes have for a run."""

from __future__ import annotations

from typing import Any

import pytest

from aml_infra.backends import kubernetes_capacity
from aml_infra.spec import Demand, Resources


def build_node(labels: dict[str, str], **amounts: str) -> dict[str, Any]:
    """A node."""
    told = {
        "cpu": "4",
        "memory": "16Gi",
        **{key.replace("gpu", "nvidia.com/gpu"): each for key, each in amounts.items()},
    }
    return {"metadata": {"labels": labels}, "status": {"allocatable": told}}


NODES = [build_node({"pool": "cpu"}, cpu="16"), build_node({"pool": "gpu"}, gpu="4")]


@pytest.mark.parametrize(
    ("selector", "resources", "paths"),
    [
        ({}, Resources(cpus=16, memory_gb=16, gpus=4), []),
        ({}, Resources(cpus=17, memory_gb=17, gpus=5), ["cpus", "memory_gb", "gpus"]),
        ({"pool": "gpu"}, Resources(cpus=5), ["cpus"]),
        ({"pool": "cpu"}, Resources(gpus=1), ["gpus"]),
        ({"pool": "tpu"}, Resources(), ["compute.node_selector"]),
    ],
)
def test_what_no_node_could_give_is_named(selector: dict[str, str], resources: Resources, paths: list[str]) -> None:
    """Of those that a run may be on, the largest counts, for each worker by itself."""
    problems = kubernetes_capacity.find_problems(NODES, selector, Demand(resources=resources, workers=3))

    assert [problem.path for problem in problems] == paths
    assert all(
        "autoscaling" in problem.message for problem in problems if problem.path in ("gpus", "compute.node_selector")
    )


def test_a_cluster_without_nodes_says_so() -> None:
    """As one that makes them when they are needed has none."""
    (problem,) = kubernetes_capacity.find_problems([], {}, Demand())

    assert str(problem).startswith("compute.node_selector: no node is there; ")


def test_what_a_node_has() -> None:
    """For pods; GPUs are NVIDIA's."""
    told = {"cpu": "3900m", "memory": "8Gi", "nvidia.com/gpu": "2"}

    found = kubernetes_capacity.read_allocatable({"status": {"allocatable": told}})

    assert (found.cpus, found.memory_gb, found.gpus) == (3.9, 8, 2)
