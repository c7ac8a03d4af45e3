"""Objects for the cluster's own tests."""

from __future__ import annotations

import pathlib
from typing import Any

from tests.kubernetes.objects import Object


def build_pod(name: str, namespace: str, image: str, script: str, **options: Any) -> Object:
    """A pod that runs a shell script once; `options` are the container's further properties."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": _build_pod_spec(image, script, options),
    }


def build_job(name: str, namespace: str, image: str, script: str, *, pods: int = 1, **options: Any) -> Object:
    """An Indexed Job, none of whose pods may fail; they have names under the headless service of its name."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "completionMode": "Indexed",
            "completions": pods,
            "parallelism": pods,
            "backoffLimit": 0,
            "template": {"spec": {"subdomain": name, **_build_pod_spec(image, script, options)}},
        },
    }


def build_service(name: str, namespace: str, selector: dict[str, str], port: int, **options: Any) -> Object:
    """A service of one port; `clusterIP="None"` makes it headless."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": selector, "ports": [{"port": port}], **options},
    }


def mount_folder(manifest: Object, folder: pathlib.Path) -> Object:
    """Gives a pod, or a Job's pods, a folder of this machine as /shared."""
    spec = manifest["spec"]["template"]["spec"] if manifest["kind"] == "Job" else manifest["spec"]
    spec["volumes"] = [{"name": "shared", "hostPath": {"path": str(folder)}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "shared", "mountPath": "/shared"}]
    return manifest


def _build_pod_spec(image: str, script: str, options: dict[str, Any]) -> Object:
    container = {"name": "main", "image": image, "command": ["sh", "-c", script], **options}
    return {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
