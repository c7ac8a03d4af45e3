"""The promises of a training run, kept through the real engine and the real Docker daemon."""

from __future__ import annotations

import json
import os
import pathlib
import select
import shutil
import signal
from collections.abc import Callable

from tests.docker_daemon import open_docker
from tests.integration.projects import Project, find_plugins, interrupt, read_until

WAITING_SCRIPT = "echo started\nwhile [ ! -e go ]; do sleep 0.1; done\necho finished\n"
"""Goes on when the test lets it: no test depends on how fast a machine is."""


def test_first_up_trains_and_shows_the_log_while_it_trains(project: Project) -> None:
    """A line is in `pulumi up` while the container that printed it still runs."""
    project.write_script(WAITING_SCRIPT)

    process = project.start_up()
    read_until(process, "started")
    states = [container["State"] for container in project.containers()]
    project.let_go()
    output, _ = process.communicate(timeout=120)

    assert states == ["running"]
    assert process.returncode == 0, output
    assert "finished" in output
    outputs = project.outputs()
    assert outputs["status"] == "Completed"
    assert outputs["attempt"] == 1
    assert outputs["image_digest"].startswith("sha256:")
    assert pathlib.Path(outputs["log_path"]).read_text() == "started\nfinished\n"


def test_second_up_does_nothing(project: Project) -> None:
    """Neither a touched file, nor an ignored one that was edited, nor nothing at all makes a container."""
    (project.source / ".gitignore").write_text("notes.txt\n")
    (project.source / "notes.txt").write_text("one")
    project.up()
    (made,) = project.containers()

    output = project.up()
    os.utime(project.source / "train.sh", (1, 1))
    (project.source / "notes.txt").write_text("two")
    output_after_touch = project.up()

    assert "2 unchanged" in output
    assert "2 unchanged" in output_after_touch
    assert [container["Id"] for container in project.containers()] == [made["Id"]]


def test_preview_names_the_file_that_changed_and_up_trains_once(project: Project) -> None:
    """`pulumi preview --diff` names the edited file and no other, and makes no container."""
    (project.source / "other.txt").write_text("the same")
    project.up()
    before = project.outputs()["run_id"]
    project.write_script("echo line 3\n")

    preview = project.pulumi("preview", "--diff")
    made_by_preview = len(project.containers())
    output = project.up()

    assert "train.sh:" in preview
    assert "other.txt" not in preview
    assert f"train: train.sh changed; run {project.name}-" in preview
    assert made_by_preview == 1
    assert "line 3" in output
    assert project.outputs()["run_id"] != before


def test_a_failing_script_fails_the_update_and_is_tried_again(project: Project) -> None:
    """The error has the exit code and the log's tail; the next `up` makes attempt 2, and the one after it none."""
    project.write_script(
        'echo attempt $AML_INFRA_ATTEMPT\ntest "$AML_INFRA_ATTEMPT" = 2 || { echo boom >&2; exit 3; }\n'
    )

    failed = project.up(fails=True)
    succeeded = project.up()
    unchanged = project.up()

    assert "exit code 3" in failed
    assert "boom" in failed.partition("last lines of the log")[2]
    assert "attempt 2" in succeeded
    assert project.outputs()["status"] == "Completed"
    assert project.outputs()["attempt"] == 2
    assert "2 unchanged" in unchanged
    assert len(project.containers()) == 2


def test_a_command_that_does_not_exist_fails_and_is_tried_again(project: Project) -> None:
    """A container that cannot start is a failed run, not one that waits for ever."""
    project.write_args(command=["no-such-program"])

    failed = project.up(fails=True)
    project.write_args()
    project.up()

    assert "no-such-program" in failed
    assert project.outputs()["status"] == "Completed"


def test_a_killed_engine_loses_nothing(project: Project) -> None:
    """After kill -9 the plugin is gone, the run goes on, and the next `up` joins the same container."""
    project.write_script(WAITING_SCRIPT)
    process = project.start_up()
    read_until(process, "started")
    (plugin,) = find_plugins(process.pid)
    plugin_end = os.pidfd_open(plugin)

    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    ended = wait_for_end(plugin_end, seconds=10)
    (left,) = project.containers()
    project.pulumi("cancel", "--yes")
    output = project.join_and_let_go()

    assert ended, "the plugin outlived its engine"
    assert left["State"] == "running"
    assert "finished" in output
    assert [container["Id"] for container in project.containers()] == [left["Id"]]


def test_an_interrupted_up_leaves_the_run_going(project: Project) -> None:
    """After Ctrl-C the state knows the run, which goes on, and the next `up` joins it without a lock in its way."""
    project.write_script(WAITING_SCRIPT)
    process = project.start_up()
    read_until(process, "started")

    interrupt(process)
    interrupted, _ = process.communicate(timeout=60)
    (left,) = project.containers()
    output = project.join_and_let_go()

    assert "goes on" in interrupted
    assert left["State"] == "running"
    assert "finished" in output
    assert [container["Id"] for container in project.containers()] == [left["Id"]]


