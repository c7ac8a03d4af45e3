"""Kubernetes clusters that are attached to a workspace: what they need, what stays, which jobs they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import clusters, workspaces
from tests.azure.arm_client import READER, Client, assign
from tests.azure.cloud import Cloud
from tests.azure.cluster_contents import KnownContents
from tests.azure.clusters import build_compute
from tests.azure.job_runs import attached_jobs
from tests.azure.job_runs.failures import JobFailure
from tests.azure.resources import Resource
from tests.azure.workspaces import Parts

LARGE = {"resources": {"limits": {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": 1}}}


@pytest.fixture
def cluster(client: Client, group: str) -> str:
    """The id of a cluster that has no extension."""
    path = f"{group}/providers/{clusters.CLUSTERS}/pets"
    client.make(path, clusters.build_cluster())
    return path


@pytest.fixture
def prepared(client: Client, cluster: str) -> str:
    """The same with the extension."""
    install(client, cluster)
    return cluster


def install(client: Client, cluster: str, **settings: str) -> None:
    """Installs the extension."""
    path = f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
    client.make(path, clusters.build_extension(configurationSettings={"enableTraining": "True", **settings}))


@pytest.fixture
def path(workspace: str) -> str:
    """The id of a compute that there is not yet."""
    return f"{workspace}/computes/vision"


def attach(client: Client, path: str, cluster: str, **properties: Any) -> str:
    """Attaches; gives the end of the operation."""
    ended = client.follow(client.put(path, build_compute(cluster, **properties))).body
    return str(ended.get("error", {}).get("message", ended["status"]))


def test_a_cluster_is_attached(client: Client, path: str, prepared: str) -> None:
    """In time; the service says how it completed it."""
    answer = client.put(path, build_compute(prepared))
    client.follow(answer)

    made = client.get(path).properties
    assert (answer.status, made["provisioningState"], made["isAttachedCompute"]) == (201, "Succeeded", True)
    assert made["properties"]["namespace"] == "default"
    assert made["properties"]["defaultInstanceType"] == "defaultinstancetype"
    assert list(made["properties"]["instanceTypes"]) == ["defaultinstancetype"]


def test_instance_types_are_taken_over_when_it_is_attached(
    cloud: Cloud, client: Client, path: str, prepared: str
) -> None:
    """Those that are in the cluster by then."""
    cloud.cluster_contents[prepared.lower()] = KnownContents(instance_types={"large": LARGE}, is_defined=True)

    client.make(path, build_compute(prepared))

    found = client.get(path).properties["properties"]["instanceTypes"]
    assert found["large"] == LARGE


def test_without_the_extension_it_fails(client: Client, path: str, cluster: str) -> None:
    """And is there as failed; when it is installed, it can be attached again."""
    failed = attach(client, path, cluster)
    state = client.get(path).properties["provisioningState"]
    install(client, cluster)

    assert (failed, state) == ("The Azure Machine Learning extension is not installed.", "Failed")
    assert attach(client, path, cluster) == "Succeeded"


def test_the_identity_of_the_workspace_needs_its_roles(
    cloud: Cloud, client: Client, path: str, prepared: str, parts: Parts
) -> None:
    """One after the other is missed."""
    assignments = [each for each in cloud.resources if each.type.endswith("/roleAssignments")]
    for each in assignments:
        if each.properties["principalId"] == parts.principal.object_id:
            cloud.resources.remove(each.id)
    found = [attach(client, path, prepared)]
    for role in (READER, "85cb6faf-e071-4c9b-8136-154b5a04f717", "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8"):
        assign(cloud, parts.principal, role, prepared)
        found.append(attach(client, path, prepared))

    missing = "The Azure Machine Learning extension is not installed."
    assert found == [missing, missing, "Internal server error.", "Succeeded"]


def test_a_cluster_without_local_accounts_cannot_be_attached(client: Client, path: str, group: str) -> None:
    """The service logs in as an administrator."""
    cluster = f"{group}/providers/{clusters.CLUSTERS}/closed"
    client.make(cluster, clusters.build_cluster(disableLocalAccounts=True))
    install(client, cluster)

    assert attach(client, path, cluster) == "Internal server error."


@pytest.mark.parametrize(
    ("cluster", "code"),
    [
        ("", "BadArgument"),
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a", "BadArgument"),
        (f"/subscriptions/another/resourceGroups/g/providers/{clusters.CLUSTERS}/pets", "BadArgument"),
        (
            f"/subscriptions/{Cloud().subscription_id}/resourceGroups/g/providers/{clusters.CLUSTERS}/a",
            "ClusterNotFound",
        ),
    ],
)
def test_only_clusters_that_are_there_can_be_attached(client: Client, path: str, cluster: str, code: str) -> None:
    """In the subscription of the workspace."""
    answer = client.put(path, build_compute(cluster))

    assert (answer.status, answer.code) == (400, code)


def test_cluster_and_namespace_stay(client: Client, path: str, prepared: str, group: str) -> None:
    """All else changes in place."""
    client.make(path, build_compute(prepared, namespace="team"))
    other = f"{group}/providers/{clusters.CLUSTERS}/other"
    client.make(other, clusters.build_cluster())

    assert client.put(path, build_compute(prepared, namespace="default")).code == "PropertyChangeNotAllowed"
    assert client.put(path, build_compute(other, namespace="team")).code == "PropertyChangeNotAllowed"
    assert client.put(path, build_compute(prepared, defaultInstanceType="large")).status == 200


def test_it_is_detached(client: Client, path: str, prepared: str) -> None:
    """And never deleted; a cluster that nobody says it of is detached."""
    client.make(path, build_compute(prepared))

    assert client.delete(f"{path}?underlyingResourceAction=Delete").code == "InvalidQueryParameter"
    assert client.delete(path).status == 202
    client.cloud.operations.end_all()
    assert (client.get(path).status, client.get(prepared).status) == (404, 200)


def find_refusal(cloud: Cloud, compute: Resource, **properties: Any) -> str:
    """What a job ends with; empty where it can run."""
    try:
        attached_jobs.check(cloud, compute, Resource(id="/jobs/a", type="", body={"properties": properties}))
    except JobFailure as failure:
        return failure.message
    return ""


@pytest.fixture
def compute(cloud: Cloud, client: Client, path: str, prepared: str) -> Resource:
    """A compute on a cluster that has one instance type and one namespace of its own."""
    inside = KnownContents(instance_types={"large": LARGE}, is_defined=True)
    inside.namespaces.add("team")
    cloud.cluster_contents[prepared.lower()] = inside
    client.make(path, build_compute(prepared, namespace="team"))
    found = cloud.resources.get(path)
    assert found is not None
    return found


@pytest.mark.parametrize("resources", [{}, {"instanceType": "large"}, {"instanceType": "defaultinstancetype"}])
def test_a_job_has_an_instance_type(cloud: Cloud, compute: Resource, resources: dict[str, Any]) -> None:
    """Of the cluster, or the service's own."""
    assert find_refusal(cloud, compute, resources=resources) == ""


