"""The processes of a job, from their start to their end."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import datetime
import re
import threading
from collections.abc import Callable, Mapping, Sequence

from tests.azure.job_runs import failures, machines, runs
from tests.azure.job_runs.distributions import Process
from tests.azure.job_runs.log_files import LogFiles

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_KEPT_CHUNKS = 64
_GENTLE = (runs.CANCELED, runs.TIMED_OUT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a process ended: its status, None if its machine was gone first; and the end of what it wrote to stderr."""

    process: Process
    status: int | None
    stderr: bytes


class Processes:
    """Runs all processes of a job on its machines."""

    def __init__(self, job_runs: runs.JobRuns, run: runs.Run, hosts: Sequence[machines.Machine]) -> None:
        self._runs = job_runs
        self._run = run
        self._hosts = hosts
        self._futures: list[concurrent.futures.Future[Outcome]] = []
        self._begun: list[threading.Event] = []

    def run(
        self,
        command: Sequence[str],
        processes: Sequence[Process],
        environment: Mapping[str, str],
        folder: str,
        logs: LogFiles,
        deadline: datetime.datetime | None,
    ) -> Outcome | None:
        """Runs them to their end; once one has failed, the others are ended.

        Args:
            command: what each runs.
            processes: which there are.
            environment: the variables that all have.
            folder: where they work.
            logs: take what they say.
            deadline: when the job is canceled.

        Returns:
            The first that failed.

        Raises:
            Interrupted: The job cannot go on; the processes have had their time to end.
        """
        for process in processes:
            logs.begin(process.log)

        def run(process: Process, begun: threading.Event) -> Outcome:
            stderr: collections.deque[bytes] = collections.deque(maxlen=_KEPT_CHUNKS)

            def hear(out: bytes | None, error: bytes | None) -> None:
                stderr.append(error or b"")
                logs.write(process.log, (out or b"") + (error or b""))

            variables = {**environment, **process.environment}
            status = self._hosts[process.node].run(command, variables, folder, begun, hear)
            return Outcome(process=process, status=status, stderr=b"".join(stderr))

        with concurrent.futures.ThreadPoolExecutor(len(processes), "job-process") as pool:
            for process in processes:
                self._begun.append(threading.Event())
                future = pool.submit(run, process, self._begun[-1])
                self._futures.append(future)
                future.add_done_callback(lambda _: self._runs.notify())
            try:
                self._watch(deadline)
            except runs.Interrupted as interruption:
                self._end(self._terminate if str(interruption) in _GENTLE else None)
                raise
            failed = self._find_failed()
            self._end(self._terminate)
        return failed

    def _watch(self, deadline: datetime.datetime | None) -> None:
        if not self._runs.wait_for(self._run, self._is_over, deadline):
            self._runs.time_out(self._run)
            self._runs.check(self._run)

    def _end(self, ask: Callable[[], None] | None) -> None:
        """Ends the processes that still run; ``ask`` lets them end themselves first."""
        if ask is not None and not self._have_ended():
            ask()
            with self._runs.changed:
                self._runs.changed.wait_for(self._have_ended, self._runs.grace_seconds)
        if not self._have_ended():
            for host in self._hosts:
                host.kill()

    def _terminate(self) -> None:
        for begun in self._begun:
            # What has not begun would not hear of it.
            begun.wait()
        for host in self._hosts:
            host.terminate()

    def _have_ended(self) -> bool:
        return all(future.done() for future in self._futures)

    def _is_over(self) -> bool:
        return self._have_ended() or self._find_failed() is not None

    def _find_failed(self) -> Outcome | None:
        return next((each.result() for each in self._futures if each.done() and each.result().status != 0), None)


def explain(outcome: Outcome, command: str) -> failures.JobFailure:
    """Why the job fails whose process ended so."""
    if outcome.status is None:
        return failures.fail_machine("A node of the job is gone.")
    return failures.fail_process(command, outcome.status, outcome.process.log, outcome.stderr)


def read_duration(text: str) -> datetime.timedelta:
    """A duration as ISO 8601 writes it."""
    found = _DURATION.fullmatch(text)
    assert found is not None, text
    days, hours, minutes, seconds = (float(each or 0) for each in found.groups())
    return datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
