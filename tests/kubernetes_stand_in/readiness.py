"""When an object is ready, as the official plugin sees it, and what it waits for until then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubernetes_stand_in.objects import Kind, Object

Test = Callable[[Object], str]
"""What is in the way of an object's being ready, in words; empty if nothing is."""


class FailedError(Exception):
    """An object will never be ready."""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """How a kind is waited for.

    Attributes:
        test: What is still in the way.
        seconds: How long.
        is_read: Whether a refresh tells what is in the way, too, without waiting.
    """

    test: Test
    seconds: float
    is_read: bool = False


def find_wait(kind: Kind) -> Wait | None:
    """How objects of a kind are waited for; None if they are ready when they are there."""
    return _WAITS.get(str(kind))


def find_condition(thing: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A condition of an object's status; empty if there is none."""
    conditions = thing.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == name), {})


def _test_job(job: Object) -> str:
    failed = find_condition(job, "Failed")
    if failed.get("status") == "True":
        raise FailedError(f"job failed: {failed.get('reason')}: {failed.get('message')}")
    status = job.get("status", {})
    if status.get("startTime") and find_condition(job, "Complete").get("status") == "True":
        return ""
    counts = " | ".join(f"{name.capitalize()}: {status.get(name, 0)}" for name in ("active", "succeeded", "failed"))
    return f"Waiting for Job to succeed ({counts})"


def _test_deployment(deployment: Object) -> str:
    if deployment.get("status", {}).get("observedGeneration") != deployment["metadata"]["generation"]:
        return "Waiting for the Deployment controller"
    progress, available = (find_condition(deployment, each) for each in ("Progressing", "Available"))
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return f"[ProgressDeadlineExceeded] {progress.get('message')}"
    is_rolled_out = progress.get("status") == "True" and progress.get("reason") == "NewReplicaSetAvailable"
    if is_rolled_out and available.get("status") == "True":
        return ""
    return f"[{available.get('reason', 'Waiting')}] {available.get('message', 'app Deployment is not available')}"


def _test_daemon_set(daemons: Object) -> str:
    status = daemons.get("status", {})
    if status.get("observedGeneration") != daemons["metadata"]["generation"]:
        return "DaemonSet generation is not observed yet"
    desired = status["desiredNumberScheduled"]
    for name, word in (
        ("currentNumberScheduled", "Current"),
        ("updatedNumberScheduled", "Updated"),
        ("numberAvailable", "Available"),
        ("numberReady", "Ready"),
    ):
        if status.get(name, 0) < desired:
            return f"{word}: {status.get(name, 0)}/{desired}"
    return ""


def _test_volume(volume: Object) -> str:
    phase = volume.get("status", {}).get("phase")
    return "" if phase in ("Available", "Bound") else f"PersistentVolume is {phase}, not Available or Bound"


def _test_claim(claim: Object) -> str:
    phase = claim.get("status", {}).get("phase")
    return "" if phase == "Bound" else f"PersistentVolumeClaim is {phase}, not Bound"


def _test_quota(quota: Object) -> str:
    hard = quota["spec"].get("hard", {})
    return "" if quota.get("status", {}).get("hard", {}) == hard else "ResourceQuota is not in force yet"


def _test_secret(secret: Object) -> str:
    is_filled_later = secret.get("type") == "kubernetes.io/service-account-token"
    return "Secret has no token yet" if is_filled_later and not secret.get("data") else ""


_WAITS: Mapping[str, Wait] = {
    "apps/v1/DaemonSet": Wait(test=_test_daemon_set, seconds=600, is_read=True),
    "apps/v1/Deployment": Wait(test=_test_deployment, seconds=600, is_read=True),
    "batch/v1/Job": Wait(test=_test_job, seconds=600, is_read=True),
    "v1/PersistentVolume": Wait(test=_test_volume, seconds=300),
    "v1/PersistentVolumeClaim": Wait(test=_test_claim, seconds=300),
    "v1/ResourceQuota": Wait(test=_test_quota, seconds=60),
    "v1/Secret": Wait(test=_test_secret, seconds=5),
}
