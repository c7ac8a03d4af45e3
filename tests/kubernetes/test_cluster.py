from __future__ import annotations

from tests.kubernetes import cluster as clusters
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import Object


def _build_job(name: str, namespace: str, image: str, script: str, *, pods: int = 1) -> Object:
    container = {"name": "main", "image": image, "command": ["sh", "-c", script]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "completionMode": "Indexed",
            "completions": pods,
            "parallelism": pods,
            "backoffLimit": 0,
            "template": {
                "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
            },
        },
    }


def test_an_indexed_job_completes(cluster: Cluster, namespace: str, image: str) -> None:
    """Each of its pods is told its index, and runs."""
    cluster.objects.apply(_build_job("hello", namespace, image, "test -n $JOB_COMPLETION_INDEX", pods=2))

    job = cluster.objects.wait_for(
        "batch/v1", "Job", "hello", lambda job: clusters.has_condition(job, "Complete"), namespace=namespace
    )

    assert job["status"]["completedIndexes"] == "0,1"
