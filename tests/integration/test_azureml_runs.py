"""Trainings on Azure Machine Learning through the real engine, on the tests' Azure, whose jobs run in Docker."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest

from tests.api_faults import Fault
from tests.contract import learning_place
from tests.contract.learning_place import LearningPlace
from tests.integration.projects import Project, read_until

BLOBS = r".*\.blob\.core\.windows\.net"
SERVICES = r".*\.api\.azureml\.ms"
IMAGE = "debian:bookworm-slim"


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LearningPlace]:
    """A workspace with a cluster."""
    with learning_place.open_place(tmp_path_factory.mktemp("azure")) as place:
        yield place


@pytest.fixture
def run(project: Project, learning: LearningPlace) -> Iterator[Project]:
    """A project whose run is a job of the workspace that prints two lines."""
    project.environment.update(learning.azure.environment)
    write_args(project, learning)
    yield project
    learning.clean()


def write_args(project: Project, learning: LearningPlace, **changes: object) -> None:
    """Makes the program declare a job of the workspace."""
    place = learning.place
    options = {
        "subscription_id": place.subscription_id,
        "resource_group": place.resource_group,
        "workspace_name": place.workspace_name,
        "compute_name": place.compute_name,
    }
    identity = f"sha256:{'1' * 64}"
    project.write_args(image=IMAGE, image_identity=identity, backend="azureml", backend_options=options, **changes)


def count_jobs(learning: LearningPlace, project: Project) -> int:
    """How many jobs there are for the project's run."""
    found = [each for each in learning.azure.cloud.resources if each.type.endswith("/jobs")]
    return len([each for each in found if each.name.startswith(f"{project.name}-")])


def test_a_run_trains_once_and_is_nothing_after_that(learning: LearningPlace, run: Project) -> None:
    """Its log is in the update; neither `up`, refresh nor a lost state trains again."""
    first = run.up()
    outputs = run.outputs()
    second = run.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    run.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    run.lose_state()
    preview = run.pulumi("preview", "--diff")
    adopted = run.up()

    assert first.index("line 1") < first.index("line 2")
    assert "2 unchanged" in second
    assert "adopt: run" in preview
    assert "adopt: run" in adopted
    assert outputs["status"] == "Completed"
    assert outputs["outputs_path"].startswith("azureml://subscriptions/")
    assert outputs["log_path"].startswith("https://")
    assert outputs["log_path"].endswith("/user_logs/std_log.txt")
    assert count_jobs(learning, run) == 1


def test_a_failed_run_tells_its_log_and_is_tried_again(learning: LearningPlace, run: Project) -> None:
    """With the exit code, the last lines, and the page of the portal."""
    run.write_script('echo before\n[ "$AML_INFRA_ATTEMPT" = 2 ] || exit 3\n')

    failed = run.up(fails=True)
    run.up()

    assert "ended as Failed, exit code 3" in failed
    assert re.search(r"last lines of the log:\s+before\n", failed)
    assert "portal: https://ml.azure.com/runs/" in failed
    assert (run.outputs()["status"], run.outputs()["attempt"]) == ("Completed", 2)
    assert count_jobs(learning, run) == 2


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Fault("delay", "/source.tar.gz$", "PUT", host=BLOBS), id="upload", marks=pytest.mark.long),
        pytest.param(Fault("delay", "/codes/", "PUT"), id="code", marks=pytest.mark.long),
        pytest.param(Fault("delay", "/runs/", "PUT", host=BLOBS), id="spec", marks=pytest.mark.long),
        pytest.param(Fault("delay", "/jobs/", "PUT"), id="job"),
        pytest.param(Fault("delay", "/jobs/[^/]+$", "GET", skip=2), id="described", marks=pytest.mark.long),
        pytest.param(Fault("delay", "/details$", "GET", host=SERVICES), id="history", marks=pytest.mark.long),
        pytest.param(Fault("delay", "user_logs/", "GET", host=BLOBS), id="log", marks=pytest.mark.long),
        pytest.param(Fault("delay", "/mlflow/", "GET", host=SERVICES), id="metrics", marks=pytest.mark.long),
    ],
)
def test_killed_at_any_step_it_is_one_run(learning: LearningPlace, run: Project, step: Fault) -> None:
    """The engine and all that it started are killed, as when a pipeline is canceled; the next `up` goes on."""
    # Another source, so that it has to be uploaded.
    run.write_script(f"echo line 1\necho line 2\n# {run.name}\n")
    learning.azure.cloud.faults.add(step)
    process = run.start_up()

    assert step.reached.wait(60), process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    step.released.set()
    run.pulumi("cancel", "--yes")
    output = run.up()

    assert "line 2" in output or "adopt: run" in output
    assert run.outputs()["status"] == "Completed"
    assert count_jobs(learning, run) == 1
    run.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_run_that_goes_on_is_joined_and_destroy_stops_it(learning: LearningPlace, run: Project) -> None:
    """Ctrl-C leaves it; the next `up` shows its log from the start; a destroy cancels and archives it."""
    run.write_script("echo line 1\nwhile :; do sleep 0.1; done\n")
    process = run.start_up()
    read_until(process, "line 1")
    os.killpg(process.pid, signal.SIGINT)
    interrupted, _ = process.communicate(timeout=60)
    again = run.start_up()
    joined = read_until(again, "line 1")
    os.killpg(again.pid, signal.SIGINT)
    again.communicate(timeout=60)
    run.pulumi("destroy", "--yes", "--skip-preview")
    (job,) = [each for each in learning.azure.cloud.resources if each.name.startswith(f"{run.name}-")]

    assert "goes on; the next `pulumi up` joins it" in interrupted
    assert "join: run" in "".join(joined)
    assert (job.properties["status"], job.properties["isArchived"]) == ("Canceled", True)


def test_a_run_that_is_not_waited_for_is_seen_later(learning: LearningPlace, run: Project) -> None:
    """`up` ends when it is submitted; a refresh sees its end and its metrics."""
    write_args(run, learning, wait=False)

    submitted = run.up()
    learning.azure.cloud.jobs.wait(run.outputs()["run_id"], "Completed")
    run.pulumi("refresh", "--yes", "--skip-preview")

    assert "goes on, as wait is false" in submitted
    assert run.read_run()["status"] == "Completed"


def test_a_run_is_imported_by_the_id_of_its_job(learning: LearningPlace, run: Project) -> None:
    """Into a stack that does not know it; the program that made it then trains nothing."""
    write_args(run, learning, parameters={"lr": 0.5}, environment_variables={"SEED": "1"}, timeout_minutes=5)
    run.up()
    before = run.outputs()
    run.lose_state()
    job = learning.place.locate_job(before["run_id"])
    options = ("--yes", "--protect=false", "--generate-code=false")

    imported = run.pulumi("import", "aml-infra:index:TrainingRun", run.name, job, *options)
    preview = run.pulumi("preview", "--diff")
    run.up()

    assert "1 imported" in imported
    assert "replace" not in preview
    assert run.outputs() == before
    assert count_jobs(learning, run) == 1
