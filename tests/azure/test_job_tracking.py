from __future__ import annotations

import json

import pytest

from tests.azure.job_runs.tracking import Names

RUN = "0" * 31 + "1"
NAMES = Names(runs={"train-1": RUN}, experiments={"guid": "7"})


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ({"run_id": "train-1", "key": "loss"}, {"run_id": RUN, "key": "loss"}),
        ({"run_uuid": "train-1", "value": "train-1"}, {"run_uuid": RUN, "value": "train-1"}),
        ({"experiment_ids": ["guid", "3"]}, {"experiment_ids": ["7", "3"]}),
        ({"filter": "attributes.run_id = 'train-1'"}, {"filter": f"attributes.run_id = '{RUN}'"}),
        ({"filter": "tags.a = 'train-1'"}, {"filter": "tags.a = 'train-1'"}),
        (
            {"tags": [{"key": "mlflow.parentRunId", "value": "train-1"}]},
            {"tags": [{"key": "mlflow.parentRunId", "value": RUN}]},
        ),
    ],
)
def test_requests_are_put_in_mlflows_ids(sent: dict[str, object], known: dict[str, object]) -> None:
    """Where ids stand, and nowhere else."""
    assert json.loads(NAMES.translate_request(json.dumps(sent).encode())) == known


def test_queries_and_paths_are_put_in_mlflows_ids() -> None:
    """The path of an artifact has the run in it."""
    assert NAMES.translate_query("run_id=train-1&metric_key=a%20b") == f"run_id={RUN}&metric_key=a+b"
    assert NAMES.translate_path("/api/2.0/mlflow-artifacts/artifacts/0/train-1/x") == (
        f"/api/2.0/mlflow-artifacts/artifacts/0/{RUN}/x"
    )


def test_answers_are_put_in_the_clients_ids() -> None:
    """Other runs stay as they are."""
    info = {"run_id": RUN, "experiment_id": "7", "artifact_uri": f"mlflow-artifacts:/7/{RUN}/artifacts"}

    answer = json.loads(NAMES.translate_answer(json.dumps({"runs": [{"info": info}, {"run_id": "other"}]}).encode()))

    assert answer == {
        "runs": [
            {
                "info": {
                    "run_id": "train-1",
                    "experiment_id": "guid",
                    "artifact_uri": "mlflow-artifacts:/7/train-1/artifacts",
                }
            },
            {"run_id": "other"},
        ]
    }
