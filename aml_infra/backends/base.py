"""The contract between the lifecycle of a training run and what runs it.

Guarantees that every backend gives, and that tests/contract checks on each of them by name:

1. **Request.** ``build_request`` is pure: what it gives depends on its arguments only, is plain data, and holds no
   secret. ``submit`` sends it.
2. **Submit** is atomic under the attempt's name: of two submitters one wins, the other gets ``AlreadySubmitted``.
   What is visible under the name is whole (its source is in it) and will run, or can be started by anyone.
3. **Describe** answers None only where the service said that there is no such run. Not being able to ask is
   ``BackendUnavailable``, never None.
4. **Follow** gives the log

   a. in order: lines of one worker come as it printed them;
   b. whole: from its first line to its last, with nothing lost;
   c. once: no line comes twice, also where the connection was lost in between;
   d. to its end: it returns when the run has ended, and not before; of several workers, when all have.
5. **Collect** gives the run's metrics, outputs and whole log, and may be called again: the record is written once, and
   outlives what ran it.
6. **Cancel** and **remove** may be called again, and of a run that is gone. ``remove`` keeps the record, and a run that
   has not ended.
7. **Errors.** Only those of ``aml_infra.errors`` leave a backend. A run that its machine failed, and not its command,
   ends as ``NotResponding``.
"""

from __future__ import annotations

import abc
import dataclasses
import datetime
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aml_infra import naming
from aml_infra import source as sources
from aml_infra.errors import AmlInfraError, InvalidInput, Problem, SourceChanged
from aml_infra.source import Snapshot
from aml_infra.spec import Demand, RunSpec

Tell = Callable[[str], None]
"""Takes news that are for the user and no part of the run's log."""


def tell_nobody(news: str) -> None:
    """For who does not want to hear it."""


class Status(str, enum.Enum):
    """Where a run is, in Azure Machine Learning's words (``TimedOut`` is ours: it names the cause)."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    NOT_RESPONDING = "NotResponding"
    TIMED_OUT = "TimedOut"

    @property
    def is_final(self) -> bool:
        """Whether a run in this status will never change again."""
        return self not in (Status.QUEUED, Status.RUNNING)


class AlreadySubmitted(AmlInfraError):
    """Another submitter was first: the run exists under this name."""


class RunGone(AmlInfraError):
    """The attempt was there and is not any more: it was removed behind our back."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunState:
    """What a backend knows of one attempt.

    Attributes:
        run_id: deterministic id of the run.
        attempt: counted from 1.
        fingerprint: the whole fingerprint that it was submitted with.
        status: where it is.
        started_at: when its command started, UTC; None before.
        finished_at: when it ended, UTC; None before.
        exit_code: of the command, where it ended by itself.
        reason: the service's own words on a failure, or empty.
        spec: what was submitted, as ``RunSpec.describe`` gives it; empty for runs of before it was kept.
    """

    run_id: str
    attempt: int
    fingerprint: str
    status: Status
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    spec: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The attempt's name."""
        return naming.attempt_name(self.run_id, self.attempt)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """What is kept of an attempt that ended, for as long as the user keeps it.

    Attributes:
        state: how it ended.
        metrics: last value of each metric that the run logged with MLflow.
        image_digest: digest of the image that really ran.
        outputs_path: folder or URI of what the run wrote to ``outputs/``.
        output_paths: folder or URI of each output that has a name.
        portal_url: where a person looks at the run.
        log_path: path or URL of the whole log; of a folder, where each of several workers has one of its own.
    """

    state: RunState
    metrics: Mapping[str, float]
    image_digest: str
    outputs_path: str
    portal_url: str
    log_path: str
    output_paths: Mapping[str, str] = dataclasses.field(default_factory=dict)


def require_same_source(snapshot: Snapshot) -> None:
    """The source must be what was fingerprinted, also where its content need not be read any more.

    Raises:
        SourceChanged: it is not.
    """
    # What it may hold was decided when it was fingerprinted.
    if sources.take_snapshot(snapshot.root, allow_secrets=["*"]).digest != snapshot.digest:
        raise SourceChanged(f"source: {str(snapshot.root)!r} changed while `pulumi up` ran; run it again")


