"""What exists in Azure already: a workspace that is attached or imported, a cluster that is taken over."""

from __future__ import annotations

import copy
import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from aml_infra import azure_names
from tests.azure import workspaces
from tests.azure.arm_client import Client
from tests.azure.resources import Resource
from tests.azure.server import Azure
from tests.integration.clones import BASE_IMAGE, AzureClone

PROGRAM = """\
import json

import pulumi
from pulumi_azure_native import machinelearningservices

import aml_infra

with open("changes.json") as file:
    given = json.load(file)
if "imported" in given:
    machinelearningservices.Workspace("mine", **given["imported"])
else:
    workspace = aml_infra.Workspace.from_config("config.json")
    if "connection" in given:
        password = pulumi.Config().require_secret("password")
        aml_infra.Registry.external("ghcr.io/pets", "bot", password, workspace=workspace, name="pets-registry")
    if "cluster" in given:
        aml_infra.GpuCluster("gpu", aml_infra.GpuClusterArgs(workspace=workspace, **given["cluster"]))
"""

PASSWORD = "sesame-of-the-bot"  # noqa: S105 (of nothing)


@pytest.fixture(scope="module")
def workspace(azure: Azure) -> Resource:
    """A workspace that somebody made by hand."""
    client = Client(azure.cloud, azure.owner)
    group = f"{azure.cloud.subscription}/resourceGroups/by-hand"
    client.make(group, {"location": "westeurope"})
    parts = workspaces.make_parts(azure.cloud, client, group)
    workspace_id = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/by-hand"
    client.make(workspace_id, workspaces.build_body(parts, description="made in the portal"))
    found = azure.cloud.resources.get(workspace_id)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, azure: Azure, azure_plugins: pathlib.Path, workspace: Resource
) -> AzureClone:
    """A copy with the workspace's `config.json`, as the studio gives it."""
    made = AzureClone(tmp_path_factory.mktemp("existing") / "clone", azure, azure_plugins, "azure-dev")
    made.drop_training()
    config = {
        "subscription_id": azure.cloud.subscription_id,
        "resource_group": "by-hand",
        "workspace_name": workspace.name,
    }
    (made.folder / "config.json").write_text(json.dumps(config))
    return made


@pytest.fixture
def clone(program: AzureClone, azure: Azure, workspace: Resource) -> Iterator[AzureClone]:
    """The same with a program of the tests' own; what it made is taken away, and the workspace is as it was."""
    main, settings = program.folder / "stacks" / "__main__.py", program.settings.read_text()
    whole = main.read_text()
    main.write_text(PROGRAM)
    (program.folder / "stacks" / "config.json").write_text((program.folder / "config.json").read_text())
    program.settings.write_text("config: {}\n")
    before, body = list_all(azure), copy.deepcopy(workspace.body)
    program.pulumi("stack", "rm", "--yes", "--preserve-config", "azure-dev")
    program.pulumi("stack", "init", "azure-dev")
    yield program
    program.pulumi("destroy", "--yes", "--skip-preview")
    main.write_text(whole)
    program.settings.write_text(settings)
    assert (find_new(azure, before), workspace.body) == (set(), body)


def list_all(azure: Azure) -> set[str]:
    """The ids of all that there is."""
    return {each.id for each in azure.cloud.resources}


def find_new(azure: Azure, before: set[str]) -> set[str]:
    """What is new, but for environments: they stay, as earlier trainings ran in them."""
    return {each for each in list_all(azure) - before if "/environments/" not in each}


def give(clone: AzureClone, **given: Any) -> None:
    """What the program declares."""
    (clone.folder / "stacks" / "changes.json").write_text(json.dumps(given))


