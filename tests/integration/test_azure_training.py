"""Stack `azure-dev` from nothing to a finished training: the whole of it on the tests' Azure, whose job runs in Docker.

The Docker daemon cannot reach a registry under its Azure name here, so that the image is in one on this machine.
"""

from __future__ import annotations

import json
import pathlib
import shlex

import pytest

from tests.azure.server import Azure
from tests.contract.learning_place import DOCKERFILE, LOG_METRICS
from tests.integration.clones import IMAGE, AzureClone
from tests.local_registry import USER, LocalRegistry

SECRET = "planted-marker-in-training"  # noqa: S105 (of nothing)
SCRIPT = f"""\
echo begun with "$@"
echo "secret of ${{#TOKEN}} letters"
python3 -c {shlex.quote(LOG_METRICS)} '[{{"key": "accuracy", "value": 0.97}}]'
echo model > outputs/model.txt
echo the training is over
"""

TRAIN = """\
  aml-infra:train:
    source: training
    command: [sh, train.sh]
    experiment: pets
    parameters: {lr: 0.5}
    require_metrics: ["accuracy >= 0.9"]
"""


def make_clone(
    folder: pathlib.Path, azure: Azure, plugins: pathlib.Path, registry: LocalRegistry, dockerfile: str
) -> AzureClone:
    """The stack with an image and a training of the test's own."""
    clone = AzureClone(folder, azure, plugins, "azure-dev")
    clone.drop_training()
    (clone.folder / "image").mkdir()
    (clone.folder / "image" / "Dockerfile").write_text(dockerfile)
    clone.change_settings("  # GpuClusterArgs", f"{TRAIN}  # GpuClusterArgs")
    clone.change_settings(IMAGE, "    dockerfile: image/Dockerfile\n")
    use_registry(clone, registry)
    return clone


def use_registry(clone: AzureClone, registry: LocalRegistry) -> None:
    """The image goes into a registry on this machine."""
    text = clone.settings.read_text()
    clone.settings.write_text(text[: text.index("  # RegistryArgs")] + text[text.index("  # TrainingImageArgs") :])
    for name, value in {"server": registry.address, "username": USER}.items():
        clone.pulumi("config", "set", "--path", f"aml-infra:image.registry.{name}", value)
    clone.pulumi("config", "set", "--path", "--secret", "aml-infra:image.registry.password", registry.password)


def test_a_stack_trains_from_nothing(
    tmp_path: pathlib.Path, azure: Azure, azure_plugins: pathlib.Path, registry: LocalRegistry
) -> None:
    """Workspace, image, cluster, training in one `up`; nothing in the next; another machine's size trains nothing."""
    clone = make_clone(tmp_path / "clone", azure, azure_plugins, registry, f"{DOCKERFILE}ENV CLONE={tmp_path}\n")
    (clone.folder / "training").mkdir()
    (clone.folder / "training" / "train.sh").write_text(SCRIPT)
    secret = "aml-infra:train.secret_environment_variables.TOKEN"  # noqa: S105 (a name)
    clone.pulumi("config", "set", "--path", "--secret", secret, SECRET)

    log = clone.up()
    outputs = clone.outputs()
    (job,) = [each for each in azure.cloud.resources if each.name == outputs["runId"]]
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    clone.change_settings("vm_size: STANDARD_NC4AS_T4_V3", "vm_size: STANDARD_NC16AS_T4_V3")
    resized = clone.preview_steps()
    again = clone.up()
    jobs = [each for each in azure.cloud.resources if each.type.endswith("/jobs")]
    state = clone.pulumi("stack", "export")
    shown = json.dumps([each.body for each in azure.cloud.resources])
    clone.pulumi("destroy", "--yes", "--skip-preview")

    letters = log.index(f"secret of {len(SECRET)} letters")
    assert log.index("begun with --lr=0.5") < letters < log.index("the training is over")
    assert outputs["status"] == "Completed"
    assert outputs["metrics"] == {"accuracy": 0.97}
    assert outputs["portalUrl"].startswith("https://ml.azure.com/runs/")
    assert job.properties["environmentId"] == outputs["environmentId"]
    assert (resized["gpu-cluster-cluster"], resized["train"]) == ("replace", "update")
    assert "adopt: run" in again
    assert [each.name for each in jobs] == [outputs["runId"]]
    assert SECRET not in log + state + shown
    assert list(azure.cloud.jobs.failures) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_fastai_example_trains_as_it_is(
    tmp_path: pathlib.Path, azure: Azure, azure_plugins: pathlib.Path, registry: LocalRegistry
) -> None:
    """The stack's own training and image: it learns, and logs to the run that the service has opened for the job."""
    clone = AzureClone(tmp_path / "clone", azure, azure_plugins, "azure-dev")
    use_registry(clone, registry)

    log = clone.up()
    outputs = clone.outputs()
    clone.pulumi("preview", "--expect-no-changes")
    clone.pulumi("destroy", "--yes", "--skip-preview")

    assert "epoch  8/8" in log
    assert outputs["status"] == "Completed"
    assert outputs["metrics"]["accuracy"] >= 0.9
    assert outputs["outputsPath"].endswith(f"/ExperimentRun/dcid.{outputs['runId']}/outputs/")
    assert list(azure.cloud.jobs.failures) == []
