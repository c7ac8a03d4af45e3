"""One job's way through its phases."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import pathlib
import shutil
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from tests.azure import arm_ids
from tests.azure.cloud import Cloud
from tests.azure.directory import Principal
from tests.azure.job_runs import (
    commands,
    delivery,
    distributions,
    failures,
    history,
    identities,
    images,
    log_files,
    machines,
    nodes,
    processes,
    runs,
    statuses,
)
from tests.azure.resources import Resource
from tests.azure.service_blobs import ServiceBlobs

_BUNDLE = "/etc/aml-infra-tests/bundle.pem"
_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Services:
    """What runs need.

    Attributes:
        folder: for files of the machines.
        network: the variables that lead to the cloud.
        bundle: the authorities that processes must trust.
    """

    cloud: Cloud
    blobs: ServiceBlobs
    machines: machines.Machines
    images: images.Images
    nodes: nodes.Nodes
    tokens: identities.RunTokens
    identities: identities.ManagedIdentities
    folder: pathlib.Path
    network: Mapping[str, str]
    bundle: pathlib.Path


class Execution:
    """Takes one job from its submission to its end."""

    def __init__(self, services: Services, run: runs.Run) -> None:
        cloud = services.cloud
        self._services = services
        self._run = run
        self._runs = cloud.jobs
        found = cloud.resources.get(arm_ids.parse(run.job.id).parent_id)
        assert found is not None
        self._workspace = found
        number = hashlib.sha256(f"{run.job.id.lower()} {run.run_uuid}".encode()).hexdigest()[:32]
        root = f"/mnt/azureml/cr/j/{number}"
        self._working_folder = f"{root}/exe/wd"
        self._folder = services.folder / number
        self._delivery = delivery.Delivery(cloud, services.blobs, found, run, root)
        resources = self._properties.get("resources") or {}
        self._count = int(resources.get("instanceCount") or 1)
        self._shared_memory = str(resources.get("shmSize") or "")

    @property
    def _properties(self) -> dict[str, Any]:
        return self._run.job.properties  # another one after each PUT

    def execute(self) -> None:
        """Does everything; what interrupts it, and what goes wrong, is told in the run."""
        try:
            while not self._attempt():
                self._runs.requeue(self._run)
            self._runs.end(self._run, statuses.COMPLETED)
        except failures.JobFailure as failure:
            location, time = self._workspace.body["location"], self._services.cloud.clock.stamp()
            self._runs.end(self._run, statuses.FAILED, failure.build_body(location, time))
        except runs.Interrupted as interruption:
            if str(interruption) in (runs.CANCELED, runs.TIMED_OUT):
                self._runs.end(self._run, statuses.CANCELED)
            elif str(interruption) == runs.LOST:
                self._runs.end(self._run, statuses.NOT_RESPONDING)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _attempt(self) -> bool:
        """Says whether it came to a good end; if not, the nodes were taken away.

        Raises:
            JobFailure: It failed.
            Interrupted: It was ended.
        """
        if self._run.status != statuses.QUEUED:
            self._runs.enter(self._run, statuses.QUEUED)
        cluster = self._services.cloud.resources.get(self._properties.get("computeId") or "")
        if cluster is None:
            raise failures.fail_machine("The compute is gone, or none was asked for: serverless compute is not served.")
        try:
            self._wait_for_nodes(cluster)
            with contextlib.ExitStack() as stack:
                self._work(cluster, stack)
        except runs.Interrupted as interruption:
            if str(interruption) != runs.PREEMPTED:
                raise
            return False
        finally:
            with self._runs.changed:
                self._services.nodes.give_back(cluster, self._run.job.id)
                self._runs.changed.notify_all()
        return True

    def _wait_for_nodes(self, cluster: Resource) -> None:
        def take() -> bool:
            self._run.queueing = self._services.nodes.take(cluster, self._run.job.id, self._count)
            return not self._run.queueing

        with self._runs.changed:
            self._services.nodes.check(cluster, self._run.job, self._count)
            self._runs.wait_for(self._run, take)
            self._run.attempts += 1

    def _work(self, cluster: Resource, stack: contextlib.ExitStack) -> None:
        """All that is done on nodes; they, and the logs, are closed with the stack."""
        self._runs.enter(self._run, statuses.PREPARING)
        identity = self._find_identity(cluster)
        artifacts = self._delivery.artifacts
        self._services.blobs.ensure_container(artifacts.account, artifacts.container)
        logs = stack.enter_context(log_files.keep(self._services.blobs, self._runs, self._run, artifacts))
        logs.begin(log_files.SYSTEM_LOG)
        image = self._services.images.get(self._workspace, self._find_image(), identity)
        logs.say(f"The image is ready: {image}")
        self._runs.enter(self._run, statuses.PROVISIONING)
        code = self._delivery.download_code(identity)
        values, mounts = self._delivery.download_inputs(identity, self._folder)
        outputs = self._delivery.list_outputs(identity)
        self._runs.enter(self._run, statuses.STARTING)
        self._tell_properties(cluster)
        hosts: list[machines.Machine] = []
        stack.enter_context(machines.keep(hosts))
        mounts |= {self._services.bundle: _BUNDLE}
        for _ in range(self._count):
            host = self._start(image, mounts)
            hosts.append(host)
            host.put(self._working_folder, code, delivery.KEPT_FOLDERS)
            for path in outputs.values():
                host.put(path, {})
        logs.say(f"Nodes are ready: {len(hosts)}")
        self._runs.enter(self._run, statuses.RUNNING)
        try:
            failed = self._run_processes(cluster, hosts, logs, values, outputs, identity)
        except runs.Interrupted as interruption:
            if str(interruption) in (runs.CANCELED, runs.TIMED_OUT):
                self._delivery.upload(hosts, self._working_folder, outputs)
            raise
        self._runs.enter(self._run, statuses.FINALIZING)
        self._delivery.upload(hosts, self._working_folder, outputs)
        if failed is not None:
            raise processes.explain(failed, self._properties["command"])

    def _start(self, image: str, mounts: Mapping[pathlib.Path, str]) -> machines.Machine:
        try:
            return self._services.machines.start(
                image, mounts, job=self._run.job.name, shared_memory=self._shared_memory
            )
        except machines.StartFailed as error:
            raise failures.fail_machine(f"The container could not be started: {error}") from error

    def _find_identity(self, cluster: Resource) -> Principal | None:
        """Whose roles count: those of the cluster's identity, or of the one of these that the job names."""
        found = identities.list_identities(self._services.cloud, cluster)
        wanted = self._properties.get("identity") or {}
        kind = wanted.get("identityType", "Managed")
        if kind == "UserIdentity":
            return self._services.cloud.directory.find_principal(self._run.submitter)
        if kind == "AMLToken":
            return None
        if wanted.get("clientId"):
            found = [each for each in found if each.client_id == wanted["clientId"]]
        return found[0] if found else None

    def _find_image(self) -> str:
        version = self._services.cloud.resources.get(self._properties["environmentId"])
        if version is None:
            raise failures.fail_machine("The environment is gone.")
        if "image" not in version.properties or version.properties.get("condaFile"):
            raise failures.fail_machine(f"Images that the service builds are not served here: {version.id}.")
        return str(version.properties["image"])

    def _tell_properties(self, cluster: Resource) -> None:
        """What the service itself says of a run in its properties."""
        with self._runs.changed:
            kept = self._properties.setdefault("properties", {})
            kept |= {"_azureml.ComputeTargetType": "amlctrain", "_azureml.ClusterName": cluster.name}
            if self._properties.get("codeId"):
                kept["ContentSnapshotId"] = arm_ids.parse(self._properties["codeId"]).names[-2]

    def _run_processes(
        self,
        cluster: Resource,
        hosts: Sequence[machines.Machine],
        logs: log_files.LogFiles,
        values: Mapping[str, str],
        outputs: Mapping[str, str],
        identity: Principal | None,
    ) -> processes.Outcome | None:
        """Gives the first process that failed.

        Raises:
            Interrupted: The job cannot go on.
        """
        clock = self._services.cloud.clock
        with self._runs.changed:
            self._run.last_started = clock.now()
            self._run.started = self._run.started or self._run.last_started
        limit = (self._properties.get("limits") or {}).get("timeout")
        command = commands.expand(self._properties["command"], values, outputs)
        return processes.Processes(self._runs, self._run, hosts).run(
            ["bash" if hosts[0].has_bash() else "sh", "-c", command],
            distributions.list_processes(
                self._properties.get("distribution"), nodes=self._count, address="127.0.0.1", port=_find_port()
            ),
            {
                **(self._properties.get("environmentVariables") or {}),
                **self._services.network,
                **dict.fromkeys(_BUNDLE_VARIABLES, _BUNDLE),
                **self._build_run_variables(),
                **{f"AZURE_ML_INPUT_{name}": value for name, value in values.items()},
                **{f"AZURE_ML_OUTPUT_{name}": path for name, path in outputs.items()},
                **self._build_identity_variables(cluster, identity),
            },
            self._working_folder,
            logs,
            None if limit is None else self._run.last_started + processes.read_duration(limit),
        )

    def _build_run_variables(self) -> dict[str, str]:
        """Which run it is, where it tracks, and with which token."""
        job, workspace = self._run.job, self._workspace
        token, expiry = self._services.tokens.issue(workspace, job.name)
        parts = arm_ids.parse(workspace.id)
        host = f"{workspace.body['location']}.api.azureml.ms"
        experiment = self._properties["experimentName"]
        experiment_id = history.find_experiment_id(workspace, experiment)
        return {
            "AZUREML_RUN_ID": job.name,
            "AZUREML_ROOT_RUN_ID": job.name,
            "AZUREML_RUN_TOKEN": token,
            "AZUREML_RUN_TOKEN_EXPIRY": str(expiry),
            "AZUREML_ARM_SUBSCRIPTION": parts.subscription,
            "AZUREML_ARM_RESOURCEGROUP": parts.resource_group,
            "AZUREML_ARM_WORKSPACE_NAME": workspace.name,
            "AZUREML_ARM_PROJECT_NAME": experiment,
            "AZUREML_EXPERIMENT_ID": experiment_id,
            "AZUREML_NODE_COUNT": str(self._count),
            "AZUREML_SERVICE_ENDPOINT": f"https://{host}",
            "AZUREML_WORKSPACE_ID": workspace.properties["workspaceId"],
            "AZUREML_WORKSPACE_SCOPE": workspace.id,
            "MLFLOW_EXPERIMENT_ID": experiment_id,
            "MLFLOW_EXPERIMENT_NAME": experiment,
            "MLFLOW_RUN_ID": job.name,
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_TRACKING_URI": f"azureml://{host}/mlflow/v1.0{workspace.id}",
        }

    def _build_identity_variables(self, cluster: Resource, identity: Principal | None) -> dict[str, str]:
        """Where tokens of the cluster's identities come from; nothing where the job runs as somebody else."""
        known = identities.list_identities(self._services.cloud, cluster)
        if identity is None or identity not in known:
            return {}
        others = [each for each in known if each != identity]
        endpoint, secret = self._services.identities.open((identity, *others))
        return {
            "MSI_ENDPOINT": endpoint,
            "MSI_SECRET": secret,
            "DEFAULT_IDENTITY_CLIENT_ID": identity.client_id,
        }


def _find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
