"""The plugin as a process, and the package as a wheel."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pytest

from tests.integration.projects import ROOT, Project

PLUGIN = pathlib.Path(sys.executable).parent / "pulumi-resource-aml-infra"


def run_uv(*arguments: str) -> None:
    """Runs uv, which must succeed."""
    subprocess.run(["uv", *arguments, "--quiet"], check=True)


@pytest.fixture
def plugin() -> Iterator[subprocess.Popen[str]]:
    """A plugin that has said its port, started as the engine starts it."""
    with subprocess.Popen(
        [PLUGIN, "127.0.0.1:1", "-v=9"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        yield process
        process.kill()


def test_the_plugin_exits_when_its_engine_is_gone(plugin: subprocess.Popen[str]) -> None:
    """The engine's end of standard input closes, whatever ended the engine."""
    assert plugin.stdin is not None

    plugin.stdin.close()

    assert plugin.wait(timeout=10) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_plugin_exits_when_the_engine_is_done_with_it(plugin: subprocess.Popen[str], number: int) -> None:
    """At once, for the engine waits five seconds and then kills."""
    plugin.send_signal(number)

    assert plugin.wait(timeout=4) == 0


def test_the_plugin_has_help() -> None:
    """For whoever starts it by hand."""
    shown = subprocess.run([PLUGIN, "--help"], check=True, capture_output=True, text=True)

    assert "Pulumi engine" in shown.stdout


def test_the_wheel_is_typed_and_whole(tmp_path: pathlib.Path) -> None:
    """It has the marker of a typed package, every module, what the modules read, and the plugin's entry point."""
    run_uv("build", "--wheel", "--out-dir", str(tmp_path), str(ROOT))

    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
        scripts = wheel.read(entry_points).decode()
    sources = ROOT / "aml_infra"
    expected = {
        str(file.relative_to(ROOT))
        for file in sources.rglob("*")
        if file.is_file() and file.suffix != ".pyc" and "__pycache__" not in file.parts
    }
    assert expected <= names
    assert "aml_infra/py.typed" in names
    assert "pulumi-resource-aml-infra" in scripts


def test_another_project_uses_the_wheel(project: Project, tmp_path: pathlib.Path) -> None:
    """Installed from the wheel into an environment of its own, package and plugin work without this checkout."""
    place = tmp_path / "elsewhere"
    run_uv("build", "--wheel", "--out-dir", str(place), str(ROOT))
    (wheel,) = place.glob("*.whl")
    run_uv("venv", "--seed", str(place / ".venv"))
    run_uv("pip", "install", "--python", str(place / ".venv"), str(wheel))
    settings = project.folder / "Pulumi.yaml"
    settings.write_text(settings.read_text().replace(str(ROOT / ".venv"), str(place / ".venv")))
    project.environment["VIRTUAL_ENV"] = str(place / ".venv")
    project.environment["PATH"] = f"{place / '.venv' / 'bin'}{os.pathsep}{project.environment['PATH']}"
    (project.folder / "__main__.py").write_text(
        (project.folder / "__main__.py").read_text() + "import aml_infra\npulumi.log.info(aml_infra.__file__)\n"
    )

    output = project.up()

    assert str(place) in output
    assert project.outputs()["status"] == "Completed"
