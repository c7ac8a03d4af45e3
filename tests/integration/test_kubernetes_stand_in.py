"""The kubernetes plugin, official or stand-in, on the real engine and a real cluster."""

from __future__ import annotations

import json
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.projects import PROJECT, Project
from tests.kubernetes.cluster import Cluster
from tests.kubernetes_stand_in import installation

PROGRAM = """\
import importlib
import json
import os
import pulumi
import pulumi_kubernetes

with open("args.json") as file:
    given = json.load(file)
provider = pulumi_kubernetes.Provider("cluster", **given["provider"])
made = {}
for name, each in given["objects"].items():
    module, _, kind = each.pop("type").rpartition(".")
    options = pulumi.ResourceOptions(
        provider=provider, depends_on=[made[other] for other in each.pop("after", ())], import_=each.pop("import", None)
    )
    for field, value in each.get("string_data", {}).items():
        each["string_data"][field] = pulumi.Output.secret(value)
    for field, other in each.pop("namespace_of", {}).items():
        each[field]["namespace"] = made[other].metadata["name"]
    make = getattr(importlib.import_module(f"pulumi_kubernetes.{module}"), kind)
    made[name] = make(name, opts=options, **each)
    pulumi.export(f"{name}.id", made[name].id)
"""


class KubernetesProject(Project):
    """A project whose program declares objects."""

    settings: dict[str, Any]

    def declare(self, **things: Any) -> None:
        """Makes the program declare these objects, by Pulumi's names of them."""
        (self.folder / "args.json").write_text(json.dumps({"provider": self.settings, "objects": things}))

    def read_outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return dict(json.loads(self.pulumi("stack", "output", "--json")))

    def read_resource(self, name: str) -> dict[str, Any]:
        """A resource as the state has it."""
        state = json.loads(self.pulumi("stack", "export"))
        (found,) = [each for each in state["deployment"]["resources"] if each["urn"].endswith(f"::{name}")]
        return dict(found)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of the plugin."""
    return installation.find_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one node."""
    running = Cluster.start(tmp_path_factory.mktemp("kubernetes") / "cluster", nodes=1)
    yield running
    running.stop()


@pytest.fixture
def project(tmp_path: pathlib.Path, plugin: pathlib.Path, cluster: Cluster) -> KubernetesProject:
    """A project whose provider reaches the cluster as its administrator."""
    made = KubernetesProject(tmp_path / "project", "objects", tmp_path / "data")
    (made.folder / "Pulumi.yaml").write_text(f"{PROJECT}    - name: kubernetes\n      path: {plugin}\n")
    (made.folder / "__main__.py").write_text(PROGRAM)
    made.settings = {"kubeconfig": str(cluster.kubeconfig)}
    made.pulumi("stack", "init", "test")
    return made


@pytest.fixture
def namespace() -> str:
    """The name of a namespace that there is not yet."""
    return f"stand-in-{uuid.uuid4().hex[:8]}"


def build_team(namespace: str, **quota: str) -> dict[str, Any]:
    """What a component for a team declares."""
    inside = {"metadata": {"name": "team"}, "namespace_of": {"metadata": "namespace"}}
    rules = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}
    limits = {"type": "Container", "default": {"cpu": "1000m", "memory": "1024Mi"}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2048Mi"}}}
    return {
        "namespace": {
            "type": "core.v1.Namespace",
            "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        "account": {"type": "core.v1.ServiceAccount", **inside, "automount_service_account_token": False},
        "quota": {
            "type": "core.v1.ResourceQuota",
            **inside,
            "spec": {"hard": {"requests.nvidia.com/gpu": "4", "cpu": "0.5", **quota}},
        },
        "limits": {"type": "core.v1.LimitRange", **inside, "spec": {"limits": [limits]}},
        "secret": {"type": "core.v1.Secret", **inside, "string_data": {"password": "sesame-open-4713"}},
        "policy": {"type": "networking.v1.NetworkPolicy", **inside, "spec": rules},
        "claim": {
            "type": "core.v1.PersistentVolumeClaim",
            **inside,
            "metadata": {"name": "team", "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": claim,
        },
    }


def test_the_lifecycle_of_a_team(project: KubernetesProject, cluster: Cluster, namespace: str) -> None:
    """Made, unchanged, unchanged by a refresh, changed in place, and gone; secrets are nowhere plain."""
    project.declare(**build_team(namespace))
    previewed = project.pulumi("preview")
    project.up()
    outputs = project.read_outputs()
    again = project.pulumi("preview", "--expect-no-changes")
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
    assert "9 unchanged" in again
    assert "9 unchanged" in refreshed
    assert "9 unchanged" in unchanged
    assert '"4" => "8"' in changing
    assert quota is not None
    assert quota["spec"]["hard"]["requests.nvidia.com/gpu"] == "8"
    assert "sesame-open-4713" not in "".join(written)
    assert "c2VzYW1lLW9wZW4tNDcxMw==" not in "".join(written)
    assert cluster.objects.read("v1", "Namespace", namespace) is None
