from __future__ import annotations

import json
import pathlib
import re
import runpy
from typing import Any

import pulumi
import pytest
import yaml

from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION
from tests.unit.components.conftest import buildx, engine
from tests.unit.components.engine import BASE_DIGEST, RUN, Engine

__all__ = ["buildx", "engine"]

FOLDER = pathlib.Path(__file__).parents[3] / "examples" / "how-to"
AZURE_BASE = "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04:latest"
COMPUTE = "azure-native:machinelearningservices:Compute"
ENVIRONMENT = "azure-native:machinelearningservices:EnvironmentVersion"
PRIVATE = {
    "environment": "private",
    "baseImage": "myregistry.azurecr.io/team/fastai:1",
    "registryServer": "myregistry.azurecr.io/team",
    "registryUsername": "robot",
    "registryPassword": "sesame",
}


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The example beside its training folder, with the `config.json` of a workspace; it is the working folder."""
    made = tmp_path / "how-to"
    made.mkdir()
    (tmp_path / "fastai-example").symlink_to(FOLDER.parent / "fastai-example")
    for name in ("__main__.py", "conda.yaml"):
        (made / name).write_text((FOLDER / name).read_text())
    address = {"subscription_id": SUBSCRIPTION, "resource_group": "rg-pets", "workspace_name": "pets"}
    (made / "config.json").write_text(json.dumps(address))
    monkeypatch.chdir(made)
    return made


def run(engine: Engine, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, **config: str) -> dict[str, Any]:
    """Runs the program with such a configuration; gives what it exports."""
    images = ("fastdotai/fastai:latest", AZURE_BASE, PRIVATE["baseImage"])
    engine.registry_images |= dict.fromkeys(images, BASE_DIGEST)
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({f"aml-infra:{name}": value for name, value in config.items()}))
    exports: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", exports.__setitem__)

    def program() -> dict[str, Any]:
        runpy.run_path(str(folder / "__main__.py"))
        return exports

    return engine.run(program)


def test_the_program_declares_what_the_article_makes(
    engine: Engine, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a workspace that exists: the environment, the cluster and the run on it."""
    exports = run(engine, folder, monkeypatch)

    types = {resource.typ for resource in engine.resources}
    assert "azure-native:machinelearningservices:Workspace" not in types
    cluster = engine.find(COMPUTE).inputs
    assert cluster["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 4
    assert engine.find(ENVIRONMENT).inputs["name"] == "fastai2"
    inputs = engine.find(RUN).inputs
    assert inputs["source"] == str(folder.parent / "fastai-example")
    assert (inputs["command"], inputs["experiment"]) == (["python", "train.py"], "Tutorial-fastai")
    assert (inputs["backend"], inputs["backendOptions"]["compute_name"]) == ("azureml", cluster["computeName"])
    assert inputs["image"].startswith("azureml:fastai2:")
    assert inputs["requireMetrics"] == ["accuracy >= 0.9"]
    assert (exports["status"], exports["clusterState"], exports["currentNodeCount"]) == ("Completed", "Succeeded", 0)


@pytest.mark.parametrize(
    ("config", "image", "made"),
    [
        ({"environment": "public"}, f"fastdotai/fastai@{BASE_DIGEST}", set()),
        ({"environment": "conda"}, f"mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04@{BASE_DIGEST}", set()),
        (PRIVATE, "myregistry.azurecr.io/team/fastai2@sha256:", {"myregistry-connection", "fastai2"}),
    ],
)
def test_each_way_of_the_article_to_an_image(
    engine: Engine,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, str],
    image: str,
    made: set[str],
) -> None:
    """All of them end in an environment of the workspace, in which the run is."""
    run(engine, folder, monkeypatch, **config)

    properties = engine.find(ENVIRONMENT).inputs["properties"]
    assert properties["image"].startswith(image)
    assert ("condaFile" in properties) == (config["environment"] == "conda")
    assert engine.find(RUN).inputs["image"].startswith("azureml:fastai2:")
    assert made <= {resource.name for resource in engine.resources}


def test_a_cluster_that_exists_is_attached_to(
    engine: Engine, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the article's first cell for it does."""
    nodes = {"allocationState": "Steady", "currentNodeCount": 1, "targetNodeCount": 1}
    properties = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": nodes}
    engine.computes["gpu-cluster"] = {"id": "/computes/gpu-cluster", "name": "gpu-cluster", "properties": properties}

    exports = run(engine, folder, monkeypatch, cluster="gpu-cluster", environment="public")

    assert COMPUTE not in {resource.typ for resource in engine.resources}
    assert engine.find(RUN).inputs["backendOptions"]["compute_name"] == "gpu-cluster"
    assert exports["currentNodeCount"] == 1


def test_everything_that_the_article_does_is_marked() -> None:
    """Each once, by its number, in the order of the article but for what belongs to the same call."""
    rows = re.findall(r"^\s*# row (\d+b?): ", (FOLDER / "__main__.py").read_text(), re.MULTILINE)

    assert sorted(rows, key=lambda row: (int(row.rstrip("b")), row)) == [
        *("1", "2", "3", "3b"),
        *(str(number) for number in range(4, 16)),
    ]


def test_the_project_is_a_whole_one() -> None:
    """As a reader has it who copies the folder."""
    project = yaml.safe_load((FOLDER / "Pulumi.yaml").read_text())
    conda = yaml.safe_load((FOLDER / "conda.yaml").read_text())
    readme = (FOLDER / "README.md").read_text()

    assert project["plugins"]["providers"] == [{"name": "aml-infra", "path": ".venv/bin"}]
    (pip,) = [each["pip"] for each in conda["dependencies"] if isinstance(each, dict)]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", package) for package in pip)
    assert "config.json" in readme
