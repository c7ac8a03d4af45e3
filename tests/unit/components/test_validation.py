from __future__ import annotations

import pathlib

import pulumi
import pytest

from aml_infra import (
    InvalidInput,
    LocalDocker,
    LocalDockerArgs,
    Problem,
    TrainingImageArgs,
    TrainingJobArgs,
    validate,
)
from aml_infra.components.functions import read_failure
from tests.unit.components.engine import Engine


def make_program(
    source: pathlib.Path, **job: object
) -> dict[str, TrainingImageArgs | LocalDockerArgs | TrainingJobArgs]:
    """The arguments of a good program, with ``job`` changed in those of the job."""
    image = TrainingImageArgs(dockerfile="FROM debian:bookworm-slim\n")
    compute = LocalDockerArgs()
    args = {"source": source, "command": ["true"], "image": image, "compute": compute, **job}
    return {"image": image, "docker": compute, "train": TrainingJobArgs(**args)}  # type: ignore[arg-type]


def test_a_good_program_passes_and_asks_docker_once(engine: Engine, source_folder: pathlib.Path) -> None:
    """Three sets of arguments want to know the daemon; it is asked once."""
    engine.run(lambda: validate(make_program(source_folder)))

    assert engine.calls == ["aml-infra:index:getDockerDaemon"]


def test_a_program_asks_docker_once(engine: Engine, source_folder: pathlib.Path) -> None:
    """Each component wants to know the daemon, and its constructor checks its own arguments in any case."""

    def make() -> None:
        program = make_program(source_folder)
        validate(program)
        LocalDocker("one")
        LocalDocker("two")

    engine.run(make)

    assert engine.calls == ["aml-infra:index:getDockerDaemon"]


def test_a_daemon_that_did_not_answer_is_asked_again(engine: Engine) -> None:
    """A program may catch the error, and what comes next must not pass for it."""

    def make() -> None:
        with pytest.raises(InvalidInput):
            LocalDocker("one")
        LocalDocker("two")

    engine.failure = "Docker does not answer; start Docker"

    with pytest.raises(InvalidInput, match="two: Docker does not answer"):
        engine.run(make)


def test_all_problems_are_told_at_once(engine: Engine, source_folder: pathlib.Path) -> None:
    """Each with the path that the user knows, those found elsewhere first."""
    program = {**make_program(source_folder, cpus=-1, gpus=2, command=[]), "image": TrainingImageArgs()}

    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: validate(program, found=[Problem("config", "is odd")]))

    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["config", "image.dockerfile", "train.command", "train.cpus", "train.gpus"]


def test_a_daemon_that_does_not_run_is_told_once_with_the_rest(engine: Engine, source_folder: pathlib.Path) -> None:
    """It hides no other problem."""
    engine.failure = "Docker does not answer; start Docker"

    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: validate(make_program(source_folder, cpus=-1)))

    assert [str(problem) for problem in caught.value.problems] == [
        "image: Docker does not answer; start Docker",
        "train.cpus: is -1; allowed is 0.01 to 1024 processors, or leave it out for no limit",
    ]


def test_the_error_is_one_that_pulumi_shows_without_a_traceback(engine: Engine) -> None:
    """Pulumi prints the text of a RunError and nothing else."""
    with pytest.raises(pulumi.RunError, match="1 problem in the program's input; nothing was created\n  - x: is odd"):
        engine.run(lambda: validate({}, found=[Problem("x", "is odd")]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "invoke of a:index:b failed: Docker does not answer (gone); start it ()",
            "Docker does not answer (gone); start it",
        ),
        ("invoke of a:index:b failed: 2 problems\n  - image: one\n  - image: two ()", "one; two"),
        ("something else", "something else"),
    ],
)
def test_the_reason_is_read_out_of_a_failed_call(text: str, reason: str) -> None:
    """The SDK wraps it in words of its own."""
    assert read_failure(text) == reason
