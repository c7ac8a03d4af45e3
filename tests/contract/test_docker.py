"""What is particular to the docker backend, on the real daemon."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import pathlib
from typing import Any

import docker
import pytest

from aml_infra import source
from aml_infra.backends import docker_request
from aml_infra.backends.base import RunGone, Status
from aml_infra.errors import BackendUnavailable, InvalidInput, RunConflict, RunNotSubmitted
from aml_infra.spec import Demand, RunInput, RunSpec
from tests.api_faults import Fault
from tests.contract.conftest import Stage
from tests.docker_daemon import open_docker


def test_outputs_and_the_ids_of_what_ran_are_recorded(docker_stage: Stage) -> None:
    """What the run wrote is in its folder, and the image's digest is the one that ran."""
    scene = docker_stage()
    scene.run_to_end()
    state = scene.backend.describe(scene.spec.run_id)
    assert state is not None

    record = scene.backend.collect(state)

    image = open_docker().inspect_image(scene.spec.image)
    assert (pathlib.Path(record.outputs_path) / "result.txt").read_text() == "content\n"
    assert record.image_digest == image["Id"]


def test_a_half_made_container_is_not_the_run_and_is_swept(docker_stage: Stage) -> None:
    """A client that died before it claimed the name left nothing that counts."""
    scene = docker_stage()
    client = open_docker()
    half = client.create_container_from_config(build_body(scene.spec, "dead"), f"{scene.spec.run_id}.dead")

    before = scene.backend.describe(scene.spec.run_id)
    scene.run_to_end()

    assert before is None
    with pytest.raises(docker.errors.NotFound):
        client.inspect_container(half["Id"])


def test_a_claimed_container_that_nobody_started_is_started_by_who_follows(docker_stage: Stage) -> None:
    """A client that died between claiming and starting does not leave a run that waits for ever."""
    scene = docker_stage()
    scene.backend.submit(scene.spec, 1, scene.snapshot)
    scene.follow()
    client = open_docker()
    client.remove_container(scene.spec.run_id)
    body = {**build_body(scene.spec, "slow"), "Entrypoint": ["echo"], "Cmd": ["late"]}
    client.create_container_from_config(body, scene.spec.run_id)

    assert scene.follow() == ["late"]


def test_a_claimed_container_that_nobody_started_is_started_by_who_tends_it(docker_stage: Stage) -> None:
    """Without waiting for its end; twice is once, and a run that is gone needs nothing."""
    scene = docker_stage()
    gone = scene.submit()
    client = open_docker()
    client.wait(scene.spec.run_id)
    client.remove_container(scene.spec.run_id)
    scene.backend.tend(gone)
    client.create_container_from_config(build_body(scene.spec, "slow"), scene.spec.run_id)
    queued = scene.describe()

    scene.backend.tend(queued)
    scene.backend.tend(queued)
    client.wait(scene.spec.run_id)

    assert queued.status is Status.QUEUED
    assert scene.describe().started_at is not None


def test_a_name_held_by_a_strange_container_is_refused(docker_stage: Stage) -> None:
    """It is neither joined nor removed; the message says how to free the name."""
    scene = docker_stage()
    client = open_docker()
    strange = client.create_container(scene.spec.image, ["true"], name=scene.spec.run_id)

    with pytest.raises(RunConflict, match="docker rename"):
        scene.backend.submit(scene.spec, 1, scene.snapshot)
    assert client.inspect_container(strange["Id"])["Name"] == f"/{scene.spec.run_id}"


def test_a_run_removed_before_it_was_collected_is_gone(docker_stage: Stage) -> None:
    """Not an empty record."""
    scene = docker_stage()
    scene.run_to_end()
    state = scene.backend.describe(scene.spec.run_id)
    assert state is not None
    open_docker().remove_container(scene.spec.run_id)

    with pytest.raises(RunGone):
        scene.backend.collect(state)
    assert scene.backend.describe(scene.spec.run_id) is None


def test_an_image_that_is_nowhere_is_named(docker_stage: Stage) -> None:
    """When it is identified, and when a run of it is submitted."""
    scene = docker_stage()
    missing = "localhost:1/no/such:image"

    with pytest.raises(InvalidInput, match="no/such:image"):
        scene.backend.identify_image(missing)
    with pytest.raises(RunNotSubmitted, match="no/such:image"):
        scene.backend.submit(dataclasses.replace(scene.spec, image=missing), 1, scene.snapshot)