def test_a_lost_state_is_adopted_without_training(project: Project) -> None:
    """With the state lost, and then its container too, the finished run is adopted with its outputs."""
    project.write_script("mkdir -p outputs && echo model > outputs/model.txt\n")
    project.up()
    before = project.outputs()

    project.lose_state()
    preview = project.pulumi("preview", "--diff")
    adopted = project.up()
    containers = project.containers()
    project.lose_state()
    client = open_docker()
    client.remove_container(containers[0]["Id"])
    project.up()

    assert "adopt: " in preview
    assert "adopt: " in adopted
    assert len(containers) == 1
    assert project.containers() == []
    assert project.outputs() == before
    assert (pathlib.Path(before["outputs_path"]) / "model.txt").read_text() == "model\n"


def test_two_projects_at_once_train_once(make_project: Callable[[], Project]) -> None:
    """Two `up` of one identity at the same time share one container, and both succeed."""
    projects = [make_project(), make_project()]
    for project in projects:
        project.write_script(WAITING_SCRIPT)

    processes = [project.start_up() for project in projects]
    for process in processes:
        read_until(process, "started")
    projects[0].let_go()
    outputs = [process.communicate(timeout=120)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    assert len(projects[0].containers()) == 1
    assert projects[0].outputs()["run_id"] == projects[1].outputs()["run_id"]


def test_destroy_keeps_the_record(project: Project) -> None:
    """Destroying a finished run removes its container; its record stays, so that the next `up` adopts it."""
    project.up()
    log = pathlib.Path(project.outputs()["log_path"])

    project.pulumi("destroy", "--yes", "--skip-preview")
    gone = project.containers()
    output = project.up()

    assert gone == []
    assert log.read_text() == "line 1\nline 2\n"
    assert "adopt: " in output


def test_destroy_stops_a_run_that_goes_on(project: Project) -> None:
    """A run that was left going is canceled by `destroy`, and its record says so."""
    project.write_script("echo started\nsleep 300\n")
    process = project.start_up()
    read_until(process, "started")
    interrupt(process)
    process.communicate(timeout=60)

    project.pulumi("destroy", "--yes", "--skip-preview")

    assert project.containers() == []
    (record,) = project.data.glob("runs/*/record.json")
    kept = json.loads(record.read_text())
    assert kept["status"] == "Canceled"
    assert kept["spec"]["command"] == ["sh", "train.sh"]


def test_refresh_sees_a_run_that_was_removed(project: Project) -> None:
    """With container and record removed behind its back, refresh drops the run and the next `up` trains."""
    project.up()
    client = open_docker()
    client.remove_container(project.containers()[0]["Id"])
    shutil.rmtree(project.data / "runs")

    project.pulumi("refresh", "--yes", "--skip-preview")
    output = project.up()

    assert "line 1" in output
    assert len(project.containers()) == 1


def test_a_run_that_takes_too_long_is_stopped(project: Project) -> None:
    """The limit holds, and the error names it."""
    project.write_script("echo started\nsleep 300\n")
    project.write_args(timeout_minutes=0.05)

    output = project.up(fails=True)

    assert "TimedOut" in output
    assert "timeout_minutes" in output


def test_preview_tells_all_problems_at_once(project: Project) -> None:
    """Every mistake is named with its property, and nothing is made."""
    (project.source / ".env").write_text("TOKEN=1")
    project.write_args(command=[], cpus=-1, memory_gb=1e9, gpus=1, timeout_minutes=0)

    output = project.pulumi("preview", fails=True)

    for path in ("command:", "cpus:", "memory_gb:", "gpus:", "timeout_minutes:", "source: '.env' looks like a secret"):
        assert path in output
    assert project.containers() == []


def test_preview_says_how_to_start_docker(project: Project) -> None:
    """A daemon that does not answer is named at preview, with the fix."""
    output = project.pulumi("preview", fails=True, environment={"DOCKER_HOST": "unix:///nowhere/docker.sock"})

    assert "Docker does not answer" in output
    assert "start Docker" in output


def test_no_answer_from_docker_drops_no_state(project: Project) -> None:
    """Refresh against a daemon that is away fails and keeps the run; the next `up` changes nothing."""
    project.write_script('test "$AML_INFRA_ATTEMPT" = 2\n')
    project.up(fails=True)

    project.pulumi("refresh", "--yes", fails=True, environment={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    project.up()

    assert project.outputs()["attempt"] == 2


def wait_for_end(process: int, seconds: float) -> bool:
    """Whether the process behind a pidfd ends in time; the descriptor is readable when it has."""
    ready, _, _ = select.select([process], [], [], seconds)
    os.close(process)
    return bool(ready)
