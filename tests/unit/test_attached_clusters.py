from __future__ import annotations

import pytest

from aml_infra import attached_clusters
from aml_infra.attached_clusters import InstanceType
from aml_infra.spec import Demand, Resources, RunInput

TYPES = {
    "small": InstanceType(cpus=4, memory_gb=16),
    "large": InstanceType(cpus=8, memory_gb=64, gpus=1),
    "many": InstanceType(cpus=2, memory_gb=8, gpus=8),
}


def find(chosen: str, **resources: float) -> list[str]:
    """What a job cannot have, in words."""
    demand = Demand(resources=Resources(**resources))  # type: ignore[arg-type]
    return [str(problem) for problem in attached_clusters.find_demand_problems(TYPES, chosen, demand)]


def test_what_the_instance_type_has_can_be_asked_for() -> None:
    """And nothing, of whatever type."""
    assert find("large", cpus=8, memory_gb=64, gpus=1) == []
    assert find("small") == []


def test_another_one_that_has_as_much_is_named() -> None:
    """It is for the user to choose it."""
    fix = "name one that has as much in instance_type: large"
    assert find("small", cpus=6, gpus=1) == [
        f"cpus: is 6; instance type 'small' has 4; {fix}",
        f"gpus: is 1; instance type 'small' has 0; {fix}",
    ]


def test_more_than_any_has_is_refused_with_the_most() -> None:
    """Of each, also where no single one has all."""
    assert find("large", cpus=8, memory_gb=128, gpus=4) == [
        (
            "memory_gb: is 128; instance type 'large' has 64; the most that any has is 64; ask for at most that, or "
            "add a larger one"
        ),
        ("gpus: is 4; instance type 'large' has 1; no instance type has all that is asked for; add one that has"),
    ]


def test_an_unknown_instance_type_is_refused() -> None:
    """With those that there are."""
    assert find("huge", gpus=1) == [
        "instance_type: is 'huge', which the attached cluster does not have; there are large, many, small"
    ]


def test_where_they_are_not_known_nothing_is_refused() -> None:
    """The cluster will."""
    assert attached_clusters.find_demand_problems({}, "huge", Demand(resources=Resources(gpus=9))) == []


def test_data_is_not_downloaded() -> None:
    """The pods of such a job would never start."""
    inputs = {
        "pets": RunInput(path="azureml:pets:1", version="1", mode="download"),
        "cats": RunInput(path="azureml:cats:1", version="1"),
    }

    (problem,) = attached_clusters.find_demand_problems(TYPES, "small", Demand(inputs=inputs))

    assert str(problem).startswith("inputs['pets'].mode: is 'download', and on an attached cluster pods that download")


def test_instance_types_are_read_as_the_service_shows_them() -> None:
    """What a pod may use counts, and not what is set aside for it; without a limit there is no end."""
    shown = {
        "defaultinstancetype": {
            "nodeSelector": None,
            "resources": {
                "requests": {"cpu": "100m", "memory": "2Gi"},
                "limits": {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": None},
            },
        },
        "gpu": {
            "nodeSelector": {"pool": "gpu"},
            "resources": {"requests": {"cpu": "700m"}, "limits": {"nvidia.com/gpu": 2}},
        },
        "any": None,
    }

    found = attached_clusters.read_instance_types({"instanceTypes": shown})

    assert found == {
        "defaultinstancetype": InstanceType(cpus=2, memory_gb=8),
        "gpu": InstanceType(cpus=0.7, memory_gb=float("inf"), gpus=2, node_selector={"pool": "gpu"}),
        "any": InstanceType(cpus=float("inf"), memory_gb=float("inf")),
    }


@pytest.mark.parametrize("properties", [{}, {"instanceTypes": None}])
def test_a_compute_may_say_nothing_of_instance_types(properties: dict[str, None]) -> None:
    """As one whose attachment failed."""
    assert attached_clusters.read_instance_types(properties) == {}
