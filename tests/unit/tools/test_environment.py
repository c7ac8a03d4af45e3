from __future__ import annotations

import pathlib

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import environment, errors, steps


def _build(machine: fakes.Machine, stack: str = "local", **env: str) -> dict[str, str]:
    made = steps.build_steps(machine.tools)
    return environment.build_changes(machine.places, made, {"PATH": "/usr/bin:/bin", **env}, stack)


def test_the_environment_comes_first_on_path(machine: fakes.Machine) -> None:
    """The project's own programs, then the cache's, then the user's."""
    program = fakes.put_program(machine.places.engine / "bin" / "pulumi")
    machine.commands.answer(f"{program} version", "v3.259.0")

    path = _build(machine)["PATH"]

    assert path == f"{machine.places.venv}/bin:{machine.places.engine}/bin:/usr/bin:/bin"


def test_an_engine_beside_the_path_is_put_on_it(machine: fakes.Machine) -> None:
    """The official installer's folder, where the engine was found, is made part of PATH."""
    program = fakes.put_program(machine.places.pulumi_home / "bin" / "pulumi")
    machine.commands.answer(f"{program} version", "v3.259.0")

    assert _build(machine)["PATH"] == f"{machine.places.venv}/bin:{program.parent}:/usr/bin:/bin"


def test_the_local_stack_has_a_backend_of_its_own(machine: fakes.Machine) -> None:
    """State and passphrase are in the checkout, whatever the user is logged in to."""
    changes = _build(machine)

    assert changes["PULUMI_BACKEND_URL"] == f"file://{machine.places.private}/state"
    assert changes["PULUMI_CONFIG_PASSPHRASE_FILE"] == f"{machine.places.private}/passphrase"


def test_a_named_backend_is_respected(machine: fakes.Machine) -> None:
    """A user who names a backend brings its secrets, too."""
    changes = _build(machine, PULUMI_BACKEND_URL="s3://team")

    assert "PULUMI_BACKEND_URL" not in changes
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in changes


def test_a_named_passphrase_is_respected(machine: fakes.Machine) -> None:
    """Even an empty passphrase is the user's choice."""
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in _build(machine, PULUMI_CONFIG_PASSPHRASE="")


def test_other_stacks_use_the_users_login(machine: fakes.Machine) -> None:
    """Nothing about backends is set for a cloud stack."""
    assert not [name for name in _build(machine, "azure-dev") if "BACKEND" in name or "PASSPHRASE" in name]


def test_checkouts_share_the_cache_of_type_checks(machine: fakes.Machine) -> None:
    """Unless the user has one."""
    assert _build(machine)["MYPY_CACHE_DIR"] == f"{machine.places.cache}/mypy"
    assert _build(machine, MYPY_CACHE_DIR="mine")["MYPY_CACHE_DIR"] == "mine"


def test_plugins_that_stack_local_does_not_use_are_not_downloaded(machine: fakes.Machine) -> None:
    """Unless the user says otherwise; the other stacks use them."""
    variable = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"

    assert _build(machine)[variable] == "true"
    assert _build(machine, **{variable: "false"})[variable] == "false"
    assert variable not in _build(machine, "azure-dev")


def test_the_passphrase_is_made_once_and_private(machine: fakes.Machine) -> None:
    """A second run keeps the passphrase, which only its owner can read."""
    environment.prepare(machine.places, {}, "local")
    file = machine.places.private / "passphrase"
    first = file.read_text()

    environment.prepare(machine.places, {}, "local")

    assert file.read_text() == first
    assert len(first.strip()) >= 32
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_lost_passphrase_is_not_replaced(machine: fakes.Machine) -> None:
    """A new passphrase could not open the old state, so a person has to decide."""
    environment.prepare(machine.places, {}, "local")
    state = machine.places.private / "state" / ".pulumi" / "stacks" / "aml-infra" / "local.json"
    state.parent.mkdir(parents=True)
    state.touch()
    (machine.places.private / "passphrase").unlink()

    with pytest.raises(errors.BootstrapError, match="the passphrase of the stack's state is gone"):
        environment.prepare(machine.places, {}, "local")


def test_nothing_is_made_for_a_users_own_backend(machine: fakes.Machine) -> None:
    """Where the user named a backend the checkout stays as it is."""
    environment.prepare(machine.places, {"PULUMI_BACKEND_URL": "s3://team"}, "local")

    assert not machine.places.private.exists()


def test_exports_are_quoted_for_a_shell() -> None:
    """A folder with a blank in its name survives `eval`."""
    assert environment.build_exports({"A": str(pathlib.Path("/my folder"))}) == "export A='/my folder'\n"
