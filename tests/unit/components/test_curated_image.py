from __future__ import annotations

import pathlib
from typing import Any

import pulumi
import pytest

from aml_infra import InvalidInput, LocalDocker, TrainingImage, TrainingJob, TrainingJobArgs, Workspace
from tests.unit.components.azure_resources import EXISTING_WORKSPACE
from tests.unit.components.engine import RUN, Engine

NAME = "acft-hf-nlp-gpu"
IMAGE = "mcr.microsoft.com/azureml/curated/acft-hf-nlp-gpu:80"
OUTPUTS = ("ref", "identity", "parts", "environment_id", "environment_name", "environment_version")


def build_version(version: str, **properties: Any) -> dict[str, Any]:
    """A version of the environment, as the service answers."""
    return {"id": f"/environments/{NAME}/versions/{version}", "name": version, "properties": properties}


@pytest.fixture
def service(engine: Engine) -> Engine:
    """An engine with a workspace that has two versions of the environment."""
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE
    engine.environments = {
        NAME: {"id": f"/environments/{NAME}", "name": NAME, "properties": {"latestVersion": "80"}},
        f"{NAME}:79": build_version("79", image=IMAGE.replace("80", "79")),
        f"{NAME}:80": build_version("80", image=IMAGE),
    }
    return engine


def find(engine: Engine, name: str = NAME, version: str | None = None) -> dict[str, Any]:
    """The outputs of a curated image."""

    def program() -> dict[str, Any]:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        image = TrainingImage.curated(name, version, workspace=workspace)
        return {output: getattr(image, output) for output in OUTPUTS}

    return engine.run(program)


def test_the_latest_version_by_default(service: Engine) -> None:
    """With the image that it has; nothing is made."""
    outputs = find(service)

    assert outputs["ref"] == IMAGE
    assert (outputs["environment_name"], outputs["environment_version"]) == (NAME, "80")
    assert outputs["environment_id"] == f"/environments/{NAME}/versions/80"
    assert outputs["parts"] == {f"environment {NAME}:80": outputs["identity"][:12]}
    assert [one.typ for one in service.resources if one.typ.startswith("azure-native:")] == []


def test_a_version_that_is_asked_for(service: Engine) -> None:
    """It stays the same when there is a newer one."""
    outputs = find(service, version="79")

    assert (outputs["environment_version"], outputs["ref"]) == ("79", IMAGE.replace("80", "79"))
    assert outputs["identity"] != find(service)["identity"]


def test_what_the_service_builds_is_called_by_its_environment(service: Engine) -> None:
    """There is no image that anybody else could pull."""
    service.environments[f"{NAME}:80"] = build_version("80", image="base:1", condaFile="dependencies: []")

    assert find(service)["ref"] == f"azureml:{NAME}:80"


@pytest.mark.parametrize(
    ("name", "version", "wanted"),
    [("nothing", None, "nothing"), (NAME, "81", f"{NAME}:81"), ("nothing", "1", "nothing:1")],
)
def test_an_environment_that_is_not_there(service: Engine, name: str, version: str | None, wanted: str) -> None:
    """How to see those that are there."""
    with pytest.raises(pulumi.RunError) as caught:
        find(service, name, version)

    assert str(caught.value) == (
        f"{name}: workspace 'pets' has no environment {wanted}; `az ml environment list --workspace-name pets "
        "--resource-group rg-pets` shows them"
    )


def test_what_is_no_name_is_told(service: Engine) -> None:
    """Both at once."""
    with pytest.raises(InvalidInput) as caught:
        find(service, "a/b", " ")

    assert [problem.path for problem in caught.value.problems] == ["a/b.name", "a/b.version"]


def test_a_job_runs_in_it(service: Engine, source_folder: pathlib.Path) -> None:
    """Its identity is that of the environment."""

    def program() -> None:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        image = TrainingImage.curated(NAME, workspace=workspace)
        args = TrainingJobArgs(source=source_folder, command=["python"], image=image, compute=LocalDocker("docker"))
        TrainingJob("train", args)

    service.run(program)

    inputs = service.find(RUN).inputs
    assert (inputs["image"], inputs["imageIdentity"]) == (IMAGE, find(service)["identity"])