def test_a_stack_works_in_a_workspace_that_exists(program: AzureClone, azure: Azure, workspace: Resource) -> None:
    """Cluster and environment are made in it, and gone after a destroy; the workspace itself is not touched."""
    settings = program.settings.read_text()
    program.settings.write_text(
        "config:\n"
        "  aml-infra:workspace: {config_file: config.json}\n"
        f"  aml-infra:image: {{base_image: '{BASE_IMAGE}'}}\n"
        "  aml-infra:cluster: {max_nodes: 2}\n"
    )
    before, body = list_all(azure), copy.deepcopy(workspace.body)
    program.up()
    made = {each.rpartition("/")[0].rpartition("/")[2] for each in list_all(azure) - before}
    outputs = program.outputs()
    program.pulumi("preview", "--expect-no-changes")
    program.pulumi("destroy", "--yes", "--skip-preview")
    program.settings.write_text(settings)

    assert {"computes", "versions", "userAssignedIdentities", "roleAssignments"} <= made
    assert outputs["workspaceName"] == workspace.name
    assert (find_new(azure, before), workspace.body) == (set(), body)


def test_a_cluster_made_by_hand_is_taken_over(clone: AzureClone, azure: Azure, workspace: Resource) -> None:
    """Only when asked, even where it has our name; its size stays as it is, and its node counts are ours."""
    owner = azure_names.Owner(
        subscription_id=azure.cloud.subscription_id, project="aml-infra", stack="azure-dev", component="gpu"
    )
    cluster_id = f"{workspace.id}/computes/{azure_names.build_name('compute', owner, 'NC4AS_T4_V3 True')}"
    client = Client(azure.cloud, azure.owner)
    client.make(cluster_id, workspaces.build_cluster(most=4, vmPriority="LowPriority"))
    cluster = azure.cloud.resources.get(cluster_id)
    assert cluster is not None
    give(clone, cluster={"max_nodes": 3})
    refused = clone.up(fails=True)
    give(clone, cluster={"max_nodes": 3, "adopt": cluster_id})
    taken = clone.up()
    clone.pulumi("preview", "--expect-no-changes")

    assert f"cannot create already existing resource '{cluster_id}'" in refused
    assert "1 imported" in taken
    assert azure.cloud.resources.get(cluster_id) is cluster
    nodes = cluster.properties["properties"]
    assert (nodes["vmPriority"], nodes["scaleSettings"]["maxNodeCount"]) == ("LowPriority", 3)


def test_a_connection_shows_its_password_to_nobody(clone: AzureClone, azure: Azure, workspace: Resource) -> None:
    """Azure has it, and the program's state and output have not; a refresh misses nothing."""
    clone.pulumi("config", "set", "--secret", "password", PASSWORD)
    give(clone, connection=True)
    told = clone.pulumi("up", "--yes", "--diff")
    clone.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    clone.pulumi("preview", "--expect-no-changes")
    state = clone.pulumi("stack", "export")

    (connection,) = [each for each in azure.cloud.resources if each.type.endswith("/connections")]
    assert connection.id.startswith(workspace.id)
    assert connection.properties["target"] == "https://ghcr.io"
    assert connection.secrets["credentials"] == {"username": "bot", "password": PASSWORD}
    for text in (told, state, repr(azure.cloud.calls), json.dumps(connection.body)):
        assert PASSWORD not in text


def test_a_workspace_is_imported_as_it_is(clone: AzureClone, workspace: Resource) -> None:
    """By `pulumi import`: a program that declares it as it is changes nothing."""
    kind = "azure-native:machinelearningservices:Workspace"
    options = ("--yes", "--generate-code=false", "--protect=false")
    clone.pulumi("import", kind, "mine", workspace.id, *options)
    state = clone.export()["resources"]
    (inputs,) = [each["inputs"] for each in state if each["type"] == kind]
    inputs.pop("azureApiVersion")
    give(clone, imported={re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key): inputs[key] for key in inputs})
    shown = clone.pulumi("preview", "--diff")
    urn = f"urn:pulumi:azure-dev::aml-infra::{kind}::mine"
    clone.pulumi("state", "delete", urn, "--yes")

    assert "2 unchanged" in shown, shown
