"""What can be done with a training run besides letting it train, through the real engine and the real Docker daemon."""

from __future__ import annotations

import json
import pathlib

from tests.docker_daemon import open_docker
from tests.integration.projects import Project, interrupt, read_until

WAITING_SCRIPT = "echo started\nwhile [ ! -e go ]; do sleep 0.1; done\necho finished\n"
"""Goes on when the test lets it: no test depends on how fast a machine is."""


def test_preview_says_in_words_why_it_would_train(project: Project, tmp_path: pathlib.Path) -> None:
    """Files, parameters, data and variables by name, with what they were; and what was trained once is adopted."""
    data = tmp_path / "labels.csv"
    data.write_text("1\n")
    project.write_args(parameters={"lr": 0.01}, inputs={"labels": str(data)}, environment_variables={"SEED": "1"})
    project.up()
    project.write_script("echo line 3\n")
    data.write_text("2\n")
    changed = {"parameters": {"lr": 0.02}, "inputs": {"labels": str(data)}, "environment_variables": {"SEED": "2"}}
    project.write_args(**changed)

    preview = project.pulumi("preview", "--diff")
    trained = project.up()
    project.lose_state()
    adopted = project.pulumi("preview", "--diff")

    why = "train.sh changed; lr 0.01 -> 0.02; input labels: labels.csv changed; variable SEED 1 -> 2"
    assert f"train: {why}; run {project.name}-" in preview
    assert f"train: {why}; submitting run {project.name}-" in trained
    assert f"adopt: run {project.name}-" in adopted
    assert "finished" in adopted
    assert len(project.containers()) == 1


def test_a_replaced_run_keeps_its_record(project: Project) -> None:
    """Its container goes with it; going back to what it was adopts it."""
    project.up()
    first = project.outputs()
    project.write_script("echo other\n")
    project.up()
    second = project.outputs()

    project.write_script("echo line 1\necho line 2\n")
    output = project.up()

    assert second["run_id"] != first["run_id"]
    assert "adopt: " in output
    assert project.outputs() == first
    assert pathlib.Path(first["log_path"]).read_text() == "line 1\nline 2\n"


def test_a_run_that_is_not_waited_for_is_seen_to_its_end_later(project: Project) -> None:
    """`up` ends while it runs; the next one says that it still does, and the one after its end completes it."""
    project.write_script(WAITING_SCRIPT)
    project.write_args(wait=False)

    submitted = project.up()
    first = project.outputs()["status"]
    joined = project.up()
    project.let_go()
    project.wait_for_end()
    completed = project.up()
    unchanged = project.up()

    assert "goes on, as wait is false" in submitted
    assert first == "Running"
    assert "join: " in joined
    assert "adopt: " in completed
    assert project.outputs()["status"] == "Completed"
    assert "2 unchanged" in unchanged
    assert len(project.containers()) == 1


def test_refresh_sees_that_a_run_goes_on_and_that_it_has_ended(project: Project) -> None:
    """With its outputs; then nothing is left for `up` to do but to show them."""
    project.write_script(WAITING_SCRIPT)
    project.write_args(wait=False)
    project.up()

    project.pulumi("refresh", "--yes", "--skip-preview")
    running = project.read_run()
    project.let_go()
    project.wait_for_end()
    project.pulumi("refresh", "--yes", "--skip-preview")
    completed = project.read_run()
    output = project.up()

    assert running["status"] == "Running"
    assert completed["status"] == "Completed"
    assert pathlib.Path(completed["logPath"]).read_text() == "started\nfinished\n"
    assert "2 unchanged" in output


def test_a_failure_that_was_not_waited_for_is_told_by_the_next_up(project: Project) -> None:
    """It is not hidden behind another attempt, which the `up` after it makes."""
    project.write_script(f'{WAITING_SCRIPT}test "$AML_INFRA_ATTEMPT" = 2\n')
    project.write_args(wait=False)
    project.up()
    project.let_go()
    project.wait_for_end()

    told = project.up(fails=True)
    attempts = len(project.containers())
    again = project.up()
    project.let_go()

    assert "exit code 1" in told
    assert "finished" in told.partition("last lines of the log")[2]
    assert attempts == 1
    assert "attempt 2, since attempt 1 ended as Failed, exit code 1" in again


def test_a_failed_run_is_imported_by_its_id(project: Project) -> None:
    """The program that made it then makes another attempt at it, and not another run in its place."""
    project.write_script('test "$AML_INFRA_ATTEMPT" = 2\n')
    project.up(fails=True)
    run_id = project.read_run()["runId"]
    project.lose_state()

    options = ("--yes", "--protect=false", "--generate-code=false")
    imported = project.pulumi("import", "aml-infra:index:TrainingRun", project.name, run_id, *options)
    preview = project.pulumi("preview", "--diff")
    project.up()

    assert "is missing" not in imported
    assert "replace" not in preview
    assert "train: attempt 2, since attempt 1 ended as Failed" in preview
    assert project.outputs()["attempt"] == 2
    assert len(project.containers()) == 2


def test_a_run_is_imported_by_its_id(project: Project) -> None:
    """Into a stack that does not know it: the program that made it then changes nothing, and nothing is trained."""
    project.write_args(
        parameters={"lr": 0.5, "fast": True}, environment_variables={"SEED": "1"}, timeout_minutes=5, cpus=1
    )
    project.up()
    before = project.outputs()
    project.lose_state()

    imported = project.pulumi(
        "import",
        "aml-infra:index:TrainingRun",
        project.name,
        before["run_id"],
        "--yes",
        "--protect=false",
        "--generate-code=false",
    )
    preview = project.pulumi("preview", "--diff")
    project.up()

    assert "1 imported" in imported
    assert "replace" not in preview
    assert project.outputs() == before
    assert len(project.containers()) == 1


