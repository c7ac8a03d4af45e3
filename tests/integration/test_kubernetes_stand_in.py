"""The kubernetes plugin, official or stand-in, on the real engine and a real cluster."""

from __future__ import annotations

import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.kubernetes_objects import (
    IMAGE,
    PROGRAM,
    KubernetesProject,
    build_job,
    build_team,
    build_workload,
)
from tests.integration.projects import PROJECT, interrupt
from tests.kubernetes import images
from tests.kubernetes.cluster import Cluster
from tests.kubernetes_stand_in import installation


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of the plugin."""
    return installation.find_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one node."""
    folder = tmp_path_factory.mktemp("kubernetes")
    running = Cluster.start(folder / "cluster", nodes=1)
    try:
        images.write_busybox(folder / "busybox.tar", IMAGE)
        running.load_image(folder / "busybox.tar")
        yield running
    finally:
        running.stop()


@pytest.fixture
def project(tmp_path: pathlib.Path, plugin: pathlib.Path, cluster: Cluster) -> KubernetesProject:
    """A project whose provider reaches the cluster as its administrator."""
    made = KubernetesProject(tmp_path / "project", "objects", tmp_path / "data")
    (made.folder / "Pulumi.yaml").write_text(f"{PROJECT}    - name: kubernetes\n      path: {plugin}\n")
    (made.folder / "__main__.py").write_text(PROGRAM)
    made.settings = {"kubeconfig": str(cluster.kubeconfig)}
    made.make_stack()
    return made


@pytest.fixture
def namespace() -> str:
    """The name of a namespace that there is not yet."""
    return f"stand-in-{uuid.uuid4().hex[:8]}"


def test_the_lifecycle_of_a_team(project: KubernetesProject, cluster: Cluster, namespace: str) -> None:
    """Made, unchanged and unchanged by a refresh, changed in place, and gone; secrets are nowhere plain."""
    project.declare(**build_team(namespace))
    previewed = project.pulumi("preview")
    project.up()
    outputs = project.outputs()
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    unchanged = project.pulumi("preview", "--expect-no-changes")
    project.declare(**build_team(namespace, **{"requests.nvidia.com/gpu": "8"}))
    changing = project.pulumi("preview", "--diff")
    project.up()
    quota = cluster.objects.read("v1", "ResourceQuota", "team", namespace)
    written = [path.read_text() for path in (project.folder / "state").rglob("*") if path.is_file()]
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert "9 to create" in previewed
    assert outputs["quota.id"] == f"{namespace}/team"
    assert outputs["namespace.id"] == namespace
    assert "9 unchanged" in refreshed
    assert "9 unchanged" in unchanged
    assert '"4" => "8"' in changing
    assert quota is not None
    assert quota["spec"]["hard"]["requests.nvidia.com/gpu"] == "8"
    assert "sesame-open-4713" not in "".join(written)
    assert "c2VzYW1lLW9wZW4tNDcxMw==" not in "".join(written)
    assert cluster.objects.read("v1", "Namespace", namespace) is None


def test_bad_inputs_fail_at_preview(project: KubernetesProject, plugin: pathlib.Path, namespace: str) -> None:
    """All that is wrong is told at once, though the namespace is not there yet."""
    if not installation.is_stand_in(plugin):
        pytest.skip("the official plugin leaves it to the API server")
    project.declare(
        quota={
            "type": "core.v1.ResourceQuota",
            "metadata": {"namespace": namespace, "annotations": {"pulumi.com/waitFor": "condition=Ready"}},
            "spec": {"hard": {"cpu": "2 cores"}, "scopes": "NotTerminating", "scope": {}},
        }
    )
    said = project.pulumi("preview", fails=True)

    assert "spec.hard.cpu: '2 cores' is no quantity" in said
    assert "spec.scopes: must be a list, not 'NotTerminating'" in said
    assert "spec.scope: could not find member 'scope' on ResourceQuotaSpec" in said
    assert "'pulumi.com/waitFor' is not served" in said


@pytest.mark.long
def test_names_of_our_own_are_kept(project: KubernetesProject, namespace: str) -> None:
    """A name is made from Pulumi's, and kept by updates; a replacement that needs another one comes first."""
    secret = {"type": "core.v1.Secret", "string_data": {"password": "first"}}
    fixed = {**secret, "metadata": {"name": namespace}}
    project.declare(made=secret, fixed=fixed)
    project.up()
    first = project.outputs()
    project.declare(made={**secret, "metadata": {"labels": {"a": "b"}}}, fixed=fixed)
    changed = project.up()
    labelled = project.outputs()
    project.declare(
        made={**secret, "string_data": {"password": "second"}}, fixed={**fixed, "string_data": {"password": "second"}}
    )
    previewed = project.pulumi("preview", "--diff")
    project.up()
    second = project.outputs()

    assert first["made.id"].startswith("default/made-")
    assert "1 updated" in changed
    assert labelled == first
    assert "2 to replace" in previewed
    assert second["made.id"] != first["made.id"]
    assert second["fixed.id"] == f"default/{namespace}"


