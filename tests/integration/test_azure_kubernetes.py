"""A cluster of AKS and a training on it, through the real engine: the tests' Azure says it is the tests' Kubernetes.

That one asks the tests' Azure who comes with which token, and what the roles of Azure allow, as AKS does; its nodes
pull from registries of Azure as the identity of kubelets. They are not Azure's: a node is labelled as one of the pool.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aml_infra.components.aks_cluster_args import POOL, POOL_LABEL
from tests.azure import acr_credential_provider
from tests.azure.server import Azure
from tests.contract import kubernetes_place
from tests.contract.kubernetes_place import KubernetesPlace
from tests.integration.projects import PROJECT, Project
from tests.kubernetes.cluster import Guard
from tests.kubernetes.node import CredentialProvider
from tests.kubernetes_stand_in import installation

PROGRAM = """\
import json
import pulumi
import aml_infra

with open("args.json") as file:
    given = json.load(file)
workspace = aml_infra.Workspace(
    "pets", aml_infra.WorkspaceArgs(location="westeurope", public_network_access=True, purge_protection=False)
)
images = aml_infra.Registry("images", aml_infra.RegistryArgs(workspace=workspace))
attached = images if given["attached"] else None
aks = aml_infra.AksCluster("gpu", aml_infra.AksClusterArgs(workspace=workspace, registry=attached, **given["aks"]))
cluster = aml_infra.KubernetesCluster(
    "training", aml_infra.KubernetesClusterArgs(cluster=aks, registry=images, **given["cluster"])
)
job = aml_infra.TrainingJob("train", aml_infra.TrainingJobArgs(**given["job"], compute=cluster))
pulumi.export("kubeconfig", aks.kubeconfig)
for output in ("run_id", "status", "attempt"):
    pulumi.export(output, getattr(job, output))
"""


@pytest.fixture(scope="module")
def place(azure: Azure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesPlace]:
    """A Kubernetes that the tests' Azure calls its managed cluster, with a node of the pool."""
    azure.cloud.registered |= {"microsoft.containerservice", "microsoft.compute"}
    guard = Guard(url=azure.guard_url, authority=azure.authority)
    way = {name: azure.environment[name] for name in ("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")}
    provider = CredentialProvider(
        program=pathlib.Path(acr_credential_provider.__file__),
        images=("*.azurecr.io",),
        environment={**way, "AZURE_POD_IDENTITY_AUTHORITY_HOST": azure.guard_url},
        ports=(int(way["HTTPS_PROXY"].rpartition(":")[2]), guard.port),
    )
    with kubernetes_place.open_place(tmp_path_factory.mktemp("kubernetes") / "place", guard, provider) as made:
        azure.serve_kubernetes(made.cluster.server, made.cluster.authority)
        labels = {POOL_LABEL: POOL}
        made.cluster.objects.apply(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1", "labels": labels}}
        )
        yield made


