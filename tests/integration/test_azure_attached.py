"""A Kubernetes cluster that is attached to a workspace, on the tests' Azure and a real API server.

The tests' Azure runs the job in a container of this machine's Docker, and looks for its instance type in the cluster.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.azure import arm_client, clusters
from tests.contract import learning_place
from tests.contract.learning_place import LearningPlace
from tests.integration.attached_cluster import KIND, VERSION, RealContents
from tests.integration.projects import PROJECT, TINY_IMAGE, Project
from tests.kubernetes.cluster import Cluster
from tests.kubernetes_stand_in import installation

PROGRAM = """\
import json
import pulumi
import aml_infra

with open("args.json") as file:
    given = json.load(file)
workspace = aml_infra.Workspace.get("shared", **given["workspace"])
sizes = {name: aml_infra.InstanceType(**each) for name, each in given["compute"].pop("instance_types").items()}
compute = aml_infra.KubernetesCompute(
    "vision", aml_infra.KubernetesComputeArgs(workspace=workspace, instance_types=sizes, **given["compute"])
)
job = aml_infra.TrainingJob(given["name"], aml_infra.TrainingJobArgs(compute=compute, **given["job"]))
for output in ("run_id", "status", "attempt"):
    pulumi.export(output, getattr(job, output))
"""

SMALL = {"cpus": 2, "memory_gb": 4}
LARGE = {"cpus": 8, "memory_gb": 32, "gpus": 1, "node_selector": {"pool": "gpu"}}


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one node."""
    running = Cluster.start(tmp_path_factory.mktemp("kubernetes") / "cluster")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LearningPlace]:
    """A workspace with an environment."""
    with learning_place.open_place(tmp_path_factory.mktemp("azure")) as place:
        client = arm_client.Client(place.azure.cloud, place.azure.owner)
        body = {"properties": {"image": TINY_IMAGE, "osType": "Linux"}}
        client.make(f"{place.place.workspace_id}/environments/shell/versions/1", body)
        yield place


@pytest.fixture
def cluster_id(learning: LearningPlace, kubernetes: Cluster) -> str:
    """An AKS cluster, which is the Kubernetes."""
    cloud = learning.azure.cloud
    path = f"{cloud.subscription}/resourceGroups/{learning_place.GROUP}/providers/{clusters.CLUSTERS}/vision"
    arm_client.Client(cloud, learning.azure.owner).make(path, clusters.build_cluster())
    cloud.cluster_contents[path.lower()] = RealContents(kubernetes.objects)
    return path


class AttachedProject(Project):
    """A project whose program attaches a cluster and trains on it."""

    settings: dict[str, Any]

    def declare(self, sizes: dict[str, Any], **job: Any) -> None:
        """Makes the program declare these instance types, and the job with these properties."""
        args = {"source": str(self.source), "command": ["sh", "train.sh"], "image": "azureml:shell:1", **job}
        given = {**self.settings, "name": self.name, "job": args}
        given["compute"] = {**given["compute"], "instance_types": sizes}
        (self.folder / "args.json").write_text(json.dumps(given))


@pytest.fixture
def project(
    tmp_path: pathlib.Path,
    tmp_path_factory: pytest.TempPathFactory,
    azure_plugins: pathlib.Path,
    learning: LearningPlace,
    kubernetes: Cluster,
    cluster_id: str,
) -> AttachedProject:
    """A project with a job that says a line."""
    made = AttachedProject(tmp_path / "project", "train", tmp_path / "data")
    plugin = installation.find_plugin(tmp_path_factory.mktemp("plugin"))
    (made.folder / "Pulumi.yaml").write_text(f"{PROJECT}    - name: kubernetes\n      path: {plugin}\n")
    (made.folder / "__main__.py").write_text(PROGRAM)
    made.write_script("echo trained on an attached cluster\n")
    made.environment.update(learning.azure.environment)
    made.environment["PATH"] = f"{azure_plugins}{os.pathsep}{made.environment['PATH']}"
    (server,) = [each["cluster"]["server"] for each in yaml.safe_load(kubernetes.kubeconfig.read_text())["clusters"]]
    address = server.partition("://")[2].partition(":")[0]
    for name in ("NO_PROXY", "no_proxy"):
        made.environment[name] = f"{made.environment[name]},{address}"
    place = learning.place
    made.settings = {
        "workspace": {"workspace_name": place.workspace_name, "resource_group": place.resource_group},
        "compute": {
            "cluster": cluster_id,
            "namespace": "vision-team",
            "create_namespace": True,
            "kubeconfig": str(kubernetes.kubeconfig),
        },
    }
    made.make_stack()
    return made


@pytest.mark.long
def test_a_cluster_is_attached_trained_on_and_detached(
    project: AttachedProject, learning: LearningPlace, kubernetes: Cluster
) -> None:
    """Another instance type trains nothing again; what was made goes in the other order."""
    cloud = learning.azure.cloud
    project.declare({"small": SMALL}, gpus=4)
    refused = project.pulumi("preview", fails=True)
    project.declare({"small": SMALL, "large": LARGE}, cpus=2)
    first = project.up()
    (job,) = [each for each in cloud.resources if each.type.endswith("/jobs")]
    (compute,) = [each for each in cloud.resources if each.properties.get("computeType") == "Kubernetes"]
    made = {each["metadata"]["name"]: each["spec"] for each in kubernetes.objects.list_all(VERSION, KIND)}
    again = project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    project.declare({"small": SMALL, "large": LARGE, "huge": {**LARGE, "gpus": 8}}, instance_type="huge", gpus=8)
    previewed = project.pulumi("preview", "--diff")
    changed = project.up()
    jobs = [each.name for each in cloud.resources if each.type.endswith("/jobs")]
    known = compute.properties["properties"]["instanceTypes"]
    cloud.calls.clear()
    project.pulumi("destroy", "--yes", "--skip-preview")
    deleted = [call.path for call in cloud.calls if call.method == "DELETE"]

    assert "train.gpus: is 4; instance type 'small' has 0" in refused
    assert "trained on an attached cluster" in first
    assert job.properties["resources"] == {"instanceCount": 1, "instanceType": "small"}
    assert made["large"]["nodeSelector"] == {"pool": "gpu"}
    assert made["large"]["resources"]["limits"] == {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": 1}
    assert "unchanged" in again
    assert "huge" in previewed
    assert "adopt: run" in changed
    assert jobs == [job.name]
    assert "huge" in known
    (detached,) = [place for place, path in enumerate(deleted) if "/computes/" in path]
    (uninstalled,) = [place for place, path in enumerate(deleted) if path.endswith("/extensions/azureml")]
    assert detached < uninstalled
    assert kubernetes.objects.list_all(VERSION, KIND) == []
    assert kubernetes.objects.read("v1", "Namespace", "vision-team") is None
    assert list(cloud.jobs.failures) == []