# The docker package leaves the socket that it could not connect to the garbage collector, which comes when it likes.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_daemon_that_is_away_is_not_absence(docker_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is answered with an error that says how to start Docker."""
    scene = docker_stage()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    with pytest.raises(BackendUnavailable, match="start Docker"):
        scene.backend.describe(scene.spec.run_id)
    (problem,) = scene.backend.find_problems(Demand())
    assert problem.path == "compute"
    gc.collect()


def test_long_lines_progress_bars_and_open_ends_are_lines(docker_stage: Stage) -> None:
    """A line past Docker's 16 KB is one line, a progress bar is its last state, and the last needs no line end."""
    scene = docker_stage()
    (scene.source / "train.sh").write_text(
        "head -c 40000 /dev/zero | tr '\\0' x\necho\nprintf '1%%\\r50%%\\r100%%\\n'\nprintf end\n"
    )
    scene.snapshot = source.take_snapshot(scene.source)

    lines = scene.run_to_end()

    assert lines == ["x" * 40000, "100%", "end"]


def test_a_secret_reaches_the_command_and_nothing_else(docker_stage: Stage) -> None:
    """Not the container's configuration, and no file that outlives the start of the command."""
    value = "planted 'marker' $HOME\nsecond line"
    scene = docker_stage(secrets={"TOKEN": value}, timeout_minutes=5)
    scene.write_script('printf %s "$TOKEN" | sha256sum\nls /var/aml-infra\nenv | grep -c ^TOKEN=\n')

    lines = scene.run_to_end()
    container = open_docker().inspect_container(scene.spec.run_id)

    assert lines == [f"{hashlib.sha256(value.encode()).hexdigest()}  -", "mlruns", "1"]
    assert "planted" not in json.dumps(container)


