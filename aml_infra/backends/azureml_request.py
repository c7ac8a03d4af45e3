"""What the azureml backend asks of Azure Machine Learning. Pure: no connection, no clock, no chance.

Follows https://learn.microsoft.com/rest/api/azureml/jobs/create-or-update.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Mapping
from typing import Any

from aml_infra import naming
from aml_infra import spec as specs
from aml_infra.errors import InvalidInput, Problem
from aml_infra.spec import RunInput, RunOutput, RunSpec

API_VERSION = "2025-12-01"

RUN = "aml-infra.run"
ATTEMPT = "aml-infra.attempt"
FINGERPRINT = "aml-infra.fingerprint"
SUBMISSION = "aml-infra.submission"
"""Properties of a job. The last one is different for each submit, and the service changes no property of a job."""

FOLDER = "aml-infra"
"""Where in the workspace's default datastore all is that the backend puts there."""

DATASTORE = "workspaceblobstore"
"""The workspace's default datastore."""

ARCHIVE = "source.tar.gz"
"""A code version is one archive: a datastore has neither executable files nor links, and thousands of small files take
minutes to come and go."""

SECRETS_VARIABLE = "AML_INFRA_SECRETS"
"""Tells the run the id of the workspace connection that holds its secret environment variables."""

START_VARIABLE = "AML_INFRA_START"
"""Tells the run the program by which it reads them."""

ENVIRONMENT = "aml-infra"
"""The environment whose versions are images that were given by their reference."""

_ASSET = re.compile(r"azureml:(?P<name>[A-Za-z0-9][\w.-]*):(?P<version>[\w.-]+)")
_ENVIRONMENT_ID = re.compile(r"/subscriptions/.+/environments/[^/]+/versions/[^/]+", re.IGNORECASE)
_MOUNTABLE = re.compile(r"(azureml|abfss?|wasbs?|adl):|https://[^/]+\.(blob|dfs)\.core\.", re.IGNORECASE)
_INPUT_MODES = {"mount": "ReadOnlyMount", "download": "Download"}
_OUTPUT_MODES = {"mount": "ReadWriteMount", "upload": "Upload"}
_IDENTITIES = {"managed": {"identityType": "Managed"}, "user": {"identityType": "UserIdentity"}}
_UNPACK_ONCE = (
    f"if mkdir .aml-infra 2>/dev/null; then tar -xzf {ARCHIVE} && rm {ARCHIVE}; "
    f"else while [ -e {ARCHIVE} ]; do sleep 0.1; done; fi"
)
"""The processes of a node have one folder: the first unpacks, and the others wait until the archive is gone."""

_VERSION_DIGITS = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where jobs run.

    Attributes:
        subscription_id: of the workspace.
        resource_group: of the workspace.
        workspace_name: its name.
        compute_name: the cluster in it.
        instance_type: what each worker has of an attached cluster; empty for what the service takes.
        declared: `true` where the program has compared what jobs ask for with the machines that the cluster is to have;
            empty where only the service knows them.
    """

    subscription_id: str
    resource_group: str
    workspace_name: str
    compute_name: str
    instance_type: str = ""
    declared: str = ""

    @property
    def workspace_id(self) -> str:
        """The resource id of the workspace."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace_name}"
        )

    @property
    def compute_id(self) -> str:
        """The resource id of the cluster."""
        return f"{self.workspace_id}/computes/{self.compute_name}"

    def locate_job(self, name: str) -> str:
        """The resource id of a job."""
        return f"{self.workspace_id}/jobs/{name}"


def build_request(place: Place, spec: RunSpec, attempt: int) -> dict[str, Any]:
    """What one attempt at ``spec`` needs: paths of Resource Manager, each with the body that is put there.

    ``code`` and ``environment`` are shared by all runs with the same source and image; ``environment`` is None where
    it exists already. Of ``secrets`` there are only the names. What one submit has of its own is added by ``complete``.
    """
    environment_id = locate_environment(place, spec.image)
    registers = find_asset(spec.image) is None and not _ENVIRONMENT_ID.fullmatch(spec.image)
    return {
        "code": {"path": locate_code(place, spec.source_digest), "folder": f"{FOLDER}/source/{spec.source_digest}"},
        "environment": {"path": environment_id, "body": _build_environment(spec.image)} if registers else None,
        "inputs": {name: locate_data(given) for name, given in sorted(spec.inputs.items()) if given.is_local},
        "secrets": {"folder": f"{place.workspace_id}/connections", "names": sorted(spec.secrets)},
        "job": {
            "path": place.locate_job(naming.attempt_name(spec.run_id, attempt)),
            "body": {"properties": _build_job(place, spec, attempt, environment_id)},
        },
    }


