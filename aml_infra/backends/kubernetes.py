"""Runs trainings as Jobs of Kubernetes.

A run is a ConfigMap under its attempt's name, which is atomic in the API server: it says what was submitted, and, when
it has ended, how. The Job is made from it by whoever sees that there is none yet, and may go when it has done its work:
a finished run does not depend on it. The source is in the image, as one layer on top of the user's; what a run writes
is in a volume, and is read there while it runs and afterwards.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import json
import queue
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aml_infra import naming, rules
from aml_infra.backends import (
    base,
    kubernetes_capacity,
    kubernetes_layout,
    kubernetes_request,
    kubernetes_state,
    kubernetes_train_job,
    kubernetes_workload,
    tracking,
)
from aml_infra.backends.base import AlreadySubmitted, Backend, Record, RunGone, RunState, Status, Tell, tell_nobody
from aml_infra.backends.kubernetes_api import Conflict, KubernetesApi, open_api
from aml_infra.backends.kubernetes_files import Files
from aml_infra.backends.kubernetes_follower import LOOK_SECONDS, Follower
from aml_infra.backends.kubernetes_images import Images
from aml_infra.backends.kubernetes_layout import Place
from aml_infra.backends.kubernetes_runtimes import Runtimes
from aml_infra.backends.kubernetes_state import Seen
from aml_infra.backends.kubernetes_watch import Watch
from aml_infra.backends.kubernetes_workload import Workload
from aml_infra.errors import (
    AccessDenied,
    AmlInfraError,
    BackendUnavailable,
    InvalidInput,
    Problem,
    RequestRefused,
    RunConflict,
    RunNotSubmitted,
)
from aml_infra.source import Snapshot
from aml_infra.spec import Demand, RunSpec

OPTIONS = (
    "kubeconfig",
    "context",
    "aks_id",
    "namespace",
    "claim",
    "repository",
    "service_account",
    "pull_secret",
    "queue",
    "node_selector",
    "tolerations",
    "priority_class",
    "shared_memory_gb",
    "pending_minutes",
    "autoscaling",
    "runtime",
)
RECORDS, PODS, SECRETS, SERVICES = "v1/configmaps", "v1/pods", "v1/secrets", "v1/services"

PENDING_MINUTES = 30.0
"""A run whose command cannot start for so long has failed, unless the options say otherwise."""

STOP_SECONDS = 300.0
"""How long the pods of a run that was canceled are waited for; after that, they end by themselves."""

SEEN_SECONDS = 30.0
"""So long Kubeflow Trainer may take to hear of a runtime that was just made."""

PAUSE_SECONDS = 0.5

TAIL_BYTES = 64 * 1024
"""How much of the end of the log is kept in the run's ConfigMap."""


def open_backend(options: Mapping[str, str]) -> KubernetesBackend:
    """The backend on a namespace, with the login that kubectl would use.

    Raises:
        InvalidInput: an option is unknown, missing or no JSON; or the kubeconfig cannot be used.
    """
    problems = [
        Problem("backend_options", f"has {name!r}; allowed are {', '.join(OPTIONS)}")
        for name in sorted(set(options) - set(OPTIONS))
    ]
    problems += [
        Problem(f"backend_options.{name}", "is missing; a KubernetesCluster gives it")
        for name in ("namespace", "claim")
        if not options.get(name)
    ]
    if problems:
        raise InvalidInput(problems)
    return _open_backend(tuple(sorted(options.items())))


@functools.cache
def _open_backend(options: tuple[tuple[str, str], ...]) -> KubernetesBackend:
    given = dict(options)
    try:
        place = Place(
            namespace=given["namespace"],
            claim=given["claim"],
            repository=given.get("repository", ""),
            service_account=given.get("service_account", ""),
            pull_secret=given.get("pull_secret", ""),
            queue=given.get("queue", ""),
            node_selector=json.loads(given.get("node_selector") or "{}"),
            tolerations=json.loads(given.get("tolerations") or "[]"),
            priority_class=given.get("priority_class", ""),
            shared_memory_gb=float(given.get("shared_memory_gb") or 2.0),
            runtime=given.get("runtime", ""),
        )
        pending_minutes = float(given.get("pending_minutes") or PENDING_MINUTES)
        has_autoscaling = bool(json.loads(given.get("autoscaling") or "false"))
    except ValueError as error:
        raise InvalidInput([Problem("backend_options", f"cannot be read: {error}")]) from error
    return KubernetesBackend(open_api(given), place, pending_minutes=pending_minutes, has_autoscaling=has_autoscaling)


