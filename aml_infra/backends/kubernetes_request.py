"""What the kubernetes backend asks of a cluster. Pure: no connection, no clock, no chance.

Follows https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/.

A run is a ConfigMap, which says all of it; a Job, or a TrainJob, which does it, and may go when it has; a folder in
a volume, in which is what it has written; and, where there is need, a Secret and a Service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aml_infra import naming
from aml_infra.backends import kubernetes_layout as layout
from aml_infra.backends import kubernetes_pods, kubernetes_train_job
from aml_infra.backends.kubernetes_layout import Place
from aml_infra.image_layers import Layered
from aml_infra.spec import RunSpec

TTL_SECONDS = 24 * 3600
"""A Job that has ended goes after so long, with its pods; the run stays."""

PULL_LIMIT = 6
"""Pods that may fail before their command runs, as where a node refuses them."""


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
        # Kubeflow Trainer makes one of its own.
        "service": _build_service(spec, attempt) if spec.workers > 1 and not place.runtime else None,
        "job": _build_job(place, spec, attempt),
        "record": {
            "metadata": {
                "name": name,
                "labels": layout.build_labels(spec.run_id, attempt),
                "annotations": {layout.FINGERPRINT: spec.fingerprint},
            },
            "data": {"spec": json.dumps(spec.describe(), sort_keys=True)},
        },
    }


def complete(
    request: Mapping[str, Any], image: Layered, token: str, runtime: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The ConfigMap that is the run, in which its Job and its Service are.

    Args:
        request: what ``build_request`` gave.
        image: with the source on top.
        token: a text that no other submit has.
        runtime: of Kubeflow Trainer, where a TrainJob takes the Job's place.
    """
    job = json.loads(json.dumps(request["job"]))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["image"] = image.reference
    if request["secrets"]:
        container["envFrom"] = [
            {"secretRef": {"name": layout.name_secret(request["record"]["metadata"]["name"], token)}}
        ]
    record = request["record"]
    name = layout.name_service(record["metadata"]["name"])
    workload = {"job": job} if runtime is None else kubernetes_train_job.build_objects(job, name, runtime)
    objects = {**workload, "service": request["service"], "base": image.base}
    return {
        "metadata": {
            **record["metadata"],
            "annotations": {**record["metadata"]["annotations"], layout.SUBMISSION: token},
        },
        "data": {**record["data"], "request": json.dumps(objects, sort_keys=True)},
    }


def build_secret(request: Mapping[str, Any], token: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The Secret with the secret environment variables of one submit."""
    metadata = request["record"]["metadata"]
    return {
        "metadata": {"name": layout.name_secret(metadata["name"], token), "labels": metadata["labels"]},
        "type": "Opaque",
        "stringData": dict(secrets),
    }


def find_digest(reference: str) -> str:
    """The digest in an image's reference; empty where it has none."""
    return reference.partition("@")[2]


def cut_repository(reference: str) -> str:
    """The repository of an image, without tag and digest."""
    repository = reference.partition("@")[0]
    path, slash, last = repository.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


def _build_service(spec: RunSpec, attempt: int) -> dict[str, Any]:
    labels = layout.build_labels(spec.run_id, attempt)
    return {
        "metadata": {"name": layout.name_service(naming.attempt_name(spec.run_id, attempt)), "labels": labels},
        # Workers find one another before they are ready.
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": labels},
    }


def _build_job(place: Place, spec: RunSpec, attempt: int) -> dict[str, Any]:
    labels = layout.build_labels(spec.run_id, attempt)
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
                        "onExitCodes": {"containerName": place.container, "operator": "NotIn", "values": [0]},
                    },
                ]
            },
            "template": {
                "metadata": {"labels": labels},
                "spec": kubernetes_pods.build_training_pod(place, spec, attempt),
            },
        },
    }
