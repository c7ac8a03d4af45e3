from __future__ import annotations

from typing import Any

import pulumi
import pytest

from aml_infra import (
    InvalidInput,
    Principal,
    Problem,
    Registry,
    TrainingImage,
    TrainingImageArgs,
    Workspace,
    WorkspaceArgs,
)
from aml_infra.components import role_assignments
from aml_infra.components.registry import RegistryArgs
from aml_infra.components.registry_login import TOKEN_USER, Login
from aml_infra.components.validation import Machine
from tests.unit.components.azure_resources import EXISTING_WORKSPACE, USER
from tests.unit.components.engine import (
    BASE_DIGEST,
    DOCKER_IMAGE,
    DOCKER_PROVIDER,
    GET_REGISTRY_IMAGE,
    Engine,
)

REGISTRY = "azure-native:containerregistry:Registry"
SUBNET = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub/subnets/ml"
ZONE = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"


def make_workspace(**given: Any) -> Workspace:
    """A workspace that can be reached from the internet."""
    return Workspace("pets", WorkspaceArgs(**{"location": "westeurope", "public_network_access": True, **given}))


def make(engine: Engine, workspace: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """Makes a workspace with its registry; gives the inputs of the registry's resources, by name, and the outputs."""

    def program() -> dict[str, Any]:
        registry = Registry("images", RegistryArgs(workspace=make_workspace(**(workspace or {})), **given))
        return {"id": registry.id, "server": registry.server, "username": registry.username, "login": registry.login}

    outputs = engine.run(program)
    made = {one.name: one.inputs for one in engine.resources if one.name.startswith("images-")}
    return {**made, "outputs": outputs}


def find(workspace: WorkspaceArgs, **given: Any) -> list[str]:
    """The problems of a registry's arguments, in words."""
    return [str(problem) for problem in RegistryArgs(workspace=workspace, **given).find_problems(Machine())]


def test_its_children_are_pinned(engine: Engine) -> None:
    """Renaming one replaces a cloud resource; a registry that is replaced has lost its images."""
    made = make(engine)

    assert set(made) - {"outputs"} == {
        "images-registry",
        "images-compute-pull",
        "images-workspace-pull",
        "images-deployer-push",
        "images-diagnostics",
    }


def test_the_whole_request(engine: Engine) -> None:
    """No passwords, no anonymous pull, in the workspace's group and region."""
    made = make(engine, {"tags": {"team": "vision"}})

    inputs = made["images-registry"]
    (workspace,) = [one.inputs for one in engine.resources if one.name == "pets-workspace"]
    assert inputs.pop("registryName").startswith("imagestest")
    assert inputs == {
        "adminUserEnabled": False,
        "anonymousPullEnabled": False,
        "dataEndpointEnabled": False,
        "location": "westeurope",
        "networkRuleBypassOptions": "AzureServices",
        "publicNetworkAccess": "Enabled",
        "resourceGroupName": workspace["resourceGroupName"],
        "sku": {"name": "Standard"},
        "tags": {"team": "vision"},
        "zoneRedundancy": "Disabled",
    }


def test_without_public_access_it_is_premium(engine: Engine) -> None:
    """What Azure needs for private endpoints; with it come zones and policies, as Azure Verified Modules set them."""
    made = make(
        engine,
        {"public_network_access": False, "private_endpoint_subnet_id": SUBNET},
        private_dns_zone_ids=[ZONE],
    )

    inputs = made["images-registry"]
    assert inputs["sku"] == {"name": "Premium"}
    assert (inputs["publicNetworkAccess"], inputs["zoneRedundancy"]) == ("Disabled", "Enabled")
    assert inputs["policies"] == {
        "exportPolicy": {"status": "disabled"},
        "quarantinePolicy": {"status": "disabled"},
        "retentionPolicy": {"days": 15, "status": "enabled"},
    }
    (connection,) = made["images-registry-endpoint"]["privateLinkServiceConnections"]
    assert connection["groupIds"] == ["registry"]
    assert connection["privateLinkServiceId"] == made["outputs"]["id"]
    assert made["images-registry-endpoint"]["subnet"] == {"id": SUBNET}
    (zone,) = made["images-registry-zones"]["privateDnsZoneConfigs"]
    assert zone["privateDnsZoneId"] == ZONE


def test_a_region_without_zones_can_be_had(engine: Engine) -> None:
    """Azure refuses zone redundancy there."""
    assert make(engine, sku="Premium", zone_redundancy=False)["images-registry"]["zoneRedundancy"] == "Disabled"
    assert make(engine, sku="Premium")["images-registry"]["policies"]["exportPolicy"] == {"status": "enabled"}


def test_who_may_pull_and_push(engine: Engine) -> None:
    """The computes' identity, since there is no admin user; the workspace's; and whoever deploys."""
    made = make(engine)

    roles = {role_id: role for role, role_id in role_assignments.ROLES.items()}
    granted = {
        name: (
            roles[inputs["roleDefinitionId"].rpartition("/")[2]],
            inputs["principalId"].partition("-")[0],
            inputs["principalType"],
        )
        for name, inputs in made.items()
        if "roleDefinitionId" in inputs
    }
    assert granted == {
        "images-compute-pull": ("AcrPull", "principal of pets", "ServicePrincipal"),
        "images-workspace-pull": ("AcrPull", "principal of pets", "ServicePrincipal"),
        "images-deployer-push": ("AcrPush", USER.partition("-")[0], "User"),
    }
    assert made["images-compute-pull"]["principalId"] != made["images-workspace-pull"]["principalId"]
    assert all(made[name]["scope"] == made["outputs"]["id"] for name in granted)


def test_those_who_push_can_be_listed(engine: Engine) -> None:
    """A stack that laptops and a pipeline deploy has to name them."""
    pipeline = Principal(object_id="aaaaaaaa-0000-0000-0000-000000000009", type="ServicePrincipal")

    made = make(engine, pushers={"pipeline": pipeline})

    assert made["images-pipeline-push"]["principalId"] == pipeline.object_id
    assert "images-deployer-push" not in made


def test_a_login_without_an_object_id_must_list_them(engine: Engine) -> None:
    """Azure would refuse the assignment in other words."""
    engine.client["objectId"] = ""

    with pytest.raises(InvalidInput) as caught:
        make(engine, {"contributors": {}})

    assert [problem.path for problem in caught.value.problems] == ["images.pushers"]


def test_a_login_is_a_token_that_is_asked_for_when_it_is_needed(engine: Engine) -> None:
    """It lasts three hours only."""
    made = make(engine)

    server = made["outputs"]["server"]
    assert server == f"{made['images-registry']['registryName']}.azurecr.io"
    assert made["outputs"]["login"] == Login(server, TOKEN_USER, f"token 1 of {server}")
    assert made["outputs"]["username"] == TOKEN_USER


def test_without_use_no_token_is_asked_for(engine: Engine) -> None:
    """A program that pushes nothing needs none."""
    engine.run(lambda: Registry("images", RegistryArgs(workspace=make_workspace())))

    assert engine.tokens == 0


@pytest.fixture
def preview(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine while it previews."""
    pulumi.runtime.set_mocks(engine, project="aml-infra", stack="test", preview=True)
    return engine


def push(**given: Any) -> TrainingImage:
    """An image that is pushed to a registry of the same program."""
    registry = Registry("images", RegistryArgs(workspace=make_workspace()))
    return TrainingImage("fastai", TrainingImageArgs(registry=registry, **given))


def test_preview_asks_for_no_token(preview: Engine) -> None:
    """Nothing is pushed then; pulumi-docker-build does not compare passwords, so that nothing shows as changed."""
    preview.run(lambda: push(dockerfile="FROM debian:bookworm-slim\n"))

    account = preview.find(DOCKER_IMAGE).inputs["registries"]["value"][0]
    assert preview.tokens == 0
    assert (account["username"], account["password"]) == (TOKEN_USER, "")


def test_an_update_has_a_token(engine: Engine) -> None:
    """As a secret."""
    engine.run(lambda: push(dockerfile="FROM debian:bookworm-slim\n"))

    account = engine.find(DOCKER_IMAGE).inputs["registries"]["value"][0]
    assert account["password"] == f"token 1 of {account['address']}"


def test_a_public_base_is_looked_up_without_a_token(preview: Engine) -> None:
    """Any preview can do that."""
    preview.registry_images["debian:12"] = BASE_DIGEST
    found: dict[str, Any] = {}

    preview.run(lambda: found.update(identity=push(base_image="debian:12").identity))

    assert preview.tokens == 0
    assert preview.find(DOCKER_PROVIDER).inputs == {"disableDockerDaemonCheck": "true"}
    assert preview.calls.count(GET_REGISTRY_IMAGE) == 1


def test_a_base_in_the_registry_is_looked_up_with_a_token(engine: Engine, buildx: Any) -> None:
    """By buildx: as an input of pulumi-docker it would be a change each time."""
    buildx.write_text(f'#!/bin/sh\necho "$@" > "$0.args"\necho {BASE_DIGEST}\n')
    made: dict[str, Any] = {}

    def program() -> dict[str, Any]:
        registry = Registry("images", RegistryArgs(workspace=make_workspace()))
        base = f"{made['server']}/base:1"
        image = TrainingImage("fastai", TrainingImageArgs(registry=registry, base_image=base))
        return {"identity": image.identity}

    made["server"] = make(engine)["outputs"]["server"]
    outputs = engine.run(program)

    assert outputs == {"identity": BASE_DIGEST}
    assert buildx.with_name("docker-buildx.args").read_text() == (
        f"imagetools inspect --format {{{{.Manifest.Digest}}}} {made['server']}/base:1\n"
    )
    assert GET_REGISTRY_IMAGE not in engine.calls


def test_an_existing_workspace_has_one(engine: Engine) -> None:
    """Which is closed, as nobody knows how open the workspace is; its logs are somewhere else."""
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE

    def program() -> None:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        Registry("images", RegistryArgs(workspace=workspace))

    engine.run(program)

    inputs = engine.find(REGISTRY).inputs
    assert (inputs["resourceGroupName"], inputs["location"]) == ("rg-pets", "northeurope")
    assert (inputs["sku"], inputs["publicNetworkAccess"]) == ({"name": "Premium"}, "Disabled")
    assert [one.name for one in engine.resources if "diagnostics" in one.name] == []


@pytest.mark.parametrize(
    ("workspace", "given", "problem"),
    [
        ({}, {"sku": "Cheap"}, "sku: is 'Cheap'; allowed are Basic, Standard, Premium"),
        (
            {"public_network_access": False},
            {"sku": "Basic"},
            "sku: is 'Basic', and no public network access needs Premium; leave sku out, or set public_network_access",
        ),
        (
            {},
            {"sku": "Standard", "private_endpoint_subnet_id": SUBNET},
            "sku: is 'Standard', and a private endpoint needs Premium; leave sku out, or private_endpoint_subnet_id",
        ),
        (
            {},
            {"private_dns_zone_ids": [ZONE, f"{ZONE}s"]},
            f"private_dns_zone_ids[1]: is {ZONE + 's'!r}; allowed are ids of private DNS zones privatelink.azurecr.io",
        ),
    ],
)
def test_what_does_not_fit_is_told(workspace: dict[str, Any], given: dict[str, Any], problem: str) -> None:
    """With the value, and the fix."""
    args = WorkspaceArgs(**{"location": "westeurope", "public_network_access": True, **workspace})

    assert find(args, **given) == [problem]


def test_a_principal_that_is_none_is_told() -> None:
    """With the name that it was given."""
    args = WorkspaceArgs(location="westeurope")

    (problem,) = find(args, pushers={"ci": Principal(object_id="ci")})

    assert problem.startswith("pushers['ci'].object_id: is 'ci'")


def test_args_do_not_make_a_workspace(engine: Engine) -> None:
    """They stand for one in validation only."""
    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: Registry("images", RegistryArgs(workspace=WorkspaceArgs(location="westeurope"))))

    fix = "is a WorkspaceArgs; make a Workspace of it, and pass that"
    assert caught.value.problems == (Problem("images.workspace", fix),)
    assert engine.resources == []
