"""Copies of this checkout's program, each with a state of its own, on the real engine."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml

from tests.azure import public_registry, server
from tests.azure_native_stand_in import installation
from tests.integration import states
from tests.integration.projects import ROOT
from tests.plugin_stand_ins import installation as stand_ins

PROVIDERS = (
    "ContainerRegistry",
    "Insights",
    "KeyVault",
    "MachineLearningServices",
    "ManagedIdentity",
    "Network",
    "OperationalInsights",
    "Storage",
)
"""What docs/azure.md has registered in a subscription."""

BASE_IMAGE = f"{public_registry.HOST}/azureml/base:1"

IMAGE = "    dockerfile: examples/fastai-example/Dockerfile\n    host_ca_secret: host_ca\n"
"""What the stacks say of their image in the repository."""


class Clone:
    """A copy in a folder of its own."""

    def __init__(self, folder: pathlib.Path, stack: str, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.stack = stack
        self.settings = folder / "stacks" / "config" / f"Pulumi.{stack}.yaml"
        self._copy()
        (folder / "state").mkdir()
        self.environment = {**states.build_environment(folder / "state"), **environment}
        self.pulumi("stack", "init", stack)

    def _copy(self) -> None:
        for name in ("stacks", "examples"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Pulumi.yaml", self.folder)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs ``pulumi command`` to its end."""
        return subprocess.run(
            ["pulumi", *command, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def pulumi(self, *command: str, fails: bool = False) -> str:
        """Runs ``pulumi command``; it must fail if ``fails``, and else succeed."""
        done = self.run(*command)
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def up(self, *, fails: bool = False) -> str:
        """``pulumi up``."""
        return self.pulumi("up", "--yes", "--skip-preview", fails=fails)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return states.read_outputs(self.export())

    def export(self) -> dict[str, Any]:
        """The stack's deployment."""
        project = yaml.safe_load((self.folder / "Pulumi.yaml").read_text())["name"]
        return states.read_deployment(self.folder / "state", project, self.stack)

    def change_settings(self, old: str, new: str) -> None:
        """Edits the stack's settings."""
        text = self.settings.read_text()
        assert old in text
        self.settings.write_text(text.replace(old, new))


class AzureClone(Clone):
    """One whose stack is on the tests' Azure, with the public image as it is: no Docker takes part."""

    def __init__(self, folder: pathlib.Path, azure: server.Azure, plugins: pathlib.Path, stack: str) -> None:
        self.azure = azure
        path = f"{plugins}{os.pathsep}{os.environ['PATH']}"
        super().__init__(folder, stack, {**azure.environment, "PATH": path})

    def read_resources(self) -> dict[str, str]:
        """The type of each resource in the state, by its name and its type's last part."""
        return {
            f"{each['urn'].rpartition('::')[2]} {each['type'].rpartition(':')[2]}": each["type"]
            for each in self.export()["resources"]
        }

    def preview_steps(self) -> dict[str, str]:
        """What a preview would do, by the name of each resource that does not stay the same."""
        done = subprocess.run(
            ["pulumi", "preview", "--json", "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        ranks = {"replace": 2, "update": 1, "create": 1, "delete": 1}
        found: dict[str, str] = {}
        for step in json.loads(done.stdout)["steps"]:
            name, operation = step["urn"].rpartition("::")[2], step["op"]
            if operation in ranks and ranks[operation] >= ranks.get(found.get(name, ""), 0):
                found[name] = operation
        return found

    def drop_training(self) -> None:
        """Leaves out the training, for tests of what is made for it."""
        text = self.settings.read_text()
        self.settings.write_text(text[: text.index("  # TrainingJobArgs")])


def make_public_clone(folder: pathlib.Path, azure: server.Azure, plugins: pathlib.Path, stack: str) -> AzureClone:
    """A stack as it is in the repository, with a public image, so that nothing is built, and nothing is trained."""
    clone = AzureClone(folder, azure, plugins, stack)
    clone.drop_training()
    clone.change_settings(IMAGE, f"    base_image: {BASE_IMAGE}\n")
    text = clone.settings.read_text()
    start = text.index("  # RegistryArgs")
    clone.settings.write_text(text[:start] + text[text.index("  # TrainingImageArgs") :])
    return clone


def make_plugins(folder: pathlib.Path) -> pathlib.Path:
    """A folder with the plugins that cannot be had everywhere; it goes onto PATH."""
    found = installation.find_plugin(folder)
    if found != folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pulumi-resource-azure-native").symlink_to(found / "pulumi-resource-azure-native")
    stand_ins.write_program("docker", "tests.docker_plugin_stand_in", folder)
    return folder


def prepare(azure: server.Azure) -> None:
    """What a subscription has before the first stack, and an image that anybody may pull."""
    azure.cloud.registered |= {f"microsoft.{name.lower()}" for name in PROVIDERS}
    azure.public.push("azureml/base", "1", "first")
