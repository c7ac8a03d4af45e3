"""Runs nothing: a backend for the tests of a program, ours and yours.

It meets the contract of ``base`` with a script in place of a training: what the run prints, its exit codes attempt by
attempt, its metrics, and what goes wrong. Runs are kept in files, so that they outlive the process as real ones do. It
is strict: a source or an input that changed, an image that is not known, an attempt that is not the next one and a
second submit are refused as by a real service.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pathlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from aml_infra import naming, rules
from aml_infra import spec as specs
from aml_infra.backends import base, records
from aml_infra.backends.base import AlreadySubmitted, Backend, Record, RunGone, RunState, Status, Tell, tell_nobody
from aml_infra.backends.records import LOG_NAME, RecordStore, find_data_folder, open_store
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem, RunNotSubmitted
from aml_infra.source import Snapshot
from aml_infra.spec import Capacity, Demand, RunSpec

OPTIONS = ("data_folder", "script")
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
"""The fake's clock: every run starts here and takes a second."""

_POLL_SECONDS = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True)
class Script:
    """What happens in place of a training.

    Attributes:
        lines: what each attempt prints.
        exit_codes: of the first attempt, the second and so on; the last one stays.
        metrics: what the run logs.
        outputs: what it writes to ``outputs/``: the text of each file.
        images: digest of each image that there is; None for any image.
        cpus: processors that there are.
        memory_gb: memory that there is.
        running: attempts that never end until they are canceled.
        lost: attempts that their machine fails, which is no exit code.
        breaks: how often the connection is lost while a log is followed, each time after one more line.
        lost_answers: how many answers to ``submit`` are lost, after it took effect.
    """

    lines: tuple[str, ...] = ("training",)
    exit_codes: tuple[int, ...] = (0,)
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images: Mapping[str, str] | None = None
    cpus: float = 64
    memory_gb: float = 256
    running: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    breaks: int = 0
    lost_answers: int = 0


def open_backend(options: Mapping[str, str]) -> FakeBackend:
    """The fake with its option ``script``: the fields of ``Script`` as JSON.

    Raises:
        InvalidInput: an option or a field of the script is unknown.
    """
    problems = [
        Problem("backend_options", f"has {name!r}; allowed are {', '.join(OPTIONS)}")
        for name in sorted(set(options) - set(OPTIONS))
    ]
    fields = json.loads(options.get("script", "{}"))
    allowed = [field.name for field in dataclasses.fields(Script)]
    problems += [
        Problem("backend_options.script", f"has {name!r}; allowed are {', '.join(allowed)}")
        for name in sorted(set(fields) - set(allowed))
    ]
    if problems:
        raise InvalidInput(problems)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return FakeBackend(open_store(options.get("data_folder"), find_data_folder() / "fake"), Script(**values))


