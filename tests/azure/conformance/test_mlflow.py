from __future__ import annotations

from collections.abc import Iterator

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
def tracking(made: parts.Parts) -> Iterator[str]:
    """The workspace's tracking URI, which MLflow uses while the test runs; azureml-mlflow knows the way."""
    before = mlflow.get_tracking_uri()
    uri = f"azureml://{parts.LOCATION}.api.azureml.ms/mlflow/v1.0{made.workspace_id}"
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(before)


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
    azure: server.Azure, credential: identity.DefaultAzureCredential, tracking: str
) -> None:
    """An experiment is in its workspace alone."""
    other = parts.make(credential, azure.cloud.subscription_id, "flow2")
    mlflow.set_experiment("only here")

    mlflow.set_tracking_uri(tracking.replace("/flow-group/", "/flow2-group/").replace("/flow-ws", "/flow2-ws"))

    assert other.workspace == "flow2-ws"
    assert "only here" not in {one.name for one in mlflow.search_experiments()}
