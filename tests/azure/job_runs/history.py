"""What run history tells of jobs, with the names of the SDK's models Run and RunDetails."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.azure import arm_ids
from tests.azure.job_runs import statuses
from tests.azure.job_runs.runs import Run
from tests.azure.resources import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

DEFAULT = "default"
ARTIFACT_STORE = "workspaceartifactstore"


def find_experiment_id(workspace: Resource, experiment: str) -> str:
    """The id of an experiment, which is the same each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{workspace.id.lower()}/experiments/{experiment}"))


def build_services(cloud: Cloud, workspace: Resource, job: str) -> dict[str, dict[str, Any]]:
    """The ``services`` of a job: where it is shown, and where it tracks."""
    endpoint = f"https://ml.azure.com/runs/{job}?wsid={workspace.id}&tid={cloud.tenant_id}"
    host = f"{workspace.body['location']}.api.azureml.ms"
    return {
        "Tracking": {
            "jobServiceType": "Tracking",
            "endpoint": f"azureml://{host}/mlflow/v1.0{workspace.id}?",
        },
        "Studio": {"jobServiceType": "Studio", "endpoint": endpoint},
    }


def build_default_output(job: str) -> dict[str, str]:
    """The output that all jobs have: their folder in the artifact store."""
    uri = f"azureml://datastores/{ARTIFACT_STORE}/ExperimentRun/dcid.{job}"
    return {"jobOutputType": "uri_folder", "mode": "ReadWriteMount", "uri": uri}


def build_run(cloud: Cloud, job: Resource) -> dict[str, Any]:
    """A Run."""
    properties, run = job.properties, _find_run(cloud, job)
    workspace = cloud.resources.get(arm_ids.parse(job.id).parent_id)
    assert workspace is not None
    created = _write_time(run.created)
    return {
        **_build_common(cloud, job, run),
        "runNumber": run.number,
        "rootRunId": job.name,
        "createdUtc": created,
        "createdBy": {"userObjectId": run.submitter, "userTenantId": cloud.tenant_id},
        "userId": run.submitter,
        "runUuid": run.run_uuid,
        "rootRunUuid": run.run_uuid,
        "parentRunUuid": None,
        "hasVirtualParent": False,
        "lastStartTimeUtc": _write_time(run.last_started),
        "computeDuration": _write_duration(run.started, run.ended or cloud.clock.now()),
        "duration": _write_duration(run.created, run.ended or cloud.clock.now()),
        "parentRunId": None,
        "experimentId": find_experiment_id(workspace, properties["experimentName"]),
        "displayName": properties.get("displayName"),
        "name": properties.get("displayName"),
        "dataContainerId": f"dcid.{job.name}",
        "description": properties.get("description"),
        "hidden": properties.get("isArchived", False),
        "runType": "azureml.scriptrun",
        "runTypeV2": {"orchestrator": "Execution", "traits": [], "attribution": None, "computeType": "AmlCompute"},
        "cancelationReason": None,
        "queueingInfo": _build_queueing(cloud, run),
        "inputs": {},
        "outputs": {
            name: {"assetId": _build_asset_id(workspace, job.name, name), "type": _write_type(output["jobOutputType"])}
            for name, output in (properties.get("outputs") or {}).items()
        },
    }


def build_details(cloud: Cloud, job: Resource) -> dict[str, Any]:
    """The RunDetails, with URLs that open the logs."""
    run = _find_run(cloud, job)
    return {
        **_build_common(cloud, job, run),
        "createdTimeUtc": _write_time(run.created),
        "inputDatasets": [],
        "outputDatasets": [],
        "runDefinition": None,
        "logFiles": {name: _sign_log(cloud, job, name) for name in sorted(run.logs)},
    }


def find_output(cloud: Cloud, workspace: Resource, asset_id: str) -> str | None:
    """The long URI of a job's output, by its asset id; None if there is no such output."""
    for job in cloud.resources.list_inside(workspace.id, f"{workspace.type}/jobs"):
        for name, output in (job.properties.get("outputs") or {}).items():
            if _build_asset_id(workspace, job.name, name) == asset_id:
                uri = output.get("uri") or f"azureml://datastores/workspaceblobstore/paths/azureml/{job.name}/{name}/"
                path = uri.removeprefix("azureml://").replace(f"{ARTIFACT_STORE}/Exp", f"{ARTIFACT_STORE}/paths/Exp")
                return f"azureml:/{workspace.id}/{path}" if path.startswith("datastores/") else uri
    return None


