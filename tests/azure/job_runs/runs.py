"""All jobs of a cloud that run, or have run: what tests can do with them, and what state each is in."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tests.azure.arm_errors import ArmError
from tests.azure.job_runs import failures, statuses
from tests.azure.resources import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

CANCELED = "canceled"
TIMED_OUT = "timed out"
PREEMPTED = "pre-empted"
LOST = "lost"
STOPPED = "stopped"
"""What can interrupt a run; the last is the end of the server, or of the job's workspace."""

_MOST_AT_ONCE = 64


class Interrupted(Exception):
    """A run cannot go on; the message is one of the reasons above."""


@dataclasses.dataclass
class Run:
    """What run history knows of a job beside what Resource Manager does.

    Attributes:
        job: the resource.
        number: how many jobs came before it.
        submitter: the object id of who submitted it.
        run_uuid: its other id.
        created: when it was submitted.
        started: when it first ran.
        last_started: when it last ran; another time than ``started`` once its nodes were pre-empted. No public document
            names a property of run history that counts such starts, so that there is none here.
        ended: when it ended.
        attempts: how often it was given nodes.
        error: the ErrorResponse of a run that failed.
        warnings: RunDetailsWarnings.
        queueing: why it waits, where it does.
        logs: its log files: what is in them, by their names below its folder in the artifact store.
        interruption: why it cannot go on; empty while it can.
    """

    job: Resource
    number: int
    submitter: str
    created: datetime.datetime
    run_uuid: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime.datetime | None = None
    last_started: datetime.datetime | None = None
    ended: datetime.datetime | None = None
    attempts: int = 0
    error: Mapping[str, Any] | None = None
    warnings: list[Mapping[str, str]] = dataclasses.field(default_factory=list)
    queueing: str = ""
    logs: dict[str, bytes] = dataclasses.field(default_factory=dict)
    interruption: str = ""

    @property
    def status(self) -> str:
        """The job's status."""
        return str(self.job.properties["status"])

    @property
    def has_ended(self) -> bool:
        """Whether nothing comes any more."""
        return self.status in statuses.ENDED


