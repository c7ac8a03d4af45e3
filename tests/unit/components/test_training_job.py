from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pulumi
import pytest

from aml_infra import (
    DataInput,
    DataOutput,
    Distribution,
    InvalidInput,
    LocalDocker,
    LocalDockerArgs,
    Problem,
    TrainingImage,
    TrainingImageArgs,
    TrainingJob,
    TrainingJobArgs,
)
from aml_infra.components.training_job import OUTPUTS
from aml_infra.components.validation import Machine
from tests.unit.components.engine import RUN, Engine

IMAGE = TrainingImageArgs(dockerfile="FROM debian:bookworm-slim\n")


def make_args(source: pathlib.Path, /, **changes: Any) -> TrainingJobArgs:
    """Good arguments, with ``changes``."""
    args = TrainingJobArgs(source=source, command=["python", "train.py"], image="x:1", compute=LocalDockerArgs())
    return dataclasses.replace(args, **changes)


def make(engine: Engine, args: TrainingJobArgs) -> dict[str, Any]:
    """Makes the job; returns some of its outputs."""

    def program() -> dict[str, Any]:
        job = TrainingJob("train", dataclasses.replace(args, compute=LocalDocker("docker")))
        return {name: getattr(job, name) for name in ("run_id", "status", "attempt")}

    return engine.run(program)


def find(engine: Engine, args: TrainingJobArgs) -> list[Problem]:
    """The problems of ``args``."""
    found: list[Problem] = []
    engine.run(lambda: found.extend(args.find_problems(Machine())))
    return found


def test_makes_one_run_of_the_same_name(engine: Engine, source_folder: pathlib.Path) -> None:
    """The child's type and name are a contract: the run's id starts with it."""
    make(engine, make_args(source_folder))

    jobs = [(resource.typ, resource.name) for resource in engine.resources if "Training" in resource.typ]
    assert jobs == [("aml-infra:index:TrainingJob", "train"), (RUN, "train")]


def test_leaves_what_is_not_given_to_the_plugin(engine: Engine, source_folder: pathlib.Path) -> None:
    """Defaults are in one place only."""
    make(engine, make_args(source_folder))

    assert engine.find(RUN).inputs == {
        "source": str(source_folder),
        "command": ["python", "train.py"],
        "image": "x:1",
        "backend": "docker",
        "onInterrupt": "detach",
        "onDestroy": "cancel",
    }


def test_passes_everything_on(engine: Engine, source_folder: pathlib.Path) -> None:
    """Keys inside maps keep their spelling."""
    args = make_args(
        source_folder,
        environment_variables={"MY_VAR": "1"},
        triggers={"data_version": "2"},
        cpus=1.5,
        memory_gb=2,
        timeout_minutes=30,
        experiment="digits",
        display_name="Digits",
        tags={"cost_center": "7"},
        allow_secrets=["*.pem"],
        parameters={"lr": 0.1},
        inputs={"pets": DataInput("s3://pets", version="3", type="file", mode="download")},
        outputs={"model": DataOutput()},
        distribution=Distribution(workers=2, framework="tensorflow"),
        require_metrics=["accuracy >= 0.9"],
        retries=2,
        retry_on=["NotResponding", "Failed"],
        wait=False,
        on_interrupt="cancel",
        on_destroy="retain",
    )

    make(engine, args)

    inputs = engine.find(RUN).inputs
    assert {key: inputs[key] for key in inputs if key not in ("source", "command", "image", "backend")} == {
        "environmentVariables": {"MY_VAR": "1"},
        "triggers": {"data_version": "2"},
        "cpus": 1.5,
        "memoryGb": 2,
        "timeoutMinutes": 30,
        "experiment": "digits",
        "displayName": "Digits",
        "tags": {"cost_center": "7"},
        "allowSecrets": ["*.pem"],
        "parameters": {"lr": 0.1},
        "outputs": {"model": {}},
        "inputs": {"pets": {"path": "s3://pets", "version": "3", "type": "file", "mode": "download"}},
        "distribution": {"workers": 2, "framework": "tensorflow"},
        "requireMetrics": ["accuracy >= 0.9"],
        "retries": 2,
        "retryOn": ["NotResponding", "Failed"],
        "wait": False,
        "onInterrupt": "cancel",
        "onDestroy": "retain",
    }


def test_a_training_image_gives_its_tag_and_its_identity(engine: Engine, source_folder: pathlib.Path) -> None:
    """The identity is the build key, so that preview knows the fingerprint before the image is built."""

    def program() -> dict[str, Any]:
        image = TrainingImage("fastai", IMAGE)
        TrainingJob("train", make_args(source_folder, image=image, compute=LocalDocker("docker")))
        return {"ref": image.ref, "build_key": image.build_key, "parts": image.parts}

    outputs = engine.run(program)

    inputs = engine.find(RUN).inputs
    assert (inputs["image"], inputs["imageIdentity"]) == (outputs["ref"], outputs["build_key"])
    assert inputs["imageParts"] == outputs["parts"] != {}
    assert "restoring of fastai" in engine.hooks


