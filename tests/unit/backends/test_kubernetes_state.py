"""How a cluster's answers are read as the state of a run."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
from typing import Any

import pytest

from aml_infra.backends import kubernetes_request, kubernetes_state
from aml_infra.backends.base import RunState, Status
from aml_infra.backends.kubernetes_layout import Place
from aml_infra.backends.kubernetes_state import Seen
from aml_infra.image_layers import Layered
from aml_infra.spec import RunSpec

BIRTH = "2026-01-01T00:00:00Z"
START = "2026-01-01T00:00:05Z"
END = "2026-01-01T00:00:09Z"
UID = "11111111-1111-4111-8111-111111111111"


def build_record(**changes: Any) -> dict[str, Any]:
    """The ConfigMap of a run."""
    values: dict[str, Any] = {
        "name": "train",
        "source_digest": "s",
        "command": ("python",),
        "image": "image",
        "image_identity": "key",
        **changes,
    }
    request = kubernetes_request.build_request(Place(namespace="n", claim="c"), RunSpec(**values), 1)
    return kubernetes_request.complete(request, Layered(reference="server/image@sha256:1", base="sha256:2"), "t")


def build_job(record: dict[str, Any], *conditions: dict[str, str]) -> dict[str, Any]:
    """Its Job, in these conditions."""
    job = copy.deepcopy(json.loads(record["data"]["request"])["job"])
    job["metadata"] |= {"uid": UID, "creationTimestamp": BIRTH}
    told = [{"status": "True", "lastTransitionTime": END, **each} for each in conditions]
    return {**job, "status": {"conditions": told}}


def build_pod(state: dict[str, Any] | None = None, *, rank: int = 0, phase: str = "Running", **status: Any) -> Any:
    """A pod of the Job, whose container is in this state."""
    containers = [] if state is None else [{"name": "train", "state": state}]
    return {
        "metadata": {
            "name": f"train-{rank}-{phase.lower()}",
            "uid": f"pod-{rank}-{phase}",
            "creationTimestamp": status.pop("born", BIRTH),
            "annotations": {"batch.kubernetes.io/job-completion-index": str(rank)},
            "ownerReferences": [{"uid": UID}],
        },
        "status": {"phase": phase, "containerStatuses": containers, **status},
    }


RUNNING = {"running": {"startedAt": START}}


def build_end(code: int, reason: str = "Error") -> dict[str, Any]:
    """A container that has ended."""
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": START, "finishedAt": END}}


def read(record: dict[str, Any], job: dict[str, Any] | None = None, *pods: Any) -> RunState:
    """The state that is read."""
    return kubernetes_state.read_state(kubernetes_state.gather(record, job, pods))


def moment(text: str) -> datetime.datetime:
    """A moment, in UTC."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_run_waits_until_a_command_runs() -> None:
    """Without a Job, with one, and with a pod that waits for its image."""
    record = build_record()
    waiting = build_pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending")

    states = [read(record), read(record, build_job(record)), read(record, build_job(record), waiting)]
    running = read(record, build_job(record), build_pod(RUNNING))

    assert [state.status for state in states] == [Status.QUEUED] * 3
    assert (running.status, running.started_at) == (Status.RUNNING, moment(START))


def test_a_run_is_gone_when_nothing_of_it_runs() -> None:
    """Pods outlive what made them for a while; those that have ended do not count."""
    record, job = build_record(), build_job(build_record())
    running, ended = build_pod(RUNNING), build_pod(build_end(0), phase="Succeeded")

    cases: list[tuple[Any, list[Any]]] = [(job, []), (None, [running]), (None, [ended]), (None, [])]
    found = [kubernetes_state.gather(record, *each).is_gone for each in cases]

    assert found == [False, False, True, True]


def test_a_run_that_ended_well() -> None:
    """With its moments and what was submitted."""
    record = build_record()
    job = build_job(record, {"type": "SuccessCriteriaMet"}, {"type": "Complete"})

    state = read(record, job, build_pod(build_end(0, "Completed"), phase="Succeeded"))

    assert (state.status, state.exit_code, state.reason) == (Status.COMPLETED, 0, "")
    assert (state.started_at, state.finished_at) == (moment(START), moment(END))
    assert state.spec["name"] == "train"


FAILED = {
    "type": "Failed",
    "reason": "PodFailurePolicy",
    "message": "Container train for pod runs/train-0-failed failed with exit code 3 matching FailJob rule at index 1",
}
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API"}


