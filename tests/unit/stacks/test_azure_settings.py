"""Stacks on Azure: what is in their configuration, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import types
from typing import Any

import pytest

from aml_infra import (
    GpuClusterArgs,
    InvalidInput,
    OutboundRule,
    Principal,
    RegistryArgs,
    WorkspaceArgs,
)
from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION
from tests.unit.components.engine import Engine

PERSON = "aaaaaaaa-0000-0000-0000-000000000001"
WORKSPACE = {"location": "westeurope", "public_network_access": True}
IMAGE = {"dockerfile": "Dockerfile"}
ACCOUNT = {"server": "ghcr.io/team", "username": "me", "password": "sesame"}


@pytest.fixture(autouse=True)
def project_folder(tmp_path: pathlib.Path, settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project with a Dockerfile and a source folder."""
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    monkeypatch.setattr(settings.paths, "PROJECT_FOLDER", tmp_path)
    return tmp_path


def build(engine: Engine, settings: types.ModuleType, **sections: Any) -> Any:
    """What a configuration on Azure with ``sections`` in it becomes; one that is None is left out."""
    given = {"workspace": WORKSPACE, "registry": {}, "image": IMAGE, **sections}
    values = {f"p:{name}": json.dumps(section) for name, section in given.items() if section is not None}
    built: list[Any] = []
    engine.run(lambda: built.append(settings.build_config("p", values)))
    return built[0]


def find_problems(engine: Engine, settings: types.ModuleType, **sections: Any) -> list[str]:
    """The problems of such a configuration, as text."""
    with pytest.raises(InvalidInput) as caught:
        build(engine, settings, **sections)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "args", "added", "made"),
    [
        ("workspace", WorkspaceArgs, {"config_file"}, set()),
        ("registry", RegistryArgs, set(), {"workspace"}),
        ("cluster", GpuClusterArgs, set(), {"workspace"}),
    ],
)
def test_every_argument_has_a_setting_and_the_same_default(
    settings: types.ModuleType, name: str, args: Any, added: set[str], made: set[str]
) -> None:
    """What a program can say, a stack's configuration can say too; what is made of objects is made elsewhere."""
    fields = {field.name: field for field in dataclasses.fields(args)}
    model = settings.sections.SECTIONS[name].model_fields

    assert set(model) - added == set(fields) - made
    for key in model.keys() & fields.keys():
        default = fields[key].default if fields[key].default_factory is dataclasses.MISSING else {}
        if default is not dataclasses.MISSING:
            assert model[key].default == (list(default) if isinstance(default, tuple) else default), key


@pytest.mark.parametrize(("section", "args"), [("OutboundRuleSection", OutboundRule), ("PrincipalSection", Principal)])
def test_every_argument_of_an_object_has_a_setting_and_the_same_default(
    sections: types.ModuleType, section: str, args: Any
) -> None:
    """Likewise, of what is in maps."""
    model = getattr(sections, section).model_fields

    assert list(model) == [field.name for field in dataclasses.fields(args)]
    for field in dataclasses.fields(args):
        if field.default is not dataclasses.MISSING:
            assert model[field.name].default == field.default


def test_sections_become_arguments(engine: Engine, settings: types.ModuleType, project_folder: pathlib.Path) -> None:
    """With paths from the project's folder, and maps of objects; one workspace stands in the others."""
    workspace = {
        **WORKSPACE,
        "managed_network": "allow_only_approved_outbound",
        "outbound_rules": {"pypi": {"fqdn": "pypi.org"}},
        "contributors": {"jane": {"object_id": PERSON}},
        "config_path": ".azureml/config.json",
    }
    pushers = {"ci": {"object_id": PERSON, "type": "ServicePrincipal"}}

    azure = build(engine, settings, workspace=workspace, registry={"pushers": pushers}, cluster={"max_nodes": 4}).azure

    assert azure.workspace.outbound_rules == {"pypi": OutboundRule(fqdn="pypi.org")}
    assert azure.workspace.contributors == {"jane": Principal(object_id=PERSON)}
    assert azure.workspace.config_path == str(project_folder / ".azureml" / "config.json")
    assert azure.registry.pushers == {"ci": Principal(object_id=PERSON, type="ServicePrincipal")}
    assert azure.cluster.max_nodes == 4
    assert azure.stand_in is azure.workspace is azure.registry.workspace is azure.cluster.workspace


def test_the_image_is_one_of_the_workspace(engine: Engine, settings: types.ModuleType) -> None:
    """Its registry is the stack's."""
    config = build(engine, settings)

    assert (config.image.workspace, config.image.registry) == (config.azure.workspace, config.azure.registry)


def test_a_stack_without_trainings_is_none_of_this_machine(engine: Engine, settings: types.ModuleType) -> None:
    """On Azure there is more to make; where there is no workspace, a stack without one is of no use."""
    assert build(engine, settings).train is None
    assert find_problems(engine, settings, workspace=None, registry=None) == [
        "p:train.source: is missing; it has no default",
        "p:train.command: is missing; it has no default",
    ]


def test_a_training_on_azure_is_one_on_the_cluster(engine: Engine, settings: types.ModuleType) -> None:
    """What a node does not have is told before anything is made."""
    config = build(engine, settings, train=TRAIN)

    assert (config.train.compute, config.train.image) == (config.azure.cluster, config.image)
    assert find_problems(engine, settings, train={**TRAIN, "gpus": 2}) == [
        ("p:train.gpus: is 2; a node of size STANDARD_NC4AS_T4_V3 has 1; ask for at most that, or a larger vm_size")
    ]


