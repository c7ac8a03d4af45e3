"""The inputs of a run that is imported by its id, from what was submitted. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aml_infra.provider import wire
from aml_infra.spec import RunInput, RunOutput

UNKNOWN_SOURCE = "the source folder of the imported run"
"""Stands for the one thing that a run does not know: a path of the machine that it was submitted from."""


FORMER = {
    "secrets": [],
    "parameters": {},
    "inputs": {},
    "outputs": {},
    "identity": "",
    "workers": 1,
    "framework": "pytorch",
    "processes_per_worker": 1,
}
"""What was not there yet in the records of earlier releases."""

_JOB_ID = re.compile(
    r"/subscriptions/(?P<subscription_id>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)/providers"
    r"/Microsoft\.MachineLearningServices/workspaces/(?P<workspace_name>[^/]+)/jobs/[^/]+",
    re.IGNORECASE,
)


def find_backend(resource_id: str) -> dict[str, Any]:
    """The inputs that say where an imported run is: empty for one that is found by its run id, in Docker here.

    A run on Azure Machine Learning is imported by the resource id of one of its jobs, as `az ml job show --query id`
    shows it.
    """
    found = _JOB_ID.fullmatch(resource_id)
    return {} if found is None else {"backend": "azureml", "backendOptions": found.groupdict()}


def build_inputs(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Checked inputs that make the run of ``spec`` again, as ``RunSpec.describe`` gave it; empty for an empty one.

    What the user then writes is compared with them: only what would make another run, or what differs from its
    default, has to be there.
    """
    if not spec:
        return {}
    spec = {**FORMER, **spec}
    resources = spec["resources"]
    inputs = {name: RunInput(**given) for name, given in spec["inputs"].items()}
    outputs = {name: RunOutput(**asked) for name, asked in spec["outputs"].items()}
    values = {
        "source": UNKNOWN_SOURCE,
        "sourceDigest": spec["source_digest"],
        "command": list(spec["command"]),
        "image": spec["image"],
        "imageIdentity": spec["image_identity"],
        "environmentVariables": {
            **spec["environment"],
            # A value that nobody knows any more: only the name counts.
            **{name: wire.Secret("") for name in spec["secrets"]},
        },
        "parameters": dict(spec["parameters"]),
        "inputs": {
            name: {
                "path": given.path,
                **({} if given.is_local else {"version": given.version}),
                **({"type": given.type} if given.type != "folder" else {}),
                **({"mode": given.mode} if given.mode != "mount" else {}),
            }
            for name, given in inputs.items()
        },
        "inputDigests": {name: given.identity for name, given in inputs.items()},
        "outputs": {
            name: {
                **({"path": asked.path} if asked.path else {}),
                **({"mode": asked.mode} if asked.mode != "mount" else {}),
            }
            for name, asked in outputs.items()
        },
        "distribution": {
            "workers": spec["workers"],
            **({"framework": spec["framework"]} if spec["framework"] != "pytorch" else {}),
            **({"processesPerWorker": spec["processes_per_worker"]} if spec["processes_per_worker"] > 1 else {}),
        }
        if spec["workers"] * spec["processes_per_worker"] > 1
        else None,
        "triggers": dict(spec["triggers"]),
        "cpus": resources["cpus"],
        "memoryGb": resources["memory_gb"],
        "gpus": resources["gpus"],
        "timeoutMinutes": spec["timeout_minutes"],
        "experiment": spec["experiment"] if spec["experiment"] != "Default" else None,
        "displayName": spec["display_name"] if spec["display_name"] != spec["name"] else None,
        "tags": dict(spec["tags"]),
        "identity": spec["identity"],
    }
    return {key: value for key, value in values.items() if value}