class JobRuns:
    """Jobs by id; they only run once ``start`` was called, and are only kept until then.

    Attributes:
        changed: is notified whenever something has changed that a job may wait for; its lock is the cloud's.
        grace_seconds: how long processes have from SIGTERM to SIGKILL. How long the service gives them is not
            documented.
        failures: what went wrong inside the runs, and never may.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.changed = threading.Condition(cloud.lock)
        self.grace_seconds = 5.0
        self.failures: list[BaseException] = []
        self._cloud = cloud
        self._runs: dict[str, Run] = {}
        self._count = 0
        self._held: set[str] = set()
        self._execute: Callable[[Run], None] | None = None
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None
        cloud.clock.when_moved(self.notify)

    @property
    def are_run(self) -> bool:
        """Whether jobs really run."""
        return self._execute is not None

    def start(self, execute: Callable[[Run], None]) -> None:
        """Has jobs that are submitted from now on executed, each in a thread."""
        self._execute = execute
        self._threads = concurrent.futures.ThreadPoolExecutor(_MOST_AT_ONCE, "job")

    def stop(self) -> None:
        """Interrupts all that run, and waits until their threads have ended."""
        with self.changed:
            self._held.clear()
            for run in self._runs.values():
                run.interruption = STOPPED
            self.changed.notify_all()
        if self._threads is not None:
            self._threads.shutdown()

    def notify(self) -> None:
        """Has all jobs that wait look again, such as after a change of ``cloud.quotas``; what was deleted ends."""
        with self.changed:
            for key, run in list(self._runs.items()):
                if self._cloud.resources.get(key) is not run.job:
                    run.interruption = STOPPED
                    del self._runs[key]
            self.changed.notify_all()

    def submit(self, job: Resource, submitter: str) -> None:
        """A new job."""
        with self.changed:
            self._count += 1
            run = Run(job=job, number=self._count, submitter=submitter, created=self._cloud.clock.now())
            self._runs[job.id.lower()] = run
            if self._threads is None or self._execute is None:
                return
            future = self._threads.submit(self._execute, run)
        future.add_done_callback(lambda done: self._note(run, done.exception()))

    def find(self, job: str) -> Run | None:
        """The run of a job, by its id, or by its name where no other workspace has one of that name."""
        found = [
            run
            for key, run in list(self._runs.items())
            if job.lower() in (key, run.job.name.lower()) and self._cloud.resources.get(key) is run.job
        ]
        assert len(found) < 2, f"several jobs are called {job}"
        return found[0] if found else None

    def cancel(self, job: Resource) -> None:
        """Asks a job to end; one that is being asked already is not asked again.

        Raises:
            ArmError: The job is Finalizing.
        """
        with self.changed:
            run = self._runs[job.id.lower()]
            if run.status == statuses.CANCEL_REQUESTED or run.has_ended:
                return
            if run.status == statuses.FINALIZING:
                text = f"Run {job.name} is in status {statuses.FINALIZING}, and cannot be canceled any more."
                raise ArmError(400, "UserError", text)
            self._request_cancel(run, CANCELED)

    def time_out(self, run: Run) -> None:
        """The service itself cancels a job whose time is up."""
        with self.changed:
            if not run.interruption:
                run.warnings.append(failures.build_warning("The job was canceled because it exceeded its timeout."))
                self._request_cancel(run, TIMED_OUT)

    def _request_cancel(self, run: Run, reason: str) -> None:
        self._set(run, statuses.CANCEL_REQUESTED)
        run.interruption = reason
        self.changed.notify_all()

    def preempt(self, job: str) -> None:
        """Takes the nodes of a job away, as Azure does with those of low priority; the job goes to the queue again.

        Raises:
            AssertionError: It has none, or they are not of low priority.
        """
        run = self.find(job)
        cluster = None if run is None else self._cloud.resources.get(run.job.properties["computeId"])
        assert cluster is not None, f"there is no job {job}, or it has no cluster"
        priority = cluster.properties["properties"].get("vmPriority")
        assert priority == "LowPriority", f"nodes of {cluster.name} are {priority}: nobody takes them away"
        self._interrupt(job, PREEMPTED, statuses.QUEUED)

    def lose(self, job: str) -> None:
        """Has the nodes of a job gone without a word; the job ends as NotResponding."""
        self._interrupt(job, LOST, statuses.NOT_RESPONDING)

    def hold(self, status: str) -> None:
        """Keeps all jobs that are in a status, or get to it, from leaving it, but for cancellation and worse."""
        with self.changed:
            self._held.add(status)

    def release(self, status: str) -> None:
        """Lets them go on."""
        with self.changed:
            self._held.discard(status)
            self.changed.notify_all()

    def wait(self, job: str, *wanted: str, seconds: float = 60) -> Run:
        """Waits until a job is in one of some statuses.

        Raises:
            AssertionError: It has ended in another one, or time is up.
        """
        with self.changed:
            self.changed.wait_for(lambda: self._is_over(job, wanted), seconds)
            if self.failures:
                raise self.failures[0]
            run = self.find(job)
            assert run is not None, f"there is no job {job}"
            assert run.status in wanted, f"{job} is {run.status}, not {' or '.join(wanted)}: {run.error}"
        return run

    def wait_for_log(self, job: str, text: str, seconds: float = 60) -> None:
        """Waits until the log of one of a job's processes has a text.

        Raises:
            AssertionError: The job has ended without it, or time is up.
        """
        wanted = text.encode()
        with self.changed:
            run = self.find(job)
            assert run is not None, f"there is no job {job}"
            self.changed.wait_for(lambda: wanted in _join_user_logs(run.logs) or run.has_ended, seconds)
            assert wanted in _join_user_logs(run.logs), f"{job} is {run.status}, and says {run.logs}"

    def _is_over(self, job: str, wanted: tuple[str, ...]) -> bool:
        run = self.find(job)
        return bool(self.failures) or (run is not None and (run.status in wanted or run.has_ended))

    def _interrupt(self, job: str, reason: str, following: str) -> None:
        with self.changed:
            run = self.find(job)
            assert run is not None, f"there is no job {job}"
            assert statuses.may_follow(following, run.status), f"{job} is {run.status}, and cannot become {following}"
            run.interruption = reason
            self.changed.notify_all()

    # What follows is for those who execute runs.

    def enter(self, run: Run, status: str) -> None:
        """Waits until the job may leave its status, and gives it the next one.

        Raises:
            Interrupted: It cannot go on.
        """
        with self.changed:
            self.wait_for(run, lambda: run.status not in self._held)
            self._set(run, status)

    def requeue(self, run: Run) -> None:
        """Puts a job whose nodes were taken away into the queue again.

        Raises:
            Interrupted: Something else has come to it since.
        """
        with self.changed:
            if run.interruption != PREEMPTED:
                raise Interrupted(run.interruption)
            run.interruption = ""
            self._set(run, statuses.QUEUED)

    def end(self, run: Run, status: str, error: Mapping[str, Any] | None = None) -> None:
        """Ends a run, which may be held still; one whose nodes were lost meanwhile is NotResponding."""
        with self.changed:
            stays = (LOST, STOPPED)
            self.changed.wait_for(lambda: run.interruption in stays or run.status not in self._held)
            if run.interruption == STOPPED:
                return
            if run.interruption == LOST:
                status, error = statuses.NOT_RESPONDING, None
            run.ended, run.error = self._cloud.clock.now(), error
            self._set(run, status)

    def wait_for(self, run: Run, predicate: Callable[[], bool], deadline: datetime.datetime | None = None) -> bool:
        """Waits until something is so, or the tests' clock shows ``deadline``; says whether it is so.

        Raises:
            Interrupted: The run cannot go on.
        """
        with self.changed:
            while True:
                self.check(run)
                if predicate():
                    return True
                left = None if deadline is None else (deadline - self._cloud.clock.now()).total_seconds()
                if left is not None and left <= 0:
                    return False
                self.changed.wait(left)

    def log(self, run: Run, name: str, content: bytes) -> None:
        """Notes what a log file has got."""
        with self.changed:
            run.logs[name] = run.logs.get(name, b"") + content
            self.changed.notify_all()

    def check(self, run: Run) -> None:
        """Raises Interrupted if the run cannot go on."""
        if run.interruption:
            raise Interrupted(run.interruption)

    def _set(self, run: Run, status: str) -> None:
        assert statuses.may_follow(status, run.status), f"{run.job.name} cannot become {status}, being {run.status}"
        run.job.properties["status"] = status
        self.changed.notify_all()

    def _note(self, run: Run, error: BaseException | None) -> None:
        if error is None:
            return
        with self.changed:
            self.failures.append(error)
            failure = failures.fail_machine(f"{type(error).__name__}: {error}")
            run.error = failure.build_body("", self._cloud.clock.stamp())
            run.job.properties["status"] = statuses.FAILED
            self.changed.notify_all()


def _join_user_logs(logs: Mapping[str, bytes]) -> bytes:
    return b"\n".join(content for name, content in logs.items() if name.startswith("user_logs/"))
