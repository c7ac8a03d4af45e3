"""Stack `local` as it is, with the real fastai example, from copies of this checkout."""

from __future__ import annotations

import json
import pathlib
import uuid
from collections.abc import Iterator

import pytest

from tests.docker_daemon import open_docker
from tests.integration.clones import Clone


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
    clones = [Clone(tmp_path / name, "local", {"AML_INFRA_DATA": str(data)}) for name in ("first", "second")]
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
    clone = Clone(tmp_path / "clone", "local", {"AML_INFRA_DATA": str(data)})
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
