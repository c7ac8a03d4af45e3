"""Pulumi projects of the tests' own that declare Kubernetes objects."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.projects import Project

PROGRAM = """\
import importlib
import json
import os
import pulumi
import pulumi_kubernetes

with open("args.json") as file:
    given = json.load(file)
provider = pulumi_kubernetes.Provider("cluster", **given["provider"])
made = {}
for name, each in given["objects"].items():
    module, _, kind = each.pop("type").rpartition(".")
    options = pulumi.ResourceOptions(
        provider=provider, depends_on=[made[other] for other in each.pop("after", ())], import_=each.pop("import", None)
    )
    for field, value in each.get("string_data", {}).items():
        each["string_data"][field] = pulumi.Output.secret(value)
    for field, other in each.pop("namespace_of", {}).items():
        each[field]["namespace"] = made[other].metadata["name"]
    make = getattr(importlib.import_module(f"pulumi_kubernetes.{module}"), kind)
    made[name] = make(name, opts=options, **each)
    pulumi.export(f"{name}.id", made[name].id)
"""


IMAGE = "stand-in.invalid/busybox:1"
"""Has a shell, and is on the cluster's node."""


class KubernetesProject(Project):
    """A project whose program declares objects."""

    settings: dict[str, Any]

    def declare(self, **things: Any) -> None:
        """Makes the program declare these objects, by Pulumi's names of them."""
        (self.folder / "args.json").write_text(json.dumps({"provider": self.settings, "objects": things}))


def build_team(namespace: str, **quota: str) -> dict[str, Any]:
    """What a component for a team declares."""
    inside = {"metadata": {"name": "team"}, "namespace_of": {"metadata": "namespace"}}
    rules = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}
    limits = {"type": "Container", "default": {"cpu": "1000m", "memory": "1024Mi"}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2048Mi"}}}
    return {
        "namespace": {
            "type": "core.v1.Namespace",
            "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        "account": {"type": "core.v1.ServiceAccount", **inside, "automount_service_account_token": False},
        "quota": {
            "type": "core.v1.ResourceQuota",
            **inside,
            "spec": {"hard": {"requests.nvidia.com/gpu": "4", "cpu": "0.5", **quota}},
        },
        "limits": {"type": "core.v1.LimitRange", **inside, "spec": {"limits": [limits]}},
        "secret": {"type": "core.v1.Secret", **inside, "string_data": {"password": "sesame-open-4713"}},
        "policy": {"type": "networking.v1.NetworkPolicy", **inside, "spec": rules},
        "claim": {
            "type": "core.v1.PersistentVolumeClaim",
            **inside,
            "metadata": {"name": "team", "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": claim,
        },
    }


def build_pod(image: str, *command: str, **labels: str) -> dict[str, Any]:
    """A template of pods with one container."""
    container = {"name": "main", "image": image, "command": list(command), "imagePullPolicy": "IfNotPresent"}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}


def build_workload(kind: str, image: str, name: str, **spec: Any) -> dict[str, Any]:
    """Pods that run for ever, which must be ready in seconds."""
    labels = {"app": name}
    return {
        "type": f"apps.v1.{kind}",
        "metadata": {"name": name, "namespace": "default", "annotations": {"pulumi.com/timeoutSeconds": "60"}},
        "spec": {"selector": {"matchLabels": labels}, "template": build_pod(image, "sleep", "1000", **labels), **spec},
    }


def build_job(image: str, name: str, script: str) -> dict[str, Any]:
    """A job of one pod."""
    template = build_pod(image, "sh", "-c", script)
    template["spec"]["restartPolicy"] = "Never"
    metadata = {"name": name, "namespace": "default"}
    return {"type": "batch.v1.Job", "metadata": metadata, "spec": {"backoffLimit": 0, "template": template}}
