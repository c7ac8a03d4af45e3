"""What Azure Machine Learning says of a job, read as the state of a run. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from aml_infra.backends import azureml_request as requests
from aml_infra.backends.base import RunState, Status

_QUEUED = ("NotStarted", "Queued", "Preparing", "Provisioning", "Starting", "Scheduled", "Unapproved")
ENDED = {
    "Completed": Status.COMPLETED,
    "Failed": Status.FAILED,
    "Canceled": Status.CANCELED,
    "NotResponding": Status.NOT_RESPONDING,
    "Paused": Status.CANCELED,
}
"""Statuses that a job does not leave, as the service calls them."""

_EXIT_CODE = re.compile(r"exited with (?:status|return|exit) code (-?\d+)", re.IGNORECASE)
_OF_THE_USER = ("UserError", "ScriptExecution", "Cancelled", "Canceled")
_SECONDS = re.compile(r"PT(\d+)S")
_FRACTION = re.compile(r"\.(\d+)")


def is_ours(job: Mapping[str, Any]) -> bool:
    """Whether the job was submitted by this backend."""
    return requests.FINGERPRINT in (job["properties"].get("properties") or {})


def has_ended(job: Mapping[str, Any]) -> bool:
    """Whether the job is in a status that it does not leave."""
    return job["properties"]["status"] in ENDED


def count_processes(job: Mapping[str, Any]) -> int:
    """How many train together."""
    told = job["properties"]
    nodes = (told.get("resources") or {}).get("instanceCount") or 1
    return int(nodes) * int((told.get("distribution") or {}).get("processCountPerInstance") or 1)


def read_state(job: Mapping[str, Any], history: Mapping[str, Any], spec: Mapping[str, Any]) -> RunState:
    """The state of a run.

    Args:
        job: as Resource Manager shows it; one of ours.
        history: details of the same in run history; empty before there are any.
        spec: what was submitted.
    """
    told = job["properties"]
    ours = told["properties"]
    started, finished = read_moment(history.get("startTimeUtc")), read_moment(history.get("endTimeUtc"))
    reason, code = _read_failure(history)
    status = _read_status(told["status"], history, code)
    if not status.is_final:
        finished, reason, code = None, "", None
    elif status is Status.COMPLETED:
        reason, code = "", 0
    elif status is Status.CANCELED:
        limit = _read_limit(told)
        if limit is not None and started is not None and finished is not None and finished - started >= limit:
            status, reason = Status.TIMED_OUT, f"it took longer than {limit.total_seconds() / 60:g} minutes"
        else:
            reason = reason or ("it was paused" if told["status"] == "Paused" else "it was canceled")
    return RunState(
        run_id=ours[requests.RUN],
        attempt=int(ours[requests.ATTEMPT]),
        fingerprint=ours[requests.FINGERPRINT],
        status=status,
        started_at=started,
        finished_at=finished,
        exit_code=code,
        reason=reason,
        spec=spec,
    )


def _read_status(told: str, history: Mapping[str, Any], code: int | None) -> Status:
    if told in _QUEUED:
        return Status.QUEUED
    status = ENDED.get(told, Status.RUNNING)
    if status is Status.FAILED and code is None and _read_error(history).get("code", "UserError") not in _OF_THE_USER:
        # The service, or a machine of its, has failed: another attempt may succeed.
        return Status.NOT_RESPONDING
    return status


def _read_limit(told: Mapping[str, Any]) -> datetime.timedelta | None:
    """After how long the service cancels the job, which it is told in seconds."""
    found = _SECONDS.fullmatch(str((told.get("limits") or {}).get("timeout") or ""))
    return datetime.timedelta(seconds=float(found[1])) if found else None


def _read_error(history: Mapping[str, Any]) -> Mapping[str, Any]:
    error = history.get("error") or {}
    return error.get("error") or error


def _read_failure(history: Mapping[str, Any]) -> tuple[str, int | None]:
    """The service's words, and the exit code where the command ended by itself."""
    error = _read_error(history)
    words = " ".join(str(error.get("message") or "").split())
    found = _EXIT_CODE.search(words)
    # With an exit code, all else that the service says is where to look, which we say better.
    return ("", int(found[1])) if found else (words, None)


def read_moment(text: str | None) -> datetime.datetime | None:
    """A moment in UTC; the service writes another number of digits of a second than Python reads."""
    if not text:
        return None
    exact = _FRACTION.sub(lambda found: f".{found[1]:0<6.6}", text).replace("Z", "+00:00")
    moment = datetime.datetime.fromisoformat(exact)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.timezone.utc)
