"""Clusters of Machine Learning: sizes, node counts, quota, what cannot be changed and what a name remembers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.workspaces import build_cluster

FAMILY = "Standard NCASv3_T4 Family"


@pytest.fixture
def path(workspace: str) -> str:
    """The id of a cluster that there is not yet."""
    return f"{workspace}/computes/gpu"


def test_a_new_cluster_has_the_nodes_that_are_always_there(client: Client, path: str) -> None:
    """And says how the service completed it."""
    answer = client.put(path, build_cluster(fewest=1))
    ended = client.follow(answer)

    nodes = client.get(path).properties["properties"]
    assert (answer.status, ended.body["status"]) == (201, "Succeeded")
    assert (nodes["allocationState"], nodes["currentNodeCount"], nodes["targetNodeCount"]) == ("Steady", 1, 1)
    assert (nodes["osType"], nodes["vmPriority"]) == ("Linux", "Dedicated")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (build_cluster(vmSize="STANDARD_NONE"), "InvalidVmSize"),
        (build_cluster(fewest=3, most=2), "BadArgument"),
        (build_cluster(scaleSettings={"maxNodeCount": 2}), "BadArgument"),
        (build_cluster(vmSize="STANDARD_ND96ASR_V4", vmPriority="LowPriority"), "InvalidVmPriority"),
        (build_cluster(enableNodePublicIp=False), "BadArgument"),
        (build_cluster(scaleSettings={"minNodeCount": 0}), "InvalidRequestContent"),
    ],
)
def test_what_cannot_be_had_is_refused(client: Client, path: str, body: dict[str, Any], code: str) -> None:
    """Sizes, node counts, priorities and networks."""
    answer = client.put(path, body)

    assert (answer.status, answer.code) == (400, code)


def test_a_region_does_not_have_every_size(client: Client, path: str) -> None:
    """A size is asked for where the cluster is."""
    body = {**build_cluster(vmSize="STANDARD_NC24ADS_A100_V4"), "location": "northeurope"}

    assert client.put(path, body).code == "InvalidVmSize"


@pytest.mark.parametrize(
    "change", [{"vmSize": "STANDARD_NC16AS_T4_V3"}, {"vmPriority": "LowPriority"}, {"enableNodePublicIp": False}]
)
def test_what_it_is_made_of_stays(client: Client, path: str, change: dict[str, Any]) -> None:
    """Only the scale changes in place."""
    client.make(path, build_cluster())

    assert client.put(path, build_cluster(**change)).status in (400, 409)
    assert client.put(path, build_cluster(most=4)).status == 200


def test_the_scale_can_be_patched(client: Client, path: str) -> None:
    """As the official client does on update."""
    client.make(path, build_cluster())

    body = {"properties": {"properties": {"scaleSettings": {"minNodeCount": 0, "maxNodeCount": 5}}}}
    client.call("PATCH", path, body)
    client.cloud.operations.end_all()

    assert client.get(path).properties["properties"]["scaleSettings"]["maxNodeCount"] == 5


def test_a_name_that_was_just_free_keeps_its_old_size(cloud: Cloud, client: Client, path: str) -> None:
    """The service's trap: only after a while a cluster of that name gets another size."""
    client.make(path, build_cluster())
    _delete(client, path)
    trapped = client.make(path, build_cluster(vmSize="STANDARD_NC16AS_T4_V3")).properties["properties"]["vmSize"]
    _delete(client, path)
    cloud.clock.move(seconds=7200)
    later = client.make(path, build_cluster(vmSize="STANDARD_NC16AS_T4_V3")).properties["properties"]["vmSize"]

    assert (trapped, later) == ("STANDARD_NC4AS_T4_V3", "STANDARD_NC16AS_T4_V3")


@pytest.mark.parametrize("query", ["", "?underlyingResourceAction=Delete", "?underlyingResourceAction=Detach"])
def test_a_delete_may_say_what_becomes_of_the_machines(client: Client, path: str, query: str) -> None:
    """Delete or detach, and nothing else."""
    client.make(path, build_cluster())

    assert client.delete(f"{path}?underlyingResourceAction=Sell").code == "InvalidQueryParameter"
    assert client.delete(f"{path}{query}").status == 202


def test_a_shortage_of_quota_is_told_in_a_good_answer(cloud: Cloud, client: Client, path: str) -> None:
    """Nodes that are always there need cores: with too few, status 200 has errors and no nodes."""
    cloud.quotas["westeurope", FAMILY] = 4

    client.make(path, build_cluster(fewest=2))

    found = client.get(path)
    nodes = found.properties["properties"]
    assert (found.status, nodes["allocationState"], nodes["currentNodeCount"]) == (200, "Resizing", 0)
    assert nodes["errors"][0]["error"]["code"] == "ClusterCoreQuotaReached"


def test_the_use_of_the_quota_is_listed(cloud: Cloud, client: Client, path: str) -> None:
    """With limits, by family and in total, and the sizes with their families."""
    client.make(path, build_cluster(fewest=2))
    root = f"{cloud.subscription}/providers/Microsoft.MachineLearningServices/locations/westeurope"

    usages = {each["name"]["value"]: each for each in client.get(f"{root}/usages").body["value"]}
    sizes = {each["name"].lower(): each for each in client.get(f"{root}/vmSizes").body["value"]}

    assert (usages[FAMILY]["currentValue"], usages[FAMILY]["limit"]) == (8, 100)
    assert sizes["standard_nc4as_t4_v3"]["family"] == FAMILY


def test_a_cluster_needs_its_workspace(client: Client, group: str) -> None:
    """A parent that is missing is told."""
    path = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/none/computes/gpu"

    assert client.put(path, build_cluster()).code == "ParentResourceNotFound"


def _delete(client: Client, path: str) -> None:
    assert client.delete(f"{path}?underlyingResourceAction=Delete").status == 202
    client.cloud.operations.end_all()
