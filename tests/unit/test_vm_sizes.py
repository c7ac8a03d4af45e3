from __future__ import annotations

import pytest

from aml_infra import vm_sizes
from aml_infra.spec import Demand, Resources


@pytest.mark.parametrize(
    "name", ["STANDARD_NC4AS_T4_V3", "Standard_NC24ads_A100_v4", "standard_d2s_v5", "Standard_ND96isr_H100_v5"]
)
def test_names_of_today(name: str) -> None:
    """In any case, as Azure takes them."""
    assert vm_sizes.find_problems(name) == []


@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("STANDARD_NC6", "STANDARD_NC4AS_T4_V3"),
        ("Standard_NC12_Promo", "STANDARD_NC64AS_T4_V3"),
        ("Standard_NC24", "STANDARD_NC64AS_T4_V3"),
        ("Standard_NC24r", "STANDARD_NC64AS_T4_V3"),
        ("Standard_NC6s_v2", "STANDARD_NC24ADS_A100_V4"),
        ("Standard_NC12s_v2", "STANDARD_NC48ADS_A100_V4"),
        ("STANDARD_NC6s_v3", "STANDARD_NC24ADS_A100_V4"),
        ("Standard_NC24rs_v3", "STANDARD_NC96ADS_A100_V4"),
        ("Standard_ND6s", "STANDARD_NC24ADS_A100_V4"),
        ("Standard_ND24rs", "STANDARD_NC96ADS_A100_V4"),
        ("Standard_NV6", "STANDARD_NV36ADS_A10_V5"),
        ("Standard_NV24_Promo", "STANDARD_NC64AS_T4_V3"),
        ("Standard_NV12s_v3", "STANDARD_NV36ADS_A10_V5"),
        ("Standard_NV32as_v4", "STANDARD_NV36ADS_A10_V5"),
    ],
)
def test_a_size_that_azure_has_retired_names_its_replacement(name: str, replacement: str) -> None:
    """With as many GPUs, or more: the how-to's own size is gone."""
    (problem,) = vm_sizes.find_problems(name)

    assert problem.path == "vm_size"
    assert problem.message.startswith(f"is {name!r}, which Azure has retired; use '{replacement}'; see https://")
    assert vm_sizes.find_problems(replacement) == []


@pytest.mark.parametrize(
    ("name", "example"),
    [("NC4as_T4_v3", "STANDARD_NC4AS_T4_V3"), ("", "STANDARD_NC4AS_T4_V3"), ("gpu", "STANDARD_NC4AS_T4_V3")],
)
def test_what_is_no_name_is_told(name: str, example: str) -> None:
    """With the one that was meant, where that can be guessed."""
    (problem,) = vm_sizes.find_problems(name)

    assert problem.message == f"is {name!r}, no name of a size; write it with STANDARD_, as in {example!r}"


def test_what_a_node_does_not_have_is_told() -> None:
    """Each worker has a node for itself."""
    demand = Demand(resources=Resources(cpus=8, memory_gb=32, gpus=2))

    found = [str(problem) for problem in vm_sizes.find_demand_problems("Standard_NC4as_T4_v3", demand)]

    size = "a node of size STANDARD_NC4AS_T4_V3 has"
    fix = "ask for at most that, or a larger vm_size"
    assert found == [
        f"cpus: is 8; {size} 4; {fix}",
        f"memory_gb: is 32; {size} 28; {fix}",
        f"gpus: is 2; {size} 1; {fix}",
    ]


def test_what_a_node_has_may_be_asked_for() -> None:
    """The limits themselves are allowed."""
    demand = Demand(resources=Resources(cpus=4, memory_gb=28, gpus=1), workers=4)

    assert vm_sizes.find_demand_problems(vm_sizes.DEFAULT, demand) == []


def test_of_a_size_that_is_not_known_nothing_is_said() -> None:
    """The service knows it."""
    demand = Demand(resources=Resources(cpus=1000))

    assert vm_sizes.find_demand_problems("STANDARD_X1", demand) == []