class KubernetesBackend(Backend):
    """See the module."""

    def __init__(
        self,
        api: KubernetesApi,
        place: Place,
        *,
        pending_minutes: float = PENDING_MINUTES,
        has_autoscaling: bool = False,
    ) -> None:
        self._api, self._place, self._has_autoscaling = api, place, has_autoscaling
        self._pending_seconds = pending_minutes * 60
        self._images = Images(api, place)
        self._runtimes = Runtimes(api)
        self._files = Files(api, place)
        self._watch = Watch(api)

    def find_problems(self, demand: Demand) -> list[Problem]:
        problems = rules.find_service_problems(demand, "Kubernetes")
        try:
            if self._place.runtime:
                problems += self._runtimes.find_problems(self._place.runtime)
            if self._api.get_namespace() is None:
                # The same update may be about to make it.
                return problems
            return problems + self._find_capacity_problems(demand)
        except (BackendUnavailable, RequestRefused) as error:
            return [*problems, Problem("compute", str(error))]

    def _find_capacity_problems(self, demand: Demand) -> list[Problem]:
        if self._has_autoscaling:
            # What nodes there could be, only that which makes them knows.
            return []
        try:
            nodes = self._api.list_nodes()
        except AccessDenied:
            # Whoever may only use a namespace hears of it when the pods cannot be placed.
            return []
        return kubernetes_capacity.find_problems(nodes, self._place.node_selector, demand)

    def identify_image(self, reference: str) -> str:
        return self._images.identify(reference)

    def build_request(self, spec: RunSpec, attempt: int) -> Mapping[str, Any]:
        return kubernetes_request.build_request(self._place, spec, attempt)

    def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:
        name, token = naming.attempt_name(spec.run_id, attempt), secrets.token_hex(4)
        if (known := self._api.get(RECORDS, name)) is not None:
            raise self._explain_taken(known)
        base.require_same_data(spec)
        request = self.build_request(spec, attempt)
        runtime = self._runtimes.find(self._place.runtime) if self._place.runtime else None
        try:
            image = self._images.put_source(request["image"], spec, snapshot, tell)
            if spec.secrets:
                # There is none of its name but ours, where the answer was lost and it was sent again.
                with contextlib.suppress(Conflict):
                    self._api.create(SECRETS, kubernetes_request.build_secret(request, token, spec.secrets))
            record = self._claim(kubernetes_request.complete(request, image, token, runtime), token)
        except (AlreadySubmitted, RunConflict):
            if spec.secrets:
                self._api.delete(SECRETS, kubernetes_layout.name_secret(name, token))
            raise
        except (RequestRefused, AccessDenied) as error:
            raise RunNotSubmitted(f"run {name} could not be put into the cluster: {error}") from error
        self._start(record)

    def _claim(self, body: Mapping[str, Any], token: str) -> Mapping[str, Any]:
        """Puts the ConfigMap there, which makes it a run."""
        try:
            return self._api.create(RECORDS, body)
        except Conflict:
            known = self._api.get(RECORDS, body["metadata"]["name"])
            if known is None:
                raise
            # Ours, where the answer was lost and it was sent again.
            if known["metadata"].get("annotations", {}).get(kubernetes_layout.SUBMISSION) == token:
                return known
            raise self._explain_taken(known) from None

    def _explain_taken(self, known: Mapping[str, Any]) -> AmlInfraError:
        name = known["metadata"]["name"]
        if kubernetes_state.is_ours(known):
            return AlreadySubmitted(f"{name} exists")
        return RunConflict(
            f"the name {name!r} is held in namespace {self._api.namespace!r} by a ConfigMap that is not ours; "
            "rename the job in the program"
        )

    def _start(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the Job of a run, and what goes with it, as far as it is not there; gives the ConfigMap."""
        workload, name = kubernetes_workload.find_workload(record), record["metadata"]["name"]
        try:
            if workload.runtime is not None:
                self._make(kubernetes_workload.RUNTIMES, workload.runtime)
            job = self._make_workload(workload)
            owner = workload.build_owner(job)
            if workload.runtime is not None:
                self._api.patch(kubernetes_workload.RUNTIMES, workload.name, owner)
            if workload.service is not None:
                service = workload.service
                merged = {**service, "metadata": {**service["metadata"], **owner["metadata"]}}
                with contextlib.suppress(Conflict):
                    self._api.create(SERVICES, merged)
            for secret in workload.secrets:
                self._api.patch(SECRETS, secret, owner)
        except RequestRefused as error:
            return self._end(record, Status.FAILED, f"its {workload.title} was refused: {error}", has_run=False)
        started = {"metadata": {"annotations": {kubernetes_layout.STARTED: job["metadata"]["uid"]}}}
        return self._require(self._api.patch(RECORDS, name, started), name)

    def _make_workload(self, workload: Workload) -> Mapping[str, Any]:
        until = time.monotonic() + SEEN_SECONDS
        while True:
            try:
                return self._make(workload.kind, workload.body)
            except RequestRefused as error:
                if kubernetes_train_job.UNSEEN_RUNTIME not in str(error) or time.monotonic() > until:
                    raise
                # The operator hears of the runtime somewhat later than the API server, and does not say when.
                time.sleep(PAUSE_SECONDS)

    def _make(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Makes an object of a run; gives that which is there already, if it is a run's."""
        try:
            return self._api.create(kind, body)
        except Conflict:
            known = self._api.get(kind, body["metadata"]["name"]) or {}
            if (known.get("metadata") or {}).get("labels", {}).get(kubernetes_layout.RUN_LABEL) is None:
                raise
            return known

    @staticmethod
    def _require(record: dict[str, Any] | None, name: str) -> dict[str, Any]:
        if record is None:
            raise RunGone(
                f"the ConfigMap {name}, which was the run, was deleted; run `pulumi up` again to train it anew"
            )
        return record

    def describe(self, run_id: str) -> RunState | None:
        record = self._find_newest(run_id)
        return None if record is None else kubernetes_state.read_state(self._see(self._settle(record)))

    def _find_newest(self, run_id: str) -> dict[str, Any] | None:
        found = self._api.list(RECORDS, f"{kubernetes_layout.RUN_LABEL}={run_id}")
        ours = [each for each in found if kubernetes_state.is_ours(each)]
        return max(ours, key=kubernetes_state.read_attempt, default=None)

    def _see(self, record: Mapping[str, Any]) -> Seen:
        """What there is of an attempt now."""
        if "state" in record["data"]:
            return Seen(record=record, job=None)
        labels, workload = record["metadata"]["labels"], kubernetes_workload.find_workload(record)
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        job = self._api.get(workload.kind, workload.name)
        inner = (
            job if workload.kind == kubernetes_workload.JOBS else self._api.get(kubernetes_workload.JOBS, workload.job)
        )
        return kubernetes_state.gather(record, job, self._api.list(PODS, selector), inner)

    def _settle(self, record: dict[str, Any]) -> dict[str, Any]:
        """Writes down how a run ended that has lost its Job: what it has kept says whether it did by itself."""
        workload = kubernetes_workload.find_workload(record)
        if "state" in record["data"] or self._api.get(workload.kind, workload.name) is not None:
            return record
        if not self._see(record).is_gone:
            # What it still does may be its end.
            return record
        if kubernetes_state.is_canceled(record):
            return self._end(record, Status.CANCELED, kubernetes_state.CANCELED_REASON)
        if not kubernetes_state.was_started(record):
            return record
        codes = self._read_exit_codes(record)
        if None in codes:
            return self._end(record, Status.CANCELED, kubernetes_state.explain_deletion(record))
        failed = next((code for code in codes if code), None)
        if failed is not None:
            return self._end(record, Status.FAILED, "", exit_code=failed)
        return self._end(record, Status.COMPLETED, "", exit_code=0)

    def _read_exit_codes(self, record: Mapping[str, Any]) -> list[int | None]:
        name = record["metadata"]["name"]
        place = f"{kubernetes_layout.STORE}/{kubernetes_layout.EXIT_NAME}"
        workers = int(kubernetes_state.read_spec(record).get("workers") or 1)
        found = [
            self._files.read(
                kubernetes_state.find_image(record), f"{kubernetes_layout.locate_run(name, rank)}/{place}"
            ).strip()
            for rank in range(workers)
        ]
        return [int(text) if text else None for text in found]

    def _end(
        self,
        record: Mapping[str, Any],
        status: Status,
        reason: str,
        *,
        exit_code: int | None = None,
        has_run: bool = True,
    ) -> dict[str, Any]:
        """Writes down how an attempt ended; gives its ConfigMap, with the first such word."""
        seen = Seen(record=record, job=None)
        state = dataclasses.replace(
            kubernetes_state.read_state(seen),
            status=status,
            reason=reason,
            exit_code=exit_code,
            finished_at=datetime.datetime.now(datetime.timezone.utc),
        )
        return self._write(record, {"state": kubernetes_state.build_end(state, has_run=has_run)}, "state")

    def _write(self, record: Mapping[str, Any], data: Mapping[str, str], key: str) -> dict[str, Any]:
        """Adds ``data`` to a ConfigMap, unless ``key`` is there."""
        name = record["metadata"]["name"]
        current: dict[str, Any] | None = dict(record)
        while current is not None and key not in current["data"]:
            version = current["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version}, "data": dict(data)}
            try:
                current = self._api.patch(RECORDS, name, body)
            except Conflict:
                current = self._api.get(RECORDS, name)
        return self._require(current, name)

    def follow(self, state: RunState, tell: Tell = tell_nobody) -> Iterator[str]:
        record = self._api.get(RECORDS, state.name)
        if record is None:
            return
        follower = Follower(self._api, self._files, self._watch, record, tell, pending_seconds=self._pending_seconds)
        yield from follower.follow(self._look_after)

    def tend(self, state: RunState) -> None:
        self._look_after(state.name)

    def _look_after(self, name: str, failure: str = "") -> dict[str, Any] | None:
        """Starts an attempt that nobody has, ends one that shall not go on, and settles one whose Job is gone.

        Args:
            name: of the attempt.
            failure: why it shall not go on, if so.

        Returns:
            Its ConfigMap; None if there is none.
        """
        record = self._api.get(RECORDS, name)
        if record is None or "state" in record["data"]:
            return record
        if failure:
            record = self._end(record, Status.FAILED, failure, has_run=False)
        if failure or kubernetes_state.is_canceled(record):
            self._delete(record)
        elif not kubernetes_state.was_started(record):
            record = self._start(record)
        return self._settle(record)

    def collect(self, state: RunState) -> Record:
        record = self._require(self._api.get(RECORDS, state.name), state.name)
        if "record" not in record["data"]:
            record = self._write(record, {"state": kubernetes_state.build_end(state)}, "state")
            record = self._write(record, self._gather_record(record, state), "record")
            self._forget_secrets(record)
        return self._read_record(record)

    def _gather_record(self, record: Mapping[str, Any], state: RunState) -> dict[str, str]:
        if not kubernetes_state.may_have_run(record):
            return {"record": json.dumps({"metrics": {}, "tail": ""})}
        image, workers = kubernetes_state.find_image(record), int(state.spec.get("workers") or 1)
        metrics: dict[str, float] = {}
        # Worker 0 comes last, so that its metrics stay where several logged the same.
        for rank in reversed(range(workers)):
            store = f"{kubernetes_layout.locate_run(state.name, rank)}/{kubernetes_layout.STORE}"
            with self._files.fetch(image, f"{store}/{kubernetes_layout.TRACKING_NAME}") as folder:
                metrics |= tracking.read_metrics(folder)
        return {"record": json.dumps({"metrics": metrics, "tail": self._read_tail(image, state, workers)})}

    def _read_tail(self, image: str, state: RunState, workers: int) -> str:
        """The end of the log; of several workers that of the one that failed first, as the state's reason says."""
        rank = kubernetes_state.find_rank(state.reason) if workers > 1 else 0
        tail = self._files.read_tail(image, kubernetes_layout.locate_log(state.name, rank), TAIL_BYTES)
        return tail.decode("utf-8", "replace")

    def _read_record(self, record: Mapping[str, Any]) -> Record:
        state = kubernetes_state.read_state(Seen(record=record, job=None))
        known = json.loads(record["data"]["record"])
        workers = int(state.spec.get("workers") or 1)
        folder = f"pvc://{self._place.claim}/{kubernetes_layout.locate_run(state.name)}"
        log = f"pvc://{self._place.claim}/{kubernetes_layout.locate_log(state.name, 0)}"
        return Record(
            state=state,
            metrics=known["metrics"],
            image_digest=str(json.loads(record["data"]["request"])["base"]),
            outputs_path=f"{folder}/outputs",
            output_paths={name: f"{folder}/outputs/{name}" for name in state.spec.get("outputs") or ()},
            portal_url="",
            log_path=log if workers == 1 else f"pvc://{self._place.claim}/runs/{state.name}",
        )

    def read_tail(self, record: Record, size: int) -> bytes:
        found = self._api.get(RECORDS, record.state.name)
        if found is None or "record" not in found["data"]:
            return b""
        tail = str(json.loads(found["data"]["record"])["tail"])
        return tail.encode()[-size:]

    def cancel(self, run_id: str) -> None:
        record = self._find_newest(run_id)
        if record is None:
            return
        seen = self._see(record)
        state = kubernetes_state.read_state(seen)
        if state.status.is_final:
            return
        name = record["metadata"]["name"]
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        self._api.patch(RECORDS, name, {"metadata": {"annotations": {kubernetes_layout.CANCELED: now}}})
        self._delete(record)
        self._await_end(record)
        ended = dataclasses.replace(
            state,
            status=Status.CANCELED,
            reason=kubernetes_state.CANCELED_REASON,
            finished_at=datetime.datetime.now(datetime.timezone.utc),
        )
        self._write(record, {"state": kubernetes_state.build_end(ended)}, "state")

    def _await_end(self, record: Mapping[str, Any]) -> None:
        """Waits until nothing of a run is there that writes."""
        until = time.monotonic() + STOP_SECONDS
        with self._watch.listen(record) as changes:
            while time.monotonic() < until:
                seen = self._watch.see(record)
                if seen is not None and seen.is_gone:
                    return
                with contextlib.suppress(queue.Empty):
                    changes.get(timeout=LOOK_SECONDS)

    def _delete(self, record: Mapping[str, Any]) -> None:
        workload = kubernetes_workload.find_workload(record)
        self._api.delete(workload.kind, workload.name)

    def remove(self, run_id: str) -> None:
        for record in self._api.list(RECORDS, f"{kubernetes_layout.RUN_LABEL}={run_id}"):
            state = kubernetes_state.read_state(self._see(record))
            if state.status.is_final:
                self._delete(record)
                self._forget_secrets(record)
        self._files.close()

    def _forget_secrets(self, record: Mapping[str, Any]) -> None:
        """A run that has ended needs them no more; nor does anybody those of a submitter that died."""
        labels = record["metadata"]["labels"]
        for found in self._api.list(SECRETS, ",".join(f"{key}={value}" for key, value in sorted(labels.items()))):
            self._api.delete(SECRETS, found["metadata"]["name"])
