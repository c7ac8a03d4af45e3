"""What runs an attempt on Kubernetes: a Job, or a TrainJob of which Kubeflow Trainer makes one. Pure.

The attempt's ConfigMap says which, whatever the options of whoever looks are.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aml_infra.backends import kubernetes_layout
from aml_infra.backends import kubernetes_train_job as train_job

JOBS, TRAIN_JOBS, RUNTIMES = "batch/v1/jobs", f"{train_job.VERSION}/trainjobs", f"{train_job.VERSION}/trainingruntimes"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """What runs an attempt.

    Attributes:
        kind: of the API, as in ``batch/v1/jobs``.
        title: the same in words.
        body: what is made.
        runtime: of a TrainJob, made before it; else None.
        service: by which workers find one another, if it is ours to make.
        image: of its pods.
        secrets: names of the Secrets that its pods have.
        job: name of the Job that has the pods.
    """

    kind: str
    title: str
    body: Mapping[str, Any]
    runtime: Mapping[str, Any] | None
    service: Mapping[str, Any] | None
    image: str
    secrets: Sequence[str]
    job: str

    @property
    def name(self) -> str:
        """Its own name."""
        return str(self.body["metadata"]["name"])

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """Kinds and names of what events may say why there are no pods."""
        if self.kind == JOBS:
            return [("Job", self.job)]
        return [("TrainJob", self.name), ("JobSet", self.name), ("Job", self.job)]

    def build_owner(self, made: Mapping[str, Any]) -> dict[str, Any]:
        """What makes an object one that goes with it.

        Args:
            made: it, as it was made.
        """
        version = self.kind.rpartition("/")[0]
        owner = {"apiVersion": version, "kind": self.title, "name": self.name, "uid": made["metadata"]["uid"]}
        return {"metadata": {"ownerReferences": [owner]}}


def find_workload(record: Mapping[str, Any]) -> Workload:
    """What runs an attempt, as its ConfigMap has it."""
    objects = json.loads(record["data"]["request"])
    if "job" in objects:
        body, kind, title = objects["job"], JOBS, "Job"
        (container,) = body["spec"]["template"]["spec"]["containers"]
        image, job = container["image"], body["metadata"]["name"]
    else:
        body, kind, title = objects["train_job"], TRAIN_JOBS, "TrainJob"
        pods = objects["runtime"]["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
        (container,) = pods["spec"]["containers"]
        image, job = body["spec"]["trainer"]["image"], kubernetes_layout.name_inner_job(body["metadata"]["name"])
    return Workload(
        kind=kind,
        title=title,
        body=body,
        runtime=objects.get("runtime"),
        service=objects["service"],
        image=str(image),
        secrets=[each["secretRef"]["name"] for each in container.get("envFrom") or () if _is_ours(each, record)],
        job=str(job),
    )


def _is_ours(source: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether variables are those of the run, and not of a runtime."""
    name = str((source.get("secretRef") or {}).get("name") or "")
    return name.startswith(f"{record['metadata']['name']}-")
