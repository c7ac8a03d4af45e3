"""What is particular to the docker backend, on the real daemon."""

from __future__ import annotations

import dataclasses
import gc
import pathlib
import warnings
from collections.abc import Iterator

import docker
import pytest

from aml_infra import source
from aml_infra.backends import docker_request
from aml_infra.backends.base import RunGone
from aml_infra.errors import BackendUnavailable, InvalidInput, RunConflict, RunNotSubmitted
from aml_infra.spec import Resources
from tests.contract.conftest import Stage
from tests.docker_daemon import open_docker


@pytest.fixture
def docker_stage(tmp_path: pathlib.Path) -> Iterator[Stage]:
    """A stage on Docker; whatever has a name of its runs is removed afterwards."""
    stage = Stage("docker", tmp_path)
    yield stage
    client = open_docker()
    for scene in stage.scenes:
        for container in client.containers(all=True):
            if any(scene.spec.run_id in name for name in container["Names"]):
                client.remove_container(container["Id"], force=True, v=True)


def test_outputs_and_the_ids_of_what_ran_are_recorded(docker_stage: Stage) -> None:
    """What the run wrote is in its folder, and the image's digest is the one that ran."""
    scene = docker_stage()
    scene.run_to_end()
    state = scene.backend.describe(scene.spec.run_id)
    assert state is not None

    record = scene.backend.collect(state, {})

    image = open_docker().inspect_image(scene.spec.image)
    assert (pathlib.Path(record.outputs_path) / "result.txt").read_text() == "content\n"
    assert record.image_digest == image["Id"]


def test_a_half_made_container_is_not_the_run_and_is_swept(docker_stage: Stage) -> None:
    """A client that died before it claimed the name left nothing that counts."""
    scene = docker_stage()
    client = open_docker()
    request = docker_request.build_request(scene.spec, 1)
    half = client.create_container_from_config(request, f"{scene.spec.run_id}.dead")

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
    request = docker_request.build_request(scene.spec, 1)
    request["Entrypoint"], request["Cmd"] = ["echo"], ["late"]
    client.create_container_from_config(request, scene.spec.run_id)

    assert scene.follow() == ["late"]


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
        scene.backend.collect(state, {})
    assert scene.backend.describe(scene.spec.run_id) is None


def test_an_image_that_is_nowhere_is_named(docker_stage: Stage) -> None:
    """When it is identified, and when a run of it is submitted."""
    scene = docker_stage()
    missing = "localhost:1/no/such:image"

    with pytest.raises(InvalidInput, match="no/such:image"):
        scene.backend.identify_image(missing)
    with pytest.raises(RunNotSubmitted, match="no/such:image"):
        scene.backend.submit(dataclasses.replace(scene.spec, image=missing), 1, scene.snapshot)


def test_a_daemon_that_is_away_is_not_absence(docker_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is answered with an error that says how to start Docker."""
    scene = docker_stage()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    with pytest.raises(BackendUnavailable, match="start Docker"):
        scene.backend.describe(scene.spec.run_id)
    (problem,) = scene.backend.find_problems(Resources())
    assert problem.path == "compute"
    # The docker package leaves the socket that it could not connect to the garbage collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
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
