"""Runs trainings as jobs of Azure Machine Learning, on a cluster of a workspace.

A job is put under its attempt's name, which is atomic in the service. As a job that is there cannot be changed, each
submit writes a text of its own into it: whoever finds another text there came second, and whoever finds its own was
first, also where the answer was lost. All that a job refers to is there before it.

What is kept of a run is the service's: the job, its history, its metrics and its files. There is no record beside it,
so that every machine sees the same.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import importlib.resources
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aml_infra import attached_clusters, azure_client, naming, rules, vm_sizes
from aml_infra import source as sources
from aml_infra.backends import azureml_log, azureml_request, azureml_state, azureml_upload, base
from aml_infra.backends.azureml_request import Place
from aml_infra.backends.azureml_service import ARTIFACTS, WorkspaceService
from aml_infra.backends.base import AlreadySubmitted, Backend, Record, RunGone, RunState, Status, Tell, tell_nobody
from aml_infra.errors import (
    AccessDenied,
    AmlInfraError,
    BackendUnavailable,
    InvalidInput,
    NotReadyYet,
    Problem,
    RequestRefused,
    RunConflict,
    RunNotSubmitted,
)
from aml_infra.source import Snapshot
from aml_infra.spec import Demand, RunSpec

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

REQUIRED = ("subscription_id", "resource_group", "workspace_name")
OPTIONS = (*REQUIRED, "compute_name", "instance_type", "declared")
RECONNECT_SECONDS = 600.0
"""How long the service may be away before following gives up; its client tries again by itself for some of it."""

POLL_SECONDS = 2.0
"""Between two looks at a job."""

NEWS_SECONDS = 60.0
"""After so long it is said again what a job waits for."""

CANCEL_SECONDS = 300.0
"""How long a job that was asked to end is waited for; after that, it ends by itself."""

STALE_SECONDS = 30.0
"""For so long a job that was just made may be missing in an answer."""

ROLES_SECONDS = 1800.0
"""For so long after a workspace was made, a role in it may not count everywhere yet, as Azure's documentation says of
data (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting)."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOG_FILE = re.compile(r"user_logs/std_log(?:_process_\d+)?\.txt")
_PHASES = {
    "NotStarted": "has been submitted",
    "Queued": "waits for a node",
    "Preparing": "is being prepared: the image is built or pulled, if need be",
    "Provisioning": "waits for a node that is being made",
    "Starting": "is starting",
    "Running": "is running",
    "Finalizing": "has ended, and its outputs are being kept",
}


def open_backend(options: Mapping[str, str]) -> AzuremlBackend:
    """The backend on a cluster, with the login of this process' environment (see ``azure_login``).

    Raises:
        InvalidInput: an option is unknown or missing.
        BackendUnavailable: the environment's login is not whole.
    """
    problems = [
        Problem("backend_options", f"has {name!r}; allowed are {', '.join(OPTIONS)}")
        for name in sorted(set(options) - set(OPTIONS))
    ]
    problems += [
        Problem(f"backend_options.{name}", "is missing; a GpuCluster gives it")
        for name in REQUIRED
        if not options.get(name)
    ]
    if problems:
        raise InvalidInput(problems)
    # Without a cluster, runs can be read.
    place = Place(**{name: options.get(name, "") for name in OPTIONS})
    return AzuremlBackend(_open_service(place))


@functools.cache
def _open_service(place: Place) -> WorkspaceService:
    return WorkspaceService(azure_client.open_client(), place)


