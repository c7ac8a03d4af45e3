"""The pods of runs on Kubernetes: what trains, and what reads what was kept. Pure.

They hold to the standard for restricted pods (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
"""

from __future__ import annotations

import dataclasses
import json
import math
import posixpath
import re
from typing import Any

from aml_infra import naming
from aml_infra import spec as specs
from aml_infra.backends import kubernetes_layout as layout
from aml_infra.backends.kubernetes_layout import Place
from aml_infra.spec import RunInput, RunSpec

USER = 1000
"""Whoever the command runs as, since the standard for restricted pods takes no root."""

MASTER_PORT = 29500
STOP_GRACE_SECONDS = 30
RANK_VARIABLE = "AML_INFRA_RANK"
_RANK = f"$({RANK_VARIABLE})"
_CLAIM_URI = re.compile(r"pvc://(?P<claim>[^/]+)(?:/(?P<path>.*))?")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (where Linux has it)
_HOME = "/tmp"  # noqa: S108 (of a container)
_GPU = "nvidia.com/gpu"
_CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

_SUPERVISE = f"""\
kept={layout.KEPT}
[ -s $kept/{layout.EXIT_NAME} ] && exit $(cat $kept/{layout.EXIT_NAME})
pipe={layout.PRIVATE}/pipe
mkdir -p $kept/{layout.TRACKING_NAME} && mkfifo $pipe || exit 1
tee -a $kept/{layout.LOG_NAME} < $pipe & log=$!
"$@" > $pipe 2>&1 & run=$!
stopped=
trap 'stopped=1; kill -TERM $run 2>/dev/null' TERM INT
wait $run; code=$?
while kill -0 $run 2>/dev/null; do wait $run; code=$?; done
( sleep 10; kill $log ) >/dev/null 2>&1 &
wait $log 2>/dev/null
[ "$stopped" ] || echo $code > $kept/{layout.EXIT_NAME}
exit $code
"""
"""Runs a command, keeps what it prints, and how it ended if it did so by itself.

A pod that takes the place of one whose command has ended does not run it again. The log is waited for, but not for what
the command may have left running.
"""