def _build_common(cloud: Cloud, job: Resource, run: Run) -> dict[str, Any]:
    """What both have."""
    properties = job.properties
    cluster = cloud.resources.get(properties.get("computeId") or "")
    count = (properties.get("resources") or {}).get("instanceCount") or 1
    compute: dict[str, Any] | None = None
    if cluster is not None:
        nodes = cluster.properties["properties"]
        compute = {
            "target": cluster.name,
            "targetType": cluster.properties["computeType"],
            "vmSize": nodes.get("vmSize"),
            "instanceCount": count,
            "gpuCount": None,
            "priority": nodes.get("vmPriority"),
            "region": cluster.body["location"],
        }
    return {
        "runId": job.name,
        "target": cluster.name if cluster is not None else None,
        "status": properties["status"],
        "startTimeUtc": _write_time(run.started),
        "endTimeUtc": _write_time(run.ended),
        "error": run.error,
        "warnings": list(run.warnings),
        "tags": dict(properties.get("tags") or {}),
        "properties": dict(properties.get("properties") or {}),
        "services": {name: {"endpoint": each["endpoint"]} for name, each in (properties.get("services") or {}).items()},
        "computeRequest": {"nodeCount": count, "gpuCount": 0},
        "compute": compute,
    }


def _build_queueing(cloud: Cloud, run: Run) -> Mapping[str, str] | None:
    if not run.queueing or run.status != statuses.QUEUED:
        return None
    return {"code": "Queued", "message": run.queueing, "lastRefreshTimestamp": cloud.clock.stamp()}


def _sign_log(cloud: Cloud, job: Resource, name: str) -> str:
    """A URL that reads a log; whoever signs it must be allowed to read: the workspace's identity, or the key's owner.

    The service signs with an identity of its own, which the documentation does not name.
    """
    workspace = cloud.resources.get(arm_ids.parse(job.id).parent_id)
    assert workspace is not None
    assert cloud.blobs is not None
    store = cloud.resources.get(f"{workspace.id}/datastores/{ARTIFACT_STORE}")
    account = cloud.resources.get(workspace.properties["storageAccount"])
    assert store is not None
    assert account is not None
    path = f"ExperimentRun/dcid.{job.name}/{name}"
    return cloud.blobs.sign(account, store.properties["containerName"], path, "r", find_signer(workspace))


def find_signer(workspace: Resource) -> str | None:
    """The object id of the identity by which a workspace opens its storage; None where it has the account's key."""
    if workspace.properties["systemDatastoresAuthMode"] != "Identity":
        return None
    identity = workspace.body["identity"]
    primary = workspace.properties.get("primaryUserAssignedIdentity", "").lower()
    for name, each in (identity.get("userAssignedIdentities") or {}).items():
        if name.lower() == primary:
            return str(each["principalId"])
    return str(identity["principalId"])


def _find_run(cloud: Cloud, job: Resource) -> Run:
    run = cloud.jobs.find(job.id)
    assert run is not None, f"{job.id} was never submitted"
    return run


def _build_asset_id(workspace: Resource, job: str, name: str) -> str:
    number, location = workspace.properties["workspaceId"], workspace.body["location"]
    asset = f"azureml_{job}_{name}" if name == DEFAULT else f"azureml_{job}_output_data_{name}"
    return f"azureml://locations/{location}/workspaces/{number}/data/{asset}/versions/1"


def _write_type(kind: str) -> str:
    """Run history writes UriFolder for uri_folder: Azure/azure-sdk-for-python#48941."""
    return {"uri_folder": "UriFolder", "uri_file": "UriFile", "mltable": "MLTable"}.get(kind, kind)


def _write_time(time: datetime.datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _write_duration(start: datetime.datetime | None, end: datetime.datetime) -> str | None:
    if start is None:
        return None
    seconds = int((end - start).total_seconds())
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
