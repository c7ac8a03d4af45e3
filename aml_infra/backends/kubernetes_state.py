"""How the kubernetes backend reads a cluster's answers. Pure.

Follows https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/#JobStatus and
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aml_infra.backends import kubernetes_pulls, kubernetes_workload
from aml_infra.backends.base import RunState, Status
from aml_infra.backends.kubernetes_layout import (
    ATTEMPT_LABEL,
    CANCELED,
    CONTAINER,
    FINGERPRINT,
    NODE,
    RANK_LABEL,
    RUN_LABEL,
    STARTED,
)

EXITS_OF_SIGNALS = (137, 143)
"""Exit codes of a command that was killed, or asked to end."""

CANCELED_REASON = "it was canceled"

_EXIT_CODE = re.compile(r"failed with exit code (\d+)")
_POD = re.compile(r"for pod \S+/(?P<pod>\S+) ")
_WORKER = re.compile(r"worker (\d+)")
_WAITS = ("ContainerCreating", "PodInitializing")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """What a cluster has of one attempt.

    Attributes:
        record: its ConfigMap.
        job: its Job, or its TrainJob, if there is one: both have the same conditions, and can be suspended.
        inner: the Job that has the pods, which is the same but for a TrainJob.
        pods: of that Job; of each worker the newest, by rank.
        is_gone: whether neither is there any more, and none of its pods runs.
    """

    record: Mapping[str, Any]
    job: Mapping[str, Any] | None
    inner: Mapping[str, Any] | None = None
    pods: Mapping[int, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    is_gone: bool = False

    @property
    def name(self) -> str:
        """The attempt's name."""
        return str(self.record["metadata"]["name"])

    @property
    def workers(self) -> int:
        """How many train together."""
        return int(read_spec(self.record).get("workers") or 1)


def gather(
    record: Mapping[str, Any],
    job: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    inner: Mapping[str, Any] | None = None,
) -> Seen:
    """What a cluster has of an attempt, from what it lists.

    Args:
        record: the attempt's ConfigMap.
        job: its Job or its TrainJob, if there is one.
        pods: all with the attempt's labels: of former Jobs too, and of each worker those that were taken away.
        inner: the Job of a TrainJob, if there is one.
    """
    if kubernetes_workload.find_workload(record).kind == kubernetes_workload.JOBS:
        inner = job
    uid = None if inner is None else inner["metadata"]["uid"]
    newest: dict[int, Mapping[str, Any]] = {}
    for pod in pods:
        owners = {each["uid"] for each in pod["metadata"].get("ownerReferences") or ()}
        if uid is None or uid not in owners:
            continue
        rank = int((pod["metadata"].get("annotations") or {}).get(RANK_LABEL) or 0)
        if rank not in newest or _read_birth(newest[rank]) < _read_birth(pod):
            newest[rank] = pod
    is_gone = job is None and inner is None and all(has_left(pod) for pod in pods)
    return Seen(record=record, job=job, inner=inner, pods=dict(sorted(newest.items())), is_gone=is_gone)


