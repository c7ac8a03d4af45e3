from __future__ import annotations

from typing import Any

import pytest

from tests.kubernetes_stand_in import pods, readiness
from tests.kubernetes_stand_in.objects import Kind


def find_obstacle(token: str, **parts: Any) -> str:
    """What is in the way of an object."""
    wait = readiness.find_wait(Kind.parse_token(f"kubernetes:{token}"))
    assert wait is not None
    return wait.test({"metadata": {"generation": 2}, **parts})


def build_status(*conditions: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """A status with conditions: type, status and reason of each."""
    listed = [
        {"type": name, "status": status, "reason": reason, "message": "why"} for name, status, reason in conditions
    ]
    return {"conditions": listed, **more}


ROLLED_OUT = ("Progressing", "True", "NewReplicaSetAvailable")
DAEMONS = {"observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2}


@pytest.mark.parametrize(
    ("token", "status", "obstacle"),
    [
        ("batch/v1:Job", {}, "Waiting for Job to succeed (Active: 0 | Succeeded: 0 | Failed: 0)"),
        ("batch/v1:Job", build_status(("Complete", "True", ""), startTime="then"), ""),
        ("apps/v1:Deployment", {}, "Waiting for the Deployment controller"),
        ("apps/v1:Deployment", {"observedGeneration": 2}, "[Waiting] app Deployment is not available"),
        (
            "apps/v1:Deployment",
            build_status(("Progressing", "False", "ProgressDeadlineExceeded"), observedGeneration=2),
            "[ProgressDeadlineExceeded] why",
        ),
        ("apps/v1:Deployment", build_status(ROLLED_OUT, ("Available", "True", ""), observedGeneration=2), ""),
        (
            "apps/v1:Deployment",
            build_status(ROLLED_OUT, ("Available", "False", "Few"), observedGeneration=2),
            "[Few] why",
        ),
        ("apps/v1:DaemonSet", {}, "DaemonSet generation is not observed yet"),
        ("apps/v1:DaemonSet", DAEMONS, "Updated: 0/2"),
        ("apps/v1:DaemonSet", {**DAEMONS, "desiredNumberScheduled": 0}, ""),
        (
            "apps/v1:DaemonSet",
            {**DAEMONS, "updatedNumberScheduled": 2, "numberAvailable": 2, "numberReady": 1},
            "Ready: 1/2",
        ),
        ("core/v1:PersistentVolume", {"phase": "Pending"}, "PersistentVolume is Pending, not Available or Bound"),
        ("core/v1:PersistentVolume", {"phase": "Available"}, ""),
        ("core/v1:PersistentVolumeClaim", {"phase": "Pending"}, "PersistentVolumeClaim is Pending, not Bound"),
        ("core/v1:PersistentVolumeClaim", {"phase": "Bound"}, ""),
    ],
)
def test_readiness_is_told_by_the_status(token: str, status: dict[str, Any], obstacle: str) -> None:
    """As the official plugin sees it."""
    assert find_obstacle(token, status=status) == obstacle


def test_a_job_that_failed_is_waited_for_no_longer() -> None:
    """Its condition says why."""
    with pytest.raises(readiness.FailedError, match="job failed: BackoffLimitExceeded: why"):
        find_obstacle("batch/v1:Job", status=build_status(("Failed", "True", "BackoffLimitExceeded")))


def test_a_quota_has_to_be_in_force() -> None:
    """The controller repeats it in the status then."""
    assert find_obstacle("core/v1:ResourceQuota", spec={"hard": {"cpu": "1"}}, status={"hard": {"cpu": "2"}})
    assert not find_obstacle("core/v1:ResourceQuota", spec={"hard": {"cpu": "1"}}, status={"hard": {"cpu": "1"}})


def test_a_token_has_to_be_there() -> None:
    """Other secrets are what they are."""
    assert find_obstacle("core/v1:Secret", type="kubernetes.io/service-account-token")
    assert not find_obstacle("core/v1:Secret", type="kubernetes.io/service-account-token", data={"token": "a"})
    assert not find_obstacle("core/v1:Secret", type="Opaque")


def test_other_kinds_are_ready_when_they_are_there() -> None:
    """Nothing is waited for."""
    assert readiness.find_wait(Kind.parse_token("kubernetes:core/v1:ConfigMap")) is None


@pytest.mark.parametrize(
    ("status", "problems"),
    [
        (build_status(("PodScheduled", "False", "Unschedulable")), ["[Pod team/one]: [Unschedulable] why"]),
        (
            {
                "containerStatuses": [
                    {"name": "main", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
                ]
            },
            ["[Pod team/one]: container main: [ErrImagePull] no"],
        ),
        (
            {"initContainerStatuses": [{"name": "main", "state": {"terminated": {"reason": "Error", "exitCode": 3}}}]},
            ["[Pod team/one]: container main: [Error] exit code 3"],
        ),
        ({"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, []),
        ({"containerStatuses": [{"name": "main", "state": {"running": {}}}]}, []),
    ],
)
def test_pods_tell_what_keeps_them(status: dict[str, Any], problems: list[str]) -> None:
    """In the words of the scheduler and the kubelet."""
    assert list(pods.find_problems({"metadata": {"namespace": "team", "name": "one"}, "status": status})) == problems
