"""How the docker backend reads the Docker Engine's answers. Pure.

Follows the Docker Engine API (``GET /containers/{id}/json``, ``GET /images/{name}/json``).
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aml_infra.backends.base import RunState, Status
from aml_infra.backends.docker_request import (
    ATTEMPT_LABEL,
    FINGERPRINT_LABEL,
    RANK_LABEL,
    RUN_LABEL,
    SPEC_LABEL,
    TIMEOUT_LABEL,
    WORKERS_LABEL,
)

EXIT_TIMED_OUT = 124
EXIT_KILLED = 137
EXIT_TERMINATED = 143
EXITS_OF_TIMEOUT = (EXIT_TIMED_OUT, EXIT_KILLED, EXIT_TERMINATED)
"""GNU's ``timeout`` gives its own exit code, unless it had to kill; that of BusyBox gives the command's."""

_LATE_SECONDS = 5.0
"""What a busy daemon may be late to write down that a container has started; the limit counts from the start itself."""

_CANCELED = "it was canceled"
_HALF_STARTED = re.compile(r"task [0-9a-f]{64}: already exists")
"""What a daemon says of a container that it was starting when it was killed: it cannot be started any more."""

_NEVER_RAN = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


def read_state(workers: Sequence[Mapping[str, Any]], *, canceled: bool) -> RunState:
    """The state of the run whose containers were inspected.

    Args:
        workers: answers of ``GET /containers/{id}/json`` by rank, that of worker 0 among them; the containers have our
            labels. A worker that is not among them is gone.
        canceled: whether ``CANCELED_MARK`` is in one of them that has ended.
    """
    states = [_read_worker(worker, canceled=canceled) for worker in workers]
    expected = count_workers(workers[0])
    if len(states) == expected == 1:
        return states[0]
    started = min((state.started_at for state in states if state.started_at is not None), default=None)
    joined = dataclasses.replace(states[0], started_at=started, finished_at=None, exit_code=None, reason="")
    if any(not state.status.is_final for state in states):
        status = Status.QUEUED if states[0].status is Status.QUEUED else Status.RUNNING
        return dataclasses.replace(joined, status=status)
    finished = max((state.finished_at for state in states if state.finished_at is not None), default=None)
    joined = dataclasses.replace(joined, finished_at=finished)
    gone = sorted(set(range(expected)) - {read_rank(worker) for worker in workers})
    if gone:
        status = Status.CANCELED if canceled else Status.NOT_RESPONDING
        return dataclasses.replace(joined, status=status, reason=f"the container of worker {gone[0]} is gone")
    failed = find_first_failed(workers)
    if failed is None:
        status, reason = (Status.CANCELED, _CANCELED) if canceled else (Status.COMPLETED, "")
        return dataclasses.replace(joined, status=status, exit_code=0, reason=reason)
    cause = states[failed]
    reason = f"worker {failed}: {cause.reason}" if cause.reason else f"worker {failed} failed first"
    return dataclasses.replace(joined, status=cause.status, exit_code=cause.exit_code, reason=reason)


def find_first_failed(workers: Sequence[Mapping[str, Any]]) -> int | None:
    """The rank of the worker that failed first, as the others were stopped because of it; None if none has failed."""
    failed = [worker for worker in workers if has_failed(worker)]
    if not failed:
        return None
    # One that could not be started has no end, and failed before all that were.
    ends = {read_rank(worker): parse_moment(worker["State"]["FinishedAt"]) or _NEVER_RAN for worker in failed}
    return min(ends, key=lambda rank: (ends[rank], rank))


def has_failed(container: Mapping[str, Any]) -> bool:
    """Whether the container has ended, or could not be started, or is lost."""
    state = container["State"]
    if state["Status"] in ("created", "exited"):
        return state["ExitCode"] != 0 or bool(state.get("Error"))
    return state["Status"] in ("dead", "removing")


def has_ended(container: Mapping[str, Any]) -> bool:
    """Whether the container will not run any more."""
    return has_failed(container) or container["State"]["Status"] == "exited"


def has_run(container: Mapping[str, Any]) -> bool:
    """Whether the container has been started at least once."""
    return parse_moment(container["State"]["StartedAt"]) is not None


def read_rank(container: Mapping[str, Any]) -> int:
    """Which worker the inspected container is."""
    return int(container["Config"]["Labels"].get(RANK_LABEL, "0"))


def count_workers(container: Mapping[str, Any]) -> int:
    """How many workers the run of the inspected container has."""
    return int(container["Config"]["Labels"].get(WORKERS_LABEL, "1"))


def _read_worker(container: Mapping[str, Any], *, canceled: bool) -> RunState:
    labels = container["Config"]["Labels"]
    state = container["State"]
    started = parse_moment(state["StartedAt"])
    finished = parse_moment(state["FinishedAt"])
    status, exit_code, reason = _read_end(state, labels, started, finished, canceled=canceled)
    return RunState(
        run_id=labels[RUN_LABEL],
        attempt=int(labels[ATTEMPT_LABEL]),
        fingerprint=labels[FINGERPRINT_LABEL],
        status=status,
        # Of a command that ends at once, the daemon may note the end before the start.
        started_at=min(started, finished) if started and finished and status.is_final else started,
        finished_at=finished if status.is_final else None,
        exit_code=exit_code,
        reason=reason,
        spec=json.loads(labels.get(SPEC_LABEL, "{}")),
    )


def _read_end(
    state: Mapping[str, Any],
    labels: Mapping[str, str],
    started: datetime.datetime | None,
    finished: datetime.datetime | None,
    *,
    canceled: bool,
) -> tuple[Status, int | None, str]:
    code = int(state["ExitCode"])
    error = state.get("Error") or ""
    match state["Status"]:
        case "created" if code == 0 and not error:
            return Status.QUEUED, None, ""
        case "created":
            status, reason = _read_start_error(error)
            return status, code, reason
        case "exited" if canceled:
            # Also with exit code 0: a training that saves what it has when it is asked to end has not completed.
            return Status.CANCELED, code, _CANCELED
        case "exited" if code == 0 and not error:
            return Status.COMPLETED, 0, ""
        case "exited" if state.get("OOMKilled"):
            return Status.FAILED, code, "it ran out of memory; raise memory_gb, or use smaller batches"
        case "exited" if _has_timed_out(code, labels, started, finished):
            minutes = float(labels[TIMEOUT_LABEL]) / 60
            return Status.TIMED_OUT, code, f"it was stopped after {minutes:g} minutes, its timeout_minutes"
        case "exited" if code in (EXIT_KILLED, EXIT_TERMINATED):
            # Nobody stopped it who would have left the mark.
            return Status.NOT_RESPONDING, code, "it was killed from outside, as when Docker or the machine is restarted"
        case "exited":
            return Status.FAILED, code, error
        case "dead" | "removing":
            return Status.NOT_RESPONDING, code, f"its container is {state['Status']}"
        case _:
            return Status.RUNNING, None, ""


def _read_start_error(error: str) -> tuple[Status, str]:
    if _HALF_STARTED.search(error):
        return Status.NOT_RESPONDING, "Docker was restarted while it started the container"
    return Status.FAILED, f"the container could not be started: {error}"


def _has_timed_out(
    code: int, labels: Mapping[str, str], started: datetime.datetime | None, finished: datetime.datetime | None
) -> bool:
    if TIMEOUT_LABEL not in labels or code not in EXITS_OF_TIMEOUT or not started or not finished:
        return False
    # A script may itself end with 124: only one that had its time was stopped.
    limit = float(labels[TIMEOUT_LABEL])
    return (finished - started).total_seconds() >= limit - min(_LATE_SECONDS, limit / 2)


def read_image_digest(reference: str, image: Mapping[str, Any]) -> str:
    """What identifies the image that was inspected as ``reference``.

    What was pulled has the digest of its registry, which is the same on every machine; what was built here, and is in
    no registry, has an id.
    """
    repository, _, pinned = reference.partition("@")
    if pinned:
        return pinned
    wanted = _normalize_repository(repository)
    for known in sorted(image.get("RepoDigests") or []):
        name, _, digest = known.partition("@")
        if _normalize_repository(name) == wanted:
            return str(digest)
    return str(image["Id"])


def _normalize_repository(name: str) -> str:
    """A repository's whole name, without a tag; Docker Hub's has several short forms."""
    path, _, last = name.rpartition("/")
    name = f"{path}/{last.partition(':')[0]}" if path else last.partition(":")[0]
    for host in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(host)
    first = name.partition("/")[0]
    if "/" not in name:
        name = f"library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def parse_moment(text: str) -> datetime.datetime | None:
    """A moment as Docker writes it, with nanoseconds; its year 1 means never."""
    if text.startswith("0001-"):
        return None
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")
    # Docker cuts trailing zeros, and Python 3.10 reads three or six digits only.
    trimmed = re.sub(r"\.(\d{1,5})(?=[+-]|$)", lambda found: "." + found[1].ljust(6, "0"), trimmed)
    return datetime.datetime.fromisoformat(trimmed)
