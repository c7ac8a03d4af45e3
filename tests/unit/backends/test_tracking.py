from __future__ import annotations

import concurrent.futures
import pathlib
import subprocess
import sys

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from aml_infra.backends import tracking


@pytest.fixture
def store(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A file store with one run, as a container leaves it."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    folder = tmp_path / "container"
    client = MlflowClient(folder.as_uri())
    run = client.create_run(client.create_experiment("pets"), run_name="first", tags={"mine": "1"})
    for step, value in enumerate((0.5, 0.9)):
        client.log_metric(run.info.run_id, "accuracy", value, step=step)
    client.log_param(run.info.run_id, "lr", 0.1)
    client.set_terminated(run.info.run_id)
    artifacts = folder / run.info.experiment_id / run.info.run_id / "artifacts"
    artifacts.mkdir(exist_ok=True)
    (artifacts / "model.txt").write_text("model")
    return folder


def list_runs(target: pathlib.Path, name: str = "pets") -> list[Run]:
    """Every run in the experiment called ``name`` of a store."""
    client = MlflowClient(target.as_uri())
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_metrics_are_the_last_values(store: pathlib.Path) -> None:
    """Of each metric, the value logged last."""
    assert tracking.read_metrics(store) == {"accuracy": 0.9}


def test_a_run_without_mlflow_has_no_metrics(tmp_path: pathlib.Path) -> None:
    """An empty folder, or none, is not an error."""
    assert tracking.read_metrics(tmp_path) == {}
    assert tracking.read_metrics(tmp_path / "nowhere") == {}


def test_mlflow_is_not_loaded_where_nothing_was_logged(tmp_path: pathlib.Path) -> None:
    """It takes longer to load than many a run takes."""
    program = """
import pathlib, sys
from aml_infra.backends import tracking
store = pathlib.Path(sys.argv[1])
tracking.copy_runs(store, store / "mlruns", {"aml-infra.run": "fastai-0123"})
print(tracking.read_metrics(store), "mlflow" in sys.modules)
"""

    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)

    assert done.stdout == "{} False\n"


def test_a_run_is_copied_with_its_history(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Metrics step by step, parameters, tags, name, status and artifacts; times are the run's own."""
    target = tmp_path / "mlruns"

    tracking.copy_runs(store, target, {"aml-infra.run": "train-1"})

    (run,) = list_runs(target)
    (original,) = list_runs(store)
    history = MlflowClient(target.as_uri()).get_metric_history(run.info.run_id, "accuracy")
    assert [metric.value for metric in history] == [0.5, 0.9]
    assert run.data.params == {"lr": "0.1"}
    assert (run.data.tags["mine"], run.data.tags["aml-infra.run"]) == ("1", "train-1")
    assert (run.info.run_name, run.info.status, run.info.end_time) == ("first", "FINISHED", original.info.end_time)
    assert len(list(target.glob("*/*/artifacts/model.txt"))) == 1


def test_a_run_that_was_left_open_was_killed(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A container that was stopped leaves no run that seems to go on."""
    client = MlflowClient(store.as_uri())
    client.update_run(list_runs(store)[0].info.run_id, status="RUNNING")

    tracking.copy_runs(store, tmp_path / "mlruns", {})

    assert [run.info.status for run in list_runs(tmp_path / "mlruns")] == ["KILLED"]


def test_what_a_killed_run_left_half_written_is_left_out(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A metric that was cut off, one that is no number and a run without a description: the rest is read."""
    (run,) = list_runs(store)
    folder = store / run.info.experiment_id / run.info.run_id
    (folder / "metrics" / "cut").write_text("17000")
    (folder / "metrics" / "loss").write_text("17000 nan 0\n")
    broken = store / run.info.experiment_id / ("0" * 32)
    broken.mkdir()
    (broken / "meta.yaml").write_text("")

    tracking.copy_runs(store, tmp_path / "mlruns", {})

    assert tracking.read_metrics(store) == {"accuracy": 0.9}


def test_an_experiment_that_was_deleted_is_restored(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """What somebody deleted on MLflow's page does not stop the next run of it."""
    target = tmp_path / "mlruns"
    client = MlflowClient(target.as_uri())
    client.delete_experiment(client.create_experiment("pets"))

    tracking.copy_runs(store, target, {})

    assert len(list_runs(target)) == 1


def test_many_runs_collected_at_once_make_one_experiment(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Four copiers at the same time, one experiment, one run."""
    target = tmp_path / "mlruns"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for copying in [pool.submit(tracking.copy_runs, store, target, {}) for _ in range(4)]:
            copying.result()

    names = [experiment.name for experiment in MlflowClient(target.as_uri()).search_experiments()]
    assert [name for name in names if name != "Default"] == ["pets"]
    assert len(list_runs(target)) == 1


def test_a_run_is_copied_once(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Collecting twice leaves one run on MLflow's page."""
    for _ in range(2):
        tracking.copy_runs(store, tmp_path / "mlruns", {})

    assert len(list_runs(tmp_path / "mlruns")) == 1


def test_parameters_are_added_to_what_was_logged(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The run's own word for one stands."""
    tracking.copy_runs(store, tmp_path / "mlruns", {}, {"lr": "0.2", "epochs": "3"})

    assert [run.data.params for run in list_runs(tmp_path / "mlruns")] == [{"lr": "0.1", "epochs": "3"}]


def test_parameters_alone_make_a_run_once(tmp_path: pathlib.Path) -> None:
    """A training that logs nothing is on MLflow's page too, in its experiment, and is not there twice."""
    target = tmp_path / "mlruns"
    tags = {"aml-infra.run": "train-1", "aml-infra.experiment": "pets"}

    for _ in range(2):
        tracking.copy_runs(tmp_path / "nothing", target, tags, {"lr": "0.1"})
    tracking.copy_runs(tmp_path / "nothing", target, {**tags, "aml-infra.run": "train-1-2"}, {"lr": "0.2"})

    runs = {run.info.run_name: run for run in list_runs(target)}
    assert {name: run.data.params for name, run in runs.items()} == {
        "train-1": {"lr": "0.1"},
        "train-1-2": {"lr": "0.2"},
    }
    assert runs["train-1"].data.tags["aml-infra.run"] == "train-1"
    assert runs["train-1"].info.status == "FINISHED"


@pytest.mark.parametrize("parameters", [None, {}])
def test_nothing_logged_and_no_parameters_make_no_run(
    tmp_path: pathlib.Path, parameters: dict[str, str] | None
) -> None:
    """Nor an empty store."""
    tracking.copy_runs(tmp_path / "nothing", tmp_path / "mlruns", {"aml-infra.run": "train-1"}, parameters)

    assert not (tmp_path / "mlruns").exists()


def test_many_and_long_parameters_are_logged(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """More than one call of MLflow takes, and a longer one than it keeps, which is cut."""
    parameters = {f"p{number}": "x" for number in range(150)} | {"long": "y" * 7000}

    tracking.copy_runs(store, tmp_path / "mlruns", {}, parameters)

    (run,) = list_runs(tmp_path / "mlruns")
    assert len(run.data.params) == 152
    assert run.data.params["long"] == "y" * 6000


def test_parameters_that_mlflow_refuses_do_not_fail_the_run(tmp_path: pathlib.Path) -> None:
    """A training of hours is not lost for what is shown on a page."""
    tags = {"aml-infra.run": "train-1"}

    tracking.copy_runs(tmp_path / "nothing", tmp_path / "mlruns", tags, {"p" * 1000: "1"})

    assert tracking.read_metrics(tmp_path / "mlruns") == {}
