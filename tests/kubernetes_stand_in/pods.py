"""What keeps pods from running, in the API server's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.kubernetes_stand_in import readiness
from tests.kubernetes_stand_in.objects import Object


def build_selector(owner: Mapping[str, Any]) -> str:
    """The label selector of the pods of a job, a deployment or a daemon set; empty for others."""
    labels = owner.get("spec", {}).get("selector", {}).get("matchLabels", {})
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) if isinstance(labels, Mapping) else ""


def find_problems(pod: Object) -> Iterator[str]:
    """What is wrong with a pod, if something is."""
    name = f"[Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}]"
    scheduled = readiness.find_condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"{name}: [{scheduled.get('reason')}] {scheduled.get('message')}"
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        state = container.get("state", {})
        problem = state.get("waiting") or state.get("terminated") or {}
        if problem.get("reason") not in (None, "ContainerCreating", "PodInitializing", "Completed"):
            text = problem.get("message") or f"exit code {problem.get('exitCode')}"
            yield f"{name}: container {container['name']}: [{problem['reason']}] {text}"
