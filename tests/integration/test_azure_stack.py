"""Stacks `azure-dev` and `azure-prod` on the tests' Azure, with the real engine: their lives, whole."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from tests.azure.server import Azure
from tests.integration.clones import BASE_IMAGE, AzureClone, make_public_clone

TREE = {
    "fastai TrainingImage",
    "fastai docker",
    "fastai-environment EnvironmentVersion",
    "gpu-cluster GpuCluster",
    "gpu-cluster-cluster Compute",
    "training Workspace",
    "training-blobs BlobServiceProperties",
    "training-blobs-diagnostics DiagnosticSetting",
    "training-compute-identity UserAssignedIdentity",
    "training-compute-identity-storage-storage-blob-data-contributor RoleAssignment",
    "training-compute-identity-workspace-azure-machine-learning-workspace-connection-secrets-reader RoleAssignment",
    "training-contributor-deployer-storage-storage-blob-data-contributor RoleAssignment",
    "training-contributor-deployer-workspace-azureml-data-scientist RoleAssignment",
    "training-group ResourceGroup",
    "training-guard SoftDeletion",
    "training-identity UserAssignedIdentity",
    "training-identity-insights-contributor RoleAssignment",
    "training-identity-storage-contributor RoleAssignment",
    "training-identity-storage-storage-blob-data-contributor RoleAssignment",
    "training-identity-storage-storage-file-data-privileged-contributor RoleAssignment",
    "training-identity-vault-contributor RoleAssignment",
    "training-identity-vault-key-vault-administrator RoleAssignment",
    "training-identity-workspace-contributor RoleAssignment",
    "training-insights Component",
    "training-logs Workspace",
    "training-storage StorageAccount",
    "training-vault Vault",
    "training-vault-diagnostics DiagnosticSetting",
    "training-vault-guard SoftDeletion",
    "training-workspace Workspace",
    "training-workspace-diagnostics DiagnosticSetting",
}
"""What `azure-dev` is made of; the names are a contract, as another one is another resource in Azure."""


def list_own(azure: Azure, clone: AzureClone) -> list[str]:
    """The ids of what Azure has of a stack."""
    group = f"training-{clone.stack}"
    return [each.id for each in azure.cloud.resources if group in each.id]


def find_deletes(azure: Azure) -> list[str]:
    """The types of what was deleted, in order."""
    return [call.operation.partition(" ")[2] for call in azure.cloud.calls if call.method == "DELETE"]


@pytest.mark.timeout(1200)
def test_azure_dev_comes_stays_and_goes(tmp_path: pathlib.Path, azure: Azure, azure_plugins: pathlib.Path) -> None:
    """From nothing to all, no change after that nor after a refresh; gone without a trace; and from nothing again."""
    clone = make_public_clone(tmp_path / "clone", azure, azure_plugins, "azure-dev")

    clone.up()
    resources = clone.read_resources()
    outputs = clone.outputs()
    state = clone.pulumi("stack", "export", "--show-secrets")
    clone.pulumi("preview", "--expect-no-changes")
    clone.pulumi("refresh", "--yes", "--expect-no-changes")
    clone.pulumi("preview", "--expect-no-changes")
    azure.cloud.calls.clear()
    clone.pulumi("destroy", "--yes")
    deletes = find_deletes(azure)
    left = list_own(azure, clone)
    kept = {each.type for each in azure.cloud.deleted}
    clone.up()
    clone.pulumi("destroy", "--yes")

    assert {name for name in resources if not name.endswith((" Stack", " azure-native"))} >= TREE
    assert len(resources) - len(TREE) <= 3
    config: dict[str, Any] = json.loads(outputs["configJson"])
    assert config["subscription_id"] == azure.cloud.subscription_id
    assert config["workspace_name"] == outputs["workspaceName"]
    assert outputs["currentNodeCount"] == 0
    assert outputs["imageRef"] == f"{BASE_IMAGE.rpartition(':')[0]}@{azure.public.digests['azureml/base', '1']}"
    assert azure.environment["ARM_CLIENT_SECRET"] not in state
    workspace = "Microsoft.MachineLearningServices/workspaces"
    # Deleted, and purged at once, while what it refers to is still there.
    first, second = [index for index, kind in enumerate(deletes) if kind == workspace]
    assert deletes.index(f"{workspace}/computes") < first < second
    assert second < deletes.index("Microsoft.Storage/storageAccounts")
    assert second < deletes.index("Microsoft.KeyVault/vaults") < deletes.index("Microsoft.Resources/resourceGroups")
    assert left == []
    # Azure keeps logs for two weeks; the second time, they were taken back.
    assert kept == {"Microsoft.OperationalInsights/workspaces"}


@pytest.mark.timeout(1200)
@pytest.mark.long
def test_azure_prod_takes_its_vault_back(tmp_path: pathlib.Path, azure: Azure, azure_plugins: pathlib.Path) -> None:
    """A vault that nobody may purge is kept, taken back by the next `up`, and as it was after one more."""
    clone = make_public_clone(tmp_path / "clone", azure, azure_plugins, "azure-prod")

    clone.up()
    clone.pulumi("preview", "--expect-no-changes")
    (vault,) = [each.id for each in azure.cloud.resources if each.type == "Microsoft.KeyVault/vaults"]
    told = clone.pulumi("destroy", "--yes")
    kept = [each.id for each in azure.cloud.deleted if each.type == "Microsoft.KeyVault/vaults"]
    clone.up()
    again = clone.preview_steps()
    clone.up()
    clone.pulumi("preview", "--expect-no-changes")

    assert "purge protection" in told
    assert kept == [vault]
    assert azure.cloud.resources.get(vault) is not None
    assert again == {"training-vault-guard": "update", "training-vault": "update"}
    clone.pulumi("destroy", "--yes")
