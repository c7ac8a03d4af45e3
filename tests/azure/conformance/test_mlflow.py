from __future__ import annotations

import mlflow
import pytest
from azure import identity

from tests.azure import server
from tests.azure.conformance import parts


@pytest.fixture(scope="module")
def made(azure: server.Azure, credential: identity.DefaultAzureCredential) -> parts.Parts:
    """A workspace that the management clients made."""
    return parts.make(credential, azure.cloud.subscription_id, "flow")


@pytest.fixture
def tracking(made: parts.Parts, monkeypatch: pytest.MonkeyPatch) -> str:
    """The workspace's tracking URI, which MLflow uses while the test runs; azureml-mlflow knows the way."""
    # `set_experiment` is for a whole process: other tests of this one are to begin without.
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.tracking_uri)
    return made.tracking_uri


def test_a_metric_is_logged_and_read_back(azure: server.Azure, tracking: str) -> None:
    """Through azureml-mlflow, unmodified, to a real MLflow server."""
    mlflow.set_experiment("pets")
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5, step=1)
        mlflow.log_metric("loss", 0.25, step=2)

    assert mlflow.get_run(run.info.run_id).data.metrics == {"loss": 0.25}
    assert [one.value for one in mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")] == [0.5, 0.25]
    assert azure.front.proxy.refused == []


def test_workspaces_do_not_see_one_another(
    azure: server.Azure,
    credential: identity.DefaultAzureCredential,
    tracking: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An experiment is in its workspace alone."""
    other = parts.make(credential, azure.cloud.subscription_id, "flow2")
    mlflow.set_experiment("only here")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", other.tracking_uri)

    assert other.workspace == "flow2-ws"
    assert "only here" not in {one.name for one in mlflow.search_experiments()}
