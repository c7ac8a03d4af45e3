"""What the compute of a workspace cannot give of what a run asks for."""

from __future__ import annotations

from typing import Any

import pytest

from aml_infra import vm_sizes
from aml_infra.backends.azureml import AzuremlBackend
from aml_infra.backends.azureml_request import Place
from aml_infra.spec import Demand, Resources, RunInput

TYPES = {
    "small": {"resources": {"limits": {"cpu": "4", "memory": "16Gi"}}},
    "gpu": {"resources": {"limits": {"cpu": "8", "memory": "56Gi", "nvidia.com/gpu": 1}}},
}
ATTACHED = {
    "location": "westeurope",
    "properties": {
        "computeType": "Kubernetes",
        "properties": {"defaultInstanceType": "small", "namespace": "default", "instanceTypes": TYPES},
    },
}
CLUSTER = {
    "location": "westeurope",
    "properties": {
        "computeType": "AmlCompute",
        "properties": {"vmSize": "STANDARD_NC4AS_T4_V3", "scaleSettings": {"maxNodeCount": 2}},
    },
}


class Service:
    """A workspace with one compute; anything else fails."""

    def __init__(self, compute: dict[str, Any], instance_type: str = "", declared: str = "") -> None:
        self._compute = compute
        self.place = Place(
            subscription_id="s",
            resource_group="g",
            workspace_name="pets",
            compute_name="vision",
            instance_type=instance_type,
            declared=declared,
        )

    def get_compute(self) -> dict[str, Any]:
        """The compute."""
        return self._compute

    def find_size(self, location: str, vm_size: str) -> vm_sizes.Size:
        """What its machines have."""
        assert (location, vm_size) == ("westeurope", "STANDARD_NC4AS_T4_V3")
        return vm_sizes.Size(cpus=4, memory_gb=28, gpus=1)


def find(compute: dict[str, Any], demand: Demand, instance_type: str = "", declared: str = "") -> list[str]:
    """The problems of a run, in words."""
    backend = AzuremlBackend(Service(compute, instance_type, declared))  # type: ignore[arg-type]
    return [str(problem) for problem in backend.find_problems(demand)]


@pytest.mark.parametrize(("chosen", "gpus"), [("", 0), ("small", 0), ("gpu", 1)])
def test_what_an_instance_type_has_can_be_asked_for(chosen: str, gpus: int) -> None:
    """Of the one that is chosen, or of the default."""
    assert find(ATTACHED, Demand(resources=Resources(cpus=4, gpus=gpus), workers=100), chosen) == []


def test_more_is_refused() -> None:
    """With what would do."""
    demand = Demand(resources=Resources(gpus=1))

    told = "gpus: is 1; instance type 'small' has 0; name one that has as much in instance_type: gpu"
    assert find(ATTACHED, demand) == find(ATTACHED, demand, "small") == [told]


def test_an_instance_type_that_is_not_there_is_refused() -> None:
    """As one that was misspelt."""
    assert find(ATTACHED, Demand(), "gpus") == [
        "backend_options.instance_type: is 'gpus', which the attached cluster does not have; there are gpu, small"
    ]


@pytest.mark.parametrize("inner", [{}, {"defaultInstanceType": "large", "instanceTypes": TYPES}])
def test_what_the_service_does_not_say_is_for_the_cluster_to_refuse(inner: dict[str, Any]) -> None:
    """Nothing is known of the default then."""
    properties = {**ATTACHED["properties"], "properties": inner}  # type: ignore[dict-item]

    assert find({**ATTACHED, "properties": properties}, Demand(resources=Resources(gpus=8))) == []


def test_data_is_not_downloaded_to_an_attached_cluster() -> None:
    """It would wait for ever."""
    inputs = {"pets": RunInput(path="azureml:pets:1", version="1", mode="download")}

    (problem,) = find(ATTACHED, Demand(inputs=inputs))

    assert problem.startswith("inputs['pets'].mode: is 'download'")


def test_machines_have_no_instance_types() -> None:
    """Beside what they have not, either."""
    assert find(CLUSTER, Demand(resources=Resources(gpus=2), workers=3), "gpu") == [
        (
            "instance_type: is 'gpu', and a GpuCluster has no instance types; leave it out, or run the job on a "
            "KubernetesCompute"
        ),
        ("gpus: is 2; a node of size STANDARD_NC4AS_T4_V3 has 1; ask for at most that, or a larger vm_size"),
        "distribution.workers: is 3; the cluster has at most 2 nodes, one for each worker; raise its max_nodes",
    ]


def test_a_declared_cluster_is_not_as_it_was() -> None:
    """The program knows how large it is to be; what no cluster has is refused all the same."""
    demand = Demand(resources=Resources(gpus=2), workers=3)

    assert find(CLUSTER, demand, declared="true") == []
    (problem,) = find(CLUSTER, demand, "gpu", declared="true")
    assert problem.startswith("instance_type: is 'gpu', and a GpuCluster has no instance types")