@pytest.fixture(scope="module")
def plugins(azure_plugins: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    """The folders of the plugins for Azure and for Kubernetes."""
    return azure_plugins, installation.find_plugin(tmp_path_factory.mktemp("plugin"))


class AksProject(Project):
    """A project with a workspace, a cluster, a namespace in it, and a training."""

    def __init__(
        self,
        folder: pathlib.Path,
        azure: Azure,
        place: KubernetesPlace,
        plugins: tuple[pathlib.Path, pathlib.Path],
    ) -> None:
        super().__init__(folder, f"t{uuid.uuid4().hex[:8]}", folder / "data")
        self.azure, self.place = azure, place
        self.namespace = f"team-{self.name}"
        on_path, plugin = plugins
        (self.folder / "Pulumi.yaml").write_text(f"{PROJECT}    - name: kubernetes\n      path: {plugin}\n")
        (self.folder / "__main__.py").write_text(PROGRAM)
        # No other project's, so that nodes have no image with it already.
        self.write_script(f"echo line 1\necho line 2\n# {self.name}\n")
        self.environment |= azure.environment
        self.environment["PATH"] = f"{on_path}{os.pathsep}{os.environ['PATH']}"
        # A cluster of Azure's would be reached through the proxy; this one is on this machine.
        for name in ("NO_PROXY", "no_proxy"):
            self.environment[name] += f",{place.cluster.address}"
        # Nobody has a kubeconfig here.
        self.environment["HOME"] = str(self.folder)
        self.environment["PULUMI_HOME"] = str(pathlib.Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser())
        self.environment.pop("KUBECONFIG", None)
        # The image is in a registry that no node is logged in to; what they pull is its copy with the source.
        (self.folder / ".docker").mkdir()
        place.write_docker_config(self.folder / ".docker")

    def declare(self, *, attached: bool = True, **aks: Any) -> None:
        """Makes the program declare the cluster, with these arguments, and its registry attached to it or not."""
        given = {
            "aks": aks,
            "attached": attached,
            "cluster": {
                "namespace": self.namespace,
                "storage_class": self.namespace,
                "storage_gb": 1,
                # It is in a registry that is not reached from here.
                "device_plugin": False,
                "pending_minutes": 0.5,
            },
            "job": {"source": str(self.source), "command": ["sh", "train.sh"], "image": self.place.image},
        }
        (self.folder / "args.json").write_text(json.dumps(given))


@pytest.fixture
def project(
    tmp_path: pathlib.Path,
    azure: Azure,
    place: KubernetesPlace,
    plugins: tuple[pathlib.Path, pathlib.Path],
) -> Iterator[AksProject]:
    """A project; what it has made in the cluster is gone afterwards."""
    made = AksProject(tmp_path / "project", azure, place, plugins)
    place.make_volume(made.namespace)
    made.make_stack()
    yield made
    place.remove_namespace(made.namespace)


def test_a_stack_trains_on_a_cluster_that_it_has_made(project: AksProject) -> None:
    """From nothing; then there is nothing to do; a larger pool trains nothing again; and nothing is left of it."""
    cloud, cluster = project.azure.cloud, project.place.cluster
    before = {each.id for each in cloud.resources}
    project.declare(max_nodes=2)
    previewed = project.pulumi("preview")

    log = project.up()
    outputs = project.outputs()
    again = project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    project.declare(max_nodes=3)
    larger = project.up()
    (pool,) = [each for each in cloud.resources if each.name == POOL]
    (made,) = cluster.objects.list_all("batch/v1", "Job", project.namespace)
    state = project.pulumi("stack", "export")
    project.pulumi("destroy", "--yes", "--skip-preview")

    image = made["spec"]["template"]["spec"]["containers"][0]["image"]
    assert "AksCluster" in previewed
    assert image.partition("/")[0].endswith(".azurecr.io")
    assert "imagePullSecrets" not in made["spec"]["template"]["spec"]
    assert log.index("line 1") < log.index("line 2")
    assert (outputs["status"], outputs["attempt"]) == ("Completed", 1)
    assert "unchanged" in again
    assert pool.properties["maxCount"] == 3
    assert "line 1" not in larger
    assert made["spec"]["template"]["spec"]["nodeSelector"] == {POOL_LABEL: POOL}
    assert project.environment["AZURE_CLIENT_SECRET"] not in state
    assert re.search(r"eyJ[\w-]+\.eyJ", state) is None  # what each token begins with
    assert cluster.objects.read("v1", "Namespace", project.namespace) is None
    assert {each.id for each in cloud.resources} == before


@pytest.mark.long
def test_the_way_in_is_of_whoever_is_logged_in_to_azure(project: AksProject) -> None:
    """Without kubelogin; a login without a role is known, and may nothing; another interpreter changes no more."""
    project.declare()
    project.up()
    kubeconfig = project.folder / "kubeconfig"
    kubeconfig.write_text(project.outputs()["kubeconfig"])
    _, given = project.azure.add_principal()
    stranger = {name: value for name, value in given.items() if name.startswith(("AZURE_", "ARM_"))}

    def ask(login: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["hyperkube", "kubectl", f"--kubeconfig={kubeconfig}", "get", "namespaces", "-o", "name"],
            env={**project.environment, **login},
            capture_output=True,
            text=True,
            check=False,
        )

    own, others = ask({}), ask(stranger)
    other = project.folder / "other-python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    program = project.folder / "__main__.py"
    program.write_text(f"import sys\n\nsys.executable = {str(other)!r}\n{PROGRAM}")
    steps = json.loads(project.pulumi("preview", "--json"))["steps"]
    project.up()
    again = project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert f"namespace/{project.namespace}" in own.stdout.split(), own.stderr
    assert "Forbidden" in others.stderr
    assert sys.executable in kubeconfig.read_text()
    changed = {each["urn"].rpartition("::")[2]: each["op"] for each in steps if each["op"] != "same"}
    assert changed == {"training-provider": "update"}
    assert "unchanged" in again


@pytest.mark.long
def test_nodes_that_may_not_pull_are_told_of(project: AksProject) -> None:
    """A registry that is not attached to the cluster: the run fails with the reason, and the fix mends it."""
    project.declare(attached=False)

    failed = project.up(fails=True)
    project.declare()
    mended = project.up()
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert ".azurecr.io': 401 Unauthorized; they need the role AcrPull there" in failed
    assert "line 2" in mended