@pytest.mark.long
def test_what_exists_is_imported_and_not_adopted(project: KubernetesProject, cluster: Cluster, namespace: str) -> None:
    """A create fails; an import takes it over as it is, and the next update finds nothing to do."""
    cluster.objects.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": namespace, "namespace": "default"}}
    )
    declared = {"type": "core.v1.ConfigMap", "metadata": {"name": namespace, "namespace": "default"}}
    project.declare(map=declared)
    refused = project.up(fails=True)
    project.declare(map={**declared, "import": f"default/{namespace}"})
    imported = project.up()
    project.declare(map=declared)
    after = project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert f'configmaps "{namespace}" already exists' in refused
    assert "1 imported" in imported
    assert "3 unchanged" in after
    assert cluster.objects.read("v1", "ConfigMap", namespace, "default") is None


@pytest.mark.long
def test_others_are_not_overridden(project: KubernetesProject, cluster: Cluster, namespace: str) -> None:
    """What another manager has set is refused with its name, and taken from it by force; what it left is set right."""
    named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    declared: dict[str, Any] = {
        "type": "core.v1.Namespace",
        "metadata": {"name": namespace, "labels": {"team": "pets"}},
    }
    project.declare(space=declared)
    project.up()
    cluster.objects.apply({**named, "metadata": {"name": namespace, "labels": {"team": "others"}}})
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", "--diff")
    refused = project.up(fails=True)
    kept = project.read_resource("space")
    declared["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    project.declare(space=declared)
    project.up()
    forced = cluster.objects.read("v1", "Namespace", namespace)
    cluster.objects.delete("v1", "Namespace", namespace)
    cluster.objects.wait_gone("v1", "Namespace", namespace)
    gone = project.pulumi("refresh", "--yes", "--skip-preview")
    made = project.up()

    assert '"pets" => "others"' in refreshed
    assert "Server-Side Apply field conflict detected" in refused
    assert 'conflict with "tests"' in refused
    assert "conflict" in kept["initErrors"][0]
    assert forced is not None
    assert forced["metadata"]["labels"]["team"] == "pets"
    assert "1 deleted" in gone
    assert "1 created" in made


@pytest.mark.long
def test_objects_are_waited_for(project: KubernetesProject, namespace: str) -> None:
    """When the update is done, a volume is bound, a job complete, pods run; a change of its pods replaces a job."""
    storage = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": namespace}
    claim = {**storage, "resources": {"requests": {"storage": "1Gi"}}}
    claim.pop("capacity")
    volume = {**storage, "hostPath": {"path": "/tmp"}}  # noqa: S108 - of a node that is thrown away
    things = {
        "volume": {"type": "core.v1.PersistentVolume", "metadata": {"name": namespace}, "spec": volume},
        "claim": {"type": "core.v1.PersistentVolumeClaim", "metadata": {"name": namespace}, "spec": claim},
        "daemons": build_workload("DaemonSet", IMAGE, "daemons"),
        "app": build_workload("Deployment", IMAGE, "app", replicas=2),
        "service": {
            "type": "core.v1.Service",
            "metadata": {"name": "app"},
            "spec": {"selector": {"app": "app"}, "ports": [{"port": 80}]},
        },
        "job": build_job(IMAGE, namespace, "true"),
    }
    project.declare(**things)
    project.up()
    states = {name: project.read_resource(name)["outputs"].get("status", {}) for name in things}
    again = project.pulumi("preview", "--expect-no-changes")
    project.declare(**{**things, "job": build_job(IMAGE, namespace, "exit 0")})
    replaced = project.up()
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert states["volume"]["phase"] in ("Available", "Bound")
    assert states["claim"]["phase"] == "Bound"
    assert states["daemons"]["numberReady"] == 1
    assert states["app"]["availableReplicas"] == 2
    assert states["job"]["succeeded"] == 1
    assert "8 unchanged" in again
    assert "1 replaced" in replaced


@pytest.mark.long
def test_what_does_not_become_ready_is_kept_and_set_right(
    project: KubernetesProject, cluster: Cluster, namespace: str
) -> None:
    """The reasons are told, the objects are in the state with them; the next update goes on."""
    app = build_workload("Deployment", "missing.invalid/image:1", namespace)
    app["metadata"]["annotations"]["pulumi.com/timeoutSeconds"] = "4"
    project.declare(app=app, job=build_job(IMAGE, namespace, "exit 3"))
    failed = project.up(fails=True)
    kept = project.read_resource("app")
    project.declare(app=build_workload("Deployment", IMAGE, namespace), job=build_job(IMAGE, namespace, "true"))
    repaired = project.up()

    assert f"'{namespace}' timed out waiting to be Ready" in failed
    assert "missing.invalid/image:1" in failed
    assert "job failed: BackoffLimitExceeded" in failed
    assert kept["id"] == f"default/{namespace}"
    assert any("ErrImagePull" in each or "ImagePullBackOff" in each for each in kept["initErrors"])
    assert "1 updated" in repaired
    assert "1 replaced" in repaired


@pytest.mark.long
def test_custom_resources_come_with_their_definition(project: KubernetesProject, cluster: Cluster) -> None:
    """The kind need not be there before; what its schema does not know is refused."""
    spec_schema = {
        "type": "object",
        "properties": {"nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec_schema}}}
    definition = {
        "type": "apiextensions.v1.CustomResourceDefinition",
        "metadata": {"name": "instancetypes.amlarc.azureml.com"},
        "spec": {
            "group": "amlarc.azureml.com",
            "scope": "Cluster",
            "names": {"kind": "InstanceType", "plural": "instancetypes", "singular": "instancetype"},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }
    size = {
        "type": "apiextensions.CustomResource",
        "api_version": "amlarc.azureml.com/v1alpha1",
        "kind": "InstanceType",
        "metadata": {"name": "gpu"},
        "spec": {"nodeSelector": {"gpu": "a100"}},
    }
    project.declare(definition=definition, size={**size, "after": ["definition"]})
    project.up()
    made = cluster.objects.read("amlarc.azureml.com/v1alpha1", "InstanceType", "gpu")
    again = project.pulumi("preview", "--expect-no-changes")
    project.declare(definition=definition, size={**size, "spec": {"nodeSelectors": {}}, "after": ["definition"]})
    refused = project.pulumi("preview", fails=True)
    project.declare(
        definition=definition, size={**size, "spec": {"nodeSelector": {"gpu": "h100"}}, "after": ["definition"]}
    )
    project.up()
    changed = cluster.objects.read("amlarc.azureml.com/v1alpha1", "InstanceType", "gpu")

    assert made is not None
    assert made["spec"] == {"nodeSelector": {"gpu": "a100"}}
    assert "4 unchanged" in again
    assert "nodeSelectors" in refused
    assert changed is not None
    assert changed["spec"] == {"nodeSelector": {"gpu": "h100"}}


@pytest.mark.long
def test_a_cluster_out_of_reach_is_told(project: KubernetesProject, cluster: Cluster, namespace: str) -> None:
    """A preview goes on without it, an update fails with its address; on demand the state forgets what was on it."""
    project.declare(space={"type": "core.v1.Namespace", "metadata": {"name": namespace}})
    reachable = cluster.kubeconfig.read_text()
    elsewhere = project.folder / "kubeconfig"
    elsewhere.write_text(reachable.replace(":6443", ":1"))
    project.settings["kubeconfig"] = str(elsewhere)
    project.declare(space={"type": "core.v1.Namespace", "metadata": {"name": namespace}})
    previewed = project.pulumi("preview")
    failed = project.up(fails=True)
    elsewhere.write_text(reachable)
    project.up()
    elsewhere.write_text(reachable.replace(":6443", ":1"))
    unread = project.pulumi("refresh", "--yes", "--skip-preview", fails=True)
    dropped = project.pulumi("destroy", "--yes", environment={"PULUMI_K8S_DELETE_UNREACHABLE": "true"})

    assert "3 to create" in previewed
    assert "configured Kubernetes cluster is unreachable" in failed
    assert ":1/openapi/v3" in failed
    assert "PULUMI_K8S_DELETE_UNREACHABLE" in unread
    assert "3 deleted" in dropped
    cluster.objects.delete("v1", "Namespace", namespace)


def test_what_is_forbidden_is_told(project: KubernetesProject, cluster: Cluster, namespace: str) -> None:
    """In the API server's words: who may not do what."""
    project.settings["kubeconfig"] = str(cluster.write_kubeconfig(f"user-{namespace}"))
    project.declare(space={"type": "core.v1.Namespace", "metadata": {"name": namespace}})

    assert f'User "user-{namespace}" cannot create resource "namespaces"' in project.up(fails=True)


@pytest.mark.long
def test_an_interrupted_wait_ends(project: KubernetesProject, cluster: Cluster, namespace: str) -> None:
    """The object is in the state, and a destroy removes it."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    project.declare(claim={"type": "core.v1.PersistentVolumeClaim", "metadata": {"name": namespace}, "spec": spec})
    process = project.start_up()
    cluster.objects.wait_for("v1", "PersistentVolumeClaim", namespace, bool, namespace="default")
    interrupt(process)
    said, _ = process.communicate(timeout=60)
    kept = project.read_resource("claim")
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert "Resource operation was cancelled" in said
    assert kept["id"] == f"default/{namespace}"
    assert cluster.objects.read("v1", "PersistentVolumeClaim", namespace, "default") is None