@pytest.mark.parametrize(
    ("pod", "status", "code", "reason"),
    [
        (build_pod(build_end(3), phase="Failed"), Status.FAILED, 3, ""),
        (build_pod(build_end(137, "OOMKilled"), phase="Failed"), Status.FAILED, 137, "it ran out of memory; raise mem"),
        (build_pod(build_end(137), phase="Failed"), Status.NOT_RESPONDING, 137, "it was killed from outside"),
        (
            build_pod(build_end(143), phase="Failed", reason="DeadlineExceeded"),
            Status.TIMED_OUT,
            143,
            "it was stopped after 2 minutes, its timeout_minutes",
        ),
        (
            build_pod(build_end(143), phase="Failed", conditions=[DISRUPTED]),
            Status.NOT_RESPONDING,
            143,
            "its machine was taken away: Eviction API",
        ),
        (None, Status.FAILED, 3, ""),
    ],
)
def test_why_a_run_failed(pod: Any, status: Status, code: int, reason: str) -> None:
    """By its pod; where that is gone, by what the Job says."""
    record = build_record(timeout_minutes=2)

    state = read(record, build_job(record, FAILED), *([pod] if pod else []))

    assert (state.status, state.exit_code) == (status, code)
    assert state.reason.startswith(reason)
    assert bool(state.reason) == bool(reason)


def test_a_job_whose_pods_never_ran_was_failed_by_machines() -> None:
    """A node may refuse them, again and again."""
    record = build_record()
    job = build_job(record, {"type": "Failed", "reason": "BackoffLimitExceeded", "message": "too often"})

    state = read(record, job)

    assert (state.status, state.reason) == (Status.NOT_RESPONDING, "BackoffLimitExceeded: too often")


def test_the_worker_that_failed_first_is_named() -> None:
    """The Job names its pod; the others were stopped because of it."""
    record = build_record(workers=2)
    message = FAILED["message"].replace("train-0-failed", "train-1-failed")
    pods = [build_pod(build_end(143), rank=0, phase="Failed"), build_pod(build_end(3), rank=1, phase="Failed")]

    state = read(record, build_job(record, {**FAILED, "message": message}), *pods)

    assert (state.status, state.exit_code, state.reason) == (Status.FAILED, 3, "worker 1 failed first")
    assert kubernetes_state.find_rank(state.reason) == 1


def test_a_pod_that_took_the_place_of_another_counts() -> None:
    """And none of a Job that was there before."""
    record = build_record()
    old = build_pod(build_end(143), phase="Failed", conditions=[DISRUPTED])
    new = build_pod(RUNNING, born=END)
    stranger = build_pod(build_end(0), phase="Succeeded", born="2026-01-02T00:00:00Z")
    stranger["metadata"]["ownerReferences"] = [{"uid": "other"}]

    seen = kubernetes_state.gather(record, build_job(record), [new, stranger, old])

    assert [pod["metadata"]["uid"] for pod in seen.pods.values()] == ["pod-0-Running"]


def test_what_was_written_down_is_what_is_read() -> None:
    """Whatever there is still, or is not any more."""
    record = build_record()
    state = dataclasses.replace(
        read(record),
        status=Status.FAILED,
        started_at=moment(START),
        finished_at=moment(END),
        exit_code=3,
        reason="because",
    )
    record["data"]["state"] = kubernetes_state.build_end(state)

    assert read(record) == state
    assert read(record, build_job(record), build_pod(RUNNING)) == state


def test_a_run_that_was_canceled_says_so() -> None:
    """Also where its command made a good end of it."""
    record = build_record()
    record["metadata"]["annotations"]["aml-infra.canceled"] = END

    state = read(record, build_job(record, FAILED), build_pod(build_end(3), phase="Failed"))

    assert state.status is Status.CANCELED


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        (build_pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending"), ""),
        (
            build_pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}, phase="Pending"),
            "ErrImagePull: not found",
        ),
        (
            build_pod(
                phase="Pending",
                conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient gpu"}],
            ),
            "no node takes it: 0/1 nodes: Insufficient gpu",
        ),
        (build_pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "True"}]), ""),
    ],
)
def test_what_a_run_waits_for(pod: Any, told: str) -> None:
    """In the cluster's words; of several workers with whose."""
    record, several = build_record(), build_record(workers=2)

    one = kubernetes_state.gather(record, build_job(record), [pod])
    of_two = kubernetes_state.gather(several, build_job(several), [pod])

    assert kubernetes_state.explain_wait(one) == told
    assert kubernetes_state.explain_wait(of_two) == (f"worker 0: {told}" if told else "")


def test_a_run_may_wait_in_a_queue() -> None:
    """Kueue's, or until somebody lets it go on."""
    record = build_record()
    job = build_job(record)
    job["spec"]["suspend"] = True
    suspended = kubernetes_state.explain_wait(Seen(record=record, job=job))
    job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "gpus"

    assert suspended == "it is suspended"
    assert kubernetes_state.explain_wait(Seen(record=record, job=job)) == ("it is suspended, and waits in queue gpus")