def is_ours(record: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap is a run of ours."""
    return FINGERPRINT in (record["metadata"].get("annotations") or {}) and "request" in (record.get("data") or {})


def read_attempt(record: Mapping[str, Any]) -> int:
    """Which attempt a ConfigMap is."""
    return int(record["metadata"]["labels"][ATTEMPT_LABEL])


def read_spec(record: Mapping[str, Any]) -> dict[str, Any]:
    """What was submitted."""
    return dict(json.loads(record["data"]["spec"]))


def find_image(record: Mapping[str, Any]) -> str:
    """The image that the run's pods have."""
    return kubernetes_workload.find_workload(record).image


def find_rank(reason: str) -> int:
    """Which worker a failure's reason speaks of."""
    found = _WORKER.match(reason)
    return int(found[1]) if found else 0


def explain_deletion(record: Mapping[str, Any]) -> str:
    """Why an attempt has ended whose Job is gone, and whose command has not ended by itself."""
    return f"its {kubernetes_workload.find_workload(record).title} was deleted before it had ended"


def is_canceled(record: Mapping[str, Any]) -> bool:
    """Whether the run shall not go on."""
    return CANCELED in record["metadata"]["annotations"]


def was_started(record: Mapping[str, Any]) -> bool:
    """Whether it is known that there was a Job."""
    return STARTED in record["metadata"]["annotations"]


def read_state(seen: Seen) -> RunState:
    """The state of an attempt: as it was written down, else as its Job and its pods have it.

    One without a Job is queued: whoever has an interest in it, starts it.
    """
    record = seen.record
    state = RunState(
        run_id=record["metadata"]["labels"][RUN_LABEL],
        attempt=read_attempt(record),
        fingerprint=record["metadata"]["annotations"][FINGERPRINT],
        status=Status.QUEUED,
        spec=read_spec(record),
    )
    if "state" in record["data"]:
        return dataclasses.replace(state, **_parse_end(json.loads(record["data"]["state"])))
    if seen.job is None:
        return state
    started = min(filter(None, (read_start(pod) for pod in seen.pods.values())), default=None)
    state = dataclasses.replace(state, started_at=started)
    ended = find_condition(seen.job, "Complete") or find_condition(seen.job, "Failed")
    if ended is None:
        return dataclasses.replace(state, status=Status.QUEUED if started is None else Status.RUNNING)
    finished = parse_moment(seen.job["status"].get("completionTime") or ended["lastTransitionTime"])
    ends = filter(None, (_read_finish(pod) for pod in seen.pods.values()))
    state = dataclasses.replace(state, finished_at=max(ends, default=finished))
    if ended["type"] == "Complete":
        return dataclasses.replace(state, status=Status.COMPLETED, exit_code=0)
    if is_canceled(record):
        return dataclasses.replace(state, status=Status.CANCELED, reason=CANCELED_REASON)
    # Of a TrainJob, the Job that it became says which pod it was.
    inner = None if seen.inner is None else find_condition(seen.inner, "Failed")
    status, code, reason = _read_failure(seen, inner or ended)
    return dataclasses.replace(state, status=status, exit_code=code, reason=reason)


def build_end(state: RunState, *, has_run: bool = True) -> str:
    """How an attempt ended, as text that ``read_state`` takes from its ConfigMap.

    Args:
        state: as it ended.
        has_run: whether its command may have run, so that there may be a log.
    """
    moments = {"started_at": state.started_at, "finished_at": state.finished_at}
    written = {key: moment.isoformat() if moment is not None else None for key, moment in moments.items()}
    end = {**written, "status": state.status.value, "exit_code": state.exit_code, "reason": state.reason}
    end["has_run"] = has_run
    return json.dumps(end, sort_keys=True)


def may_have_run(record: Mapping[str, Any]) -> bool:
    """Whether there may be a log."""
    return bool(json.loads(record["data"].get("state") or "{}").get("has_run", True))


def has_ended(job: Mapping[str, Any]) -> bool:
    """Whether a Job is over."""
    return (find_condition(job, "Complete") or find_condition(job, "Failed")) is not None


def is_running(pod: Mapping[str, Any]) -> bool:
    """Whether the command of a pod runs now."""
    return bool(((_find_container(pod) or {}).get("state") or {}).get("running"))


def has_left(pod: Mapping[str, Any]) -> bool:
    """Whether nothing of a pod runs any more."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def read_start(pod: Mapping[str, Any]) -> datetime.datetime | None:
    """When the command of a pod started."""
    states = (_find_container(pod) or {}).get("state") or {}
    for kind in ("running", "terminated"):
        if (states.get(kind) or {}).get("startedAt"):
            return parse_moment(states[kind]["startedAt"])
    return None


def explain_wait(seen: Seen) -> str:
    """Why the command does not run yet, in the cluster's words; empty where it is only about to.

    A pod that cannot be placed says what nodes lack; one whose image cannot be pulled says why.
    """
    if seen.job is not None and seen.job["spec"].get("suspend"):
        queue = seen.job["metadata"]["labels"].get("kueue.x-k8s.io/queue-name")
        return f"it is suspended, and waits in queue {queue}" if queue else "it is suspended"
    for rank, pod in seen.pods.items():
        if why := _explain_pod(pod):
            return f"worker {rank}: {why}" if seen.workers > 1 else why
    return ""


def _explain_pod(pod: Mapping[str, Any]) -> str:
    scheduled = find_condition(pod, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        return f"no node takes it: {scheduled.get('message') or scheduled.get('reason')}"
    if problem := kubernetes_pulls.find_problem(pod):
        return str(problem)
    waiting = ((_find_container(pod) or {}).get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason and reason not in _WAITS:
        message = str(waiting.get("message") or "")
        return f"{reason}: {message}" if message else reason
    return ""


def find_condition(thing: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The condition of this type that a Job has, or that a pod has or has not."""
    for each in (thing.get("status") or {}).get("conditions") or ():
        if each["type"] == kind and (each["status"] == "True" or kind == "PodScheduled"):
            return dict(each)
    return None


def parse_moment(text: str | None) -> datetime.datetime | None:
    """A moment as the API writes it, in whole seconds or micro-seconds."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _read_failure(seen: Seen, failed: Mapping[str, Any]) -> tuple[Status, int | None, str]:
    message = str(failed.get("message") or "")
    guilty = _find_guilty(seen, message)
    if guilty is not None:
        rank, pod = guilty
        whose = f"worker {rank}: " if seen.workers > 1 else ""
        ended = ((_find_container(pod) or {}).get("state") or {}).get("terminated") or {}
        code = int(ended["exitCode"]) if "exitCode" in ended else None
        if pod["status"].get("reason") == "DeadlineExceeded":
            minutes = read_spec(seen.record).get("timeout_minutes") or 0
            return Status.TIMED_OUT, code, f"{whose}it was stopped after {minutes:g} minutes, its timeout_minutes"
        disrupted = find_condition(pod, "DisruptionTarget")
        if disrupted is not None:
            reason = f"its machine was taken away: {disrupted.get('message') or disrupted.get('reason')}"
            return Status.NOT_RESPONDING, code, whose + reason
        if ended.get("reason") == "OOMKilled":
            return Status.FAILED, code, f"{whose}it ran out of memory; raise memory_gb, or use smaller batches"
        if code in EXITS_OF_SIGNALS:
            # Nobody has stopped it who would have said so.
            return Status.NOT_RESPONDING, code, f"{whose}it was killed from outside, as when its node is switched off"
        if code is not None:
            # Of one worker the exit code says it all.
            return Status.FAILED, code, f"worker {rank} failed first" if seen.workers > 1 else ""
    if found := _EXIT_CODE.search(message):
        code = int(found[1])
        return Status.NOT_RESPONDING if code in EXITS_OF_SIGNALS else Status.FAILED, code, ""
    if failed.get("reason") == "PodFailurePolicy":
        return Status.NOT_RESPONDING, None, f"its machine was taken away: {message}"
    return Status.NOT_RESPONDING, None, f"{failed.get('reason')}: {message}"


def _find_guilty(seen: Seen, message: str) -> tuple[int, Mapping[str, Any]] | None:
    """The pod by which the Job failed: the one that it names, else the one that failed first."""
    if found := _POD.search(message):
        for rank, pod in seen.pods.items():
            if pod["metadata"]["name"] == found["pod"]:
                return rank, pod
    failed = [(rank, pod) for rank, pod in seen.pods.items() if pod["status"].get("phase") == "Failed"]
    never = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
    return min(failed, key=lambda each: (_read_finish(each[1]) or never, each[0]), default=None)


def _find_container(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for each in pod["status"].get("containerStatuses") or ():
        if each["name"] in (CONTAINER, NODE):
            return dict(each)
    return None


def _read_birth(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["creationTimestamp"])


def _read_finish(pod: Mapping[str, Any]) -> datetime.datetime | None:
    ended = ((_find_container(pod) or {}).get("state") or {}).get("terminated") or {}
    return parse_moment(ended.get("finishedAt"))


def _parse_end(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": Status(data["status"]),
        "started_at": parse_moment(data["started_at"]),
        "finished_at": parse_moment(data["finished_at"]),
        "exit_code": data["exit_code"],
        "reason": data["reason"],
    }
