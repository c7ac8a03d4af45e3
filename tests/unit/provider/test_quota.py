from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from aml_infra.azure_client import AzureClient
from aml_infra.errors import RequestRefused
from aml_infra.provider import quota
from aml_infra.provider.quota import Demand
from tests.unit.azure.transport import ARM, Credential, Transport

TYPE = "Microsoft.MachineLearningServices"
ROOT = f"/subscriptions/s/providers/{TYPE}/locations/westeurope"
DEMAND = Demand(subscription="s", location="westeurope", vm_size="STANDARD_NC4AS_T4_V3", nodes=6, low_priority=False)
T4 = "standardNCASv3_T4Family"


def build_size(name: str, family: str, cpus: int, **changes: Any) -> dict[str, Any]:
    """A VM size as the service lists it."""
    size = {"name": name, "family": family, "vCPUs": cpus, "lowPriorityCapable": True}
    return {**size, "supportedComputeTypes": ["AmlCompute", "ComputeInstance"], **changes}


def build_usage(kind: str, name: str, used: int, limit: int, under: str = "") -> dict[str, Any]:
    """A usage as the service lists it."""
    return {
        "id": f"/subscriptions/s{under}/usages/x",
        "type": f"{TYPE}/{kind}/usages",
        "name": {"value": name, "localizedValue": name},
        "currentValue": used,
        "limit": limit,
        "unit": "Count",
    }


SIZES = [
    build_size("Standard_NC4as_T4_v3", T4, 4),
    build_size("Standard_NC8as_T4_v3", T4, 8),
    build_size("Standard_DS3_v2", "standardDSv2Family", 4),
    build_size("Standard_ND96isr_H100_v5", "standardNDSH100v5Family", 96, lowPriorityCapable=False),
    build_size("Standard_E4s_v3", "standardESv3Family", 4, supportedComputeTypes=["ComputeInstance"]),
]


def list_usages(*, family: tuple[int, int] = (0, 100), total: tuple[int, int] = (0, 100)) -> list[dict[str, Any]]:
    """Usages in which those of dedicated T4 cores and of all dedicated cores are as given."""
    return [
        build_usage("totalCores", "TotalClusters", 2, 200),
        build_usage("dedicatedCores", "Total Cluster Dedicated Regional vCPUs", *total),
        build_usage("lowPriorityCores", "Total Cluster LowPriority Regional vCPUs", 0, 20),
        build_usage("vmFamily/lowPriorityCores", T4, 0, -1),
        build_usage("vmFamily/dedicatedCores", T4, *family),
        build_usage("vmFamily/dedicatedCores", "standardDSv2Family", 0, 4),
        build_usage("workspaces", T4, 0, 1, under=f"/resourceGroups/g/providers/{TYPE}/workspaces/w"),
        build_usage("workspace/computes", T4, 0, 1, under=f"/resourceGroups/g/providers/{TYPE}/workspaces/w"),
    ]


