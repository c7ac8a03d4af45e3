"""What a preview says of each change of the configuration: in place, or another resource."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest

from tests.azure.server import Azure
from tests.integration.clones import BASE_IMAGE, AzureClone

PROGRAM = f"""\
import dataclasses
import json

import pulumi

import aml_infra

with open("changes.json") as file:
    changes = json.load(file)
principals = {{name: aml_infra.Principal(**each) for name, each in changes.pop("contributors", {{}}).items()}}
workspace = aml_infra.Workspace(
    "pets",
    aml_infra.WorkspaceArgs(
        **{{
            "location": "westeurope",
            "public_network_access": True,
            "tags": {{"team": "pets"}},
            **({{"contributors": principals}} if principals else {{}}),
            **changes.pop("workspace", {{}}),
        }}
    ),
)
registry = aml_infra.Registry(
    "pets", aml_infra.RegistryArgs(**{{"workspace": workspace, "sku": "Basic", **changes.pop("registry", {{}})}})
)
cluster = aml_infra.GpuCluster(
    "gpu", aml_infra.GpuClusterArgs(**{{"workspace": workspace, "max_nodes": 2, **changes.pop("cluster", {{}})}})
)
image = aml_infra.TrainingImage(
    "pets", aml_infra.TrainingImageArgs(base_image={BASE_IMAGE!r}, workspace=workspace, **changes.pop("image", {{}}))
)
assert not changes, changes
pulumi.export("server", registry.server)
pulumi.export("cluster", cluster.cluster_name)
pulumi.export("environment", image.environment_id)
"""

WORKSPACE, STORAGE, VAULT, LOGS = "pets-workspace", "pets-storage", "pets-vault", "pets-logs"
REGISTRY, CLUSTER, ENVIRONMENT = "pets-registry", "gpu-cluster", "pets-environment"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, azure: Azure, azure_plugins: pathlib.Path) -> Iterator[AzureClone]:
    """A stack with one of everything, which is there."""
    made = AzureClone(tmp_path_factory.mktemp("changes") / "clone", azure, azure_plugins, "azure-dev")
    (made.folder / "stacks" / "__main__.py").write_text(PROGRAM)
    made.settings.write_text("config: {}\n")
    write_changes(made, "{}")
    made.pulumi("stack", "rm", "--yes", "--preserve-config", "azure-dev")
    made.pulumi("stack", "init", "azure-dev")
    made.up()
    yield made
    write_changes(made, "{}")
    made.pulumi("destroy", "--yes")
    assert [each.id for each in azure.cloud.resources if "pets-azure-dev" in each.id] == []


def write_changes(clone: AzureClone, changes: str) -> None:
    """What the program declares otherwise."""
    (clone.folder / "stacks" / "changes.json").write_text(changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cluster": {"vm_size": "Standard_NC4as_T4_v3"}}, {}),
        (
            {
                "cluster": {"max_nodes": 4, "idle_seconds": 300},
                "registry": {"sku": "Standard"},
                "workspace": {
                    "friendly_name": "Pets",
                    "managed_network": "allow_only_approved_outbound",
                    "log_retention_days": 60,
                    "storage_redundancy": "Standard_GRS",
                },
            },
            {CLUSTER: "update", REGISTRY: "update", WORKSPACE: "update", LOGS: "update", STORAGE: "update"},
        ),
        (
            {"workspace": {"public_network_access": False}, "registry": {"sku": "Premium", "zone_redundancy": False}},
            {WORKSPACE: "update", STORAGE: "update", VAULT: "update", REGISTRY: "update"},
        ),
        pytest.param({"cluster": {"low_priority": True}}, {CLUSTER: "replace"}, marks=pytest.mark.long),
    ],
    ids=["another case", "in place", "private", "priority"],
)
def test_a_change_is_made_where_it_is_meant_to_be(
    clone: AzureClone, changes: dict[str, object], expected: dict[str, str]
) -> None:
    """The resources that it is of, in place where Azure can, and no other one."""
    write_changes(clone, json.dumps(changes))

    assert clone.preview_steps() == expected


def test_tags_are_changed_in_place(clone: AzureClone) -> None:
    """On whatever has some; nothing is made anew for them."""
    write_changes(clone, '{"workspace": {"tags": {"team": "cats"}}}')

    steps = clone.preview_steps()

    assert {WORKSPACE, STORAGE, VAULT, LOGS, REGISTRY, CLUSTER} <= set(steps)
    assert set(steps.values()) == {"update"}


@pytest.mark.long
def test_another_region_is_another_workspace(clone: AzureClone) -> None:
    """Nothing of it can be moved."""
    write_changes(clone, '{"workspace": {"location": "northeurope"}}')

    steps = clone.preview_steps()

    assert {steps[name] for name in (WORKSPACE, STORAGE, VAULT, LOGS, REGISTRY, CLUSTER)} == {"replace"}


@pytest.mark.long
def test_high_business_impact_is_another_workspace(clone: AzureClone) -> None:
    """With what is in it; its storage and its vault stay."""
    write_changes(clone, '{"workspace": {"high_business_impact": true}}')

    steps = clone.preview_steps()

    assert (steps[WORKSPACE], steps[CLUSTER], steps[ENVIRONMENT]) == ("replace", "replace", "replace")
    assert not {STORAGE, VAULT, LOGS, REGISTRY} & set(steps)


def test_a_moved_tag_is_another_environment(clone: AzureClone, azure: Azure) -> None:
    """Preview shows it, as the image is pinned by its digest."""
    write_changes(clone, "{}")
    azure.public.push("azureml/base", "1", "second")

    steps = clone.preview_steps()

    azure.public.push("azureml/base", "1", "first")
    assert steps == {ENVIRONMENT: "replace"}


@pytest.mark.long
def test_a_contributor_more_is_given_roles(clone: AzureClone) -> None:
    """And whoever deploys is listed from then on, or not."""
    write_changes(clone, '{"contributors": {"jane": {"object_id": "99999999-9999-4999-8999-999999999999"}}}')

    steps = clone.preview_steps()

    assert {name for name, step in steps.items() if step == "create"} == {
        "pets-contributor-jane-workspace-azureml-data-scientist",
        "pets-contributor-jane-storage-storage-blob-data-contributor",
    }
    assert {name for name, step in steps.items() if step == "delete"} == {
        "pets-contributor-deployer-workspace-azureml-data-scientist",
        "pets-contributor-deployer-storage-storage-blob-data-contributor",
    }
    assert len(steps) == 4


def test_a_preview_names_the_property(clone: AzureClone) -> None:
    """With both values, where it is."""
    write_changes(clone, '{"cluster": {"max_nodes": 4}}')

    shown = clone.pulumi("preview", "--diff")

    assert "~ maxNodeCount: 2 => 4" in shown


def test_what_azure_adds_is_no_change(clone: AzureClone, azure: Azure) -> None:
    """After a refresh, either: the service's own fields are not the user's."""
    write_changes(clone, "{}")
    (workspace,) = [
        each for each in azure.cloud.resources if each.type == "Microsoft.MachineLearningServices/workspaces"
    ]
    workspace.properties["managedNetwork"]["status"] = {"status": "Active", "sparkReady": True}
    workspace.properties["containerRegistry"] = workspace.properties["storageAccount"] + "/made/later"
    workspace.properties["privateLinkCount"] = 3

    clone.pulumi("refresh", "--yes")

    assert clone.preview_steps() == {}


def test_a_change_by_hand_is_found(clone: AzureClone, azure: Azure) -> None:
    """A refresh sees what somebody has changed in the portal, and the next `up` would set it back."""
    write_changes(clone, "{}")
    (cluster,) = [each for each in azure.cloud.resources if each.type.endswith("/computes")]
    cluster.properties["properties"]["scaleSettings"]["maxNodeCount"] = 9

    clone.pulumi("refresh", "--yes")
    steps = clone.preview_steps()
    clone.up()

    assert steps == {CLUSTER: "update"}
    assert cluster.properties["properties"]["scaleSettings"]["maxNodeCount"] == 2


def test_a_larger_size_is_made_before_the_smaller_one_goes(clone: AzureClone, azure: Azure) -> None:
    """Under another name, as a name keeps its size for a while."""
    write_changes(clone, '{"cluster": {"vm_size": "STANDARD_NC16AS_T4_V3"}}')
    azure.cloud.calls.clear()

    clone.up()

    calls = [call for call in azure.cloud.calls if "/computes/" in call.path and call.method in ("PUT", "DELETE")]
    (cluster,) = [each for each in azure.cloud.resources if each.type.endswith("/computes")]
    assert [call.method for call in calls] == ["PUT", "DELETE"]
    assert calls[0].path.rpartition("/")[2] == cluster.name != calls[1].path.rpartition("/")[2]
    assert cluster.properties["properties"]["vmSize"] == "STANDARD_NC16AS_T4_V3"