def require_same_data(spec: RunSpec) -> None:
    """Data of this machine must be what was fingerprinted when it is given to a run.

    Raises:
        SourceChanged: it is not.
    """
    for name, given in spec.inputs.items():
        if given.is_local:
            changed = f"inputs[{name!r}]: {given.path!r} changed while `pulumi up` ran"
            try:
                same = sources.take_data_snapshot(given.path).digest == given.version
            except InvalidInput as error:
                raise SourceChanged(f"{changed}: {error.problems[0].message}") from error
            if not same:
                raise SourceChanged(f"{changed}; run it again when nothing writes to it")


class Backend(abc.ABC):
    """Submits, follows, reads and cancels runs on one kind of compute. Safe for use from several threads."""

    @abc.abstractmethod
    def find_problems(self, demand: Demand) -> list[Problem]:
        """What this compute cannot give of what is asked for, with the property paths of ``TrainingRunArgs``.

        A service that does not answer is a problem too: the fix is in its message.
        """

    @abc.abstractmethod
    def identify_image(self, reference: str) -> str:
        """The digest of the image that ``reference`` means, for an image that is used as it is.

        Raises:
            InvalidInput: there is no such image.
            BackendUnavailable: the service does not answer.
        """

    @abc.abstractmethod
    def build_request(self, spec: RunSpec, attempt: int) -> Mapping[str, Any]:
        """What ``submit`` asks of the service, as JSON-ready data: no I/O, no clock, no chance, no secret."""

    @abc.abstractmethod
    def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:
        """Starts attempt ``attempt`` at the run; ``tell`` hears how far an upload is.

        Raises:
            AlreadySubmitted: the attempt exists.
            NotReadyYet: nothing was submitted, and the same may be asked for again in a while.
            RunNotSubmitted: the service refused it.
            SourceChanged: the source is no longer what was fingerprinted.
            BackendUnavailable: the service did not answer; the attempt may exist all the same.
        """

    @abc.abstractmethod
    def describe(self, run_id: str) -> RunState | None:
        """The newest attempt at ``run_id``, or None if the service says that there is none.

        Raises:
            BackendUnavailable: the service does not answer.
            RunConflict: its name is held by something else.
        """

    @abc.abstractmethod
    def follow(self, state: RunState, tell: Tell = tell_nobody) -> Iterator[str]:
        """The attempt's log, line by line and without line ends, until it has ended. Starts it if nobody has yet.

        ``tell`` hears what the service does for the run before its first line, and what it waits for.

        Where several workers train, each line starts with its worker's rank, as in ``[1] ``, and when one of them
        has failed the others are stopped.

        Raises:
            BackendUnavailable: the service has not answered for a minute; the run may go on all the same.
        """

    def tend(self, state: RunState) -> None:  # noqa: B027 (a service may do it all by itself)
        """Does what whoever follows the attempt would do for it, and does not wait for its end.

        That is: starts what a submitter that died has not, and stops the other workers where one has failed.

        Raises:
            BackendUnavailable: the service does not answer.
        """

    @abc.abstractmethod
    def collect(self, state: RunState) -> Record:
        """The record of an attempt that ended, made now if that was not done yet.

        Args:
            state: the attempt, in a final status.

        Raises:
            RunGone: it was removed before it could be collected.
            BackendUnavailable: the service does not answer.
        """

    @abc.abstractmethod
    def read_tail(self, record: Record, size: int) -> bytes:
        """The last ``size`` bytes at most of the log of a run that ended; empty where it has none.

        Raises:
            BackendUnavailable: the service does not answer.
        """

    @abc.abstractmethod
    def cancel(self, run_id: str) -> None:
        """Stops the newest attempt if it has not ended."""

    @abc.abstractmethod
    def remove(self, run_id: str) -> None:
        """Frees what the service holds of the ended attempts; their records stay."""