def _build_environment(image: str) -> dict[str, Any]:
    return {"properties": {"image": image, "osType": "Linux", "isAnonymous": False}}


def _build_job(place: Place, spec: RunSpec, attempt: int, environment_id: str) -> dict[str, Any]:
    variables = specs.build_variables(spec, attempt, {}, {})
    # The service sets it by what the job says.
    variables.pop("MLFLOW_EXPERIMENT_NAME")
    job: dict[str, Any] = {
        "jobType": "Command",
        "displayName": spec.display_name or spec.name,
        "experimentName": spec.experiment,
        "tags": dict(spec.tags),
        "properties": {RUN: spec.run_id, ATTEMPT: str(attempt), FINGERPRINT: spec.fingerprint},
        "codeId": locate_code(place, spec.source_digest),
        "environmentId": environment_id,
        "computeId": place.compute_id,
        "command": build_command(spec),
        "environmentVariables": variables,
        "resources": _build_resources(place, spec),
    }
    if spec.inputs:
        job["inputs"] = {name: _build_input(place, given) for name, given in sorted(spec.inputs.items())}
    if spec.outputs:
        own = naming.attempt_name(spec.run_id, attempt)
        job["outputs"] = {name: _build_output(own, name, asked) for name, asked in sorted(spec.outputs.items())}
    if spec.secrets or spec.identity:
        # Secrets are asked for by the job, when whoever submitted it is not there any more.
        identity = spec.identity or "managed"
        job["identity"] = _IDENTITIES.get(identity) or {"identityType": "Managed", "clientId": identity}
    if spec.processes > 1:
        job["distribution"] = _build_distribution(spec)
    if spec.timeout_minutes is not None:
        job["limits"] = {"jobLimitsType": "Command", "timeout": format_duration(spec.timeout_minutes * 60)}
    return job


def _build_resources(place: Place, spec: RunSpec) -> dict[str, Any]:
    chosen = {"instanceType": place.instance_type} if place.instance_type else {}
    return {"instanceCount": spec.workers, **chosen}


def _build_distribution(spec: RunSpec) -> dict[str, Any]:
    if spec.framework == "tensorflow":
        return {"distributionType": "TensorFlow", "workerCount": spec.workers, "parameterServerCount": 0}
    kind = {"pytorch": "PyTorch", "mpi": "Mpi"}[spec.framework]
    return {"distributionType": kind, "processCountPerInstance": spec.processes_per_worker}


def build_command(spec: RunSpec) -> str:
    """The job's command, which the service gives to a shell in a folder that holds the archive of the source."""
    paths = {name: locate_input(name, given) for name, given in sorted(spec.inputs.items())}
    written = {name: f"${{{{outputs.{name}}}}}" for name in sorted(spec.outputs)}
    steps = [f"tar -xzf {ARCHIVE}", f"rm {ARCHIVE}"]
    if spec.processes_per_worker > 1:
        steps = [_UNPACK_ONCE]
    steps += [f"export AML_INFRA_INPUT_{name}={shlex.quote(path)}" for name, path in paths.items()]
    steps += [f"export AML_INFRA_OUTPUT_{name}={shlex.quote(path)}" for name, path in written.items()]
    words = specs.build_command(spec, paths, written)
    start = f'python3 -c "${START_VARIABLE}" ' if spec.secrets else ""
    return " && ".join([*steps, f"exec {start}{shlex.join(words)}"])


def locate_input(name: str, given: RunInput) -> str:
    """Where a run finds an input: the service replaces the placeholder by the place that it has mounted it at."""
    mounted = f"${{{{inputs.{name}}}}}"
    return f"{mounted}/{posixpath.basename(given.path)}" if given.is_local else mounted


def locate_data(given: RunInput) -> str:
    """The folder in the datastore that an input of this machine is uploaded to, by its content."""
    return f"{FOLDER}/data/{given.version}"


