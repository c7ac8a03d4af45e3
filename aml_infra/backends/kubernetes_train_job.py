"""A run as a TrainJob of Kubeflow Trainer, where its operator is there and asked for. Pure.

Follows https://www.kubeflow.org/docs/components/trainer/, API ``trainer.kubeflow.org/v1alpha1``.

The operator makes a JobSet of a TrainJob, and that a Job, whose pods are those of a run without it. What the API lets a
TrainJob say of its pods is another thing in each version, and less than a run needs. So a run has a TrainingRuntime of
its own: that which was asked for, with the run's pods on top.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from aml_infra.backends.kubernetes_layout import NODE
from aml_infra.errors import Problem

GROUP = "trainer.kubeflow.org"
VERSION = f"{GROUP}/v1alpha1"
UNSEEN_RUNTIME = "must be created before the TrainJob"
"""What the operator says of a runtime that it has not heard of yet."""

_ANCESTOR = {f"{GROUP}/trainjob-ancestor-step": "trainer"}
"""The label by which it knows that job."""

_IN_TRAINER = ("image", "command", "env", "resources")
"""What the TrainJob says itself of its container."""

_POLICIES = ("torch",)
"""How runtimes have their workers find one another: torchrun's variables, beside those that every run has; or not."""


def find_problems(name: str, runtime: Mapping[str, Any]) -> list[Problem]:
    """Why no run can be made with a runtime.

    Args:
        name: that was asked for.
        runtime: as the API shows it.
    """
    spec = runtime.get("spec") or {}
    known = {"numNodes", *_POLICIES}
    problems = []
    if others := sorted(set(spec.get("mlPolicy") or {}) - known):
        problems.append(f"its policy is {', '.join(others)}, and runs can have {', '.join(_POLICIES)} or none")
    jobs = _list_jobs(runtime)
    names = [str(each.get("name")) for each in jobs]
    if names != [NODE]:
        problems.append(f"its jobs are {', '.join(names) or 'none'}, and runs have one, {NODE}")
    else:
        containers = [str(each.get("name")) for each in _read_pod(runtime)["spec"].get("containers") or ()]
        if containers != [NODE]:
            problems.append(f"its containers are {', '.join(containers) or 'none'}, and runs have one, {NODE}")
    fix = "choose another runtime, such as torch-distributed, or leave it out"
    return [Problem("compute.runtime", f"is {name!r}, which runs cannot use: {each}; {fix}") for each in problems]


def build_objects(job: Mapping[str, Any], name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What takes the place of the Job of a run: the TrainJob, and its runtime.

    Args:
        job: of the run.
        name: of both.
        asked: the runtime that was asked for, in which ``find_problems`` finds none.
    """
    return {"train_job": _build_train_job(job, name), "runtime": _build_runtime(job, name, asked)}


def _build_train_job(job: Mapping[str, Any], name: str) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    trainer = {
        "image": container["image"],
        "command": container["command"],
        "env": container["env"],
        "numNodes": job["spec"]["completions"],
    }
    if "resources" in container:
        trainer["resourcesPerNode"] = container["resources"]
    return {
        "apiVersion": VERSION,
        "kind": "TrainJob",
        "metadata": {"name": name, "labels": dict(job["metadata"]["labels"])},
        "spec": {
            "runtimeRef": {"apiGroup": GROUP, "kind": "TrainingRuntime", "name": name},
            "trainer": trainer,
        },
    }


def _build_runtime(job: Mapping[str, Any], name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    spec, template = asked["spec"], asked["spec"]["template"]
    policy = {**(spec.get("mlPolicy") or {}), "numNodes": job["spec"]["completions"]}
    if "torch" in policy:
        # Workers that come and go would be another training.
        policy["torch"] = {key: value for key, value in policy["torch"].items() if key != "elasticPolicy"}
    labels = job["spec"]["template"]["metadata"]["labels"]
    above, ours = _read_pod(asked), job["spec"]["template"]["spec"]
    metadata = copy.deepcopy(dict(above.get("metadata") or {}))
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    replicated = {
        "name": NODE,
        "template": {
            "metadata": {"labels": {**_ANCESTOR, **labels}},
            "spec": {
                **{key: job["spec"][key] for key in ("backoffLimit", "podFailurePolicy", "ttlSecondsAfterFinished")},
                "completionMode": job["spec"]["completionMode"],
                "template": {"metadata": metadata, "spec": _merge_pods(above["spec"], ours)},
            },
        },
    }
    made: dict[str, Any] = {
        "mlPolicy": policy,
        "template": {
            **({"metadata": template["metadata"]} if template.get("metadata") else {}),
            # A JobSet that fails must stay so: attempts are made by whoever submits.
            "spec": {"replicatedJobs": [replicated]},
        },
    }
    if spec.get("podGroupPolicy"):
        made["podGroupPolicy"] = spec["podGroupPolicy"]
    return {
        "apiVersion": VERSION,
        "kind": "TrainingRuntime",
        "metadata": {"name": name, "labels": labels},
        "spec": made,
    }


def _list_jobs(runtime: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    template = (runtime.get("spec") or {}).get("template") or {}
    return list((template.get("spec") or {}).get("replicatedJobs") or ())


def _read_pod(runtime: Mapping[str, Any]) -> Mapping[str, Any]:
    """The template of a runtime's pods."""
    return dict(_list_jobs(runtime)[0]["template"]["spec"]["template"])


def _merge_pods(above: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """A pod of the runtime with what a run's must have on top."""
    merged = {**copy.deepcopy(dict(above)), **copy.deepcopy(dict(ours))}
    for key in ("nodeSelector", "securityContext"):
        if key in above:
            merged[key] = {**above[key], **(ours.get(key) or {})}
    for key in ("volumes", "imagePullSecrets"):
        if key in above:
            merged[key] = _unite(above[key], ours.get(key) or (), "name")
    if "tolerations" in above:
        merged["tolerations"] = [*above["tolerations"], *(ours.get("tolerations") or ())]
    (theirs,), (container,) = above["containers"], ours["containers"]
    merged["containers"] = [_merge_containers(theirs, container)]
    return merged


def _merge_containers(above: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    mine = {key: value for key, value in ours.items() if key not in _IN_TRAINER}
    merged = {**copy.deepcopy(dict(above)), **copy.deepcopy(mine), "name": NODE}
    # Its program is the run's, with all of its arguments.
    for key in ("command", "args"):
        merged.pop(key, None)
    merged["volumeMounts"] = _unite(above.get("volumeMounts") or (), ours["volumeMounts"], "mountPath")
    known = {each["name"] for each in ours["env"]}
    merged["env"] = [each for each in above.get("env") or () if each["name"] not in known]
    merged["envFrom"] = [*(above.get("envFrom") or ()), *(ours.get("envFrom") or ())]
    return {key: value for key, value in merged.items() if key not in ("env", "envFrom") or value}


def _unite(above: Sequence[Any], ours: Sequence[Any], key: str) -> list[Any]:
    """Both lists; of two with the same name, ours."""
    known = {each[key] for each in ours}
    return [*(each for each in above if each[key] not in known), *ours]
