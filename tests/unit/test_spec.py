from __future__ import annotations

import dataclasses
import math

import pytest

from aml_infra import spec
from aml_infra.spec import Capacity, Resources, RunSpec

SPEC = RunSpec(
    name="train",
    source_digest="s" * 64,
    command=("python", "train.py"),
    image="image:1",
    image_identity="sha256:1",
    environment={"A": "1", "B": "2"},
)


def test_fingerprint_is_pinned() -> None:
    """A release that changed this would train everything again everywhere."""
    assert SPEC.fingerprint == "55893f57dcc8b804b53b263f82281ac9b76aa72a6479b5705f84ae3c5fd78ece"
    assert SPEC.run_id == f"train-{SPEC.fingerprint[:12]}"


@pytest.mark.parametrize(
    "change",
    [
        {"source_digest": "t" * 64},
        {"command": ("python", "train.py", "--lr=1")},
        {"image_identity": "sha256:2"},
        {"environment": {"A": "1"}},
        {"triggers": {"again": "1"}},
    ],
)
def test_fingerprint_changes_with_what_can_change_the_result(change: dict[str, object]) -> None:
    """Each part of the identity makes another fingerprint."""
    assert dataclasses.replace(SPEC, **change).fingerprint != SPEC.fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"image": "image:2"},
        {"resources": Resources(cpus=2, memory_gb=4, gpus=1)},
        {"timeout_minutes": 5},
        {"experiment": "other"},
        {"display_name": "other"},
        {"tags": {"a": "b"}},
        {"environment": {"B": "2", "A": "1"}},
    ],
)
def test_fingerprint_ignores_what_cannot(change: dict[str, object]) -> None:
    """Neither size, names, tags, timeouts nor the order of variables count."""
    assert dataclasses.replace(SPEC, **change).fingerprint == SPEC.fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize(("command", "path"), [([], "command"), ([" "], "command[0]"), (["a", "b\0"], "command[1]")])
def test_bad_commands_are_named(command: list[str], path: str) -> None:
    """The problem has the path of the word that is wrong."""
    assert [problem.path for problem in spec.find_command_problems(command)] == [path]


def test_a_command_given_as_text_is_refused() -> None:
    """A text would be run letter by letter."""
    (problem,) = spec.find_command_problems("python train.py")

    assert "give a list" in problem.message


@pytest.mark.parametrize("value", [-1, 0, math.nan, math.inf, 1e12])
@pytest.mark.parametrize("field", ["cpus", "memory_gb"])
def test_absurd_resources_are_refused(field: str, value: float) -> None:
    """Negative, zero, endless and absurd figures are problems, with the value and what is allowed."""
    (problem,) = spec.find_resource_problems(Resources(**{field: value}), None)  # type: ignore[arg-type]

    assert problem.path == field
    assert "allowed is" in problem.message


def test_all_resource_problems_are_told_at_once() -> None:
    """One call names every figure that is wrong."""
    problems = spec.find_resource_problems(Resources(cpus=-1, memory_gb=-1, gpus=-1), -1)

    assert [problem.path for problem in problems] == ["cpus", "memory_gb", "timeout_minutes", "gpus"]


def test_sensible_resources_pass() -> None:
    """What is allowed is not refused."""
    assert spec.find_resource_problems(Resources(cpus=0.5, memory_gb=1.5, gpus=2), 0.5) == []


def test_variable_names_are_checked() -> None:
    """A name that no shell could set is named."""
    (problem,) = spec.find_environment_problems({"GOOD_1": "", "1BAD": ""})

    assert problem.path == "environment_variables['1BAD']"


def test_what_a_machine_does_not_have_is_told_at_once() -> None:
    """Each figure with what there is; one that is out of any range is somebody else's problem."""
    capacity = Capacity(cpus=2, memory_gb=4, gpus=False)

    problems = spec.find_capacity_problems(Resources(cpus=4, memory_gb=8, gpus=1), capacity, "Docker")
    absurd = spec.find_capacity_problems(Resources(cpus=1e9, memory_gb=1e9, gpus=-1), capacity, "Docker")

    assert [problem.path for problem in problems] == ["cpus", "memory_gb", "gpus"]
    assert "is 4; Docker has 2 processors here" in problems[0].message
    assert absurd == []
    assert spec.find_capacity_problems(Resources(cpus=2, memory_gb=4), capacity, "Docker") == []
