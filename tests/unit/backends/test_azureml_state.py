"""What a job's words mean for its run."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from aml_infra.backends import azureml_state
from aml_infra.backends.base import Status

UTC = datetime.timezone.utc
EXIT = (
    "Execution failed. User process 'python' exited with status code 3. Please check log file 'user_logs/std_log.txt'."
)


def build_job(status: str, **properties: Any) -> dict[str, Any]:
    """A job of ours."""
    ours = {"aml-infra.run": "train-1", "aml-infra.attempt": "2", "aml-infra.fingerprint": "f"}
    return {"name": "train-1-2", "properties": {"status": status, "properties": ours, **properties}}


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("NotStarted", Status.QUEUED),
        ("Queued", Status.QUEUED),
        ("Preparing", Status.QUEUED),
        ("Provisioning", Status.QUEUED),
        ("Starting", Status.QUEUED),
        ("Running", Status.RUNNING),
        ("Finalizing", Status.RUNNING),
        ("CancelRequested", Status.RUNNING),
        ("SomethingNew", Status.RUNNING),
        ("Completed", Status.COMPLETED),
        ("Failed", Status.FAILED),
        ("Canceled", Status.CANCELED),
        ("NotResponding", Status.NOT_RESPONDING),
        ("Paused", Status.CANCELED),
    ],
)
def test_each_status_of_the_service(told: str, status: Status) -> None:
    """A word that is not known is no end."""
    state = azureml_state.read_state(build_job(told), {}, {})

    assert state.status is status
    assert azureml_state.has_ended(build_job(told)) == status.is_final
    assert (state.run_id, state.attempt, state.fingerprint) == ("train-1", 2, "f")


def test_a_command_that_failed_has_its_exit_code() -> None:
    """Which the service has in a sentence only."""
    history = {
        "startTimeUtc": "2026-01-01T10:00:00.1234567Z",
        "endTimeUtc": "2026-01-01T10:00:09.5+00:00",
        "error": {"error": {"code": "UserError", "message": EXIT}},
    }

    state = azureml_state.read_state(build_job("Failed"), history, {"name": "train"})

    assert (state.status, state.exit_code, state.reason) == (Status.FAILED, 3, "")
    assert state.started_at == datetime.datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)
    assert state.finished_at == datetime.datetime(2026, 1, 1, 10, 0, 9, 500000, UTC)
    assert state.spec == {"name": "train"}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        ({"code": "UserError", "message": "Image  pull\nfailed"}, Status.FAILED, "Image pull failed"),
        ({"code": "SystemError", "message": "the node died"}, Status.NOT_RESPONDING, "the node died"),
        ({}, Status.FAILED, ""),
    ],
)
def test_who_failed_is_told_apart(error: dict[str, str], status: Status, reason: str) -> None:
    """The user's command or image will fail again; a machine of the service's will not."""
    state = azureml_state.read_state(build_job("Failed"), {"error": {"error": error}}, {})

    assert (state.status, state.exit_code, state.reason) == (status, None, reason)


@pytest.mark.parametrize(
    ("seconds", "status", "reason"),
    [
        (59, Status.CANCELED, "it was canceled"),
        (60, Status.TIMED_OUT, "it took longer than 1 minutes"),
    ],
)
def test_a_job_that_took_too_long_was_not_canceled_by_anybody(seconds: int, status: Status, reason: str) -> None:
    """The service cancels it at its limit."""
    start = datetime.datetime(2026, 1, 1, tzinfo=UTC)
    history = {
        "startTimeUtc": start.isoformat(),
        "endTimeUtc": (start + datetime.timedelta(seconds=seconds)).isoformat(),
    }

    state = azureml_state.read_state(build_job("Canceled", limits={"timeout": "PT60S"}), history, {})

    assert (state.status, state.reason) == (status, reason)


def test_what_is_not_over_has_no_end() -> None:
    """Of a job that was put back into the queue, the history may have one."""
    history = {"startTimeUtc": "2026-01-01T10:00:00Z", "endTimeUtc": "2026-01-01T10:00:09Z", "error": {"message": "x"}}

    state = azureml_state.read_state(build_job("Queued"), history, {})

    assert (state.finished_at, state.reason, state.exit_code) == (None, "", None)


def test_only_our_own_jobs_are_ours() -> None:
    """By what only we write."""
    assert azureml_state.is_ours(build_job("Running"))
    assert not azureml_state.is_ours({"properties": {"status": "Running", "properties": {"other": "1"}}})
    assert not azureml_state.is_ours({"properties": {"status": "Running"}})
