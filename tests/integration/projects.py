"""Pulumi projects of the tests' own, on the real engine, our real plugin and the real Docker daemon."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Any

from tests.docker_daemon import open_docker
from tests.integration import states

ROOT = pathlib.Path(__file__).parents[2]
NAME = "integration"
TIMEOUT_SECONDS = 300
TINY_IMAGE = "debian:bookworm-slim"
"""Has a shell and `timeout`, and the bootstrap put it into the daemon."""

PROJECT = f"""\
name: {NAME}
runtime:
  name: python
  options:
    virtualenv: {ROOT / ".venv"}
plugins:
  providers:
    - name: aml-infra
      path: {ROOT / ".venv" / "bin"}
"""

PROGRAM = """\
import json
import pulumi
from aml_infra import Distribution, TrainingRun, TrainingRunArgs

with open("args.json") as file:
    given = json.load(file)
for name, args in given.items():
    if "distribution" in args:
        args["distribution"] = Distribution(workers=args["distribution"])
    variables = args.get("environment_variables", {})
    for variable, value in variables.items():
        if value.startswith("secret:"):
            variables[variable] = pulumi.Output.secret(value.removeprefix("secret:"))
    run = TrainingRun(name, TrainingRunArgs(**args))
    for output in ("run_id", "status", "attempt", "metrics", "outputs_path", "log_path", "image_digest"):
        pulumi.export(f"{name}.{output}", getattr(run, output))
"""


JOB_PROGRAM = """\
import json
import pulumi
import aml_infra

with open("args.json") as file:
    (name, given), = json.load(file).items()
image = aml_infra.TrainingImage(name, aml_infra.TrainingImageArgs(**given.pop("image")))
compute = aml_infra.LocalDocker("docker")
if "distribution" in given:
    given["distribution"] = aml_infra.Distribution(workers=given["distribution"])
job = aml_infra.TrainingJob(name, aml_infra.TrainingJobArgs(**given, image=image, compute=compute))
pulumi.export("build_key", image.build_key)
pulumi.export("ref", image.ref)
pulumi.export("digest", image.digest)
for output in ("run_id", "status", "attempt", "fingerprint", "image_digest", "metrics"):
    pulumi.export(output, getattr(job, output))
"""


class Project:
    """A Pulumi project in a folder of its own, with one training run named ``name``."""

    def __init__(self, folder: pathlib.Path, name: str, data: pathlib.Path) -> None:
        self.folder = folder
        self.name = name
        self.data = data
        self.source = folder / "src"
        self.source.mkdir(parents=True)
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "__main__.py").write_text(PROGRAM)
        self.environment = {
            **states.build_environment(folder / "state"),
            "PULUMI_STACK": states.STACK,
            "AML_INFRA_DATA": str(data),
        }

    def make_stack(self) -> None:
        """Makes the stack, with nothing in it."""
        states.make_stack(self.folder, NAME)

    def lose_state(self) -> None:
        """What a lost state file is: the stack made anew."""
        self.make_stack()

    def write_script(self, text: str) -> None:
        """Makes ``text`` the shell script that is the training."""
        (self.source / "train.sh").write_text(text)

    def write_args(self, **changes: Any) -> None:
        """Makes the program declare the run, with these properties on top of the usual ones."""
        args = {"source": str(self.source), "command": ["sh", "train.sh"], "image": TINY_IMAGE, **changes}
        (self.folder / "args.json").write_text(json.dumps({self.name: args}))

    def start(
        self, *command: str, environment: Mapping[str, str] | None = None, errors: int | IO[str] = subprocess.STDOUT
    ) -> subprocess.Popen[str]:
        """Starts ``pulumi command`` in the project, its output in one pipe, less its errors where they go elsewhere."""
        return subprocess.Popen(
            ["pulumi", *command, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # A group of its own, so that a test can interrupt it as a terminal does.
            start_new_session=True,
        )

    def pulumi(
        self,
        *command: str,
        fails: bool = False,
        environment: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> str:
        """Runs ``pulumi command`` to its end and gives its output; it must fail if ``fails``, and else succeed."""
        process = self.start(*command, environment=environment)
        output, _ = process.communicate(timeout=timeout)
        assert (process.returncode != 0) == fails, f"pulumi {' '.join(command)}: {process.returncode}\n{output}"
        return output

    def up(
        self,
        *,
        fails: bool = False,
        environment: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> str:
        """``pulumi up``."""
        return self.pulumi("up", "--yes", "--skip-preview", fails=fails, environment=environment, timeout=timeout)

    def start_up(self) -> subprocess.Popen[str]:
        """``pulumi up``, not waited for."""
        return self.start("up", "--yes", "--skip-preview")

    def let_go(self) -> None:
        """Lets a script that waits for the file ``go`` go on."""
        (container,) = [each for each in self.containers() if each["State"] == "running"]
        client = open_docker()
        client.exec_start(client.exec_create(container["Id"], ["touch", "/workspace/go"])["Id"])

    def wait_for_end(self) -> None:
        """Waits until every container of the run has ended."""
        for container in self.containers():
            open_docker().wait(container["Id"])

    def export(self) -> dict[str, Any]:
        """The stack's deployment."""
        return states.read_deployment(self.folder / "state", NAME, states.STACK)

    def read_resources(self) -> list[dict[str, Any]]:
        """The resources of the state."""
        return list(self.export().get("resources", ()))

    def read_resource(self, name: str) -> dict[str, Any]:
        """A resource as the state has it."""
        (found,) = [each for each in self.read_resources() if each["urn"].endswith(f"::{name}")]
        return dict(found)

    def read_run(self) -> dict[str, Any]:
        """The run's outputs in the state, which a refresh changes and the stack's own outputs do not show."""
        (run,) = [each for each in self.read_resources() if each["type"] == "aml-infra:index:TrainingRun"]
        return dict(run["outputs"])

    def join_and_let_go(self) -> str:
        """An ``up`` that joins the run, which is let go then; gives its whole output."""
        process = self.start_up()
        joined = read_until(process, "join: ")
        self.let_go()
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return "".join(joined) + output

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, those of the run by their own names."""
        found = states.read_outputs(self.export())
        return {key.removeprefix(f"{self.name}."): value for key, value in found.items()}

    def containers(self) -> list[dict[str, Any]]:
        """Every container of the run, however it is called."""
        found = open_docker().containers(all=True, filters={"label": "aml-infra.run"})
        return [each for each in found if each["Labels"]["aml-infra.run"].startswith(f"{self.name}-")]


def read_until(process: subprocess.Popen[str], text: str) -> Sequence[str]:
    """The lines that ``process`` prints up to one that holds ``text``."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was never printed:\n{''.join(lines)}")


def find_plugins(engine: int) -> list[int]:
    """Process ids of our plugin that the engine with process id ``engine`` started."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == engine and any(word.endswith(b"pulumi-resource-aml-infra") for word in words):
                found.append(int(folder.name))
    return found


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C: the engine and what it started are all interrupted, as by a terminal."""
    os.killpg(process.pid, signal.SIGINT)
