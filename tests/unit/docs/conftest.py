from __future__ import annotations

import json
import pathlib
from typing import Any

import pulumi
import pytest
from pulumi.runtime import settings as pulumi_settings

from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION
from tests.unit.components.conftest import buildx, kubeconfig
from tests.unit.components.engine import BASE_DIGEST, RUN, Engine
from tests.unit.stacks.conftest import sections, secure_values, settings, stacks_folder

__all__ = ["buildx", "engine", "kubeconfig", "project", "sections", "secure_values", "settings", "stacks_folder"]

FILES = {
    "Dockerfile": "FROM debian:bookworm-slim\n",
    "training/train.py": "print(1)\n",
    "training/evaluate.py": "print(2)\n",
    "data/digits.csv": "1,2\n",
    "requirements.txt": "fastai==2.8.7\n",
    "config.json": json.dumps(
        {"subscription_id": SUBSCRIPTION, "resource_group": "rg-pets", "workspace_name": "pets"}, indent=4
    ),
}
"""The project that the programs of the documentation stand in."""

CONFIG = {
    "aml-infra:hf_token": "a token",
    "aml-infra:index_url": "https://example.com/simple",
    "aml-infra:registry_password": "a password",
}
"""The configuration that they read."""


NODES = {"allocationState": "Steady", "currentNodeCount": 0, "targetNodeCount": 0}
"""Those of the cluster that they attach to."""


class FinishedEngine(Engine):
    """An engine whose runs have all ended, with metrics and outputs."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        resource_id, outputs = super().new_resource(args)
        if args.typ == RUN:
            outputs |= {"metrics": {"accuracy": 0.97}, "outputsPath": f"/runs/{resource_id}/outputs"}
        return resource_id, outputs


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, buildx: pathlib.Path, kubeconfig: pathlib.Path) -> Engine:
    """A fresh engine, with buildx installed, a kubeconfig, and the stack's configuration set."""
    cluster = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": NODES}
    engine = FinishedEngine(
        images={"debian:bookworm-slim": BASE_DIGEST},
        registry_images={"fastdotai/fastai:latest": BASE_DIGEST},
        workspaces={"rg-pets/pets": EXISTING_WORKSPACE},
        computes={"gpu-cluster": {"id": "/computes/gpu-cluster", "name": "gpu-cluster", "properties": cluster}},
        clusters={"vision": {"id": "/clusters/vision", "name": "vision", "location": "westeurope"}},
        environments={
            "acft-hf-nlp-gpu": {"id": "/environments/e", "properties": {"latestVersion": "80"}},
            "acft-hf-nlp-gpu:80": {
                "id": "/environments/e/versions/80",
                "properties": {"image": "mcr.io/e:80"},
            },
        },
    )
    pulumi.runtime.set_mocks(engine, project="aml-infra", stack="test")
    monkeypatch.setattr(pulumi_settings.SETTINGS, "callbacks", engine, raising=False)
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(CONFIG))
    return engine


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The project with its files, which is the working folder."""
    folder = tmp_path / "project"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(folder)
    return folder