def test_data_is_mounted_read_only_and_found_by_its_name(docker_stage: Stage, tmp_path: pathlib.Path) -> None:
    """A folder, a file and a URI, in the command and in a variable."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cat.txt").write_text("cat\n")
    (tmp_path / "labels.csv").write_text("labels\n")
    inputs = {
        name: RunInput(path=str(path), version=source.take_data_snapshot(path).digest)
        for name, path in (("images", tmp_path / "images"), ("labels", tmp_path / "labels.csv"))
    }
    inputs["far"] = RunInput(path="s3://bucket/data", version="3")
    command = ("sh", "train.sh", "${{inputs.images}}/cat.txt", "${{inputs.labels}}", "${{inputs.far}}")
    scene = docker_stage(inputs=inputs, command=command, parameters={"lr": "0.01"})
    scene.write_script(
        'cat "$1" "$2"\necho "$3" "$4"\ntest "$AML_INFRA_INPUT_labels" = "$2" && echo same\n'
        'touch "$1" 2>/dev/null || echo read-only\n'
    )

    assert scene.run_to_end() == ["cat", "labels", "s3://bucket/data --lr=0.01", "same", "read-only"]


def test_workers_find_one_another_and_leave_nothing(docker_stage: Stage) -> None:
    """Each knows its rank and how many there are, and reaches worker 0 by name; the network goes with their end."""
    scene = docker_stage(workers=2)
    scene.write_script(
        "echo rank $RANK of $WORLD_SIZE\n"
        'if [ "$RANK" = 0 ]; then until [ -e done ]; do sleep 0.1; done; else\n'
        "getent hosts $MASTER_ADDR > /dev/null && echo found worker 0; fi\n"
    )
    state = scene.submit()
    lines = scene.backend.follow(state)
    first = [next(lines) for _ in range(3)]
    client = open_docker()
    client.exec_start(client.exec_create(scene.spec.run_id, ["touch", "/workspace/done"])["Id"])
    rest = list(lines)
    label = {"label": f"aml-infra.run={scene.spec.run_id}"}
    networks = [len(client.networks(filters=label))]
    scene.backend.collect(scene.describe())
    networks.append(len(client.networks(filters=label)))
    scene.backend.remove(scene.spec.run_id)

    assert sorted(first) == ["[0] rank 0 of 2", "[1] found worker 0", "[1] rank 1 of 2"]
    assert rest == []
    assert networks == [1, 0]
    assert client.containers(all=True, filters=label) == []


def test_a_run_that_ends_before_its_start_is_answered_is_not_started_again(docker_stage: Stage) -> None:
    """The answer is lost; asked again, Docker would begin a container that has ended anew."""
    scene = docker_stage(lines=("line 1",))
    fault = docker_stage.open_faults(scene).add(Fault("answer lost", "/start$", "POST"))

    lines = scene.run_to_end()

    assert fault.hits == 1
    assert lines == ["line 1"]


def test_a_network_whose_answer_was_lost_is_made_once(docker_stage: Stage) -> None:
    """Docker would make a second one of the same name, and workers would be in either."""
    scene = docker_stage(workers=2)
    fault = docker_stage.open_faults(scene).add(Fault("answer lost", "/networks/create", "POST"))

    state = scene.submit()
    networks = open_docker().networks(filters={"label": f"aml-infra.run={scene.spec.run_id}"})
    lines = list(scene.backend.follow(state))

    assert (fault.hits, len(networks)) == (1, 1)
    assert sorted(lines) == ["[0] one", "[0] two", "[1] one", "[1] two"]


def test_when_one_worker_fails_the_others_are_stopped(docker_stage: Stage) -> None:
    """They would wait for it for ever; the run failed as the first of them did, whose log comes last."""
    scene = docker_stage(workers=3)
    scene.write_script("echo here\n[ $RANK != 1 ] || { echo boom; exit 3; }\nwhile :; do sleep 0.1; done\n")

    lines = scene.run_to_end()
    state = scene.describe()
    record = scene.backend.collect(state)

    assert sorted(lines) == ["[0] here", "[1] boom", "[1] here", "[2] here"]
    assert (state.status, state.exit_code, state.reason) == (Status.FAILED, 3, "worker 1 failed first")
    with open(record.log_path, encoding="utf-8") as log:
        assert log.read().splitlines()[-1] == "[1] boom"


def test_when_one_worker_has_failed_who_tends_them_stops_the_others(docker_stage: Stage) -> None:
    """Where nobody follows them, they would wait for it for ever."""
    scene = docker_stage(workers=2)
    scene.write_script("[ $RANK != 1 ] || exit 3\nwhile :; do sleep 0.1; done\n")
    state = scene.submit()
    client = open_docker()
    (other,) = client.containers(
        all=True, filters={"label": ["aml-infra.rank=1", f"aml-infra.run={scene.spec.run_id}"]}
    )
    client.wait(other["Id"])
    before = scene.describe()

    scene.backend.tend(state)
    after = scene.describe()

    assert before.status is Status.RUNNING
    assert (after.status, after.exit_code, after.reason) == (Status.FAILED, 3, "worker 1 failed first")


def test_workers_that_are_canceled_are_canceled(docker_stage: Stage) -> None:
    """All of them, and not failed or lost."""
    scene = docker_stage(workers=2, lasting=True)
    lines = scene.backend.follow(scene.submit())
    next(lines)

    scene.backend.cancel(scene.spec.run_id)
    list(lines)

    assert scene.describe().status is Status.CANCELED


@pytest.mark.parametrize("workers", [1, 2])
def test_a_training_that_ends_well_when_it_is_canceled_has_not_completed(docker_stage: Stage, workers: int) -> None:
    """Many save what they have and leave with exit code 0: it must not be adopted as if it had been trained."""
    scene = docker_stage(workers=workers)
    scene.write_script('trap "echo saved; exit 0" TERM\necho started\nwhile :; do sleep 0.1; done\n')
    lines = scene.backend.follow(scene.submit())
    for _ in range(workers):
        next(lines)

    scene.backend.cancel(scene.spec.run_id)
    rest = list(lines)
    state = scene.describe()

    assert len([line for line in rest if line.endswith("saved")]) == workers
    assert (state.status, state.exit_code, state.reason) == (Status.CANCELED, 0, "it was canceled")


def test_a_worker_that_was_removed_is_not_a_completed_run(docker_stage: Stage) -> None:
    """What it would have done is not known."""
    scene = docker_stage(workers=2)
    scene.run_to_end()
    client = open_docker()
    (other,) = client.containers(
        all=True, filters={"label": ["aml-infra.rank=1", f"aml-infra.run={scene.spec.run_id}"]}
    )
    client.remove_container(other["Id"])

    state = scene.describe()

    assert (state.status, state.reason) == (Status.NOT_RESPONDING, "the container of worker 1 is gone")


def build_body(spec: RunSpec, group: str) -> dict[str, Any]:
    """The container that a client makes for ``spec``."""
    (body,) = docker_request.name_group(docker_request.build_request(spec, 1), group)["containers"]
    return dict(body)