def test_an_instance_type_that_is_not_in_the_cluster_is_refused(cloud: Cloud, compute: Resource) -> None:
    """Whatever the compute says of it."""
    compute.properties["properties"]["instanceTypes"]["huge"] = LARGE

    assert "Invalid instance type" in find_refusal(cloud, compute, resources={"instanceType": "huge"})


def test_a_namespace_that_is_not_there_is_told_by_the_job(cloud: Cloud, compute: Resource) -> None:
    """Nobody looks for it when the cluster is attached."""
    inside = cloud.open_cluster(compute.properties["resourceId"])
    assert isinstance(inside, KnownContents)
    inside.namespaces.remove("team")

    assert "team" in find_refusal(cloud, compute)


def test_a_cluster_that_is_there_for_inference_alone_trains_nothing(
    cloud: Cloud, client: Client, compute: Resource
) -> None:
    """As its extension says."""
    settings = {"enableTraining": "False", "enableInference": "True", "inferenceRouterServiceType": "ClusterIP"}
    install(client, compute.properties["resourceId"], **settings, allowInsecureConnections="True")

    assert "Training feature is not enabled" in find_refusal(cloud, compute)


def test_data_is_not_downloaded(cloud: Cloud, compute: Resource) -> None:
    """The extension only mounts it."""
    given = {"pets": {"jobInputType": "uri_folder", "uri": "azureml://a", "mode": "Download"}}

    assert "Unable to attach or mount volumes" in find_refusal(cloud, compute, inputs=given)


def test_a_job_that_goes_on_when_the_extension_goes_has_no_answer(
    cloud: Cloud, client: Client, compute: Resource
) -> None:
    """What is attached is attached to it."""
    client.delete(f"{compute.properties['resourceId']}/providers/Microsoft.KubernetesConfiguration/extensions/azureml")
    client.cloud.operations.end_all()

    assert "does not answer" in find_refusal(cloud, compute)


def test_a_cluster_of_machines_is_no_attached_one(client: Client, path: str, prepared: str) -> None:
    """The kind of a compute stays."""
    client.make(path, workspaces.build_cluster())

    assert client.put(path, build_compute(prepared)).code == "PropertyChangeNotAllowed"
