"""The package schema: what other languages and `pulumi package get-schema` learn of the plugin."""

from __future__ import annotations

import json
from typing import Any

from aml_infra import naming

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_INTEGER = {"type": "integer"}
_TRUTH = {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}
_TEXT_MAP = {"type": "object", "additionalProperties": _TEXT}

_DATA_INPUT = "aml-infra:index:DataInput"
_DATA_OUTPUT = "aml-infra:index:DataOutput"
_DISTRIBUTION = "aml-infra:index:Distribution"

_TYPES: dict[str, dict[str, Any]] = {
    _DATA_INPUT: {
        "type": "object",
        "description": "A folder or file of this machine, which counts by its content; or a URI with its version.",
        "properties": {
            "path": _TEXT,
            "version": _TEXT,
            "type": {**_TEXT, "description": "Of a URI: folder (default) or file."},
            "mode": {**_TEXT, "description": "How a service brings it to the run: mount (default) or download."},
        },
        "required": ["path"],
    },
    _DATA_OUTPUT: {
        "type": "object",
        "description": "A folder that a run writes to.",
        "properties": {
            "path": {**_TEXT, "description": "URI of the place that it is kept in; by default beside outputs/."},
            "mode": {**_TEXT, "description": "How a service brings it there: mount (default) or upload."},
        },
    },
    _DISTRIBUTION: {
        "type": "object",
        "description": "Several workers that train together.",
        "properties": {
            "workers": _INTEGER,
            "framework": {**_TEXT, "description": "How they find one another: pytorch (default), tensorflow or mpi."},
            "processesPerWorker": {**_INTEGER, "description": "Processes on each node; 1 by default."},
        },
        "required": ["workers"],
    },
}

_INPUTS: dict[str, dict[str, Any]] = {
    "source": {**_TEXT, "description": "Folder with the training code."},
    "command": {**_TEXTS, "description": "Program and arguments, run in a copy of the source folder."},
    "image": {**_TEXT, "description": "Reference of the image to run."},
    "imageIdentity": {**_TEXT, "description": "What the image is, for the fingerprint; by default its digest."},
    "backend": {**_TEXT, "description": "docker (default), azureml, kubernetes or fake."},
    "backendOptions": {**_TEXT_MAP, "description": "Options of the backend."},
    "imageParts": {**_TEXT_MAP, "description": "Short hashes of what the image is made of, to explain a change."},
    "environmentVariables": {**_TEXT_MAP, "description": "Part of the fingerprint; of secrets only the names."},
    "parameters": {
        "type": "object",
        "additionalProperties": {"oneOf": [_TEXT, _NUMBER, _TRUTH]},
        "description": "Appended to the command as --name=value, and logged to MLflow.",
    },
    "inputs": {
        "type": "object",
        "additionalProperties": {"$ref": f"#/types/{_DATA_INPUT}"},
        "description": "Data that the run reads, by name.",
    },
    "outputs": {
        "type": "object",
        "additionalProperties": {"$ref": f"#/types/{_DATA_OUTPUT}"},
        "description": "Folders that the run writes to, by name.",
    },
    "distribution": {"$ref": f"#/types/{_DISTRIBUTION}", "description": "Several workers that train together."},
    "triggers": {**_TEXT_MAP, "description": "Free values whose change makes a new run."},
    "cpus": {**_NUMBER, "description": "Processors; by default all there are."},
    "memoryGb": {**_NUMBER, "description": "Memory in GB; by default all there is."},
    "gpus": {**_INTEGER, "description": "Number of GPUs; 0 by default."},
    "timeoutMinutes": {**_NUMBER, "description": "The run is stopped after so long; no limit by default."},
    "experiment": {**_TEXT, "description": "MLflow experiment."},
    "displayName": {**_TEXT, "description": "Shown where the service can."},
    "tags": {**_TEXT_MAP, "description": "Free text on the run."},
    "identity": {**_TEXT, "description": "What the run is to Azure: managed, user, or a client id."},
    "allowSecrets": {**_TEXTS, "description": "Patterns of files that look like secrets and shall be shipped."},
    "requireMetrics": {**_TEXTS, "description": "What the metrics must be, as in accuracy >= 0.9."},
    "retries": {**_INTEGER, "description": "More attempts where the machine failed; 0 by default."},
    "retryOn": {**_TEXTS, "description": "After which ends: NotResponding (default), Failed, TimedOut."},
    "wait": {**_TRUTH, "description": "Whether the run's end is waited for; true by default."},
    "onInterrupt": {**_TEXT, "description": "detach (default) from a run, or cancel it, after Ctrl-C."},
    "onDestroy": {**_TEXT, "description": "cancel (default) or retain a run that has not ended."},
}

