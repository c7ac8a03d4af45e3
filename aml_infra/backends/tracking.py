"""What a run logged with MLflow: read from its own store, and copied to the store of this machine.

The container logs to a file store of its own (``mlflow-skinny`` can, and no server is needed); when it has ended the
runs are copied with MLflow's own client into ``<data folder>/mlruns``, where MLflow's page shows them side by side. The
client takes long to load, and is left alone where nothing was logged.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import pathlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LOG = logging.getLogger(__name__)
_COPYING = threading.Lock()
_NOT_EXPERIMENTS = ("models", ".trash")

_SYSTEM_TAG = "mlflow."
_KEPT_TAGS = ("mlflow.runName", "mlflow.source.name", "mlflow.user", "mlflow.note.content")
_BATCH = 1000
"""Most metrics that one call of MLflow's API takes."""
_PARAMS_BATCH = 100
_PARAM_LENGTH = 6000
"""Longest value of a parameter."""


@dataclasses.dataclass(frozen=True)
class _Run:
    """An MLflow run in a file store."""

    id: str
    folder: pathlib.Path


def read_metrics(store: pathlib.Path) -> dict[str, float]:
    """The last value of each metric in ``store``; of a metric in several MLflow runs, the newest run's.

    What a killed run has left half-written is left out, and so is what is not a finite number: JSON has no way to say
    it, and it equals nothing, so that each `pulumi up` would see a change.
    """
    runs = _list_runs(store)
    if not runs:
        return {}
    client = _open_client(store)
    from mlflow.exceptions import MlflowException

    metrics: dict[str, float] = {}
    for run in runs:
        folder = run.folder / "metrics"
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = path.relative_to(folder).as_posix()
            try:
                history = client.get_metric_history(run.id, key)
            except (MlflowException, ValueError) as error:
                _LOG.warning("metric %r is left out: %s", key, error)
                continue
            if history and math.isfinite(history[-1].value):
                metrics[key] = history[-1].value
    return metrics


def copy_runs(
    store: pathlib.Path, target: pathlib.Path, tags: dict[str, str], parameters: Mapping[str, str] | None = None
) -> None:
    """Copies every MLflow run of ``store`` into ``target``, with ``tags`` added; runs copied before are left.

    ``parameters`` are added to each, where it has not logged them itself; if nothing was logged, they make a run.

    A run that was still open when its container ended was killed, and is copied as such. What cannot be copied is said
    and left out: it is for MLflow's page only, and no reason to fail a training.
    """
    runs = _list_runs(store)
    if not runs and not parameters:
        return
    source = _open_client(store)
    from mlflow.exceptions import MlflowException

    target.mkdir(parents=True, exist_ok=True)
    with _lock(target):
        client = _open_client(target)
        if not runs:
            try:
                _log_parameters(client, tags, parameters or {})
            except (MlflowException, OSError, ValueError) as error:
                _LOG.warning("the parameters of %s are not logged to %s: %s", tags["aml-infra.run"], target, error)
        for run in runs:
            try:
                _copy_run(source, client, run, {**tags, "aml-infra.origin": run.id}, parameters or {})
            except (MlflowException, OSError, ValueError) as error:
                _LOG.warning("MLflow run %s is not copied to %s: %s", run.id, target, error)


@contextlib.contextmanager
def _lock(target: pathlib.Path) -> Iterator[None]:
    """One copier at a time: two would each make an experiment of the same name."""
    with _COPYING, open(target.with_name(f"{target.name}.lock"), "w", encoding="utf-8") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _find_experiment(client: MlflowClient, name: str) -> str:
    """The id of the experiment called ``name``: made if there is none, restored if it was deleted."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return str(client.create_experiment(name))
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _copy_run(
    source: MlflowClient, client: MlflowClient, found: _Run, tags: dict[str, str], parameters: Mapping[str, str]
) -> None:
    run = source.get_run(found.id)
    experiment_id = _find_experiment(client, source.get_experiment(run.info.experiment_id).name)
    origin = f"tags.`aml-infra.origin` = '{found.id}'"
    if client.search_runs([experiment_id], filter_string=origin, max_results=1):
        return
    kept = {key: value for key, value in run.data.tags.items() if not key.startswith(_SYSTEM_TAG) or key in _KEPT_TAGS}
    copy = client.create_run(
        experiment_id, start_time=run.info.start_time, tags={**kept, **tags}, run_name=run.info.run_name
    )
    metrics = [metric for key in run.data.metrics for metric in source.get_metric_history(run.info.run_id, key)]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(copy.info.run_id, metrics=metrics[start : start + _BATCH])
    _log_params(client, copy.info.run_id, {**parameters, **run.data.params})
    # The run's own record of where its artifacts are is a path inside the container.
    artifacts = found.folder / "artifacts"
    target = client.get_run(copy.info.run_id).info.artifact_uri
    if artifacts.is_dir() and target is not None:
        shutil.copytree(artifacts, _read_path(target), dirs_exist_ok=True, symlinks=True)
    status = "KILLED" if run.info.status == "RUNNING" else run.info.status
    client.set_terminated(copy.info.run_id, status=status, end_time=run.info.end_time)


def _log_parameters(client: MlflowClient, tags: dict[str, str], parameters: Mapping[str, str]) -> None:
    """A run that has parameters only, for a training that logs nothing itself."""
    experiment_id = _find_experiment(client, tags.get("aml-infra.experiment", "Default"))
    if not client.search_runs([experiment_id], f"tags.`aml-infra.run` = '{tags['aml-infra.run']}'", max_results=1):
        run = client.create_run(experiment_id, tags=tags, run_name=tags["aml-infra.run"])
        _log_params(client, run.info.run_id, parameters)
        client.set_terminated(run.info.run_id)


def _log_params(client: MlflowClient, run_id: str, parameters: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    params = [Param(key, value[:_PARAM_LENGTH]) for key, value in parameters.items()]
    for start in range(0, len(params), _PARAMS_BATCH):
        client.log_batch(run_id, params=params[start : start + _PARAMS_BATCH])


def _list_runs(store: pathlib.Path) -> list[_Run]:
    """The runs of a store, oldest first; a killed container may have left one whose description is not whole."""
    import yaml

    found = []
    for meta in store.glob("*/*/meta.yaml"):
        try:
            content = yaml.safe_load(meta.read_text(encoding="utf-8"))
            found.append((int(content["start_time"]), _Run(str(content["run_id"]), meta.parent)))
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            if meta.parent.parent.name not in _NOT_EXPERIMENTS:
                _LOG.warning("MLflow run %s is left out: %r", meta.parent.name, error)
    return [run for _, run in sorted(found, key=lambda each: (each[0], each[1].id))]


def _open_client(store: pathlib.Path) -> MlflowClient:
    # MLflow 3 asks to be told that its file store is wanted. It reports nothing about its use from here, unless asked.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.as_uri())


def _read_path(uri: str) -> str:
    from mlflow.utils.file_utils import local_file_uri_to_path

    return str(local_file_uri_to_path(uri))
