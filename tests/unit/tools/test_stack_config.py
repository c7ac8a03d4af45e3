from __future__ import annotations

import json
import pathlib

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import errors, stack_config

COMMITTED = "config:\n  aml-infra:data: digits\n"


def _write(folder: pathlib.Path, text: str) -> pathlib.Path:
    file = folder / "Pulumi.local.yaml"
    file.write_text(text)
    return file


def test_the_copy_holds_the_settings_and_the_salt(tmp_path: pathlib.Path) -> None:
    """The engine reads the committed settings with this checkout's salt, and the committed file stays as it is."""
    source = _write(tmp_path, COMMITTED)
    target = tmp_path / "private" / "Pulumi.local.yaml"

    stack_config.compose(source, target, "v1:abc", keep_committed_salt=False)

    header, _, rest = target.read_text().partition("\n")
    assert header == "# Composed from Pulumi.local.yaml before each command; edit that one."
    assert rest == COMMITTED + "encryptionsalt: v1:abc\n"
    assert source.read_text() == COMMITTED


def test_an_edit_takes_effect(tmp_path: pathlib.Path) -> None:
    """The copy follows the committed file each time, and keeps its salt."""
    source = _write(tmp_path, COMMITTED)
    target = tmp_path / "copy.yaml"
    stack_config.compose(source, target, "v1:abc", keep_committed_salt=False)

    source.write_text("config:\n  aml-infra:data: pets")
    stack_config.compose(source, target, stack_config.read_salt(target), keep_committed_salt=False)

    assert target.read_text().endswith("  aml-infra:data: pets\nencryptionsalt: v1:abc\n")


@pytest.mark.parametrize(("keep", "expected"), [(False, "v1:ours"), (True, "v1:theirs")])
def test_a_committed_salt(tmp_path: pathlib.Path, *, keep: bool, expected: str) -> None:
    """A salt in the committed file goes with the passphrase of whoever wrote it, not with a generated one."""
    source = _write(tmp_path, COMMITTED + "encryptionsalt: v1:theirs\n")
    target = tmp_path / "copy.yaml"

    stack_config.compose(source, target, "v1:ours", keep_committed_salt=keep)

    assert stack_config.read_salt(target) == expected
    assert target.read_text().count("encryptionsalt") == 1


def test_the_salt_of_a_state(tmp_path: pathlib.Path) -> None:
    """Where the copy is lost, the state still tells its salt."""
    file = tmp_path / ".pulumi" / "stacks" / "aml-infra" / "local.json"
    file.parent.mkdir(parents=True)
    secrets = {"type": "passphrase", "state": {"salt": "v1:abc"}}
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"secrets_providers": secrets}}}))

    assert stack_config.read_state_salt(tmp_path, "aml-infra", "local") == "v1:abc"
    assert stack_config.read_state_salt(tmp_path, "aml-infra", "other") == ""


def test_an_unknown_stack_is_named_with_those_that_are_there(machine: fakes.Machine) -> None:
    """A misspelt stack fails before the engine would make a new one."""
    machine.places.stack_config.mkdir(parents=True)
    for name in ("local", "azure-dev"):
        (machine.places.stack_config / f"Pulumi.{name}.yaml").touch()

    with pytest.raises(errors.BootstrapError, match=r"there is no stack 'locl'.*; stacks: azure-dev, local"):
        stack_config.find_source(machine.places, "locl")