def explain(usages: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """What comes of the demand with changes."""
    return quota.explain(dataclasses.replace(DEMAND, **changes), SIZES, usages)


def test_a_quota_that_is_enough_is_no_problem() -> None:
    """The figures are those of the family."""
    found = explain(list_usages(family=(6, 30)))

    assert found == {
        "family": T4,
        "neededCores": 24,
        "usedCores": 6,
        "limitCores": 30,
        "problem": "",
        "note": "",
    }


def test_a_family_that_is_short_is_told() -> None:
    """With the figures, and where to raise it."""
    assert explain(list_usages(family=(6, 12)))["problem"] == (
        f"needs 24 cores of {T4} in westeurope; 6 of 12 are free; raise it at https://ml.azure.com/quota, or choose a "
        "smaller vm_size or max_nodes"
    )


def test_a_total_that_is_short_is_told() -> None:
    """Whatever the family has."""
    found = explain(list_usages(total=(90, 100)))

    assert "of Total Cluster Dedicated Regional vCPUs in westeurope; 10 of 100 are free" in found["problem"]
    assert (found["usedCores"], found["limitCores"]) == (90, 100)


def test_all_that_is_short_is_told() -> None:
    """At once."""
    told = explain(list_usages(family=(0, 0), total=(0, 6)))["problem"]

    assert f"cores of {T4} in westeurope; 0 of 0 are free; needs 24 cores of Total Cluster Dedicated" in told


def test_low_priority_cores_have_a_quota_of_their_own() -> None:
    """The total counts, as families have no limit there."""
    assert explain(list_usages(family=(0, 0), total=(0, 0)), nodes=5, low_priority=True)["problem"] == ""
    told = explain(list_usages(), low_priority=True)["problem"]
    assert "needs 24 low-priority cores of Total Cluster LowPriority Regional vCPUs" in told


def test_a_size_without_low_priority_is_told() -> None:
    """Azure makes such a cluster, and never gives it a node."""
    found = explain(list_usages(), vm_size="Standard_ND96isr_H100_v5", low_priority=True)

    assert "Standard_ND96isr_H100_v5 has no low-priority nodes" in found["problem"]


def test_a_cluster_that_exists_may_be_what_uses_the_quota() -> None:
    """Only the limit counts then."""
    assert explain(list_usages(family=(24, 24)), exists=True)["problem"] == ""
    assert "its limit is 12" in explain(list_usages(family=(0, 12)), exists=True)["problem"]


def test_usages_may_be_told_in_words() -> None:
    """As the service's documentation has them."""
    usages = [
        build_usage("vmFamily", "Standard NCASv3_T4 Family Cluster Dedicated vCPUs", 0, 12),
        build_usage("vmFamily", "Standard NCASv3_T4 Family Cluster LowPriority vCPUs", 0, -1),
    ]

    assert "0 of 12" not in explain(usages, low_priority=True)["problem"]
    assert f"cores of {T4} in westeurope; 12 of 12 are free" in explain(usages)["problem"]


def test_a_family_without_a_quota_is_noted() -> None:
    """It is no problem, as the family may go by another name; Azure's own words would mislead."""
    usages = [usage for usage in list_usages() if usage["name"]["value"] != T4]
    found = explain(usages)

    assert found["problem"] == ""
    assert found["note"].startswith(f"Azure lists no quota of {T4} in westeurope; if it says that")


def test_a_family_without_a_low_priority_quota_is_noted_only_where_there_is_no_total() -> None:
    """All families share one, so that most have none of their own."""
    usages = [usage for usage in list_usages() if usage["name"]["value"] != T4]
    without_total = [usage for usage in usages if "lowPriority" not in usage["type"]]

    assert explain(usages, nodes=5, low_priority=True)["note"] == ""
    assert explain(without_total, low_priority=True)["note"].startswith(f"Azure lists no quota of {T4}")


@pytest.mark.parametrize(
    ("vm_size", "told"),
    [
        ("Standard_NC4_T4_v3", "there are Standard_NC4as_T4_v3, Standard_NC8as_T4_v3"),
        ("Standard_E4s_v3", "there are "),
        ("gpu", "`az ml compute list-sizes`"),
    ],
)
def test_a_size_that_is_not_there_is_told(vm_size: str, told: str) -> None:
    """With the names that are near; sizes that clusters cannot have are not there."""
    problem = explain(list_usages(), vm_size=vm_size)["problem"]

    assert problem.startswith(f"is {vm_size!r}, which Azure ML does not have for clusters in westeurope")
    assert told in problem


@pytest.fixture
def azure() -> Iterator[Transport]:
    """Azure, which must be asked all that is expected."""
    transport = Transport()
    yield transport
    assert transport.exchanges == []


def test_the_service_is_asked_for_sizes_and_all_pages_of_usages(azure: Transport) -> None:
    """Of the location, as it is spelt in addresses."""
    args = {"subscriptionId": "s", "location": "West Europe", "vmSize": "standard_nc4as_t4_v3", "nodes": 6.0}
    page = f"{ROOT}/usages?api-version=2025-12-01&$skip=1"
    first, *others = list_usages(family=(6, 12))
    azure.expect("GET", f"{ROOT}/vmSizes?api-version=2025-12-01", {"value": SIZES})
    azure.expect("GET", f"{ROOT}/usages?api-version=2025-12-01", {"value": [first], "nextLink": f"{ARM}{page}"})
    azure.expect("GET", page, {"value": others})

    found = quota.describe(AzureClient(Credential(), azure), quota.read_demand({**args, "lowPriority": False}))

    assert "6 of 12 are free" in found["problem"]


def test_a_location_that_is_not_there_is_told(azure: Transport) -> None:
    """By its name."""
    azure.expect("GET", f"{ROOT}/vmSizes?api-version=2025-12-01", status=404)
    azure.expect("GET", f"{ROOT}/usages?api-version=2025-12-01", status=404)

    with pytest.raises(RequestRefused, match="no VM sizes in location 'westeurope'"):
        quota.describe(AzureClient(Credential(), azure), DEMAND)


def test_a_quota_that_may_not_be_seen_is_noted(azure: Transport) -> None:
    """It is a right on the subscription, which whoever makes a cluster need not have."""
    azure.expect("GET", f"{ROOT}/vmSizes?api-version=2025-12-01", status=403)

    found = quota.describe(AzureClient(Credential(), azure), DEMAND)

    assert found["problem"] == ""
    assert found["note"].startswith("whether the quota is enough is not known: this account may not do that in Azure")
