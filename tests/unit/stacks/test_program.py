from __future__ import annotations

import json
import pathlib
import re
import runpy
import sys
import types
from typing import Any

import pulumi
import pytest
import yaml

from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION
from tests.unit.components.engine import Engine

EXPORTS = ["attempt", "fingerprint", "imageRef", "metrics", "outputsPath", "portalUrl", "runId", "status"]

ACCOUNT = {"server": "ghcr.io/team", "username": "me", "password": "sesame"}

SECRETS_READER = (
    "authorization:RoleAssignment training-compute-identity-workspace-"
    "azure-machine-learning-workspace-connection-secrets-reader"
)


def run_program(engine: Engine, folder: pathlib.Path, stack: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs the program on a stack's configuration; returns what it exports."""
    config = yaml.safe_load((folder / "config" / f"Pulumi.{stack}.yaml").read_text())["config"]
    if stack == "kubernetes":
        # What the file says to set first.
        config["aml-infra:image"]["registry"] = ACCOUNT
    return run_config(engine, folder, config, monkeypatch)


def run_config(
    engine: Engine, folder: pathlib.Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Likewise, on what is in ``config``."""
    values = {key: json.dumps(value) for key, value in config.items()}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(values))
    exports: dict[str, Any] = {}

    def run() -> None:
        runpy.run_path(str(folder))

    # Whatever the program loads from its folder is forgotten again.
    for name in ("settings", "azure_settings", "sections", "secure_values", "paths"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(pulumi, "export", exports.__setitem__)
    engine.run(run)
    return exports


def test_stack_local_makes_image_compute_and_job(
    engine: Engine, stacks_folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded stack: its resources' types and names are a contract."""
    exports = run_program(engine, stacks_folder, "local", monkeypatch)

    assert sorted((resource.typ, resource.name) for resource in engine.resources) == [
        ("aml-infra:index:LocalDocker", "docker"),
        ("aml-infra:index:TrainingImage", "fastai"),
        ("aml-infra:index:TrainingJob", "train"),
        ("aml-infra:index:TrainingRun", "train"),
        ("docker-build:index:Image", "fastai"),
    ]
    assert sorted(exports) == EXPORTS


WORKSPACE = {
    "GpuCluster gpu-cluster",
    "Registry training",
    "SoftDeletion training-guard",
    "SoftDeletion training-vault-guard",
    "TrainingImage fastai",
    "TrainingJob train",
    "TrainingRun train",
    "Workspace training",
    "applicationinsights:Component training-insights",
    "authorization:RoleAssignment training-compute-identity-storage-storage-blob-data-contributor",
    SECRETS_READER,
    "authorization:RoleAssignment training-compute-pull",
    "authorization:RoleAssignment training-contributor-deployer-storage-storage-blob-data-contributor",
    "authorization:RoleAssignment training-contributor-deployer-workspace-azureml-data-scientist",
    "authorization:RoleAssignment training-deployer-push",
    "authorization:RoleAssignment training-identity-insights-contributor",
    "authorization:RoleAssignment training-identity-storage-contributor",
    "authorization:RoleAssignment training-identity-storage-storage-blob-data-contributor",
    "authorization:RoleAssignment training-identity-storage-storage-file-data-privileged-contributor",
    "authorization:RoleAssignment training-identity-vault-contributor",
    "authorization:RoleAssignment training-identity-vault-key-vault-administrator",
    "authorization:RoleAssignment training-identity-workspace-contributor",
    "authorization:RoleAssignment training-workspace-pull",
    "containerregistry:Registry training-registry",
    "docker-build:index:Image fastai",
    "keyvault:Vault training-vault",
    "machinelearningservices:Compute gpu-cluster-cluster",
    "machinelearningservices:EnvironmentVersion fastai-environment",
    "machinelearningservices:Workspace training-workspace",
    "managedidentity:UserAssignedIdentity training-compute-identity",
    "managedidentity:UserAssignedIdentity training-identity",
    "monitor:DiagnosticSetting training-blobs-diagnostics",
    "monitor:DiagnosticSetting training-diagnostics",
    "monitor:DiagnosticSetting training-vault-diagnostics",
    "monitor:DiagnosticSetting training-workspace-diagnostics",
    "operationalinsights:Workspace training-logs",
    "resources:ResourceGroup training-group",
    "storage:BlobServiceProperties training-blobs",
    "storage:StorageAccount training-storage",
}
"""What both stacks on Azure are made of."""

AZURE_EXPORTS = [
    *EXPORTS,
    "clusterName",
    "configJson",
    "currentNodeCount",
    "environmentId",
    "studioUrl",
    "workspaceName",
]


def list_resources(engine: Engine) -> set[str]:
    """Type and name of each resource; types of ours, of Azure's and of Kubernetes' without what they have in common."""
    return {
        f"{re.sub('^(aml-infra:index|azure-native|kubernetes):', '', resource.typ)} {resource.name}"
        for resource in engine.resources
    }


@pytest.mark.parametrize(
    ("stack", "more"),
    [
        ("azure-dev", set()),
        (
            "azure-prod",
            {
                "machinelearningservices:ManagedNetworkSettingsRule training-rule-pypi",
                "machinelearningservices:ManagedNetworkSettingsRule training-rule-pypi-files",
            },
        ),
    ],
)
def test_stacks_on_azure_make_a_workspace_and_what_is_in_it(
    engine: Engine, stacks_folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, stack: str, more: set[str]
) -> None:
    """Types and names are a contract, as another name is another resource in Azure; the job is on the cluster."""
    exports = run_program(engine, stacks_folder, stack, monkeypatch)

    assert list_resources(engine) == WORKSPACE | more
    assert len(engine.resources) == len(WORKSPACE | more)
    assert sorted(exports) == sorted(AZURE_EXPORTS)
    inputs = engine.find("aml-infra:index:TrainingRun").inputs
    cluster = engine.find("azure-native:machinelearningservices:Compute").inputs
    assert (inputs["backend"], inputs["backendOptions"]["compute_name"]) == ("azureml", cluster["computeName"])
    assert inputs["image"].startswith("azureml:fastai:")


def test_a_workspace_that_exists_is_attached_to(
    engine: Engine, stacks_folder: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is in it is made, and the identity of its computes; the image goes to a registry that exists."""
    address = {"subscription_id": SUBSCRIPTION, "resource_group": "rg-pets", "workspace_name": "pets"}
    (tmp_path / "config.json").write_text(json.dumps(address))
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE
    config = {
        "aml-infra:workspace": {"config_file": str(tmp_path / "config.json")},
        "aml-infra:image": {
            "dockerfile": "examples/fastai-example/Dockerfile",
            "registry": ACCOUNT,
        },
    }

    run_config(engine, stacks_folder, config, monkeypatch)

    assert list_resources(engine) == {
        "GpuCluster gpu-cluster",
        "TrainingImage fastai",
        "Workspace training",
        "authorization:RoleAssignment training-compute-identity-storage-storage-blob-data-contributor",
        SECRETS_READER,
        "docker-build:index:Image fastai",
        "machinelearningservices:Compute gpu-cluster-cluster",
        "machinelearningservices:EnvironmentVersion fastai-environment",
        "machinelearningservices:WorkspaceConnection training-connection",
        "managedidentity:UserAssignedIdentity training-compute-identity",
    }


def test_stack_kubernetes_makes_a_namespace_and_what_is_in_it(
    engine: Engine, stacks_folder: pathlib.Path, kubeconfig: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types and names are a contract; the job is in the namespace, in the image that was pushed."""
    exports = run_program(engine, stacks_folder, "kubernetes", monkeypatch)

    assert list_resources(engine) == {
        "KubernetesCluster training",
        "TrainingImage fastai",
        "TrainingJob train",
        "TrainingRun train",
        "core/v1:LimitRange training-limits",
        "core/v1:Namespace training-namespace",
        "core/v1:PersistentVolumeClaim training-outputs",
        "core/v1:Secret training-registry",
        "core/v1:ServiceAccount training-service-account",
        "docker-build:index:Image fastai",
        "networking.k8s.io/v1:NetworkPolicy training-network-policy",
        "pulumi:providers:kubernetes training-provider",
    }
    assert sorted(exports) == sorted([*EXPORTS, "namespace", "outputsClaim"])
    inputs = engine.find("aml-infra:index:TrainingRun").inputs
    assert (inputs["backend"], inputs["backendOptions"]["namespace"]) == ("kubernetes", "training")
    assert inputs["image"].startswith("ghcr.io/team/fastai@sha256:")


@pytest.mark.usefixtures("kubeconfig")
@pytest.mark.parametrize("stack", ["local", "azure-dev", "azure-prod", "kubernetes"])
def test_the_configuration_in_the_repository_names_what_exists(
    engine: Engine, stacks_folder: pathlib.Path, settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch, stack: str
) -> None:
    """A newcomer's first `up` must not end in a path that is wrong."""
    run_program(engine, stacks_folder, stack, monkeypatch)

    inputs = engine.find("aml-infra:index:TrainingRun").inputs
    assert inputs["source"] == str(settings.paths.PROJECT_FOLDER / "examples" / "fastai-example")
    assert (inputs["command"], inputs["experiment"]) == (["python", "train.py"], "fastai-digits")
