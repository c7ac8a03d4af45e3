"""Pools of nodes of AKS: what they may be, what stays, and what the region's quota has left for them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import clusters
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.clusters import build_cluster, build_pool
from tests.azure.services.container_service import quotas

GPU = "Standard_NC4as_T4_v3"
FAMILY = "Standard NCASv3_T4 Family"


@pytest.fixture
def cluster(client: Client, group: str) -> str:
    """The id of a cluster with a system pool."""
    path = f"{group}/providers/{clusters.CLUSTERS}/pets"
    client.make(path, build_cluster())
    return path


@pytest.fixture
def path(cluster: str) -> str:
    """The id of a pool that there is not yet."""
    return f"{cluster}/agentPools/gpu"


def test_a_pool_of_its_own_is_one_of_the_clusters(client: Client, cluster: str, path: str) -> None:
    """It scales from nothing, and a later PUT of the cluster that does not name it leaves it."""
    answer = client.put(path, {"properties": build_pool(vmSize=GPU)})
    client.follow(answer)
    client.make(cluster, build_cluster())

    found = client.get(cluster).properties["agentPoolProfiles"]
    assert answer.status == 201
    assert [(each["name"], each["mode"], each["count"]) for each in found] == [
        ("system", "System", 1),
        ("gpu", "User", 0),
    ]


def test_the_cluster_does_not_make_another_pool(client: Client, cluster: str) -> None:
    """It says so: pools are added by themselves."""
    pools = [{"name": name, **build_pool("System")} for name in ("system", "other")]

    answer = client.put(cluster, build_cluster(agentPoolProfiles=pools))

    assert (answer.status, "A new agent pool was introduced" in answer.message) == (400, True)


@pytest.mark.parametrize(
    "properties",
    [
        build_pool(vmSize="Standard_None"),
        build_pool(minCount=3, maxCount=1),
        build_pool(maxCount=None),
        build_pool(enableAutoScaling=False),
        build_pool(scaleSetPriority="Spot", vmSize="Standard_ND96asr_v4"),
        build_pool(spotMaxPrice=0.5),
        build_pool("System", scaleSetPriority="Spot"),
        build_pool("System", nodeTaints=["sku=gpu:NoSchedule"]),
        build_pool("System", minCount=0),
        build_pool(vnetSubnetID="/subscriptions/none"),
    ],
)
def test_what_cannot_be_had_is_refused(client: Client, path: str, properties: dict[str, Any]) -> None:
    """Sizes, counts, priorities and taints."""
    assert client.put(path, {"properties": properties}).status == 400
    assert client.get(path).status == 404


def test_a_name_has_its_letters(client: Client, cluster: str) -> None:
    """Few and small ones."""
    assert client.put(f"{cluster}/agentPools/gpu-pool", {"properties": build_pool()}).status == 400


@pytest.mark.parametrize("change", [{"vmSize": "Standard_DS3_v2"}, {"scaleSetPriority": "Regular"}, {"maxPods": 50}])
def test_what_its_nodes_are_stays(client: Client, path: str, change: dict[str, Any]) -> None:
    """How many there are changes, and what they are called."""
    client.make(path, {"properties": build_pool(scaleSetPriority="Spot")})

    assert client.put(path, {"properties": build_pool(**change)}).code == "PropertyChangeNotAllowed"
    assert client.make(path, {"properties": build_pool(maxCount=5)}).properties["maxCount"] == 5


def test_spot_nodes_are_told_from_others(client: Client, path: str) -> None:
    """By a label and a taint that the service adds."""
    made = client.make(path, {"properties": build_pool(scaleSetPriority="Spot", nodeTaints=["sku=gpu:NoSchedule"])})

    assert made.properties["nodeTaints"] == [
        "sku=gpu:NoSchedule",
        "kubernetes.azure.com/scalesetpriority=spot:NoSchedule",
    ]
    assert made.properties["nodeLabels"] == {"kubernetes.azure.com/scalesetpriority": "spot"}
    assert (made.properties["scaleSetEvictionPolicy"], made.properties["spotMaxPrice"]) == ("Delete", -1)


def test_a_cluster_keeps_a_system_pool(client: Client, cluster: str) -> None:
    """The last one is neither deleted nor made another kind."""
    system = f"{cluster}/agentPools/system"

    assert client.delete(system).code == "OperationNotAllowed"
    assert client.put(system, {"properties": build_pool()}).code == "OperationNotAllowed"


def test_a_pool_waits_for_its_cluster(client: Client, cluster: str, path: str) -> None:
    """Nothing is changed about one while the other is at work."""
    client.put(cluster, build_cluster())

    answer = client.put(path, {"properties": build_pool()})

    assert (answer.status, answer.code) == (409, "OperationNotAllowed")


def test_nodes_need_quota_when_they_are_made(cloud: Cloud, client: Client, path: str) -> None:
    """Those that may come later need none yet: the region is asked about those that come at once."""
    cloud.vm_quotas["westeurope", FAMILY] = 4

    refused = client.put(path, {"properties": build_pool(vmSize=GPU, minCount=2)})

    assert (refused.status, refused.code) == (400, "ErrCode_InsufficientVCPUQuota")
    assert "requested 8, remaining 4" in refused.message
    assert client.make(path, {"properties": build_pool(vmSize=GPU, minCount=1)}).properties["count"] == 1


def test_spot_nodes_have_a_quota_of_their_own(cloud: Cloud, client: Client, path: str) -> None:
    """One for all families together."""
    cloud.vm_quotas |= {("westeurope", FAMILY): 0, ("westeurope", quotas.LOW_PRIORITY): 4}

    assert client.put(path, {"properties": build_pool(vmSize=GPU, minCount=1)}).status == 400
    client.make(path, {"properties": build_pool(vmSize=GPU, minCount=1, scaleSetPriority="Spot")})

    assert list_usages(client)[quotas.LOW_PRIORITY] == (4, 4)


def test_the_use_of_the_quota_is_listed(client: Client, path: str) -> None:
    """By family and in total; it is not that of Machine Learning."""
    client.make(path, {"properties": build_pool(vmSize=GPU, minCount=2)})

    assert list_usages(client)[FAMILY] == (8, 100)
    assert list_usages(client)[quotas.TOTAL] == (12, 100)


def test_sizes_are_listed_by_region(cloud: Cloud, client: Client) -> None:
    """With what they have, and why this subscription cannot have some."""
    root = f"{cloud.subscription}/providers/Microsoft.Compute/skus"

    found = client.get(f"{root}?$filter=location eq 'northeurope'").body["value"]

    by_name = {each["name"]: each for each in found}
    assert {"name": "GPUs", "value": "1"} in by_name[GPU]["capabilities"]
    assert by_name["Standard_ND96asr_v4"]["restrictions"][0]["reasonCode"] == "NotAvailableForSubscription"
    assert client.get(f"{root}?$filter=x").code == "InvalidFilter"


def list_usages(client: Client) -> dict[str, tuple[int, int]]:
    """What is used and what may be, by family."""
    path = f"{client.cloud.subscription}/providers/Microsoft.Compute/locations/westeurope/usages"
    return {each["name"]["value"]: (each["currentValue"], each["limit"]) for each in client.get(path).body["value"]}
