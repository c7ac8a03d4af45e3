"""A workspace of Azure Machine Learning with a cluster, in the tests' Azure, for the contract of backends."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import pathlib
import re
from collections.abc import Iterator, Mapping

import azure.identity
import pytest

from aml_infra.azure_client import AzureClient
from aml_infra.backends import azureml, azureml_request
from aml_infra.backends.azureml import AzuremlBackend
from aml_infra.backends.azureml_request import Place
from aml_infra.backends.azureml_service import ARTIFACTS, WorkspaceService
from aml_infra.backends.base import Record
from tests.azure import arm_client, server, services, workspaces
from tests.azure.job_runs import machines, statuses
from tests.docker_daemon import open_docker

GROUP = "rg-contract"
WORKSPACE = "pets"
CLUSTER = "small"

PYTHON_IMAGE = "localhost/aml-infra/tests-python:3"
"""Has Python, with which a job can ask for what is there by HTTPS only."""

DOCKERFILE = """\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends python3 ca-certificates \\
    && apt-get clean && rm -rf /var/lib/apt/lists/*
"""

LOG_METRICS = """\
import json, os, sys, urllib.request
url = os.environ["MLFLOW_TRACKING_URI"].replace("azureml://", "https://", 1) + "/api/2.0/mlflow/runs/log-batch"
metrics = [{**each, "timestamp": 0, "step": 0} for each in json.loads(sys.argv[1])]
body = json.dumps({"run_id": os.environ["MLFLOW_RUN_ID"], "metrics": metrics}).encode()
headers = {"Authorization": "Bearer " + os.environ["AZUREML_RUN_TOKEN"], "Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()
"""
"""Logs metrics as azureml-mlflow does."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearningPlace:
    """Where jobs run.

    Attributes:
        azure: the server.
        place: the workspace and the cluster.
    """

    azure: server.Azure
    place: Place

    def open_service(self, environment: Mapping[str, str] | None = None) -> WorkspaceService:
        """A client of the workspace, as another process has; with an environment's login, by default the owner's."""
        environment = environment or self.azure.environment
        credential = azure.identity.ClientSecretCredential(
            environment["AZURE_TENANT_ID"], environment["AZURE_CLIENT_ID"], environment["AZURE_CLIENT_SECRET"]
        )
        return WorkspaceService(AzureClient(credential), self.place)

    def open_backend(self) -> AzuremlBackend:
        """Another client of the service."""
        return AzuremlBackend(self.open_service())

    def aim(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Aims the clients in this process at the server, and lets them look often."""
        for name, value in self.azure.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(azureml, "POLL_SECONDS", 0.1)
        # The workspace was made a moment ago, and its roles count all the same.
        monkeypatch.setattr(azureml, "ROLES_SECONDS", 0.0)

    def read_log(self, record: Record) -> str:
        """The log, or all of several workers, each line with its worker's rank."""
        store = self.open_service().open_datastore(ARTIFACTS)
        prefix = record.log_path.removeprefix(f"{store.url}/")
        text = ""
        for name in sorted(store.list_blob_names(name_starts_with=prefix)):
            content = store.download_blob(name).readall().decode()
            found = re.search(r"process_(\d+)", name)
            text += "".join(
                f"[{int(found[1])}] {line}" if found else line for line in content.splitlines(keepends=True)
            )
        return text

    def read_output(self, record: Record, name: str) -> str:
        """A file in the outputs of a run."""
        return self.read_uri(record.outputs_path, name)

    def read_uri(self, uri: str, name: str) -> str:
        """A file in a folder of a datastore, by the folder's URI."""
        place, _, folder = uri.rpartition("/datastores/")[2].partition("/paths/")
        store = self.open_service().open_datastore(place)
        return str(store.download_blob(f"{folder.rstrip('/')}/{name}").readall().decode())

    def lose_machine(self, name: str) -> None:
        """Fails the node of a job."""
        self.azure.cloud.jobs.lose(name)

    @staticmethod
    def run_inside(job: str, script: str) -> None:
        """Runs a shell script in the working folder of a job's process."""
        client = open_docker()
        (found,) = client.containers(filters={"label": f"{machines.LABEL}.job={job}"})
        walk = (
            f"for each in /proc/[0-9]*; do grep -qz ^AML_INFRA_RUN_ID={job} $each/environ || continue; "
            f"cd $each/cwd && {script}; exit; done; exit 9"
        )
        made = client.exec_create(found["Id"], ["sh", "-c", walk])
        said = client.exec_start(made["Id"])
        assert client.exec_inspect(made["Id"])["ExitCode"] == 0, said

    def count_runs(self, run_id: str, *, going: bool) -> int:
        """How many jobs there are for a run, whatever their names."""
        found = [each for each in self.azure.cloud.resources if each.type.endswith("/jobs")]
        ours = [each for each in found if each.properties["properties"].get(azureml_request.RUN) == run_id]
        if going:
            ours = [each for each in ours if each.properties["status"] not in statuses.ENDED]
        return len(ours)

    def clean(self) -> None:
        """Ends the jobs that go on still, and what is to go wrong."""
        cloud = self.azure.cloud
        cloud.faults.clear()
        for status in statuses.PHASES:
            cloud.jobs.release(status)
        for job in [each for each in cloud.resources if each.type.endswith("/jobs")]:
            run = cloud.jobs.find(job.id)
            if run is not None:
                with cloud.lock:
                    if run.status != statuses.FINALIZING:
                        cloud.jobs.cancel(job)
                cloud.jobs.wait(job.id, *statuses.ENDED)


@contextlib.contextmanager
def open_place(folder: pathlib.Path) -> Iterator[LearningPlace]:
    """An Azure with one workspace, which has one cluster of machines without GPUs."""
    with server.open_azure(folder) as running:
        cloud = running.cloud
        cloud.registered |= {each.lower() for each in services.list_namespaces()}
        cloud.operations.retry_after = None
        client = arm_client.Client(cloud, running.owner)
        group = f"{cloud.subscription}/resourceGroups/{GROUP}"
        client.make(group, {"location": "westeurope"})
        parts = workspaces.make_parts(cloud, client, group)
        place = Place(
            subscription_id=cloud.subscription_id,
            resource_group=GROUP,
            workspace_name=WORKSPACE,
            compute_name=CLUSTER,
        )
        client.make(place.workspace_id, workspaces.build_body(parts))
        identity = {"type": "UserAssigned", "userAssignedIdentities": {parts.identity: {}}}
        # Only machines of low priority are ever taken away.
        cluster = workspaces.build_cluster(most=4, vmSize="STANDARD_DS3_V2", vmPriority="LowPriority")
        client.make(place.compute_id, {**cluster, "identity": identity})
        arm_client.assign(cloud, running.owner, workspaces.BLOB_CONTRIBUTOR, parts.storage)
        make_python_image()
        yield LearningPlace(azure=running, place=place)


def make_python_image() -> None:
    """Builds ``PYTHON_IMAGE``, if it is not there."""
    client = open_docker()
    if not client.images(PYTHON_IMAGE):
        said = [
            str(line)
            for line in client.build(fileobj=io.BytesIO(DOCKERFILE.encode()), tag=PYTHON_IMAGE, rm=True, decode=True)
        ]
        assert client.images(PYTHON_IMAGE), "\n".join(said)
