"""The custom resource ``aml-infra:index:TrainingRun``: what Pulumi asks of it, in terms of ``lifecycle``.

Every method takes and gives plain data (see ``wire``); nothing here knows gRPC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aml_infra import backends, naming
from aml_infra import source as sources
from aml_infra.backends.base import Backend, Record, RunState, Status
from aml_infra.errors import AmlInfraError, SourceChanged
from aml_infra.provider import diff, explanation, imports, inputs, lifecycle, wire
from aml_infra.provider.diff import Change
from aml_infra.provider.inputs import Checked, OpenBackend
from aml_infra.provider.lifecycle import Interruption, RunFailed, RunUnfinished, Say
from aml_infra.provider.resource_type import Created, InitFailed, Read, ResourceType
from aml_infra.spec import RunSpec

UNTIL_RUN = (
    "status",
    "attempt",
    "exitCode",
    "metrics",
    "portalUrl",
    "outputsPath",
    "outputPaths",
    "logPath",
    "imageDigest",
    "startedAt",
    "finishedAt",
    "durationSeconds",
)
"""Outputs that only the run itself makes known."""


class TrainingRuns(ResourceType):
    """Checks, compares, makes, reads and deletes training runs."""

    def __init__(self, interruption: Interruption, open_backend: OpenBackend = backends.open_backend) -> None:
        self._interruption = interruption
        self._open_backend = open_backend

    def check(self, given: Mapping[str, Any]) -> Checked:
        """See ``inputs.check``."""
        return inputs.check(given, self._open_backend)

    def compare(
        self, old_inputs: Mapping[str, Any], old_outputs: Mapping[str, Any], new_inputs: Mapping[str, Any]
    ) -> dict[str, Change]:
        """See ``diff.compare``."""
        return diff.compare(old_inputs, new_inputs, old_outputs.get("status"))

    def explain(self, old_inputs: Mapping[str, Any], new_inputs: Mapping[str, Any]) -> str:
        """See ``explanation.explain``."""
        return explanation.explain(old_inputs, new_inputs)

    def find_name(self, name: str, resource_id: str) -> str:
        """The name of the run, which an alias or an import keeps although the resource has another one."""
        slug = resource_id.rpartition("-")[0]
        return name if naming.slugify(name) == slug else slug

    def must_end_first(self, old_outputs: Mapping[str, Any], changes: Mapping[str, Change]) -> bool:
        """Whether the old run must be stopped before the new one starts: one that goes on would train beside it."""
        goes_on = _find_left_going(old_outputs) is not None
        cancels = old_outputs.get("onDestroy", "cancel") == "cancel"
        return goes_on and cancels and any(change.replaces for change in changes.values())

    def preview(
        self,
        name: str,
        values: Mapping[str, Any],
        say: Say,
        because: str = "",
        old_outputs: Mapping[str, Any] | None = None,
    ) -> Created:
        """What ``ensure`` would give, as far as it is known; tells the user what would happen and why.

        ``because`` is what has changed since the last run, in words (see ``explanation``); ``old_outputs`` are those of
        the same run, where the state knows it already.
        """
        spec = inputs.read_spec(name, values)
        outputs = {**values, **dict.fromkeys((*UNTIL_RUN, "runId", "fingerprint", "nodeCount"), wire.UNKNOWN)}
        outputs["imageRef"] = values.get("image")
        if spec is None:
            return Created("", outputs)
        outputs |= {"runId": spec.run_id, "fingerprint": spec.fingerprint, "nodeCount": spec.workers}
        backend = self._open_known(values, old_outputs or {})
        say(lifecycle.explain(backend, spec, because, _find_left_going(old_outputs or {})))
        return Created(spec.run_id, outputs)

    def ensure(
        self,
        name: str,
        values: Mapping[str, Any],
        say: Say,
        because: str = "",
        old_outputs: Mapping[str, Any] | None = None,
    ) -> Created:
        """Adopts, joins or submits the run, and waits for its end.

        Args:
            name: of the resource.
            values: its checked inputs.
            say: tells the user.
            because: what has changed since the last run, in words.
            old_outputs: of the same run, where the state knows it already.

        Raises:
            InitFailed: the run failed, its end was not seen, or its metrics are not what is required.
            AmlInfraError: it was not submitted.
        """
        spec = inputs.read_spec(name, values)
        if spec is None:
            raise AmlInfraError("the run's inputs are not known at its creation")
        backend = self._open(values)

        def take_snapshot() -> sources.Snapshot:
            snapshot = sources.take_snapshot(values["source"], allow_secrets=values.get("allowSecrets") or ())
            if snapshot.digest != spec.source_digest:
                raise SourceChanged(
                    f"source: {values['source']!r} changed while `pulumi up` ran; "
                    "run it again when nothing writes to it"
                )
            return snapshot

        try:
            seen = lifecycle.ensure(
                backend,
                spec,
                take_snapshot,
                say,
                self._interruption,
                inputs.read_policy(values),
                because=because,
                left_going=_find_left_going(old_outputs or {}),
            )
        except RunFailed as error:
            outputs = self._build_outputs(values, spec, error.record.state, error.record)
            raise InitFailed(str(error), spec.run_id, outputs) from error
        except RunUnfinished as error:
            outputs = self._build_outputs(values, spec, error.state, None)
            raise InitFailed(str(error), spec.run_id, outputs) from error
        return Created(spec.run_id, self._build_outputs(values, spec, seen.state, seen.record))

    def read(self, resource_id: str, given: Mapping[str, Any], outputs: Mapping[str, Any]) -> Read | None:
        """The run as the backend sees it now, or None if it is gone.

        Args:
            resource_id: its run id; at an import, see ``imports.find_backend``.
            given: its checked inputs; empty at an import, which takes them from the run itself.
            outputs: as in the state; likewise.

        Raises:
            InitFailed: the run has ended, and not in what was asked for.
        """
        place = imports.find_backend(resource_id)
        backend = self._open({**place, **outputs})
        state = backend.describe(resource_id.rpartition("/")[2])
        if state is None:
            return None
        run_id = state.run_id
        record = backend.collect(state) if state.status.is_final else None
        values = given or {**imports.build_inputs(state.spec), **place}
        known = outputs or {**values, "imageRef": values.get("image")}
        fresh = {**known, **_describe_state(state), **_describe_record(record)}
        if record is not None and state.status is not Status.COMPLETED:
            # Without the log's tail: of an imported run nobody knows the secrets that would have to be hidden in it.
            told = f"{lifecycle.describe_end(state)}; whole log: {record.log_path}"
            raise InitFailed(told, run_id, fresh, values)
        if record is not None:
            try:
                lifecycle.require_metrics(record, inputs.read_policy(values).require_metrics)
            except RunFailed as error:
                raise InitFailed(str(error), run_id, fresh, values) from error
        return Read(values, fresh, run_id)

    def delete(self, run_id: str, outputs: Mapping[str, Any], say: Say) -> None:  # noqa: ARG002
        """Lets go of the run: a running one is stopped unless ``on_destroy`` is ``retain``; records stay."""
        lifecycle.end(self._open(outputs), run_id, cancel=outputs.get("onDestroy", "cancel") == "cancel")

    def _open(self, values: Mapping[str, Any]) -> Backend:
        return inputs.read_backend(values, self._open_backend)

    def _open_known(self, values: Mapping[str, Any], old_outputs: Mapping[str, Any]) -> Backend | None:
        """The backend, or None where its options are not known before something else is made.

        A cluster that takes the place of another is not there yet, and what is known of the run is the same on both.
        """
        options, former = values.get("backendOptions") or {}, old_outputs.get("backendOptions") or {}
        if isinstance(options, dict):
            options = {
                name: former.get(name, value) if name in diff.SIZES and value is wire.UNKNOWN else value
                for name, value in options.items()
            }
        if wire.has_unknown(options) or wire.has_unknown(values.get("backend")):
            return None
        return self._open({**values, "backendOptions": options})

    def _build_outputs(
        self, values: Mapping[str, Any], spec: RunSpec, state: RunState, record: Record | None
    ) -> dict[str, Any]:
        # The summaries serve the diff, which reads them from the inputs.
        kept = {key: value for key, value in values.items() if key not in ("sourceFiles", "inputFiles", "imageParts")}
        return {
            **kept,
            "runId": spec.run_id,
            "fingerprint": spec.fingerprint,
            "imageRef": values["image"],
            **_describe_state(state),
            **_describe_record(record),
        }


def _find_left_going(old_outputs: Mapping[str, Any]) -> int | None:
    """The attempt that was going when the state was written, if one was."""
    going = old_outputs.get("status") in {each.value for each in Status if not each.is_final}
    return int(old_outputs["attempt"]) if going else None


def _describe_state(state: RunState) -> dict[str, Any]:
    started, finished = state.started_at, state.finished_at
    return {
        "runId": state.run_id,
        "fingerprint": state.fingerprint,
        "status": state.status.value,
        "attempt": state.attempt,
        "exitCode": state.exit_code,
        "startedAt": started.isoformat() if started else None,
        "finishedAt": finished.isoformat() if finished else None,
        "durationSeconds": max(0.0, (finished - started).total_seconds()) if started and finished else None,
        "nodeCount": int(state.spec.get("workers") or 1),
    }


def _describe_record(record: Record | None) -> dict[str, Any]:
    if record is None:
        return {"metrics": {}, "portalUrl": "", "outputsPath": "", "outputPaths": {}, "logPath": "", "imageDigest": ""}
    return {
        "metrics": dict(record.metrics),
        "portalUrl": record.portal_url,
        "outputsPath": record.outputs_path,
        "outputPaths": dict(record.output_paths),
        "logPath": record.log_path,
        "imageDigest": record.image_digest,
    }