NEITHER = "is of no use without a workspace; leave it out, or add a workspace"
BESIDE = "is of a workspace that is made, and config_file names one that exists; leave one of them out"
TRAIN = {"source": "code", "command": ["true"]}


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"workspace": None, "cluster": {}, "train": TRAIN}, [f"p:registry: {NEITHER}", f"p:cluster: {NEITHER}"]),
        (
            {"compute": {}},
            ["p:compute: is Docker on this machine, and there is a workspace; leave one of them out"],
        ),
        (
            {"image": {**IMAGE, "registry": ACCOUNT}},
            [
                (
                    "p:registry: is of no use beside image.registry, which is where the image is pushed to; leave one "
                    "of them out"
                )
            ],
        ),
        (
            {"workspace": {"config_file": "config.json", "tags": {}, "location": "westeurope"}},
            [f"p:workspace.location: {BESIDE}", f"p:workspace.tags: {BESIDE}"],
        ),
        (
            {"workspace": {"public_network_access": True}},
            [
                (
                    "p:workspace.location: is missing; give an Azure region, as in westeurope; or config_file, for a "
                    "workspace that exists"
                )
            ],
        ),
    ],
)
def test_settings_that_do_not_go_together_are_told(
    engine: Engine, settings: types.ModuleType, given: dict[str, Any], problems: list[str]
) -> None:
    """Nothing of what a user has written is passed over."""
    assert find_problems(engine, settings, **given) == problems


def test_all_that_is_wrong_is_told_at_once(engine: Engine, settings: types.ModuleType) -> None:
    """Under the user's own paths, of all sections; what could not be read makes no noise of its own."""
    problems = find_problems(
        engine,
        settings,
        workspace={
            "location": "",
            "soft_delete_days": 1,
            "log_retention_days": "long",
            "contributors": {"jane": {"object_id": PERSON, "tpye": "Group"}},
            "outbound_rules": {"pypi": {"fqdn": "pypi.org", "protocol": "TCP"}},
        },
        registry={"sku": "Basic", "zone_redundant": True},
        cluster={"max_nodes": 0, "vm_size": "STANDARD_NC6"},
        image={"dockerfile": "nowhere/Dockerfile"},
    )

    assert [problem.partition(": ")[0] for problem in problems] == [
        "p:workspace.log_retention_days",
        "p:workspace.contributors.jane.tpye",
        "p:registry.zone_redundant",
        "p:image.dockerfile",
        "p:cluster.vm_size",
        "p:cluster.max_nodes",
        "p:workspace.location",
        "p:workspace.soft_delete_days",
        "p:workspace.outbound_rules['pypi'].protocol",
        "p:workspace.outbound_rules['pypi']",
        "p:registry.sku",
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"workspace": "westeurope"},
        {"workspace": {"location": 4}},
        {"workspace": {"config_file": 4}},
        {"workspace": {**WORKSPACE, "public_network_access": "yes"}, "registry": {"sku": "Basic"}},
        {"workspace": {**WORKSPACE, "managed_network": 1, "outbound_rules": {"pypi": {"fqdn": "pypi.org"}}}},
        {"registry": "Basic"},
        {"registry": None, "image": {**IMAGE, "registry": {**ACCOUNT, "password": 4711}}},
    ],
)
def test_what_cannot_be_read_is_told_once(engine: Engine, settings: types.ModuleType, given: dict[str, Any]) -> None:
    """What was not understood is not missing, and nothing that goes with it is wrong."""
    assert len(find_problems(engine, settings, **given)) == 1


def test_secure_values_are_refused_but_in_their_places(engine: Engine, settings: types.ModuleType) -> None:
    """Nothing that a workspace is told is a secret in the state."""
    values = {"p:workspace": json.dumps({**WORKSPACE, "description": "sesame"}), "p:image": json.dumps(IMAGE)}

    with pytest.raises(InvalidInput, match="p:workspace: holds a secure value, which would be plain text") as caught:
        engine.run(lambda: settings.build_config("p", values, ("p:workspace",)))

    assert "sesame" not in str(caught.value)


def test_a_config_file_attaches_to_a_workspace(
    engine: Engine, settings: types.ModuleType, project_folder: pathlib.Path
) -> None:
    """It is from the project's folder; the workspace is looked up, and nothing of it is made."""
    address = {"subscription_id": SUBSCRIPTION, "resource_group": "rg-pets", "workspace_name": "pets"}
    (project_folder / "config.json").write_text(json.dumps(address))
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE
    azure = build(engine, settings, workspace={"config_file": "config.json"}).azure

    outputs = engine.run(lambda: {"id": azure.open_workspace("training").id})

    assert outputs["id"] == EXISTING_WORKSPACE["id"]
    assert [resource.typ for resource in engine.resources] == ["aml-infra:index:Workspace"]


def test_a_config_file_that_is_missing_is_told(engine: Engine, settings: types.ModuleType) -> None:
    """Under the setting, and not as an argument of a program that the user has not written."""
    azure = build(engine, settings, workspace={"config_file": "config.json"}).azure

    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: azure.open_workspace("training"))

    (problem,) = caught.value.problems
    assert problem.path == "aml-infra:workspace.config_file"
    assert problem.message.startswith("config.json is not in")


@pytest.mark.parametrize("image", [{"base_image": "debian:12"}, {**IMAGE, "registry": ACCOUNT}])
def test_a_registry_is_made_or_connected_or_there_is_none(
    engine: Engine, settings: types.ModuleType, image: dict[str, Any]
) -> None:
    """A public image needs none; one that exists is the image's own setting, with its account."""
    azure = build(engine, settings, registry=None, image=image).azure
    opened: list[Any] = []

    engine.run(lambda: opened.append(azure.open_registry("training", azure.open_workspace("training"))))

    made = [resource.name for resource in engine.resources if resource.name == "training-connection"]
    assert (opened != [None], made) == (("registry" in image), ["training-connection"] if "registry" in image else [])
