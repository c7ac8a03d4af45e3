from __future__ import annotations

import pathlib

import pytest

from tools.bootstrap import cli


def test_an_unknown_step_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    """The message names the steps that there are."""
    code = cli.main(["--only", "dokcer", "ensure"], {"HOME": str(tmp_path), "PATH": ""})

    assert code == 1
    assert capsys.readouterr().err == (
        "error: --only: unknown step dokcer; "
        "steps are uv, venv, engine, language, docker-build, buildx, azurite, cluster, trainer, docker, base-image, "
        "registry\n"
    )


def test_a_home_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without HOME there is no cache, and the message says what to set."""
    assert cli.main(["doctor"], {}) == 1

    assert capsys.readouterr().err.startswith("error: HOME is not set; set it to")


def test_the_doctors_exit_code_counts(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    """On a machine where something is missing the doctor fails, and creates nothing in the home."""
    assert cli.main(["doctor"], {"HOME": str(tmp_path), "PATH": ""}) == 1

    assert "docker" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_variables_of_another_python_do_not_count() -> None:
    """Nor do those that would have each process compile all packages; the rest is the user's."""
    given = {"HOME": "/home/jane", "VIRTUAL_ENV": "/elsewhere", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}

    assert cli.clean(given) == {"HOME": "/home/jane", "LANG": "C.UTF-8"}
