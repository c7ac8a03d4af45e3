from __future__ import annotations

import pathlib
import sys

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import debian, errors, venv


@pytest.fixture
def project(machine: fakes.Machine) -> fakes.Machine:
    """A machine with uv and a checkout, whose `uv sync` makes an environment."""
    uv = machine.install("uv", "uv 0.13.9 (x86_64-unknown-linux-gnu)", version_option="--version")
    (machine.places.checkout / "uv.lock").write_text("lock")
    (machine.places.checkout / "pyproject.toml").write_text("project")
    python = machine.places.venv / "bin" / "python"

    def sync(_words: list[str]) -> None:
        fakes.put_program(python)

    machine.commands.answer(f"{uv} sync --locked", effect=sync)
    return machine


def _make_venv(machine: fakes.Machine) -> venv.Venv:
    return venv.Venv(machine.tools, venv.Uv(machine.tools))


def test_a_synced_environment_is_ready(project: fakes.Machine) -> None:
    """After a sync nothing is left to do."""
    made = _make_venv(project)
    assert not made.inspect().ready

    made.provide()

    assert made.inspect().ready


def test_the_machines_certificates_are_trusted(project: fakes.Machine) -> None:
    """A proxy's own certificate, which the system knows, must not stop uv."""
    _make_venv(project).provide()

    assert project.commands.environments[-1] == {"UV_SYSTEM_CERTS": "1"}


@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml"])
def test_a_changed_file_asks_for_a_sync(project: fakes.Machine, name: str) -> None:
    """The environment follows the lock and the project file."""
    made = _make_venv(project)
    made.provide()

    (project.places.checkout / name).write_text("changed")

    assert not made.inspect().ready


def test_touching_a_file_asks_for_nothing(project: fakes.Machine) -> None:
    """It is the content that counts."""
    made = _make_venv(project)
    made.provide()

    (project.places.checkout / "uv.lock").touch()

    assert made.inspect().ready


def test_a_deleted_environment_is_noticed(project: fakes.Machine) -> None:
    """The interpreter is looked for each time."""
    made = _make_venv(project)
    made.provide()

    (project.places.venv / "bin" / "python").unlink()

    assert not made.inspect().ready


def test_a_copied_checkout_makes_its_own(project: fakes.Machine, tmp_path: pathlib.Path) -> None:
    """An environment's scripts name its folder, so one that was copied along with a checkout will not do."""
    _make_venv(project).provide()
    copy = fakes.Machine(tmp_path / "elsewhere")
    copy.places.checkout.rmdir()
    project.places.checkout.rename(copy.places.checkout)

    assert not _make_venv(copy).inspect().ready


def test_an_old_uv_is_not_used(machine: fakes.Machine) -> None:
    """A uv that may not read the lock is passed over, and the reason names it."""
    program = machine.install("uv", "uv 0.4.30", version_option="--version")

    finding = venv.Uv(machine.tools).inspect()

    assert not finding.ready
    assert finding.text == f"{program} is older than 0.13.0"


def test_uv_comes_from_pypi(machine: fakes.Machine) -> None:
    """Without a uv the pinned one is put into the cache with this Python's pip."""

    def install(words: list[str]) -> None:
        assert words[-1] == "uv==0.13.9"
        fakes.put_program(pathlib.Path(words[words.index("--target") + 1]) / "bin" / "uv")

    machine.commands.answer(f"{sys.executable} -m pip --version", "pip 23.0.1")
    machine.commands.answer(f"{sys.executable} -m pip install ...", effect=install)

    step = venv.Uv(machine.tools)
    step.provide()

    assert step.locate() == machine.places.uv / "bin" / "uv"


def test_a_python_without_pip_and_venv_gets_them(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root on Debian gets python3-venv, then goes on."""
    monkeypatch.setattr(debian, "can_install", lambda *_: True)

    def install(words: list[str]) -> None:
        fakes.put_program(pathlib.Path(words[words.index("--target") + 1]) / "bin" / "uv")

    def repair(_words: list[str]) -> None:
        machine.commands.answer(f"{sys.executable} -m venv ...")

    machine.commands.answer(f"{machine.places.cache}/...", effect=install)
    machine.commands.answer(f"{sys.executable} -m pip --version", stderr="No module named pip", code=1)
    machine.commands.answer(f"{sys.executable} -m venv ...", stderr="ensurepip is not available", code=1)
    machine.commands.answer("apt-get update")
    machine.commands.answer("apt-get install ...", effect=repair)

    step = venv.Uv(machine.tools)
    step.provide()

    assert step.locate()


def test_a_python_without_pip_and_venv_is_explained(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root is told what to install."""
    monkeypatch.setattr(debian, "can_install", lambda *_: False)
    machine.commands.answer(f"{sys.executable} -m pip --version", stderr="No module named pip", code=1)
    machine.commands.answer(f"{sys.executable} -m venv ...", stderr="ensurepip is not available", code=1)

    with pytest.raises(errors.BootstrapError, match="install uv yourself, or Debian's package python3-venv"):
        venv.Uv(machine.tools).provide()
