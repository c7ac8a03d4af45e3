from __future__ import annotations

import dataclasses
from typing import cast

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import doctor, errors, golang, steps


@dataclasses.dataclass
class Chains:
    """Stands for `steps.Steps`, with chains of fake steps."""

    chains: list[list[fakes.FakeStep]]
    builder: golang.GoBuilder


def _make(machine: fakes.Machine, *chains: list[fakes.FakeStep]) -> steps.Steps:
    return cast("steps.Steps", Chains(list(chains), cast("golang.GoBuilder", machine.builder)))


def test_nothing_is_done_when_all_is_there(machine: fakes.Machine) -> None:
    """A second call says nothing, takes no lock and writes nothing."""
    made = _make(machine, [fakes.FakeStep(machine.tools, "a", ready=True)])

    assert not steps.ensure(machine.tools, made)

    assert machine.said == ""
    assert not machine.places.cache.exists()


def test_each_step_is_told(machine: fakes.Machine) -> None:
    """What was there and what was made each have a line, and the minutes come last."""
    there = fakes.FakeStep(machine.tools, "a", ready=True)
    missing = fakes.FakeStep(machine.tools, "b")

    assert steps.ensure(machine.tools, _make(machine, [there, missing]))

    assert (there.provided, missing.provided) == (0, 1)
    lines = machine.said.splitlines()
    assert lines[0] == "a            1                 already there: here"
    assert lines[1] == "b            1                 ready: here"
    assert lines[2] == "ready after 0.0 min"


def test_only_the_named_steps_are_run(machine: fakes.Machine) -> None:
    """Linting needs no Docker."""
    wanted = fakes.FakeStep(machine.tools, "venv")
    other = fakes.FakeStep(machine.tools, "docker")

    steps.ensure(machine.tools, _make(machine, [wanted], [other]), ["venv"])

    assert (wanted.provided, other.provided) == (1, 0)


def test_an_obstacle_is_told_before_anything_is_begun(machine: fakes.Machine) -> None:
    """Nobody waits minutes for a build to learn that Docker cannot be had."""
    long = fakes.FakeStep(machine.tools, "engine")
    blocked = fakes.FakeStep(machine.tools, "docker")
    blocked.obstacle = "Docker is needed"

    with pytest.raises(errors.BootstrapError, match="Docker is needed"):
        steps.ensure(machine.tools, _make(machine, [long], [blocked]))

    assert (long.provided, blocked.provided) == (0, 0)


def test_a_failure_ends_its_chain(machine: fakes.Machine) -> None:
    """What needs a step that failed is not tried, and the toolchain stays for the next attempt."""
    broken = fakes.FakeStep(machine.tools, "engine")
    broken.failure = "no space left"
    after = fakes.FakeStep(machine.tools, "language")

    with pytest.raises(errors.BootstrapError, match="no space left"):
        steps.ensure(machine.tools, _make(machine, [broken, after]))

    assert after.provided == 0
    assert machine.builder.built == []


def test_a_full_disk_is_an_error_for_people(machine: fakes.Machine) -> None:
    """What the system refuses is told with the step's name, and without a stack trace."""

    class Broken(fakes.FakeStep):
        def provide(self) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(errors.BootstrapError, match=r"engine: .*No space left on device"):
        steps.ensure(machine.tools, _make(machine, [Broken(machine.tools, "engine")]))


def test_the_next_call_goes_on(machine: fakes.Machine) -> None:
    """What was done before a failure is not done again."""
    first = fakes.FakeStep(machine.tools, "uv")
    second = fakes.FakeStep(machine.tools, "engine")
    second.failure = "no space left"
    made = _make(machine, [first, second])
    with pytest.raises(errors.BootstrapError):
        steps.ensure(machine.tools, made)

    second.failure = ""
    steps.ensure(machine.tools, made)

    assert (first.provided, second.provided) == (1, 2)


def test_the_doctor_names_what_to_do(machine: fakes.Machine) -> None:
    """The table shows each step, and a fix for each that is not well."""
    made = _make(machine, [fakes.FakeStep(machine.tools, "uv", ready=True)], [fakes.FakeStep(machine.tools, "docker")])

    lines, healthy = doctor.build_table(made)

    assert not healthy
    assert lines == [
        "uv      ok       1  here",
        "docker  too old  1  not here",
        "",
        "to fix:",
        "  docker: run `make up`, or another target that needs it: it is installed then",
    ]


def test_the_doctor_changes_nothing(machine: fakes.Machine) -> None:
    """On a machine with nothing at all, looking leaves it so."""
    _, healthy = doctor.build_table(steps.build_steps(machine.tools))

    assert not healthy
    assert sorted(path.name for path in machine.folder.rglob("*")) == ["checkout"]
