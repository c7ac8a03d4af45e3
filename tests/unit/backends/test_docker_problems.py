from __future__ import annotations

import pathlib

import pytest

from aml_infra.backends import docker, docker_client
from aml_infra.backends.docker import Daemon, DockerBackend
from aml_infra.backends.records import RecordStore
from aml_infra.spec import Capacity, Demand, RunInput


@pytest.fixture
def backend(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> DockerBackend:
    """A backend on a daemon with two processors on this machine, which nobody has to ask."""
    daemon = Daemon(version="20.10", capacity=Capacity(cpus=2, memory_gb=8, gpus=False))
    monkeypatch.setattr(docker.DockerBackend, "describe_daemon", lambda _: daemon)
    monkeypatch.setattr(docker_client, "is_on_this_machine", lambda: True)
    return DockerBackend(RecordStore(tmp_path))


def test_what_only_azure_can_mount_is_refused(backend: DockerBackend) -> None:
    """The command could do nothing with it; what it reads by itself is handed on, and what is here is mounted."""
    paths = {"asset": "azureml:pets:1", "far": "s3://bucket/pets", "near": "/data/pets"}
    inputs = {name: RunInput(path=path, version="1") for name, path in paths.items()}

    (problem,) = backend.find_problems(Demand(inputs=inputs))

    assert problem.path == "inputs['asset']"
    assert "only Azure Machine Learning can mount; run the job on a GpuCluster" in problem.message


def test_what_only_azure_can_start_is_refused(backend: DockerBackend) -> None:
    """Before anything is made of it."""
    problems = backend.find_problems(Demand(workers=2, framework="mpi", processes_per_worker=2))

    assert [problem.path for problem in problems] == ["distribution.framework", "distribution.processes_per_worker"]