def test_shows_the_outputs_of_its_run(engine: Engine, source_folder: pathlib.Path) -> None:
    """A user reads the job, not its child."""
    outputs = make(engine, make_args(source_folder))

    assert outputs == {"run_id": "train-0123", "status": "Completed", "attempt": 1}
    assert set(OUTPUTS) <= set(TrainingJob.__annotations__)


def test_an_output_may_be_part_of_the_command(engine: Engine, source_folder: pathlib.Path) -> None:
    """What is not known yet is not a problem."""
    command = ["python", "train.py", pulumi.Output.from_input("--fast")]

    make(engine, make_args(source_folder, command=command))

    assert engine.find(RUN).inputs["command"] == ["python", "train.py", "--fast"]


def test_args_cannot_stand_in_for_components(engine: Engine, source_folder: pathlib.Path) -> None:
    """They may while validating; the job itself needs what was made of them."""
    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: TrainingJob("train", make_args(source_folder, image=IMAGE)))

    assert [problem.path for problem in caught.value.problems] == ["train.image", "train.compute"]
    assert engine.resources == []


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"source": "nowhere"}, "source", "does not exist"),
        ({"command": []}, "command", "is empty"),
        ({"command": "python train.py"}, "command", "as in ['python', 'train.py']"),
        ({"command": ["python", 5]}, "command[1]", "is 5, an int; allowed is text, as in '5'"),
        ({"image": ""}, "image", "is empty"),
        ({"environment_variables": {"1X": ""}}, "environment_variables['1X']", "is not a name"),
        ({"cpus": -1}, "cpus", "is -1; allowed is 0.01 to"),
        ({"cpus": 99}, "cpus", "is 99; Docker has 4 processors here"),
        ({"memory_gb": 0}, "memory_gb", "is 0; allowed is"),
        ({"memory_gb": 1e9}, "memory_gb", "is 1e+09; allowed is"),
        ({"gpus": -1}, "gpus", "is -1; allowed are"),
        ({"gpus": 1}, "gpus", "Docker has no GPU runtime here"),
        ({"timeout_minutes": 0}, "timeout_minutes", "is 0; allowed is"),
        ({"retries": -1}, "retries", "is -1; allowed"),
        ({"retry_on": ["oom"]}, "retry_on[0]", "is 'oom'; allowed are NotResponding, Failed, TimedOut"),
        ({"on_interrupt": "stop"}, "on_interrupt", "is 'stop'; allowed are detach, cancel"),
        ({"require_metrics": ["accuracy ~ 1"]}, "require_metrics[0]", "accuracy ~ 1"),
        ({"parameters": {"lr": [1]}}, "parameters['lr']", "is [1], a list; allowed is text, a number, True or False"),
        ({"inputs": {"pets": "nowhere"}}, "inputs['pets']", "does not exist"),
        ({"inputs": {"pets": DataInput("s3://x", "1", mode="copy")}}, "inputs['pets'].mode", "allowed are mount, down"),
        ({"inputs": {"pets": DataInput("azureml:pets:1", "1")}}, "inputs['pets']", "only Azure Machine Learning can"),
        ({"outputs": {"a": DataOutput(path="/models")}}, "outputs['a'].path", "is '/models', which no run can write"),
        ({"outputs": {"a": DataOutput(mode="copy")}}, "outputs['a'].mode", "is 'copy'; allowed are mount, upload"),
        ({"identity": "managed"}, "identity", "Docker gives a run none of Azure's"),
        ({"identity": "me"}, "identity", "is 'me'; allowed are managed, user, or the client id"),
        ({"distribution": Distribution(workers=0)}, "distribution.workers", "is 0; allowed"),
        ({"distribution": Distribution(workers=2, framework="x")}, "distribution.framework", "is 'x'; allowed"),
        ({"distribution": Distribution(workers=2, framework="mpi")}, "distribution.framework", "nothing by MPI"),
        (
            {"distribution": Distribution(workers=2, processes_per_worker=2)},
            "distribution.processes_per_worker",
            "with Docker each worker is one process",
        ),
        ({"on_destroy": "keep"}, "on_destroy", "is 'keep'; allowed are cancel, retain"),
    ],
)
def test_each_bad_argument_is_named(
    engine: Engine, source_folder: pathlib.Path, changes: dict[str, Any], path: str, message: str
) -> None:
    """Every mistake has its own property path, and is told once."""
    (problem,) = find(engine, make_args(source_folder, **changes))

    assert problem.path == path
    assert message in problem.message


def test_a_secret_in_the_source_is_refused_unless_allowed(engine: Engine, source_folder: pathlib.Path) -> None:
    """The user must name what looks like a secret and shall be shipped."""
    (source_folder / ".env").write_text("TOKEN=1\n")

    assert [problem.path for problem in find(engine, make_args(source_folder))] == ["source"]
    assert find(engine, make_args(source_folder, allow_secrets=[".env"])) == []
