from __future__ import annotations

import json
import pathlib
import socket

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import environment, errors, stack


@pytest.fixture
def project(machine: fakes.Machine) -> fakes.Machine:
    """A machine whose checkout has the stacks `local` and `azure-dev`, and an engine that can create them."""
    (machine.places.checkout / "Pulumi.yaml").write_text("name: aml-infra\nruntime: python\nmain: stacks/\n")
    machine.places.stack_config.mkdir(parents=True)
    for name in ("local", "azure-dev"):
        (machine.places.stack_config / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    state = environment.find_state_folder(machine.places) / ".pulumi" / "stacks" / "aml-infra"

    def create(words: list[str]) -> None:
        state.mkdir(parents=True)
        (state / "local.json").write_text("{}")
        (pathlib.Path(words[2]) / "Pulumi.local.yaml").write_text("encryptionsalt: v1:new\n")

    private = machine.places.private / "config"
    machine.commands.answer(f"pulumi -C {private}/...", effect=create)
    return machine


def _make_stack(machine: fakes.Machine, name: str = "local", **user_env: str) -> stack.Stack:
    return stack.Stack(
        name,
        places=machine.places,
        runner=machine.commands,
        reporter=machine.tools.reporter,
        user_env=user_env,
    )


def test_up_creates_the_stack_outside_the_committed_files(project: fakes.Machine) -> None:
    """The first `up` makes the stack, and its salt ends up in the git-ignored copy only."""
    command = _make_stack(project).build_command("up")

    config = command.pop()
    assert command == [
        "pulumi", "-C", str(project.places.checkout), "up", "--yes", "--stack", "local", "--config-file",
    ]  # fmt: skip
    assert config.startswith(f"{project.places.private}/config/")
    assert "encryptionsalt: v1:new" in pathlib.Path(config).read_text()
    assert (project.places.stack_config / "Pulumi.local.yaml").read_text() == "config: {}\n"
    assert "created stack 'local'" in project.said


def test_the_second_up_creates_nothing(project: fakes.Machine) -> None:
    """A stack that is there is used as it is, with the same salt."""
    config = _make_stack(project).build_command("up")[-1]
    before = pathlib.Path(config).read_text()
    project.commands.ran.clear()

    _make_stack(project).build_command("up")

    assert project.commands.ran == []
    assert pathlib.Path(config).read_text() == before


def test_preview_shows_the_difference_in_detail(project: fakes.Machine) -> None:
    """The names of changed files are in the detailed view."""
    command = _make_stack(project).build_command("preview", ["--json"])

    assert command[3:5] == ["preview", "--diff"]
    assert command[-1] == "--json"


def test_output_reads_the_state_alone(project: fakes.Machine) -> None:
    """Outputs come as JSON, and a lock does not stand in the way of reading."""
    _make_stack(project).build_command("up")
    _lock(project, "elsewhere")

    command = _make_stack(project).build_command("output")

    assert command[3:] == ["stack", "output", "--json", "--stack", "local"]


def test_down_destroys(project: fakes.Machine) -> None:
    """The stack's resources go without a question."""
    assert _make_stack(project).build_command("down")[3:5] == ["destroy", "--yes"]


def test_a_foreign_lock_stops_up(project: fakes.Machine) -> None:
    """A lock that may be alive ends the command before the engine is called."""
    _lock(project, "elsewhere")

    with pytest.raises(errors.BootstrapError, match="on host 'elsewhere'"):
        _make_stack(project).build_command("up")

    assert project.commands.ran == []


def test_a_dead_lock_does_not_stop_up(project: fakes.Machine) -> None:
    """After a kill the next `up` just goes on."""
    _make_stack(project).build_command("up")
    lock = _lock(project, socket.gethostname())
    (folder,) = (project.places.private / "config").glob("*/init")
    project.commands.answer(f"pulumi -C {folder} stack export --stack local --non-interactive", '{"deployment": {}}')

    _make_stack(project).build_command("up")

    assert not lock.exists()


def test_what_a_killed_engine_had_begun_is_forgotten(project: fakes.Machine) -> None:
    """Pending creates leave the state with the lock, so that no `up` warns of them; other operations stay."""
    _make_stack(project).build_command("up")
    _lock(project, socket.gethostname())
    pending = [{"type": "creating", "resource": {}}, {"type": "deleting", "resource": {}}]
    imported: list[object] = []

    def take(words: list[str]) -> None:
        imported.append(json.loads(pathlib.Path(words[words.index("--file") + 1]).read_text()))

    (folder,) = (project.places.private / "config").glob("*/init")
    export = json.dumps({"deployment": {"pending_operations": pending}})
    project.commands.answer(f"pulumi -C {folder} stack export --stack local --non-interactive", export)
    project.commands.answer(f"pulumi -C {folder} stack import ...", effect=take)

    _make_stack(project).build_command("up")

    assert imported == [{"deployment": {"pending_operations": pending[1:]}}]
    assert not (folder / "state.json").exists()


def test_another_stack_is_the_users_own(project: fakes.Machine) -> None:
    """A cloud stack is looked up in the user's own Pulumi, created there, and its settings are the committed ones."""
    checkout = project.places.checkout
    project.commands.answer(
        f"pulumi -C {checkout} stack --stack azure-dev --show-name --non-interactive",
        stderr="error: no stack named 'azure-dev' found",
        code=255,
    )
    project.commands.answer("pulumi stack init azure-dev --no-select")

    command = _make_stack(project, "azure-dev").build_command("up")

    assert command == ["pulumi", "-C", str(checkout), "up", "--yes", "--stack", "azure-dev"]
    assert not project.places.private.exists()


def test_an_engine_that_cannot_tell_is_heard(project: fakes.Machine) -> None:
    """Without a login, Pulumi's own words are shown, and nothing is created."""
    project.commands.answer("pulumi -C ...", stderr="error: PULUMI_ACCESS_TOKEN must be set for login", code=255)

    with pytest.raises(errors.BootstrapError, match="pulumi says: error: PULUMI_ACCESS_TOKEN must be set"):
        _make_stack(project, "azure-dev").build_command("up")


def _lock(machine: fakes.Machine, host: str) -> pathlib.Path:
    folder = environment.find_state_folder(machine.places) / ".pulumi/locks/organization/aml-infra/local"
    folder.mkdir(parents=True)
    # No system gives a process this number.
    lock = {"pid": 2**30, "username": "ada", "hostname": host, "timestamp": "2026-11-23T13:00:00Z"}
    (folder / "lock.json").write_text(json.dumps(lock))
    return folder / "lock.json"
