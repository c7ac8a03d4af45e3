from __future__ import annotations

import datetime
from typing import Any

import pytest

from aml_infra.backends import docker_request
from aml_infra.backends.base import Status
from aml_infra.spec import Resources, RunSpec

LOG = {"Type": "json-file", "Config": {"max-size": "1p", "max-file": "1", "compress": "false"}}
SPEC = RunSpec(
    name="train", source_digest="s", command=("python", "train.py"), image="image:1", image_identity="sha256:1"
)
FULL = RunSpec(
    name="train",
    source_digest="s",
    command=("python", "train.py"),
    image="image:1",
    image_identity="sha256:1",
    environment={"LR": "0.1"},
    resources=Resources(cpus=1.5, memory_gb=2, gpus=1),
    timeout_minutes=1.5,
    experiment="pets",
)


def test_smallest_request() -> None:
    """The whole body, for a run with nothing but what it must have."""
    assert docker_request.build_request(SPEC, 1) == {
        "Image": "image:1",
        "Entrypoint": ["python"],
        "Cmd": ["train.py"],
        "WorkingDir": "/workspace",
        "Env": [
            "AML_INFRA_ATTEMPT=1",
            f"AML_INFRA_RUN_ID={SPEC.run_id}",
            "MLFLOW_ALLOW_FILE_STORE=true",
            "MLFLOW_EXPERIMENT_NAME=Default",
            "MLFLOW_TRACKING_URI=file:///var/aml-infra/mlruns",
            "PYTHONUNBUFFERED=1",
        ],
        "Labels": {
            "aml-infra.run": SPEC.run_id,
            "aml-infra.fingerprint": SPEC.fingerprint,
            "aml-infra.attempt": "1",
        },
        "HostConfig": {"Init": True, "LogConfig": LOG, "ShmSize": 2147483648},
    }


def test_full_request() -> None:
    """The whole body, for a run with everything that can be asked for."""
    assert docker_request.build_request(FULL, 2) == {
        "Image": "image:1",
        "Entrypoint": ["timeout"],
        "Cmd": ["--kill-after=30", "90", "python", "train.py"],
        "WorkingDir": "/workspace",
        "Env": [
            "AML_INFRA_ATTEMPT=2",
            f"AML_INFRA_RUN_ID={FULL.run_id}",
            "LR=0.1",
            "MLFLOW_ALLOW_FILE_STORE=true",
            "MLFLOW_EXPERIMENT_NAME=pets",
            "MLFLOW_TRACKING_URI=file:///var/aml-infra/mlruns",
            "PYTHONUNBUFFERED=1",
        ],
        "Labels": {
            "aml-infra.run": FULL.run_id,
            "aml-infra.fingerprint": FULL.fingerprint,
            "aml-infra.attempt": "2",
            "aml-infra.timeout-seconds": "90",
        },
        "HostConfig": {
            "Init": True,
            "LogConfig": LOG,
            "ShmSize": 2147483648,
            "NanoCpus": 1500000000,
            "Memory": 2147483648,
            "MemorySwap": 2147483648,
            "DeviceRequests": [{"Driver": "", "Count": 1, "Capabilities": [["gpu"]]}],
        },
    }


def build_answer(**state: Any) -> dict[str, Any]:
    """An answer of ``GET /containers/{id}/json`` for a run with a time limit."""
    return {
        "Config": {"Labels": docker_request.build_request(FULL, 2)["Labels"]},
        "State": {
            "Status": "exited",
            "ExitCode": 0,
            "Error": "",
            "OOMKilled": False,
            "StartedAt": "2026-01-01T10:00:00.123456789Z",
            "FinishedAt": "2026-01-01T10:00:30.5Z",
            **state,
        },
    }


@pytest.mark.parametrize(
    ("state", "status", "exit_code"),
    [
        ({}, Status.COMPLETED, 0),
        ({"ExitCode": 3}, Status.FAILED, 3),
        ({"ExitCode": 137, "OOMKilled": True}, Status.FAILED, 137),
        ({"ExitCode": 124}, Status.FAILED, 124),
        ({"ExitCode": 124, "FinishedAt": "2026-01-01T10:01:30.2Z"}, Status.TIMED_OUT, 124),
        ({"ExitCode": 137, "FinishedAt": "2026-01-01T10:02:00.2Z"}, Status.TIMED_OUT, 137),
        ({"Status": "running", "FinishedAt": "0001-01-01T00:00:00Z"}, Status.RUNNING, None),
        ({"Status": "paused"}, Status.RUNNING, None),
        ({"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}, Status.QUEUED, None),
        ({"Status": "created", "ExitCode": 127, "Error": "no such program"}, Status.FAILED, 127),
        ({"Status": "dead"}, Status.NOT_RESPONDING, 0),
    ],
)
def test_states_of_a_container(state: dict[str, Any], status: Status, exit_code: int | None) -> None:
    """Each way a container can be is one status of a run."""
    read = docker_request.read_state(build_answer(**state), canceled=False)

    assert (read.status, read.exit_code) == (status, exit_code)


def test_a_stopped_container_with_the_mark_was_canceled() -> None:
    """What we stopped is not a failure of the script."""
    read = docker_request.read_state(build_answer(ExitCode=143), canceled=True)

    assert read.status is Status.CANCELED


def test_identity_and_times_are_read_from_the_answer() -> None:
    """Run id, attempt, fingerprint and times come from the labels and the state, in UTC."""
    read = docker_request.read_state(build_answer(), canceled=False)

    assert (read.run_id, read.attempt, read.fingerprint) == (FULL.run_id, 2, FULL.fingerprint)
    assert read.started_at == datetime.datetime(2026, 1, 1, 10, 0, 0, 123456, tzinfo=datetime.timezone.utc)
    assert read.finished_at == datetime.datetime(2026, 1, 1, 10, 0, 30, 500000, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("reference", "digest"),
    [
        ("python:3.12", "sha256:hub"),
        ("docker.io/library/python:3.12", "sha256:hub"),
        ("library/python", "sha256:hub"),
        ("docker.io/python:3.12", "sha256:hub"),
        ("acr.example/team/python:3.12", "sha256:acr"),
        ("localhost:5000/python", "sha256:id"),
        ("team/python", "sha256:id"),
        ("python@sha256:pinned", "sha256:pinned"),
    ],
)
def test_an_image_has_the_digest_of_the_repository_it_is_named_by(reference: str, digest: str) -> None:
    """However Docker Hub's name is spelt; another registry's digest is not taken for it."""
    image = {"Id": "sha256:id", "RepoDigests": ["acr.example/team/python@sha256:acr", "python@sha256:hub"]}

    assert docker_request.read_image_digest(reference, image) == digest
