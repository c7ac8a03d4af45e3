"""What the kubernetes backend asks of a cluster. Pure: no connection, no clock, no chance.

Follows https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/.

A run is a ConfigMap, which says all of it; a Job, which does it, and which may go when it has; a folder in a volume, in
which is what it has written; and, where there is need, a Secret and a Service.
"""

from __future__ import annotations

import dataclasses
import json
import math
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aml_infra import naming
from aml_infra import spec as specs
from aml_infra.image_layers import Layered
from aml_infra.spec import RunInput, RunSpec

RUN_LABEL = "aml-infra.run"
ATTEMPT_LABEL = "aml-infra.attempt"
RANK_LABEL = "batch.kubernetes.io/job-completion-index"
FINGERPRINT = "aml-infra.fingerprint"
SUBMISSION = "aml-infra.submission"
"""An annotation that is different for each submit."""

STARTED = "aml-infra.started"
"""The annotation that says which Job was made of a run."""

CANCELED = "aml-infra.canceled"
"""The annotation that says that a run shall not go on."""

CONTAINER = "train"
WORKSPACE = "/workspace"
"""Where the source is in the image, and the command's working folder."""

OUTPUTS = f"{WORKSPACE}/outputs"
PRIVATE = "/var/aml-infra"
"""A folder of the image that whoever the command runs as can write to."""

KEPT = f"{PRIVATE}/kept"
"""What is kept of a run beside its outputs; what is in it, is in ``STORE`` of its folder in the volume."""

STORE = "store"
LOG_NAME = "std_log.txt"
EXIT_NAME = "exit_code"
TRACKING_NAME = "mlruns"
INPUTS = "/inputs"
SOURCE_MEMBER = WORKSPACE.lstrip("/")

USER = 1000
"""Whoever the command runs as, since the standard for restricted pods takes no root."""

MASTER_PORT = 29500
TTL_SECONDS = 24 * 3600
"""A Job that has ended goes after so long, with its pods; the run stays."""

STOP_GRACE_SECONDS = 30
PULL_LIMIT = 6
"""Pods that may fail before their command runs, as where a node refuses them."""

RANK_VARIABLE = "AML_INFRA_RANK"
_RANK = f"$({RANK_VARIABLE})"
_CLAIM_URI = re.compile(r"pvc://(?P<claim>[^/]+)(?:/(?P<path>.*))?")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (where Linux has it)
_HOME = "/tmp"  # noqa: S108 (of a container)
_GPU = "nvidia.com/gpu"

_SUPERVISE = f"""\
kept={KEPT}
[ -s $kept/{EXIT_NAME} ] && exit $(cat $kept/{EXIT_NAME})
pipe={PRIVATE}/pipe
mkdir -p $kept/{TRACKING_NAME} && mkfifo $pipe || exit 1
tee -a $kept/{LOG_NAME} < $pipe & log=$!
"$@" > $pipe 2>&1 & run=$!
stopped=
trap 'stopped=1; kill -TERM $run 2>/dev/null' TERM INT
wait $run; code=$?
while kill -0 $run 2>/dev/null; do wait $run; code=$?; done
( sleep 10; kill $log ) >/dev/null 2>&1 &
wait $log 2>/dev/null
[ "$stopped" ] || echo $code > $kept/{EXIT_NAME}
exit $code
"""
"""Runs a command, keeps what it prints, and how it ended if it did so by itself.

A pod that takes the place of one whose command has ended does not run it again. The log is waited for, but not for what
the command may have left running.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where runs are, and what their pods are given.

    Attributes:
        namespace: that they are in.
        claim: the PersistentVolumeClaim that keeps what they write.
        repository: where images with the source are pushed to; empty for that of the image itself.
        service_account: of the pods; that of the namespace if empty.
        pull_secret: Secret with the login of the registry, if one is needed.
        queue: Kueue's LocalQueue that they wait in, if there is one.
        node_selector: labels of the nodes that they may run on.
        tolerations: of their pods, as the API writes them.
        priority_class: of their pods.
        shared_memory_gb: size of ``/dev/shm`` in GB (2**30 bytes).
    """

    namespace: str
    claim: str
    repository: str = ""
    service_account: str = ""
    pull_secret: str = ""
    queue: str = ""
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    priority_class: str = ""
    shared_memory_gb: float = 2.0


