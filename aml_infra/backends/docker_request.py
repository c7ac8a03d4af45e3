"""What the docker backend asks of the Docker Engine, and how it reads the answers. Pure: no connection, no clock.

Follows the Docker Engine API (``POST /containers/create``, ``GET /containers/{id}/json``).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from aml_infra.backends.base import RunState, Status
from aml_infra.spec import RunSpec

WORKSPACE = "/workspace"
"""Where the source is copied to, and the command's working folder."""

STORE = "/var/aml-infra"
"""What the backend keeps inside the container."""

TRACKING_STORE = f"{STORE}/mlruns"
CANCELED_MARK = f"{STORE}/canceled"
"""A file that is put into a container before it is stopped, so that every client sees why it ended."""

RUN_LABEL = "aml-infra.run"
FINGERPRINT_LABEL = "aml-infra.fingerprint"
ATTEMPT_LABEL = "aml-infra.attempt"
TIMEOUT_LABEL = "aml-infra.timeout-seconds"

SHARED_MEMORY_BYTES = 2 * 1024**3
"""PyTorch's data loaders pass batches through /dev/shm, of which Docker gives 64 MB unless asked."""

STOP_GRACE_SECONDS = 30
EXIT_TIMED_OUT = 124
EXIT_KILLED = 137
_BYTES_PER_GB = 1024**3


def build_request(spec: RunSpec, attempt: int) -> dict[str, Any]:
    """The body of ``POST /containers/create`` for one attempt at ``spec``."""
    command = list(spec.command)
    labels = {
        RUN_LABEL: spec.run_id,
        FINGERPRINT_LABEL: spec.fingerprint,
        ATTEMPT_LABEL: str(attempt),
    }
    if spec.timeout_minutes is not None:
        seconds = f"{spec.timeout_minutes * 60:.3f}".rstrip("0").rstrip(".")
        labels[TIMEOUT_LABEL] = seconds
        # Inside the container, so that the limit holds also when no client is there to watch.
        command = ["timeout", f"--kill-after={STOP_GRACE_SECONDS}", seconds, *command]
    environment = {
        "PYTHONUNBUFFERED": "1",
        "AML_INFRA_RUN_ID": spec.run_id,
        "AML_INFRA_ATTEMPT": str(attempt),
        "MLFLOW_TRACKING_URI": f"file://{TRACKING_STORE}",
        # MLflow 3 asks to be told that its file store is wanted.
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_EXPERIMENT_NAME": spec.experiment,
        **spec.environment,
    }
    host: dict[str, Any] = {
        # A process with id 1 ignores signals that it does not handle: without an init, Python could only be killed.
        "Init": True,
        # The one driver whose log can be read again from the start. Its options are given too, as those of the daemon
        # would hold where they are not, and may throw away the start of a long log.
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1p", "max-file": "1", "compress": "false"}},
        "ShmSize": SHARED_MEMORY_BYTES,
    }
    if spec.resources.cpus is not None:
        host["NanoCpus"] = round(spec.resources.cpus * 1e9)
    if spec.resources.memory_gb is not None:
        host["Memory"] = round(spec.resources.memory_gb * _BYTES_PER_GB)
        # Equal limits switch swap off: a run that is out of memory fails instead of crawling.
        host["MemorySwap"] = host["Memory"]
    if spec.resources.gpus:
        host["DeviceRequests"] = [{"Driver": "", "Count": spec.resources.gpus, "Capabilities": [["gpu"]]}]
    return {
        "Image": spec.image,
        # As the entry point, so that the image's own is not put in front of the user's command.
        "Entrypoint": command[:1],
        "Cmd": command[1:],
        "WorkingDir": WORKSPACE,
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "Labels": labels,
        "HostConfig": host,
    }


def read_state(container: Mapping[str, Any], *, canceled: bool) -> RunState:
    """The state of the run whose container was inspected.

    Args:
        container: answer of ``GET /containers/{id}/json``; the container has our labels.
        canceled: whether ``CANCELED_MARK`` is in it.
    """
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
        started_at=started,
        finished_at=finished if status.is_final else None,
        exit_code=exit_code,
        reason=reason,
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
            return Status.FAILED, code, f"the container could not be started: {error}"
        case "exited" if code == 0 and not error:
            return Status.COMPLETED, 0, ""
        case "exited" if canceled:
            return Status.CANCELED, code, "it was canceled"
        case "exited" if state.get("OOMKilled"):
            return Status.FAILED, code, "it ran out of memory; raise memory_gb, or use smaller batches"
        case "exited" if _has_timed_out(code, labels, started, finished):
            minutes = float(labels[TIMEOUT_LABEL]) / 60
            return Status.TIMED_OUT, code, f"it was stopped after {minutes:g} minutes, its timeout_minutes"
        case "exited":
            return Status.FAILED, code, error
        case "dead" | "removing":
            return Status.NOT_RESPONDING, code, f"its container is {state['Status']}"
        case _:
            return Status.RUNNING, None, ""


def _has_timed_out(
    code: int, labels: Mapping[str, str], started: datetime.datetime | None, finished: datetime.datetime | None
) -> bool:
    if TIMEOUT_LABEL not in labels or code not in (EXIT_TIMED_OUT, EXIT_KILLED) or not started or not finished:
        return False
    # A script may itself end with 124: only one that had its whole time was stopped. A tenth of a second is for clocks.
    return (finished - started).total_seconds() >= float(labels[TIMEOUT_LABEL]) - 0.1


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