def locate_output(name: str, output: str, path: str) -> str:
    """The URI of an output of the job called ``name``: the user's own, or one that no other attempt has."""
    return path or f"azureml://datastores/{DATASTORE}/paths/{FOLDER}/outputs/{name}/{output}/"


def _build_input(place: Place, given: RunInput) -> dict[str, Any]:
    mode = _INPUT_MODES[given.mode]
    if given.is_local:
        uri = f"azureml://datastores/{DATASTORE}/paths/{locate_data(given)}/"
        return {"jobInputType": "uri_folder", "uri": uri, "mode": mode}
    if not _MOUNTABLE.match(given.path):
        # What the service cannot read is for the command to read.
        return {"jobInputType": "literal", "value": given.path}
    asset = _ASSET.fullmatch(given.path)
    # The short form of a data asset is that of people and tools; the service takes its resource id.
    uri = given.path if asset is None else f"{place.workspace_id}/data/{asset['name']}/versions/{asset['version']}"
    return {"jobInputType": f"uri_{given.type}", "uri": uri, "mode": mode}


def _build_output(job: str, name: str, asked: RunOutput) -> dict[str, Any]:
    uri = locate_output(job, name, asked.path)
    return {"jobOutputType": "uri_folder", "uri": uri, "mode": _OUTPUT_MODES[asked.mode]}


def complete(request: Mapping[str, Any], token: str, *, start: str = "") -> dict[str, Any]:
    """The body of the job, with what one submit has of its own.

    Args:
        request: what ``build_request`` gave.
        token: a text that no other submit has.
        start: the program that reads secret environment variables; empty if there are none.
    """
    job = request["job"]["body"]["properties"]
    properties = {**job["properties"], SUBMISSION: token}
    variables = dict(job["environmentVariables"])
    if request["secrets"]["names"]:
        variables |= {SECRETS_VARIABLE: locate_connection(request, token), START_VARIABLE: start}
    return {"properties": {**job, "properties": properties, "environmentVariables": variables}}


def locate_connection(request: Mapping[str, Any], token: str) -> str:
    """The workspace connection that holds the secrets of one submit; its name has at most 33 characters."""
    return f"{request['secrets']['folder']}/aml-infra-{token}"


def build_connection(secrets: Mapping[str, str]) -> dict[str, Any]:
    """What is put there: the workspace keeps it in its key vault."""
    return {
        "properties": {
            "category": "CustomKeys",
            "authType": "CustomKeys",
            "target": "aml-infra",
            "isSharedToAll": False,
            "credentials": {"keys": dict(secrets)},
        }
    }


def locate_code(place: Place, source_digest: str) -> str:
    """The resource id of the code version with this source: the same for all runs that have it."""
    return f"{place.workspace_id}/codes/{FOLDER}-{source_digest[:32]}/versions/1"


def locate_environment(place: Place, image: str) -> str:
    """The resource id of the environment version that ``image`` means.

    Args:
        place: the workspace that it is in.
        image: a reference of an image; or an environment, as in ``azureml:name:version`` or by its resource id.
    """
    if _ENVIRONMENT_ID.fullmatch(image):
        return image
    name, version = find_asset(image) or (ENVIRONMENT, hashlib.sha256(image.encode()).hexdigest()[:_VERSION_DIGITS])
    return f"{place.workspace_id}/environments/{name}/versions/{version}"


def identify_environment(version: Mapping[str, Any]) -> str:
    """What an environment version is, for a fingerprint: SHA-256 over what it is made of.

    Args:
        version: as Resource Manager shows it.
    """
    made_of = {key: version["properties"].get(key) for key in ("image", "condaFile", "build")}
    return f"sha256:{hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()}"


def find_asset(image: str) -> tuple[str, str] | None:
    """Name and version in ``azureml:name:version``; None where ``image`` is something else.

    Raises:
        InvalidInput: it begins like one and is none.
    """
    found = _ASSET.fullmatch(image)
    if found is None and image.startswith("azureml:"):
        raise InvalidInput([Problem("image", f"is {image!r}; an environment is written 'azureml:name:version'")])
    return None if found is None else (found["name"], found["version"])


def format_duration(seconds: float) -> str:
    """ISO 8601, in whole seconds, as the service wants it."""
    return f"PT{max(1, round(seconds))}S"
