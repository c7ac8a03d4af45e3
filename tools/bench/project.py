"""Pulumi projects of the bench's own, on the engine, the environment and the plugin of this checkout."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

from tools.bench import bed, containers, errors, programs

STACK = "local"
_SETTINGS = "stacks/config/Pulumi.local.yaml"

_PROJECT = """\
name: bench
runtime:
  name: python
  options:
    toolchain: uv
    virtualenv: .venv
plugins:
  providers:
    - name: aml-infra
      path: .venv/bin
"""

_RUNS_PROGRAM = """\
import json
import pulumi
import aml_infra

with open("runs.json") as file:
    given = json.load(file)
for name, args in given.items():
    run = aml_infra.TrainingRun(name, aml_infra.TrainingRunArgs(**args))
    pulumi.export(name, run.log_path)
"""

EMPTY_PROGRAM = "import pulumi\n"


class Project:
    """A project with a stack, in a folder of its own, with a state of its own."""

    def __init__(self, place: bed.Bed, name: str) -> None:
        self.folder = place.folder / name
        self._programs = place.programs
        self._environment = {
            **bed.build_environment(place, self.folder / "cache"),
            "AML_INFRA_DATA": str(self.folder / "data"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "bench",
        }
        self._environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        (self.folder / "state").mkdir(parents=True)
        (self.folder / ".venv").symlink_to(bed.CHECKOUT / ".venv")

    def make_stack(self) -> None:
        """Makes the stack, once the project's files are there."""
        # Not selected, as the selection is kept in the user's home.
        self._programs.run(self._build("stack", "init", STACK, "--no-select"), cwd=self.folder, env=self._environment)

    def start_up(self, *options: str) -> programs.Program:
        """`pulumi up`, not waited for."""
        command = self._build("up", "--yes", "--skip-preview", "--stack", STACK, *options)
        return self._programs.start(command, cwd=self.folder, env=self._environment)

    def up(self) -> programs.Finished:
        """`pulumi up`."""
        return self.start_up().wait()

    def up_unchanged(self) -> float:
        """The seconds of a `pulumi up` that has nothing to do.

        Raises:
            BenchError: it did something.
        """
        done = self.up()
        require_unchanged(done.text)
        return done.seconds

    def preview(self) -> float:
        """The seconds of a `pulumi preview`."""
        command = self._build("preview", "--stack", STACK)
        return self._programs.run(command, cwd=self.folder, env=self._environment).seconds

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        command = self._build("stack", "output", "--json", "--stack", STACK)
        return dict(json.loads(self._programs.run(command, cwd=self.folder, env=self._environment).text))

    def _build(self, *command: str) -> list[str]:
        return ["pulumi", *command, "--non-interactive", "--color=never"]


def make_empty_project(place: bed.Bed, name: str) -> Project:
    """A program that declares nothing."""
    project = Project(place, name)
    (project.folder / "Pulumi.yaml").write_text(_PROJECT)
    (project.folder / "__main__.py").write_text(EMPTY_PROGRAM)
    project.make_stack()
    return project


def make_runs_project(place: bed.Bed, name: str, script: str, count: int = 1, **changes: Any) -> Project:
    """A program that declares `count` training runs of one shell script, each an identity of its own.

    Args:
        place: where.
        name: of the project.
        script: that is run.
        count: how many runs.
        changes: of their arguments.
    """
    project = Project(place, name)
    source = project.folder / "source"
    source.mkdir()
    (source / "train.sh").write_text(script)
    args = {
        "source": str(source),
        "command": ["sh", "train.sh"],
        "image": containers.IMAGE,
        "environment_variables": {containers.VARIABLE: place.token},
        **changes,
    }
    # The folder's name is part of theirs, so that no project joins the runs of another.
    runs = {f"bench-{place.token}-{name}-{number}": args for number in range(count)}
    (project.folder / "runs.json").write_text(json.dumps(runs))
    (project.folder / "Pulumi.yaml").write_text(_PROJECT)
    (project.folder / "__main__.py").write_text(_RUNS_PROGRAM)
    project.make_stack()
    return project


def warm_up(place: bed.Bed) -> None:
    """A run that is not measured: the first one compiles what it imports, and reads files that are not in memory."""
    place.say("warm-up", "one run that is not measured")
    make_runs_project(place, "warm-up", "true\n").up()
    place.containers.remove()


def make_copy(place: bed.Bed, name: str) -> Project:
    """This repository's own program with the settings of stack `local`, and a run of its own."""
    project = Project(place, name)
    for folder in ("stacks", "examples"):
        shutil.copytree(bed.CHECKOUT / folder, project.folder / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(bed.CHECKOUT / "Pulumi.yaml", project.folder)
    settings = project.folder / _SETTINGS
    settings.write_text(add_variable(settings.read_text(), {containers.VARIABLE: place.token}))
    project.make_stack()
    return project


def add_variable(settings: str, variables: Mapping[str, str]) -> str:
    """The settings of a stack with `variables` for its training.

    Raises:
        BenchError: the settings of the training are not where they were, or have variables of their own.
    """
    head = "  aml-infra:train:\n"
    if settings.count(head) != 1 or "environment_variables:" in settings:
        raise errors.BenchError(
            f"{_SETTINGS} must have {head.strip()!r} once and no environment_variables, to which the bench adds its own"
        )
    return settings.replace(head, f"{head}    environment_variables: {json.dumps(dict(variables))}\n")


def require_unchanged(output: str) -> None:
    """Checks that a `pulumi up` had nothing to do.

    Raises:
        BenchError: it created, updated, replaced or deleted something.
    """
    _, _, summary = output.rpartition("Resources:\n")
    counts = summary.partition("\n\n")[0].strip()
    if not re.fullmatch(r"\d+ unchanged", counts):
        raise errors.BenchError(f"a `pulumi up` that should have nothing to do did something:\n{output}")
