"""Stack `local` as it is, with the real fastai example, from copies of this checkout."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docker_daemon import open_docker
from tests.integration.projects import ROOT

SETTINGS = "stacks/config/Pulumi.local.yaml"


class Clone:
    """A checkout in a folder of its own, with a state of its own and the user's one data folder."""

    def __init__(self, folder: pathlib.Path, data: pathlib.Path) -> None:
        self.folder = folder
        for name in ("stacks", "examples"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / "state").mkdir()
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "integration",
            "AML_INFRA_DATA": str(data),
        }
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        self.pulumi("stack", "init", "local")

    def pulumi(self, *command: str, fails: bool = False) -> str:
        """Runs ``pulumi command``; it must fail if ``fails``, and else succeed."""
        done = subprocess.run(
            ["pulumi", *command, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def up(self) -> str:
        """``pulumi up``."""
        return self.pulumi("up", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return dict(json.loads(self.pulumi("stack", "output", "--json")))

    def change_settings(self, old: str, new: str) -> None:
        """Edits the stack's settings."""
        file = self.folder / SETTINGS
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))


@pytest.fixture
def data(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A data folder; the containers of the runs recorded there are removed afterwards."""
    yield tmp_path / "data"
    client = open_docker()
    for record in (tmp_path / "data").glob("runs/*/record.json"):
        for container in list_containers(json.loads(record.read_text())["run_id"]):
            client.remove_container(container, force=True, v=True)


def list_containers(run_id: str) -> list[str]:
    """Ids of the containers of a run."""
    return [
        str(found["Id"]) for found in open_docker().containers(all=True, filters={"label": f"aml-infra.run={run_id}"})
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_fastai_example_trains_once(tmp_path: pathlib.Path, data: pathlib.Path) -> None:
    """It learns; a second `up` and a second clone train nothing; an edited file is named and trains once."""
    clones = [Clone(tmp_path / name, data) for name in ("first", "second")]
    trigger = uuid.uuid4().hex
    for clone in clones:
        # A run of this test's own, whatever this machine has trained before.
        clone.change_settings(
            "    experiment: fastai-digits\n",
            f"    experiment: fastai-digits\n    triggers: {{test: t{trigger}}}\n",
        )
    first, second = clones

    log = first.up()
    outputs = first.outputs()
    again = first.up()
    adopted = second.up()
    containers = list_containers(outputs["runId"])
    script = first.folder / "examples/fastai-example/train.py"
    script.write_text(script.read_text() + "# one more line\n")
    preview = first.pulumi("preview", "--diff")

    assert outputs["status"] == "Completed"
    assert outputs["metrics"]["accuracy"] >= 0.9
    assert "epoch  8/8" in log
    results = pathlib.Path(outputs["outputsPath"])
    assert {"model.pkl", "loss_curve.png", "confusion_matrix.png"} <= {path.name for path in results.iterdir()}
    assert outputs["portalUrl"] == results.parent.as_uri()
    assert "6 unchanged" in again
    assert "adopt: " in adopted
    assert second.outputs() == outputs
    assert len(containers) == 1
    changed = preview.partition("sourceFiles")[2].partition("}")[0]
    assert [line.split()[1] for line in changed.splitlines() if "=>" in line] == ["train.py:"]


def test_every_mistake_in_the_settings_is_told_at_once(tmp_path: pathlib.Path, data: pathlib.Path) -> None:
    """Unknown keys, wrong types, missing files and secrets in the source, each with its path; nothing is made."""
    clone = Clone(tmp_path / "clone", data)
    (clone.folder / "examples/fastai-example/.amlignore").unlink()
    (clone.folder / "examples/fastai-example/id_rsa").write_text("not a key")
    clone.change_settings("dockerfile: examples", "dockerfile: nowhere")
    clone.change_settings(
        "    command: [python, train.py]\n", "    command: []\n    cpus: -1\n    gpus: 2\n    comand: typo\n"
    )
    clone.change_settings("aml-infra:compute: {}", "aml-infra:computer: {}")

    output = clone.pulumi("preview", fails=True)

    for path in (
        "aml-infra:image.dockerfile",
        "aml-infra:train.command",
        "aml-infra:train.cpus",
        "aml-infra:train.gpus",
        "aml-infra:train.comand",
        "aml-infra:train.source",
        "aml-infra:computer",
    ):
        assert path in output, output
    assert "id_rsa" in output
    assert "Traceback" not in output