def test_two_resources_of_one_identity_train_once(project: Project) -> None:
    """In one stack, at the same time: one of them joins; and deleting one leaves the other what it was."""
    given = json.loads((project.folder / "args.json").read_text())
    args = given[project.name]
    (project.folder / "args.json").write_text(json.dumps({project.name: args, project.name.upper(): args}))

    project.up()
    outputs = project.outputs()
    made = len(project.containers())
    (project.folder / "args.json").write_text(json.dumps(given))
    project.up()

    assert made == 1
    assert outputs[f"{project.name.upper()}.run_id"] == outputs["run_id"]
    assert outputs[f"{project.name.upper()}.status"] == outputs["status"] == "Completed"
    assert project.outputs()["status"] == "Completed"
    assert "2 unchanged" in project.up()


def test_ctrl_c_stops_the_run_where_asked(project: Project) -> None:
    """The container is stopped, its record says so, and the next `up` makes another attempt."""
    project.write_script(WAITING_SCRIPT)
    project.write_args(on_interrupt="cancel")
    process = project.start_up()
    read_until(process, "started")

    interrupt(process)
    interrupted, _ = process.communicate(timeout=60)
    states = [container["State"] for container in project.containers()]
    (record,) = project.data.glob("runs/*/record.json")

    assert "on_interrupt is 'cancel'" in interrupted
    assert states == ["exited"]
    assert json.loads(record.read_text())["status"] == "Canceled"


def test_a_run_that_was_killed_from_outside_is_retried(project: Project) -> None:
    """As often as asked, in the same `up`; an exit code of the command's own is not."""
    project.write_script('echo started $AML_INFRA_ATTEMPT\ntest "$AML_INFRA_ATTEMPT" = 2 || sleep 300\n')
    project.write_args(retries=1)
    process = project.start_up()
    read_until(process, "started 1")

    (container,) = project.containers()
    open_docker().kill(container["Id"], "SIGKILL")
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 0, output
    assert "retry 1 of 1" in output
    assert "NotResponding" in output
    assert project.outputs()["attempt"] == 2


def test_metrics_are_required_without_losing_or_repeating_the_run(project: Project) -> None:
    """The update fails for as long as the gate is not met; when the gate changes, the run is adopted as it is."""
    project.write_args(require_metrics=["accuracy >= 0.9"])

    failed = project.up(fails=True)
    again = project.up(fails=True)
    project.write_args()
    project.up()

    for output in (failed, again):
        assert "accuracy was not logged, required >= 0.9" in output
    assert project.outputs()["status"] == "Completed"
    assert len(project.containers()) == 1


def test_a_secret_variable_is_found_nowhere(project: Project) -> None:
    """Not in state, history, logs, records, MLflow or container; its value does not count, and its presence does.

    The engine's own lines at ``-v=9`` are left out: Pulumi says of them that they may hold secrets.
    """
    debugging = ("--debug", "--logtostderr", "-v=9")
    marker = "planted-marker"
    project.write_script('test -n "$TOKEN" && echo "length ${#TOKEN}, $TOKEN"\n')
    project.write_args(environment_variables={"TOKEN": f"secret:{marker}-1"})
    said = project.pulumi("up", "--yes", "--skip-preview", *debugging)
    outputs = ["".join(line for line in said.splitlines(keepends=True) if not line.startswith('{"time":'))]
    project.write_args(environment_variables={"TOKEN": f"secret:{marker}-2"})
    outputs.append(project.up())
    (container,) = project.containers()
    project.write_args(environment_variables={"TOKEN": f"secret:{marker}-2", "OTHER": f"secret:{marker}-3"})
    outputs.append(project.pulumi("preview", "--diff"))
    inspected = json.dumps(open_docker().inspect_container(container["Id"]))
    state = project.pulumi("stack", "export")
    outputs.append(project.pulumi("refresh", "--yes", "--skip-preview"))
    outputs.append(project.pulumi("destroy", "--yes", "--skip-preview"))
    # The log that is kept is as the command wrote it.
    kept = [path for path in project.data.rglob("*") if path.is_file() and path.parent.name != "logs"]
    written = [path for path in (project.folder / "state").rglob("*") if path.is_file()]
    files = [path.read_text(errors="replace") for path in (*kept, *written)]

    assert kept
    assert written
    for text in (*outputs, inspected, state, *files):
        assert marker not in text
    assert "length 16, [secret]" in outputs[0]
    assert "2 unchanged" in outputs[1]
    assert "train: variable OTHER added; " in outputs[2]


def test_data_that_does_not_exist_and_a_uri_without_version_are_told_at_preview(project: Project) -> None:
    """With the other problems, each with its path and its fix."""
    project.write_args(
        inputs={"near": str(project.folder / "nowhere"), "far": "s3://bucket/data"},
        parameters={"1 x": "y"},
        distribution=0,
        retries=-1,
        on_interrupt="panic",
        require_metrics=["accuracy"],
        command=["sh", "${{inputs.other}}"],
    )

    output = project.pulumi("preview", fails=True)

    for text in (
        "inputs['near']: ",
        "does not exist",
        "inputs['far']: is the URI 's3://bucket/data' without a version",
        "parameters['1 x']: ",
        "distribution.workers: is 0",
        "retries: is -1",
        "on_interrupt: is 'panic'; allowed are detach, cancel",
        "require_metrics[0]: is 'accuracy'",
        "command[1]: is '${{inputs.other}}', and inputs has no 'other'; there are far, near",
    ):
        assert text in output
    assert project.containers() == []
