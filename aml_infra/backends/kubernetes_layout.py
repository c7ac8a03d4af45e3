"""How a run is laid out on Kubernetes: the names of its objects, and the places of its files. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

RUN_LABEL = "aml-infra.run"
ATTEMPT_LABEL = "aml-infra.attempt"
RANK_LABEL = "batch.kubernetes.io/job-completion-index"
ARCHITECTURE_LABEL = "kubernetes.io/arch"
FINGERPRINT = "aml-infra.fingerprint"
SUBMISSION = "aml-infra.submission"
"""An annotation that is different for each submit."""

STARTED = "aml-infra.started"
"""The annotation that says which Job was made of a run."""

CANCELED = "aml-infra.canceled"
"""The annotation that says that a run shall not go on."""

CONTAINER = "train"
NODE = "node"
"""What Kubeflow Trainer calls the job that trains, and the container in its pods."""

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

READER_LABEL = "aml-infra.reader"
"""Of pods that only read what runs have kept."""


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
        runtime: of Kubeflow Trainer, with which runs are TrainJobs; empty for Jobs.
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
    runtime: str = ""

    @property
    def container(self) -> str:
        """The container that the command runs in."""
        return NODE if self.runtime else CONTAINER


def build_labels(run_id: str, attempt: int) -> dict[str, str]:
    """Labels of all that belongs to one attempt."""
    return {RUN_LABEL: run_id, ATTEMPT_LABEL: str(attempt)}


def name_secret(name: str, token: str) -> str:
    """The name of the Secret of one submit."""
    return f"{name}-{token}"


def name_service(name: str) -> str:
    """The name of the Service of an attempt, and of its TrainJob, which must begin with a letter."""
    return f"w-{name}"


def name_inner_job(train_job: str) -> str:
    """The name of the Job that Kubeflow Trainer makes of a TrainJob."""
    return f"{train_job}-{NODE}-0"


def locate_worker(place: Place, name: str, rank: int) -> str:
    """The address of a worker of an attempt."""
    service = name_service(name)
    return f"{name_inner_job(service) if place.runtime else name}-{rank}.{service}"


def locate_run(name: str, rank: int = 0) -> str:
    """The folder of a worker of an attempt in the volume."""
    return f"runs/{name}/{rank}"


def locate_log(name: str, rank: int) -> str:
    """The log of a worker in the volume."""
    return f"{locate_run(name, rank)}/{STORE}/{LOG_NAME}"