class AzuremlBackend(Backend):
    """See the module."""

    def __init__(self, service: WorkspaceService) -> None:
        self._service = service
        self._place = service.place
        self._submitted: set[str] = set()
        self._specs: dict[str, Mapping[str, Any]] = {}

    def find_problems(self, demand: Demand) -> list[Problem]:
        try:
            return self._find_problems(demand)
        except (BackendUnavailable, RequestRefused) as error:
            return [Problem("compute", str(error))]

    def _find_problems(self, demand: Demand) -> list[Problem]:
        if not self._place.compute_name:
            return [Problem("backend_options.compute_name", "is missing; a GpuCluster gives it")]
        compute = self._service.get_compute()
        if compute is None:
            # The same update may be about to make it.
            return []
        nodes = compute["properties"].get("properties") or {}
        if compute["properties"]["computeType"] == attached_clusters.KIND:
            return self._find_attached_problems(nodes, demand)
        asked = dataclasses.replace(demand, instance_type=self._place.instance_type)
        problems = rules.find_instance_type_problems(asked, "a GpuCluster")
        if self._place.declared:
            # The service has the cluster as it was, which the same update may be about to change.
            return problems
        size = self._service.find_size(compute["location"], nodes.get("vmSize") or "")
        if size is not None:
            problems += vm_sizes.find_demand_problems(nodes["vmSize"], demand, size)
        most = (nodes.get("scaleSettings") or {}).get("maxNodeCount")
        if most is not None and demand.workers > most:
            fix = f"the cluster has at most {most} nodes, one for each worker; raise its max_nodes"
            problems.append(Problem("distribution.workers", f"is {demand.workers}; {fix}"))
        return problems

    def _find_attached_problems(self, cluster: Mapping[str, Any], demand: Demand) -> list[Problem]:
        known = attached_clusters.read_instance_types(cluster)
        chosen = self._place.instance_type or cluster.get("defaultInstanceType") or attached_clusters.SERVICE_DEFAULT
        if not self._place.instance_type and chosen not in known:
            # What the service does not say is for the cluster to refuse.
            known = {}
        path = "backend_options.instance_type"
        return attached_clusters.find_demand_problems(known, chosen, demand, path)

    def identify_image(self, reference: str) -> str:
        asset = azureml_request.find_asset(reference)
        if asset is None and not reference.startswith("/subscriptions/"):
            found = _DIGEST.search(reference)
            if found is None:
                raise InvalidInput(
                    [
                        Problem(
                            "image",
                            f"is {reference!r}, and what that is only its registry could say; give it by its digest, "
                            "as in 'server/name@sha256:...', as a TrainingImage, or as 'azureml:name:version'",
                        )
                    ]
                )
            return found[0]
        path = azureml_request.locate_environment(self._place, reference)
        version = self._service.get(path)
        if version is None:
            raise InvalidInput(
                [Problem("image", f"is {reference!r}, and there is no such environment in the workspace")]
            )
        return azureml_request.identify_environment(version)

    def build_request(self, spec: RunSpec, attempt: int) -> Mapping[str, Any]:
        return azureml_request.build_request(self._place, spec, attempt)

    def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:
        name, token = naming.attempt_name(spec.run_id, attempt), secrets.token_hex(8)
        if (known := self._service.get_job(name)) is not None:
            raise self._explain_taken(known)
        base.require_same_source(snapshot)
        base.require_same_data(spec)
        request = self.build_request(spec, attempt)
        store = self._service.open_datastore(azureml_request.DATASTORE)
        try:
            self._provide(request, spec, snapshot, store, tell)
            self._write_spec(store, name, token, spec)
            if spec.secrets:
                connection = azureml_request.locate_connection(request, token)
                self._service.put(connection, azureml_request.build_connection(spec.secrets))
        except AccessDenied as error:
            raise self._explain_denied(name, error) from error
        except RequestRefused as error:
            raise RunNotSubmitted(f"what run {name} needs could not be put into the workspace: {error}") from error
        try:
            self._put_job(name, request, token)
        except (AlreadySubmitted, NotReadyYet, RunConflict, RunNotSubmitted):
            if spec.secrets:
                self._service.delete(azureml_request.locate_connection(request, token))
            raise

    def _explain_denied(self, name: str, error: AccessDenied) -> AmlInfraError:
        """Whether it may pass by itself: what gave this account its role may have done so a moment ago."""
        what = f"what run {name} needs could not be put into the workspace: {error}"
        born = azureml_state.read_moment(self._service.find_birth())
        now = datetime.datetime.now(datetime.timezone.utc)
        if born is None or (now - born).total_seconds() > ROLES_SECONDS:
            return RunNotSubmitted(what)
        return NotReadyYet(f"{what}; the workspace is new, and a role in it counts everywhere after some minutes")

    def _provide(
        self, request: Mapping[str, Any], spec: RunSpec, snapshot: Snapshot, store: ContainerClient, tell: Tell
    ) -> None:
        """Makes what the job refers to and other runs share, as far as it is not there."""
        code, environment = request["code"], request["environment"]
        if self._service.get(code["path"]) is None:
            azureml_upload.upload_archive(store, f"{code['folder']}/{azureml_request.ARCHIVE}", snapshot, tell)
            body = {"codeUri": f"{store.url}/{code['folder']}", "isAnonymous": False}
            self._service.put(code["path"], {"properties": body})
        for name, folder in request["inputs"].items():
            path = spec.inputs[name].path
            azureml_upload.upload_data(store, folder, path, sources.take_data_snapshot(path), tell)
        if environment is not None and self._service.get(environment["path"]) is None:
            self._service.put(environment["path"], environment["body"])

    def _write_spec(self, store: ContainerClient, name: str, token: str, spec: RunSpec) -> None:
        blob = store.get_blob_client(_locate_spec(name, token))
        text = json.dumps(spec.describe(), sort_keys=True)
        with azure_client.errors():
            blob.upload_blob(text.encode("utf-8", "surrogateescape"), overwrite=True)

    def _put_job(self, name: str, request: Mapping[str, Any], token: str) -> None:
        start = importlib.resources.files(__package__).joinpath("azureml_start.py").read_text("utf-8")
        body = azureml_request.complete(request, token, start=start)
        try:
            job: Mapping[str, Any] | None = self._service.put(request["job"]["path"], body)
            refused = None
        except RequestRefused as error:
            # It may be there: put by another client, or by us, where the answer was lost and it was sent again.
            job, refused = self._service.get_job(name), error
        except AccessDenied as error:
            raise self._explain_denied(name, error) from error
        if job is None:
            raise RunNotSubmitted(f"Azure Machine Learning refused run {name}: {refused}") from refused
        self._submitted.add(name)
        if (job["properties"].get("properties") or {}).get(azureml_request.SUBMISSION) != token:
            raise self._explain_taken(job)

    def _explain_taken(self, job: Mapping[str, Any]) -> AmlInfraError:
        """Says whose the job is that has the name of ours."""
        if azureml_state.is_ours(job):
            return AlreadySubmitted(f"{job['name']} exists")
        return RunConflict(
            f"the name {job['name']!r} is held in workspace {self._place.workspace_name!r} by a job that is not ours; "
            "rename the job in the program"
        )

    def describe(self, run_id: str) -> RunState | None:
        newest = self._find_newest(run_id)
        return None if newest is None else self._read(newest)

    def _find_newest(self, run_id: str) -> dict[str, Any] | None:
        """The job of the newest attempt: there is a next one only where one has failed."""
        newest, attempt = None, 1
        while (job := self._get_job(naming.attempt_name(run_id, attempt))) is not None:
            if not azureml_state.is_ours(job):
                raise self._explain_taken(job)
            newest = job
            if not azureml_state.has_ended(job) or job["properties"]["status"] == Status.COMPLETED.value:
                break
            attempt += 1
        return newest

    def _get_job(self, name: str) -> dict[str, Any] | None:
        job = self._service.get_job(name)
        # What we have just made is there, whatever an answer says that is of a moment before.
        until = time.monotonic() + STALE_SECONDS
        while job is None and name in self._submitted and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            job = self._service.get_job(name)
        if job is None and name in self._submitted:
            self._submitted.discard(name)
        return job

    def _read(self, job: Mapping[str, Any]) -> RunState:
        name = str(job["name"])
        return azureml_state.read_state(job, self._service.get_history(name), self._read_spec(job))

    def _read_spec(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """What was submitted; empty to who may not read it, who sees the run all the same."""
        token = job["properties"]["properties"].get(azureml_request.SUBMISSION, "")
        if token not in self._specs:
            store = self._service.open_datastore(azureml_request.DATASTORE)
            try:
                found = azureml_log.read_blob(store, _locate_spec(job["name"], token))
            except AccessDenied:
                return {}
            self._specs[token] = json.loads(found) if found else {}
        return self._specs[token]

    def follow(self, state: RunState, tell: Tell = tell_nobody) -> Iterator[str]:
        reader: azureml_log.LogReader | None = None
        phases = _Phases(state.name, self._service, tell)
        away_since: float | None = None
        while True:
            try:
                # In this order, so that what is read after the end is all that there is.
                job = self._service.get_job(state.name)
                has_ended = job is None or azureml_state.has_ended(job)
                if job is not None:
                    if not has_ended:
                        phases.see(str(job["properties"]["status"]))
                    reader = reader or self._open_log(job)
                if reader is not None:
                    yield from reader.read(has_ended=has_ended)
                if has_ended:
                    return
                away_since = None
            except BackendUnavailable:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > RECONNECT_SECONDS:
                    raise
            time.sleep(POLL_SECONDS)

    def _open_log(self, job: Mapping[str, Any]) -> azureml_log.LogReader:
        store = self._service.open_datastore(ARTIFACTS)
        has_ranks = azureml_state.count_processes(job) > 1
        return azureml_log.LogReader(store, _locate_files(job["name"]), has_ranks=has_ranks)

    def collect(self, state: RunState) -> Record:
        job = self._service.get_job(state.name)
        if job is None:
            raise RunGone(f"job {state.name} was deleted; run `pulumi up` again to train it anew")
        logged = self._service.get_logged(state.name)
        asked: Mapping[str, str] = state.spec.get("parameters") or {}
        # What the run has logged itself stays as it is.
        missing = {key: value for key, value in asked.items() if key not in logged.parameters}
        self._service.log_parameters(state.name, missing)
        self._forget_secrets(job)
        store = self._service.open_datastore(ARTIFACTS)
        folder = _locate_files(state.name)
        log = f"{folder}/{azureml_log.FOLDER}/"
        if azureml_state.count_processes(job) == 1:
            log = azureml_log.locate_log(folder)
        services = job["properties"].get("services") or {}
        asked_for: Mapping[str, Any] = state.spec.get("outputs") or {}
        return Record(
            state=state,
            metrics=logged.metrics,
            image_digest=self._find_image_digest(job, state),
            outputs_path=f"azureml:/{self._place.workspace_id}/datastores/{ARTIFACTS}/paths/{folder}/outputs/",
            output_paths={
                name: azureml_request.locate_output(state.name, name, output["path"])
                for name, output in asked_for.items()
            },
            portal_url=str((services.get("Studio") or {}).get("endpoint") or ""),
            log_path=f"{store.url}/{log}",
        )

    def _find_image_digest(self, job: Mapping[str, Any], state: RunState) -> str:
        environment = self._service.get(job["properties"]["environmentId"]) or {}
        image = str((environment.get("properties") or {}).get("image") or "")
        found = _DIGEST.search(image) or _DIGEST.search(str(state.spec.get("image_identity") or ""))
        return found[0] if found else ""

    def read_tail(self, record: Record, size: int) -> bytes:
        name = record.state.name
        error = json.dumps(self._service.get_history(name).get("error") or {})
        # The service says which of several processes has failed.
        found = _LOG_FILE.search(error)
        folder = _locate_files(name)
        blob = f"{folder}/{found[0]}" if found else azureml_log.locate_log(folder)
        return azureml_log.read_tail(self._service.open_datastore(ARTIFACTS), blob, size)

    def cancel(self, run_id: str) -> None:
        job = self._find_newest(run_id)
        if job is None or azureml_state.has_ended(job):
            return
        try:
            self._service.cancel_job(job["name"])
        except RequestRefused:
            # One that has just ended, or is about to, is what it is.
            status = (self._service.get_job(job["name"]) or job)["properties"]["status"]
            if status not in ("Finalizing", *azureml_state.ENDED):
                raise
        until = time.monotonic() + CANCEL_SECONDS
        while not azureml_state.has_ended(job) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            job = self._service.get_job(job["name"]) or job

    def remove(self, run_id: str) -> None:
        newest = self._find_newest(run_id)
        if newest is None or not azureml_state.has_ended(newest):
            return
        for attempt in range(1, int(newest["properties"]["properties"][azureml_request.ATTEMPT]) + 1):
            job = self._service.get_job(naming.attempt_name(run_id, attempt))
            if job is not None:
                self._forget_secrets(job)
                if not job["properties"].get("isArchived"):
                    self._service.archive(job["name"], job["properties"]["experimentName"])

    def _forget_secrets(self, job: Mapping[str, Any]) -> None:
        """A job that has ended needs them no more."""
        connection = (job["properties"].get("environmentVariables") or {}).get(azureml_request.SECRETS_VARIABLE)
        if connection and self._service.get(connection) is not None:
            self._service.delete(connection)


class _Phases:
    """Tells what the service does for a job before it runs, and what it waits for."""

    def __init__(self, name: str, service: WorkspaceService, tell: Tell) -> None:
        self._name, self._service, self._tell = name, service, tell
        self._began = self._said = time.monotonic()
        self._status, self._starts = "", 0

    def see(self, status: str) -> None:
        """The job's status now."""
        now = time.monotonic()
        if status != self._status:
            if status == "Running":
                self._starts += 1
            again = ""
            if status == "Queued" and self._starts:
                again = f" again, as its machine was taken away; this will be start {self._starts + 1}"
            if self._status or status != "Running":
                since = self._format_time(now) if self._status else ""
                self._tell(f"run {self._name} {_PHASES.get(status, f'is {status}')}{again}{since}")
            self._status, self._said = status, now
        elif status in ("Queued", "Provisioning", "Preparing") and now - self._said >= NEWS_SECONDS:
            self._said = now
            self._tell(f"run {self._name} still {_PHASES[status]}{self._format_time(now)}{self._explain()}")

    def _format_time(self, now: float) -> str:
        seconds = round(now - self._began)
        return f" ({seconds // 60}:{seconds % 60:02})"

    def _explain(self) -> str:
        """What keeps nodes from coming, in the service's words."""
        nodes = ((self._service.get_compute() or {}).get("properties") or {}).get("properties") or {}
        said = [f"{each['error']['code']}: {each['error']['message']}" for each in nodes.get("errors") or ()]
        said += filter(None, [self._service.explain_queue(self._name)])
        if said:
            return f"; Azure says: {' '.join(said)}"
        most = (nodes.get("scaleSettings") or {}).get("maxNodeCount")
        if most is None:
            return ""
        return f"; the cluster has {nodes.get('currentNodeCount', 0)} of at most {most} nodes"


def _locate_files(name: str) -> str:
    """The folder with the files of a job in the datastore ``ARTIFACTS``."""
    return f"ExperimentRun/dcid.{name}"


def _locate_spec(name: str, token: str) -> str:
    return f"{azureml_request.FOLDER}/runs/{name}/{token}.json"