class FakeBackend(Backend):
    """See the module."""

    def __init__(self, records: RecordStore, script: Script) -> None:
        self._records = records
        self._script = script
        self._changed = threading.Condition()
        self._answers_to_lose = script.lost_answers

    def find_problems(self, demand: Demand) -> list[Problem]:
        capacity = Capacity(cpus=self._script.cpus, memory_gb=self._script.memory_gb, gpus=False)
        return rules.find_capacity_problems(demand, capacity, "the fake backend")

    def identify_image(self, reference: str) -> str:
        if self._script.images is None:
            return f"sha256:fake-{reference}"
        if reference not in self._script.images:
            raise InvalidInput(
                [Problem("image", f"{reference!r} does not exist; there are {sorted(self._script.images)}")]
            )
        return self._script.images[reference]

    def build_request(self, spec: RunSpec, attempt: int) -> Mapping[str, Any]:
        paths = {name: given.path for name, given in spec.inputs.items()}
        written = {name: f"outputs/{name}" for name in spec.outputs}
        return {
            "fingerprint": spec.fingerprint,
            "image": spec.image,
            "command": specs.build_command(spec, paths, written),
            "environment": specs.build_variables(spec, attempt, paths, written),
            "spec": spec.describe(),
        }

    def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:  # noqa: ARG002
        base.require_same_source(snapshot)
        base.require_same_data(spec)
        before = self.describe(spec.run_id)
        if attempt > 1 and (before is None or attempt > before.attempt + 1):
            raise RunNotSubmitted(f"attempt {attempt} does not follow on attempt {before.attempt if before else 0}")
        name = naming.attempt_name(spec.run_id, attempt)
        held = {"request": self.build_request(spec, attempt), "image": self.identify_image(spec.image)}
        if self._records.read(name) is not None or not self._hold(name, {**held, "canceled": False}):
            raise AlreadySubmitted(f"{name} exists")
        if self._answers_to_lose:
            self._answers_to_lose -= 1
            raise BackendUnavailable("the answer was lost")

    def describe(self, run_id: str) -> RunState | None:
        record = self._records.find_latest(run_id)
        attempt = record.state.attempt + 1 if record is not None else 1
        held = self._read(naming.attempt_name(run_id, attempt))
        if held is None:
            return record.state if record is not None else None
        code: int | None = self._script.exit_codes[min(attempt, len(self._script.exit_codes)) - 1]
        status, reason = (Status.COMPLETED if code == 0 else Status.FAILED), ""
        if held["canceled"]:
            status, code, reason = Status.CANCELED, 143, "it was canceled"
        elif attempt in self._script.running:
            status = Status.RUNNING
        elif attempt in self._script.lost:
            status, code, reason = Status.NOT_RESPONDING, None, "its machine is gone"
        return RunState(
            run_id=run_id,
            attempt=attempt,
            fingerprint=held["request"]["fingerprint"],
            status=status,
            started_at=START,
            finished_at=START + datetime.timedelta(seconds=1) if status.is_final else None,
            exit_code=code if status.is_final else None,
            reason=reason,
            spec=held["request"]["spec"],
        )

    def follow(self, state: RunState, tell: Tell = tell_nobody) -> Iterator[str]:  # noqa: ARG002
        delivered = 0
        for reads in range(1, self._script.breaks + 2):
            # From the first line again, less those delivered, as a service's client does whose connection was lost.
            whole = reads > self._script.breaks
            lines = self._list_lines(state)
            for line in lines[delivered : len(lines) if whole else reads]:
                delivered += 1
                yield line
        with self._changed:
            while (now := self.describe(state.run_id)) is not None and not now.status.is_final:
                self._changed.wait(_POLL_SECONDS)  # another process may cancel it

    def _list_lines(self, state: RunState) -> list[str]:
        workers = state.spec.get("workers", 1)
        if workers == 1:
            return list(self._script.lines)
        return [f"[{rank}] {line}" for line in self._script.lines for rank in range(workers)]

    def collect(self, state: RunState) -> Record:
        return self._records.keep(state, lambda folder: self._fill(state, folder))

    def _fill(self, state: RunState, folder: pathlib.Path) -> tuple[Mapping[str, float], str]:
        held = self._read(state.name)
        if held is None:
            raise RunGone(f"{state.name} was removed before it was collected")
        (folder / "outputs").mkdir()
        for name, text in self._script.outputs.items():
            path = folder / "outputs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (folder / "logs").mkdir()
        log = "".join(f"{line}\n" for line in self._list_lines(state))
        (folder / "logs" / LOG_NAME).write_text(log, encoding="utf-8")
        return self._script.metrics, str(held["image"])

    def read_tail(self, record: Record, size: int) -> bytes:
        return records.read_tail(record.log_path, size)

    def cancel(self, run_id: str) -> None:
        with self._changed:
            state = self.describe(run_id)
            held = self._read(state.name) if state is not None else None
            if state is not None and held is not None and not state.status.is_final:
                self._locate(state.name).write_text(json.dumps({**held, "canceled": True}), encoding="utf-8")
            self._changed.notify_all()

    def remove(self, run_id: str) -> None:
        state = self.describe(run_id)
        if state is None or not state.status.is_final:
            return
        for attempt in range(1, state.attempt + 1):
            self._locate(naming.attempt_name(run_id, attempt)).unlink(missing_ok=True)

    def _locate(self, name: str) -> pathlib.Path:
        return self._records.folder / "fake-service" / f"{name}.json"

    def _hold(self, name: str, held: Mapping[str, Any]) -> bool:
        """Keeps an attempt, whole, unless there is one of that name."""
        place = self._locate(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}")
        draft.write_text(json.dumps(held), encoding="utf-8")
        try:
            os.link(draft, place)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._locate(name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