_OUTPUTS: dict[str, dict[str, Any]] = {
    "runId": {**_TEXT, "description": "Deterministic id of the run."},
    "status": {**_TEXT, "description": "Where the run is."},
    "attempt": {**_INTEGER, "description": "Counted from 1."},
    "exitCode": {**_INTEGER, "description": "Exit code of the command."},
    "fingerprint": {**_TEXT, "description": "SHA-256 over what can change the result."},
    "metrics": {"type": "object", "additionalProperties": _NUMBER, "description": "Last value of each metric."},
    "portalUrl": {**_TEXT, "description": "Where a person looks at the run."},
    "outputsPath": {**_TEXT, "description": "What the run wrote to outputs/."},
    "outputPaths": {**_TEXT_MAP, "description": "Folder or URI of each of outputs."},
    "logPath": {**_TEXT, "description": "The whole log."},
    "imageRef": {**_TEXT, "description": "Reference of the image that was run."},
    "imageDigest": {**_TEXT, "description": "Digest of the image that was run."},
    "startedAt": {**_TEXT, "description": "UTC, ISO 8601."},
    "finishedAt": {**_TEXT, "description": "UTC, ISO 8601."},
    "durationSeconds": {**_NUMBER, "description": "Seconds between start and end."},
    "nodeCount": {**_INTEGER, "description": "Nodes that it ran on, one for each worker."},
}

_SOFT_DELETION_INPUTS: dict[str, dict[str, Any]] = {
    "resourceId": {**_TEXT, "description": "Resource Manager's id of a key vault or an Azure ML workspace."},
    "location": {**_TEXT, "description": "Where it is."},
    "purge": {**_TRUTH, "description": "Whether what Azure keeps of it may be purged, with all that is in it."},
}

_FUNCTIONS: dict[str, dict[str, Any]] = {
    "aml-infra:index:getImage": {
        "inputs": {"properties": {"image": _TEXT, "backend": _TEXT}, "required": ["image"]},
        "outputs": {"properties": {"digest": _TEXT}, "required": ["digest"]},
    },
    "aml-infra:index:getDockerDaemon": {
        "outputs": {
            "properties": {"version": _TEXT, "cpus": _NUMBER, "memoryGb": _NUMBER, "gpus": _TRUTH},
            "required": ["version", "cpus", "memoryGb", "gpus"],
        }
    },
    "aml-infra:index:getRegistryToken": {
        "description": "A login of an Azure container registry, for whoever is logged in to Azure.",
        "inputs": {"properties": {"server": _TEXT}, "required": ["server"]},
        "outputs": {
            "properties": {"username": _TEXT, "password": {**_TEXT, "secret": True}},
            "required": ["username", "password"],
        },
    },
    "aml-infra:index:getQuota": {
        "description": "Whether the quota for Azure ML is enough for a cluster.",
        "inputs": {
            "properties": {
                "subscriptionId": _TEXT,
                "location": _TEXT,
                "vmSize": _TEXT,
                "nodes": _INTEGER,
                "lowPriority": _TRUTH,
                "exists": {**_TRUTH, "description": "Whether the cluster is there; then only limits count."},
                "service": {**_TEXT, "description": "Whose quota: `learning` or `compute`; by default `learning`."},
            },
            "required": ["subscriptionId", "location", "vmSize", "nodes", "lowPriority"],
        },
        "outputs": {
            "properties": {
                "family": _TEXT,
                "neededCores": _INTEGER,
                "usedCores": _INTEGER,
                "limitCores": {**_INTEGER, "description": "-1 where there is none."},
                "problem": {**_TEXT, "description": "What is short, and where to raise it; else empty."},
                "note": {**_TEXT, "description": "What could not be seen; else empty."},
            },
            "required": ["family", "neededCores", "usedCores", "limitCores", "problem", "note"],
        },
    },
    "aml-infra:index:getKubernetesAccess": {
        "description": "Where an AKS cluster is.",
        "inputs": {
            "properties": {
                "clusterId": _TEXT,
                "waitSeconds": {**_INTEGER, "description": "How long to wait until this account may make namespaces."},
            },
            "required": ["clusterId"],
        },
        "outputs": {
            "properties": {
                "server": _TEXT,
                "certificateAuthority": _TEXT,
                "note": {**_TEXT, "description": "What this account may not do after the wait; else empty."},
            },
            "required": ["server", "certificateAuthority", "note"],
        },
    },
}


def build_schema(version: str) -> str:
    """The schema as JSON, in Pulumi's package schema format."""
    return json.dumps(
        {
            "name": "aml-infra",
            "version": version,
            "description": "Training runs as declared resources, and what they need of Azure.",
            "types": _TYPES,
            "resources": {
                naming.RUN_TYPE: {
                    "description": "One training run: adopted, joined or submitted.",
                    "inputProperties": _INPUTS,
                    "requiredInputs": ["source", "command", "image"],
                    "properties": {**_INPUTS, **_OUTPUTS},
                    "required": ["source", "command", "image", "runId", "status", "attempt", "fingerprint", "metrics"],
                },
                naming.SOFT_DELETION_TYPE: {
                    "description": "Makes room for a key vault or workspace that Azure keeps after its deletion.",
                    "inputProperties": _SOFT_DELETION_INPUTS,
                    "requiredInputs": list(_SOFT_DELETION_INPUTS),
                    "properties": {
                        **_SOFT_DELETION_INPUTS,
                        "mode": {**_TEXT, "description": "createMode of the vault: default or recover."},
                    },
                    "required": [*_SOFT_DELETION_INPUTS, "mode"],
                },
            },
            "functions": _FUNCTIONS,
        }
    )
