from __future__ import annotations

import json
import pathlib
import runpy
import sys
import types
from typing import Any

import pulumi
import pytest
import yaml

from tests.unit.components.engine import Engine

EXPORTS = ["attempt", "fingerprint", "imageRef", "metrics", "outputsPath", "portalUrl", "runId", "status"]


def run_program(engine: Engine, folder: pathlib.Path, stack: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs the program on a stack's configuration; returns what it exports."""
    text = (folder / "config" / f"Pulumi.{stack}.yaml").read_text()
    values = {key: json.dumps(value) for key, value in yaml.safe_load(text)["config"].items()}
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


def test_the_configuration_in_the_repository_names_what_exists(
    engine: Engine, stacks_folder: pathlib.Path, settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newcomer's first `up` must not end in a path that is wrong."""
    run_program(engine, stacks_folder, "local", monkeypatch)

    inputs = engine.find("aml-infra:index:TrainingRun").inputs
    assert inputs["source"] == str(settings.paths.PROJECT_FOLDER / "examples" / "fastai-example")
    assert (inputs["command"], inputs["experiment"]) == (["python", "train.py"], "fastai-digits")
