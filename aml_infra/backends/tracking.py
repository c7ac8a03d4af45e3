"""What a run logged with MLflow: read from its own store, and copied to the store of this machine.

The container logs to a file store of its own (``mlflow-skinny`` can, and no server is needed); when it has ended the
runs are copied with MLflow's own client into ``<data folder>/mlruns``, where MLflow's page shows them side by side.
"""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mlflow.entities
    from mlflow import MlflowClient

_SYSTEM_TAG = "mlflow."
_KEPT_TAGS = ("mlflow.runName", "mlflow.source.name", "mlflow.user", "mlflow.note.content")
_BATCH = 1000
"""Most metrics that one call of MLflow's API takes."""
_PARAMS_BATCH = 100


def read_metrics(store: pathlib.Path) -> dict[str, float]:
    """The last value of each metric in ``store``; of a metric in several MLflow runs, the newest run's."""
    metrics: dict[str, float] = {}
    if _has_runs(store):
        for run in _list_runs(_open_client(store)):
            metrics.update(run.data.metrics)
    return metrics


def copy_runs(store: pathlib.Path, target: pathlib.Path, tags: dict[str, str]) -> None:
    """Copies every MLflow run of ``store`` into ``target``, with ``tags`` added; runs copied before are left.

    A run that was still open when its container ended was killed, and is copied as such.
    """
    if not _has_runs(store):
        return
    source = _open_client(store)
    target.mkdir(parents=True, exist_ok=True)
    client = _open_client(target)
    for run in _list_runs(source):
        name = source.get_experiment(run.info.experiment_id).name
        experiment = client.get_experiment_by_name(name)
        experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
        origin = f"tags.`aml-infra.origin` = '{run.info.run_id}'"
        if not client.search_runs([experiment_id], filter_string=origin, max_results=1):
            _copy_run(source, client, run, experiment_id, {**tags, "aml-infra.origin": run.info.run_id}, store)


def _copy_run(
    source: MlflowClient,
    client: MlflowClient,
    run: mlflow.entities.Run,
    experiment_id: str,
    tags: dict[str, str],
    store: pathlib.Path,
) -> None:
    from mlflow.entities import Param

    kept = {key: value for key, value in run.data.tags.items() if not key.startswith(_SYSTEM_TAG) or key in _KEPT_TAGS}
    copy = client.create_run(
        experiment_id, start_time=run.info.start_time, tags={**kept, **tags}, run_name=run.info.run_name
    )
    metrics = [metric for key in run.data.metrics for metric in source.get_metric_history(run.info.run_id, key)]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(copy.info.run_id, metrics=metrics[start : start + _BATCH])
    params = [Param(key, value) for key, value in run.data.params.items()]
    for start in range(0, len(params), _PARAMS_BATCH):
        client.log_batch(copy.info.run_id, params=params[start : start + _PARAMS_BATCH])
    # The run's own record of where its artifacts are is a path inside the container.
    artifacts = store / run.info.experiment_id / run.info.run_id / "artifacts"
    if artifacts.is_dir():
        target = client.get_run(copy.info.run_id).info.artifact_uri
        if target is not None:
            shutil.copytree(artifacts, _read_path(target), dirs_exist_ok=True, symlinks=True)
    status = "KILLED" if run.info.status == "RUNNING" else run.info.status
    client.set_terminated(copy.info.run_id, status=status, end_time=run.info.end_time)


def _has_runs(store: pathlib.Path) -> bool:
    return any(store.glob("*/*/meta.yaml"))


def _list_runs(client: MlflowClient) -> Iterable[mlflow.entities.Run]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs: list[mlflow.entities.Run] = []
    token = None
    while True:
        page = client.search_runs(experiments, order_by=["attributes.start_time ASC"], page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _open_client(store: pathlib.Path) -> MlflowClient:
    # MLflow 3 asks to be told that its file store is wanted.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.as_uri())


def _read_path(uri: str) -> str:
    from mlflow.utils.file_utils import local_file_uri_to_path

    return str(local_file_uri_to_path(uri))