def build_training_pod(place: Place, spec: RunSpec, attempt: int) -> dict[str, Any]:
    """The specification of a worker's pod."""
    name = naming.attempt_name(spec.run_id, attempt)
    folder = f"runs/{name}/{_RANK}"
    mounts: list[dict[str, Any]] = [
        {"name": "kept", "mountPath": layout.OUTPUTS, "subPathExpr": f"{folder}/outputs"},
        {"name": "kept", "mountPath": f"{layout.WORKSPACE}/logs", "subPathExpr": f"{folder}/logs"},
        {"name": "kept", "mountPath": layout.KEPT, "subPathExpr": f"{folder}/{layout.STORE}"},
        {"name": "shared-memory", "mountPath": _SHARED_MEMORY},
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "kept", "persistentVolumeClaim": {"claimName": place.claim}},
        {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": _write_gb(place.shared_memory_gb)}},
    ]
    # A claim is one volume of a pod: of two, one that is read-only would make both so.
    names = {place.claim: "kept"}
    for key, given in sorted(spec.inputs.items()):
        if found := _CLAIM_URI.fullmatch(given.path):
            claim = found["claim"]
            if claim not in names:
                names[claim] = f"input-{len(names)}"
                volumes.append({"name": names[claim], "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
            mount = {"name": names[claim], "mountPath": f"{layout.INPUTS}/{key}", "readOnly": True}
            mounts.append({**mount, "subPath": found["path"].strip("/")} if found["path"] else mount)
    container: dict[str, Any] = {
        "name": place.container,
        "command": [_escape(word) for word in build_command(spec)],
        "workingDir": layout.WORKSPACE,
        "env": _build_environment(place, spec, attempt),
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }
    if amounts := _build_resources(spec):
        container["resources"] = {"requests": amounts, "limits": amounts}
    pod = {
        **_build_pod(place),
        "terminationGracePeriodSeconds": STOP_GRACE_SECONDS,
        # So that the command is no process 1, which ignores signals that it does not handle.
        "shareProcessNamespace": True,
        "containers": [container],
        "volumes": volumes,
    }
    if spec.workers > 1 and not place.runtime:
        pod["subdomain"] = layout.name_service(name)
    if spec.timeout_minutes is not None:
        pod["activeDeadlineSeconds"] = max(1, math.ceil(spec.timeout_minutes * 60))
    return pod


def build_reader(place: Place, name: str, image: str, seconds: int) -> dict[str, Any]:
    """A pod in which what runs have kept can be read.

    Args:
        place: where.
        name: of the pod.
        image: any that has a shell and tar.
        seconds: after which it ends by itself.
    """
    # It needs no GPU, and so no node that has some: of the labels, only what the image was made for.
    labels = {key: value for key, value in place.node_selector.items() if key == layout.ARCHITECTURE_LABEL}
    pod = _build_pod(dataclasses.replace(place, node_selector=labels, priority_class=""))
    container = {
        "name": "read",
        "image": image,
        "command": ["sleep", str(seconds)],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [{"name": "kept", "mountPath": layout.KEPT, "readOnly": True}],
    }
    claim = {"name": "kept", "persistentVolumeClaim": {"claimName": place.claim, "readOnly": True}}
    return {
        "metadata": {"name": name, "labels": {layout.READER_LABEL: "true"}},
        "spec": {
            **pod,
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [claim],
        },
    }


def build_command(spec: RunSpec) -> list[str]:
    """The command as the pod runs it: in the shell that looks after it."""
    written = {name: f"{layout.OUTPUTS}/{name}" for name in sorted(spec.outputs)}
    folders = f"mkdir -p {' '.join(written.values())} || exit 1\n" if written else ""
    return ["sh", "-c", folders + _SUPERVISE, "sh", *specs.build_command(spec, locate_inputs(spec), written)]


def locate_inputs(spec: RunSpec) -> dict[str, str]:
    """Where a run finds each input: data of this machine is in its image, a claim is mounted, a URI is handed on."""
    return {name: _locate_input(name, given) for name, given in spec.inputs.items()}


def _locate_input(name: str, given: RunInput) -> str:
    if given.is_local:
        return f"{layout.INPUTS}/{name}/{posixpath.basename(given.path)}"
    return f"{layout.INPUTS}/{name}" if _CLAIM_URI.fullmatch(given.path) else given.path


def _build_pod(place: Place) -> dict[str, Any]:
    """What all pods have."""
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            # The volume of all runs has many files, and its owner is looked after once.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if place.service_account:
        pod["serviceAccountName"] = place.service_account
    if place.pull_secret:
        pod["imagePullSecrets"] = [{"name": place.pull_secret}]
    if place.priority_class:
        pod["priorityClassName"] = place.priority_class
    if place.node_selector:
        pod["nodeSelector"] = dict(place.node_selector)
    if place.tolerations:
        pod["tolerations"] = [dict(each) for each in place.tolerations]
    return pod


def _build_environment(place: Place, spec: RunSpec, attempt: int) -> list[dict[str, Any]]:
    written = {name: f"{layout.OUTPUTS}/{name}" for name in sorted(spec.outputs)}
    path = f"metadata.annotations['{layout.RANK_LABEL}']"
    rank = {"name": RANK_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": path}}}
    ours = {
        # The user that pods run as may have no folder in the image.
        "HOME": _HOME,
        "MLFLOW_TRACKING_URI": f"file://{layout.KEPT}/{layout.TRACKING_NAME}",
        # MLflow 3 asks to be told that its file store is wanted.
        "MLFLOW_ALLOW_FILE_STORE": "true",
        **specs.build_variables(spec, attempt, locate_inputs(spec), written),
    }
    values = {key: _escape(value) for key, value in ours.items()}
    if spec.workers > 1:
        values |= _build_worker_variables(place, spec, attempt)
    return [rank, *({"name": key, "value": value} for key, value in sorted(values.items()))]


def _build_worker_variables(place: Place, spec: RunSpec, attempt: int) -> dict[str, str]:
    name = naming.attempt_name(spec.run_id, attempt)
    addresses = [layout.locate_worker(place, name, rank) for rank in range(spec.workers)]
    values = specs.build_worker_variables(spec.framework, 0, addresses, MASTER_PORT)
    if "TF_CONFIG" in values:
        config = json.loads(values["TF_CONFIG"])
        config["task"]["index"] = _RANK
        # A number, when the pod has put its own in.
        return {"TF_CONFIG": json.dumps(config).replace(f'"{_RANK}"', _RANK)}
    return {**values, "RANK": _RANK, "NODE_RANK": _RANK}


def _build_resources(spec: RunSpec) -> dict[str, str]:
    asked = spec.resources
    amounts = {}
    if asked.cpus is not None:
        amounts["cpu"] = f"{max(1, round(asked.cpus * 1000))}m"
    if asked.memory_gb is not None:
        amounts["memory"] = _write_gb(asked.memory_gb)
    if asked.gpus:
        amounts[_GPU] = str(asked.gpus)
    return amounts


def _write_gb(amount: float) -> str:
    return f"{max(1, round(amount * 1024))}Mi"


def _escape(text: str) -> str:
    """Text that a pod takes as it is: it would put variables in where there is ``$(NAME)``."""
    return text.replace("$", "$$")
