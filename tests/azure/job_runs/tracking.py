"""Jobs as MLflow shows them: each is a run whose id is the job's name, in an experiment whose id is run history's.

The MLflow server behind the workspaces gives runs and experiments ids of its own. What comes from clients, and goes to
them, is translated; the server learns of jobs when it is next asked for something, as starting it takes seconds.
"""

from __future__ import annotations

import dataclasses
import http
import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib import parse

import requests

from tests.azure.cloud import Cloud
from tests.azure.job_runs import history, statuses
from tests.azure.job_runs.runs import Run
from tests.azure.resources import Resource

_JOBS = "Microsoft.MachineLearningServices/workspaces/jobs"
_RUN_KEYS = frozenset({"run_id", "run_ids", "run_uuid", "source_run_id"})
_RUN_TAGS = frozenset({"mlflow.parentRunId", "mlflow.rootRunId"})
_EXPERIMENT_KEYS = frozenset({"experiment_id", "experiment_ids"})
_QUOTED = re.compile(r"(?P<quote>['\"])(?P<value>[\w-]+)(?P=quote)")
_STATUSES = {
    statuses.RUNNING: "RUNNING",
    statuses.FINALIZING: "RUNNING",
    statuses.CANCEL_REQUESTED: "RUNNING",
    statuses.COMPLETED: "FINISHED",
    statuses.FAILED: "FAILED",
    statuses.NOT_RESPONDING: "FAILED",
    statuses.CANCELED: "KILLED",
}
"""MLflow's words for a job's status; SCHEDULED before."""
_SECONDS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Names:
    """The ids of a workspace.

    Attributes:
        runs: MLflow's, by the names of jobs.
        experiments: MLflow's, by those of run history.
    """

    runs: Mapping[str, str]
    experiments: Mapping[str, str]

    def translate_query(self, query: str) -> str:
        """What follows the question mark, as MLflow knows it."""
        pairs = parse.parse_qsl(query, keep_blank_values=True)
        return parse.urlencode([(name, self._find(name, value)) for name, value in pairs])

    def translate_path(self, path: str) -> str:
        """Likewise of a path, which names runs where it is that of an artifact."""
        return "/".join(self.runs.get(part, part) for part in path.split("/"))

    def translate_request(self, content: bytes) -> bytes:
        """Likewise of a body."""
        return json.dumps(self._walk("", json.loads(content))).encode() if content else content

    def translate_answer(self, content: bytes) -> bytes:
        """What MLflow says, as clients know it."""
        text = content.decode()
        for name, number in self.runs.items():
            # MLflow's ids are 32 random digits, which are nowhere by chance.
            text = text.replace(number, name)
        known = {number: name for name, number in self.experiments.items()}
        return json.dumps(Names(runs={}, experiments=known)._walk("", json.loads(text))).encode()

    def _walk(self, key: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._walk(key, each) for each in value]
        if isinstance(value, str):
            return self._find(key, value)
        if not isinstance(value, dict):
            return value
        if value.get("key") in _RUN_TAGS:
            return {**value, "value": self.runs.get(value.get("value", ""), value.get("value"))}
        return {name: self._walk(name, each) for name, each in value.items()}

    def _find(self, key: str, value: str) -> str:
        if key in _RUN_KEYS:
            return self.runs.get(value, value)
        if key in _EXPERIMENT_KEYS:
            return self.experiments.get(value, value)
        if key == "filter" and "run_id" in value:
            return _QUOTED.sub(
                lambda found: f"{found['quote']}{self.runs.get(found['value'], found['value'])}{found['quote']}", value
            )
        return value


class RunTracking:
    """Tells the MLflow server of jobs."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._runs: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def bring_up_to_date(self, workspace: Resource, url: str, place: str) -> Names:
        """Makes a run for each job that has none yet, gives all their status, and gives the names of all.

        Args:
            workspace: whose jobs.
            url: of the MLflow server.
            place: what the server calls the workspace.
        """
        runs: dict[str, str] = {}
        experiments: dict[str, str] = {}
        with self._lock, requests.Session() as session:
            session.trust_env = False
            session.headers["X-MLFLOW-WORKSPACE"] = place
            server = _Server(session, f"{url}/api/2.0/mlflow")
            for job in self._cloud.resources.list_inside(workspace.id, _JOBS):
                run, experiment = self._cloud.jobs.find(job.id), str(job.properties["experimentName"])
                if run is None:
                    continue
                number = history.find_experiment_id(workspace, experiment)
                if number not in experiments:
                    experiments[number] = server.ensure_experiment(experiment)
                if run.run_uuid not in self._runs:
                    self._runs[run.run_uuid] = server.create_run(run, experiments[number])
                runs[job.name] = self._runs[run.run_uuid]
                status = _STATUSES.get(run.status, "SCHEDULED")
                if self._told.get(run.run_uuid) != status:
                    server.update_run(run, runs[job.name], status)
                    self._told[run.run_uuid] = status
        return Names(runs=runs, experiments=experiments)


class _Server:
    """The calls of MLflow's API that are needed."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session = session
        self._url = url

    def ensure_experiment(self, name: str) -> str:
        found = self._session.get(
            f"{self._url}/experiments/get-by-name", params={"experiment_name": name}, timeout=_SECONDS
        )
        if found.status_code == http.HTTPStatus.NOT_FOUND:
            return str(self._post("experiments/create", {"name": name})["experiment_id"])
        found.raise_for_status()
        return str(found.json()["experiment"]["experiment_id"])

    def create_run(self, run: Run, experiment: str) -> str:
        body = {
            "experiment_id": experiment,
            "run_name": run.job.properties.get("displayName"),
            "start_time": int(run.created.timestamp() * 1000),
            "tags": [{"key": "mlflow.user", "value": run.submitter}],
        }
        return str(self._post("runs/create", body)["run"]["info"]["run_id"])

    def update_run(self, run: Run, number: str, status: str) -> None:
        body: dict[str, Any] = {"run_id": number, "status": status}
        if run.ended is not None:
            body["end_time"] = int(run.ended.timestamp() * 1000)
        self._post("runs/update", body)

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._session.post(f"{self._url}/{path}", json=body, timeout=_SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
