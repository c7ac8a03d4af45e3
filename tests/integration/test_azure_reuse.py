"""What others do with the package: a stack with an image built here, and a repository that has the wheel alone."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from tests.azure.server import Azure
from tests.integration.clones import BASE_IMAGE, AzureClone
from tests.integration.projects import ROOT
from tests.integration.test_training_image import PYTHON_IMAGE
from tests.local_registry import USER, LocalRegistry


class ReuseClone(AzureClone):
    """The example of another repository, with the wheel installed and nothing else of this one."""

    def _copy(self) -> None:
        shutil.copytree(ROOT / "examples" / "reuse", self.folder)
        self.settings = self.folder / f"Pulumi.{self.stack}.yaml"
        wheels = self.folder.parent / "wheels"
        run_uv("build", "--wheel", "--out-dir", str(wheels), str(ROOT))
        (wheel,) = wheels.glob("*.whl")
        run_uv("venv", "--seed", str(self.folder / ".venv"))
        run_uv("pip", "install", "--python", str(self.folder / ".venv"), str(wheel))


def run_uv(*arguments: str) -> None:
    """Runs uv, which must succeed."""
    subprocess.run(["uv", *arguments, "--quiet"], check=True)


def test_another_repository_composes_the_components(
    tmp_path: pathlib.Path, azure: Azure, azure_plugins: pathlib.Path
) -> None:
    """Its own component around ours makes workspace, cluster and environment; nothing changes after that."""
    clone = ReuseClone(tmp_path / "pets", azure, azure_plugins, "dev")
    clone.environment["VIRTUAL_ENV"] = str(clone.folder / ".venv")
    clone.environment["PATH"] = f"{clone.folder / '.venv' / 'bin'}{os.pathsep}{clone.environment['PATH']}"
    clone.pulumi("config", "set", "baseImage", BASE_IMAGE)

    clone.up()
    clone.pulumi("preview", "--expect-no-changes")
    outputs = clone.outputs()
    environment = azure.cloud.resources.get(outputs["environmentId"])
    (cluster,) = [each for each in azure.cloud.resources if each.name == outputs["clusterName"]]
    found = clone.pulumi("stack", "--show-urns")
    clone.pulumi("destroy", "--yes")

    assert environment is not None
    assert environment.properties["image"].endswith(azure.public.digests["azureml/base", "1"])
    assert "scikit-learn==1.7.2" in environment.properties["condaFile"]
    assert cluster.body["tags"] == {"cost-center": "4711"}
    assert "team:index:Platform$aml-infra:index:GpuCluster" in found


@pytest.mark.long
def test_an_image_built_here_is_an_environment_there(
    tmp_path: pathlib.Path, azure: Azure, azure_plugins: pathlib.Path, registry: LocalRegistry
) -> None:
    """Built, checked, pushed, and registered by its digest; the workspace is given the registry's account."""
    clone = AzureClone(tmp_path / "clone", azure, azure_plugins, "azure-dev")
    clone.drop_training()
    (clone.folder / "image").mkdir()
    (clone.folder / "image" / "Dockerfile").write_text(f"{PYTHON_IMAGE}ENV CLONE={clone.folder}\n")
    text = clone.settings.read_text()
    text = text[: text.index("  # RegistryArgs")] + text[text.index("  # TrainingImageArgs") :]
    clone.settings.write_text(
        text.replace(
            "    dockerfile: examples/fastai-example/Dockerfile\n    host_ca_secret: host_ca\n",
            "    dockerfile: image/Dockerfile\n",
        )
    )
    account = {"server": registry.address, "username": USER}
    for name, value in account.items():
        clone.pulumi("config", "set", "--path", f"aml-infra:image.registry.{name}", value)
    clone.pulumi("config", "set", "--path", "--secret", "aml-infra:image.registry.password", registry.password)

    log = clone.up()
    outputs = clone.outputs()
    digest = registry.find_digest("fastai", registry.list_tags("fastai")[0])
    environment = azure.cloud.resources.get(outputs["environmentId"])
    (connection,) = [each for each in azure.cloud.resources if each.type.endswith("/connections")]
    state = clone.pulumi("stack", "export")
    clone.pulumi("preview", "--expect-no-changes")
    clone.pulumi("refresh", "--yes")
    again = clone.preview_steps()
    clone.pulumi("destroy", "--yes")

    assert environment is not None
    assert environment.properties["image"] == outputs["imageRef"] == f"{registry.address}/fastai@{digest}"
    assert connection.secrets["credentials"] == {"username": USER, "password": registry.password}
    assert registry.password not in log + state + json.dumps(connection.body)
    assert again == {}