def build_request(place: Place, spec: RunSpec, attempt: int) -> dict[str, Any]:
    """What one attempt at ``spec`` needs; what one submit has of its own is added by ``complete``.

    ``image`` says what is put on top of which image: its reference is known when that is done.
    """
    name = naming.attempt_name(spec.run_id, attempt)
    return {
        "image": {
            "base": spec.image,
            "repository": place.repository or cut_repository(spec.image),
            "source": spec.source_digest,
            "inputs": {key: given.version for key, given in sorted(spec.inputs.items()) if given.is_local},
        },
        "secrets": sorted(spec.secrets),
        "service": _build_service(spec, attempt) if spec.workers > 1 else None,
        "job": _build_job(place, spec, attempt),
        "record": {
            "metadata": {
                "name": name,
                "labels": build_labels(spec.run_id, attempt),
                "annotations": {FINGERPRINT: spec.fingerprint},
            },
            "data": {"spec": json.dumps(spec.describe(), sort_keys=True)},
        },
    }


def complete(request: Mapping[str, Any], image: Layered, token: str) -> dict[str, Any]:
    """The ConfigMap that is the run, in which its Job and its Service are.

    Args:
        request: what ``build_request`` gave.
        image: with the source on top.
        token: a text that no other submit has.
    """
    job = json.loads(json.dumps(request["job"]))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["image"] = image.reference
    if request["secrets"]:
        container["envFrom"] = [{"secretRef": {"name": name_secret(request["record"]["metadata"]["name"], token)}}]
    record = request["record"]
    objects = {"job": job, "service": request["service"], "base": image.base}
    return {
        "metadata": {
            **record["metadata"],
            "annotations": {**record["metadata"]["annotations"], SUBMISSION: token},
        },
        "data": {**record["data"], "request": json.dumps(objects, sort_keys=True)},
    }


def build_secret(request: Mapping[str, Any], token: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The Secret with the secret environment variables of one submit."""
    metadata = request["record"]["metadata"]
    return {
        "metadata": {"name": name_secret(metadata["name"], token), "labels": metadata["labels"]},
        "type": "Opaque",
        "stringData": dict(secrets),
    }


def build_owner(job: Mapping[str, Any]) -> dict[str, Any]:
    """What makes an object one that goes with the Job."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
    return {"metadata": {"ownerReferences": [owner]}}


def build_reader(place: Place, name: str, image: str, seconds: int) -> dict[str, Any]:
    """A pod in which what runs have kept can be read.

    Args:
        place: where.
        name: of the pod.
        image: any that has a shell and tar.
        seconds: after which it ends by itself.
    """
    pod = _build_pod(place)
    container = {
        "name": "read",
        "image": image,
        "command": ["sleep", str(seconds)],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [{"name": "kept", "mountPath": KEPT, "readOnly": True}],
    }
    claim = {"name": "kept", "persistentVolumeClaim": {"claimName": place.claim, "readOnly": True}}
    # It needs no GPU, and so no node that has some.
    return {
        "metadata": {"name": name, "labels": {READER_LABEL: "true"}},
        "spec": {
            **{key: value for key, value in pod.items() if key != "priorityClassName"},
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [claim],
        },
    }


READER_LABEL = "aml-infra.reader"


def build_labels(run_id: str, attempt: int) -> dict[str, str]:
    """Labels of all that belongs to one attempt."""
    return {RUN_LABEL: run_id, ATTEMPT_LABEL: str(attempt)}


def name_secret(name: str, token: str) -> str:
    """The name of the Secret of one submit."""
    return f"{name}-{token}"


def name_service(name: str) -> str:
    """The name of the Service of an attempt, which must begin with a letter."""
    return f"w-{name}"


def locate_run(name: str, rank: int = 0) -> str:
    """The folder of a worker of an attempt in the volume."""
    return f"runs/{name}/{rank}"


def locate_log(name: str, rank: int) -> str:
    """The log of a worker in the volume."""
    return f"{locate_run(name, rank)}/{STORE}/{LOG_NAME}"


def locate_inputs(spec: RunSpec) -> dict[str, str]:
    """Where a run finds each input: data of this machine is in its image, a claim is mounted, a URI is handed on."""
    return {name: _locate_input(name, given) for name, given in spec.inputs.items()}


def _locate_input(name: str, given: RunInput) -> str:
    if given.is_local:
        return f"{INPUTS}/{name}/{posixpath.basename(given.path)}"
    return f"{INPUTS}/{name}" if _CLAIM_URI.fullmatch(given.path) else given.path


def find_digest(reference: str) -> str:
    """The digest in an image's reference; empty where it has none."""
    return reference.partition("@")[2]


def cut_repository(reference: str) -> str:
    """The repository of an image, without tag and digest."""
    repository = reference.partition("@")[0]
    path, slash, last = repository.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


def _build_service(spec: RunSpec, attempt: int) -> dict[str, Any]:
    labels = build_labels(spec.run_id, attempt)
    return {
        "metadata": {"name": name_service(naming.attempt_name(spec.run_id, attempt)), "labels": labels},
        # Workers find one another before they are ready.
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": labels},
    }


def _build_job(place: Place, spec: RunSpec, attempt: int) -> dict[str, Any]:
    labels = build_labels(spec.run_id, attempt)
    queue = {"kueue.x-k8s.io/queue-name": place.queue} if place.queue else {}
    # One worker that was lost cannot come back into a training of several: they end, and an attempt is made anew.
    on_disruption = "Ignore" if spec.workers == 1 else "FailJob"
    return {
        "metadata": {"name": naming.attempt_name(spec.run_id, attempt), "labels": {**labels, **queue}},
        "spec": {
            "completionMode": "Indexed",
            "completions": spec.workers,
            "parallelism": spec.workers,
            "backoffLimit": PULL_LIMIT,
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": on_disruption,
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": CONTAINER, "operator": "NotIn", "values": [0]},
                    },
                ]
            },
            "template": {
                "metadata": {"labels": labels},
                "spec": _build_training_pod(place, spec, attempt),
            },
        },
    }


_CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


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


def _build_training_pod(place: Place, spec: RunSpec, attempt: int) -> dict[str, Any]:
    name = naming.attempt_name(spec.run_id, attempt)
    folder = f"runs/{name}/{_RANK}"
    mounts: list[dict[str, Any]] = [
        {"name": "kept", "mountPath": OUTPUTS, "subPathExpr": f"{folder}/outputs"},
        {"name": "kept", "mountPath": f"{WORKSPACE}/logs", "subPathExpr": f"{folder}/logs"},
        {"name": "kept", "mountPath": KEPT, "subPathExpr": f"{folder}/{STORE}"},
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
            mount = {"name": names[claim], "mountPath": f"{INPUTS}/{key}", "readOnly": True}
            mounts.append({**mount, "subPath": found["path"].strip("/")} if found["path"] else mount)
    container: dict[str, Any] = {
        "name": CONTAINER,
        "command": [_escape(word) for word in build_command(spec)],
        "workingDir": WORKSPACE,
        "env": _build_environment(spec, attempt),
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
    if spec.workers > 1:
        pod["subdomain"] = name_service(name)
    if spec.timeout_minutes is not None:
        pod["activeDeadlineSeconds"] = max(1, math.ceil(spec.timeout_minutes * 60))
    return pod


def build_command(spec: RunSpec) -> list[str]:
    """The command as the pod runs it: in the shell that looks after it."""
    written = {name: f"{OUTPUTS}/{name}" for name in sorted(spec.outputs)}
    folders = f"mkdir -p {' '.join(written.values())} || exit 1\n" if written else ""
    return ["sh", "-c", folders + _SUPERVISE, "sh", *specs.build_command(spec, locate_inputs(spec), written)]


def _build_environment(spec: RunSpec, attempt: int) -> list[dict[str, Any]]:
    written = {name: f"{OUTPUTS}/{name}" for name in sorted(spec.outputs)}
    path = f"metadata.annotations['{RANK_LABEL}']"
    rank = {"name": RANK_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": path}}}
    ours = {
        # The user that pods run as may have no folder in the image.
        "HOME": _HOME,
        "MLFLOW_TRACKING_URI": f"file://{KEPT}/{TRACKING_NAME}",
        # MLflow 3 asks to be told that its file store is wanted.
        "MLFLOW_ALLOW_FILE_STORE": "true",
        **specs.build_variables(spec, attempt, locate_inputs(spec), written),
    }
    values = {key: _escape(value) for key, value in ours.items()}
    if spec.workers > 1:
        values |= _build_worker_variables(spec, attempt)
    return [rank, *({"name": key, "value": value} for key, value in sorted(values.items()))]


def _build_worker_variables(spec: RunSpec, attempt: int) -> dict[str, str]:
    name = naming.attempt_name(spec.run_id, attempt)
    addresses = [f"{name}-{rank}.{name_service(name)}" for rank in range(spec.workers)]
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
