from __future__ import annotations

import pathlib

import pytest

from aml_infra import InvalidInput, LocalDocker, LocalDockerArgs, Problem
from aml_infra.components.validation import Machine
from aml_infra.spec import Demand, Resources
from tests.unit.components.engine import Engine


def find_missing(engine: Engine, resources: Resources) -> list[Problem]:
    """What Docker lacks of ``resources``."""
    found: list[Problem] = []
    engine.run(lambda: found.extend(LocalDockerArgs().find_demand_problems(Demand(resources=resources), Machine())))
    return found


def test_has_no_children(engine: Engine) -> None:
    """It stands for what is there already."""
    engine.run(lambda: LocalDocker("docker"))

    assert [(resource.typ, resource.name) for resource in engine.resources] == [
        ("aml-infra:index:LocalDocker", "docker")
    ]


def test_needs_nothing_else(engine: Engine) -> None:
    """Docker is there before the program starts."""
    target: list[LocalDocker] = []

    engine.run(lambda: target.append(LocalDocker("docker")))

    assert list(target[0].dependencies) == []


def test_leaves_the_data_folder_to_the_backend(engine: Engine) -> None:
    """The default is the backend's, and must not be written down here a second time."""
    target: list[LocalDocker] = []

    engine.run(lambda: target.append(LocalDocker("docker")))

    assert (target[0].backend, dict(target[0].backend_options)) == ("docker", {})


def test_makes_the_data_folder_absolute(engine: Engine) -> None:
    """The plugin runs in a folder of its own."""
    target: list[LocalDocker] = []

    engine.run(lambda: target.append(LocalDocker("docker", LocalDockerArgs(data_folder="runs"))))

    assert dict(target[0].backend_options) == {"data_folder": str(pathlib.Path("runs").absolute())}


def test_docker_must_run(engine: Engine) -> None:
    """The backend's own words say how to start it."""
    engine.failure = "Docker does not answer (refused); start Docker"

    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: LocalDocker("docker"))

    assert caught.value.problems == (Problem("docker", "Docker does not answer (refused); start Docker"),)
    assert engine.resources == []


def test_the_data_folder_must_be_able_to_be_a_folder(engine: Engine, tmp_path: pathlib.Path) -> None:
    """A file in its place would fail after the training, which is too late."""
    (tmp_path / "file").touch()
    found: list[Problem] = []

    engine.run(lambda: found.extend(LocalDockerArgs(data_folder=tmp_path / "file" / "x").find_problems(Machine())))

    assert [problem.path for problem in found] == ["data_folder"]


@pytest.mark.parametrize(
    ("resources", "path", "message"),
    [
        (Resources(cpus=4.5), "cpus", "is 4.5; Docker has 4 processors here"),
        (Resources(memory_gb=8.1), "memory_gb", "is 8.1; Docker has 8.0 GB here"),
        (Resources(gpus=1), "gpus", "is 1; Docker has no GPU runtime here"),
    ],
)
def test_what_docker_does_not_have_is_named(engine: Engine, resources: Resources, path: str, message: str) -> None:
    """The value, what there is, and the fix."""
    (problem,) = find_missing(engine, resources)

    assert problem.path == path
    assert problem.message.startswith(message)


def test_all_that_docker_has_may_be_asked_for(engine: Engine) -> None:
    """The limits themselves are allowed."""
    engine.daemon["gpus"] = True

    assert find_missing(engine, Resources(cpus=4, memory_gb=8, gpus=2)) == []
