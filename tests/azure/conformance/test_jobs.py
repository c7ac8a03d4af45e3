from __future__ import annotations

import io
import pathlib
import warnings

import mlflow
import pytest
from azure import identity

from tests.azure import server
from tests.azure.conformance import parts
from tests.docker_daemon import open_docker

with warnings.catch_warnings():
    # Its schemas are written for an older marshmallow, which says so of each when the package is imported.
    warnings.simplefilter("ignore")
    from azure.ai.ml import Input, MLClient, Output, PyTorchDistribution, command, entities
    from azure.ai.ml import exceptions as ml_exceptions

pytestmark = [
    # All are said of what azure-ai-ml itself does.
    pytest.mark.filterwarnings("ignore:The `context` parameter is deprecated"),
    pytest.mark.filterwarnings("ignore:The use of a 'BlobProperties' instance"),
    pytest.mark.filterwarnings("ignore:content_as_bytes is deprecated"),
]


@pytest.fixture(scope="module")
def made(azure: server.Azure, credential: identity.DefaultAzureCredential) -> parts.Parts:
    """A workspace whose storage takes keys: azure-ai-ml 1.35 streams logs from no other."""
    return parts.make(credential, azure.cloud.subscription_id, "jobs", takes_keys=True)


@pytest.fixture(scope="module")
def client(azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts) -> MLClient:
    """azure-ai-ml's client of the workspace, in which there are a cluster and an environment."""
    client = MLClient(credential, azure.cloud.subscription_id, made.group, made.workspace)
    cluster = entities.AmlCompute(
        name="cluster",
        size="STANDARD_NC4AS_T4_V3",
        max_instances=2,
        identity=entities.IdentityConfiguration(
            type="user_assigned",
            user_assigned_identities=[entities.ManagedIdentityConfiguration(resource_id=made.identity_id)],
        ),
    )
    client.compute.begin_create_or_update(cluster).result()
    client.environments.create_or_update(entities.Environment(name="shell", version="1", image="debian:bookworm-slim"))
    return client


def test_a_job_runs(client: MLClient, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its code goes up, its log comes down while it runs, what it kept can be downloaded."""
    (folder / "src").mkdir()
    script = "echo hello from $AZUREML_RUN_ID\necho 0.9 > outputs/score\nsleep 2\necho done\n"
    (folder / "src" / "train.sh").write_text(script)
    job = command(code="src", command="sh train.sh", environment="shell:1", compute="cluster", name="hello")

    client.jobs.create_or_update(job)
    client.jobs.stream("hello")
    client.jobs.download("hello", download_path=folder / "down", all=True)

    assert "\nhello from hello\ndone\n" in capsys.readouterr().out
    assert client.jobs.get("hello").status == "Completed"
    assert (folder / "down" / "artifacts" / "outputs" / "score").read_text() == "0.9\n"
    assert (folder / "down" / "artifacts" / "user_logs" / "std_log.txt").read_text() == "hello from hello\ndone\n"


def test_a_failure_is_told(client: MLClient) -> None:
    """With the exit status, the log to look into, and what was said on stderr."""
    job = command(command="echo well; echo bad >&2; exit 3", environment="shell:1", compute="cluster", name="broken")
    client.jobs.create_or_update(job)

    with pytest.raises(ml_exceptions.JobException, match="exited with status code 3") as caught:
        client.jobs.stream("broken")

    assert "Please check log file 'user_logs/std_log.txt' for error details. Error: bad" in str(caught.value)
    assert client.jobs.get("broken").status == "Failed"


def test_a_job_on_two_nodes_has_data(client: MLClient, folder: pathlib.Path, azure: server.Azure) -> None:
    """A folder that goes up with it, a value, an output; each process has its log."""
    (folder / "data").mkdir()
    (folder / "data" / "cat.txt").write_text("cat")
    job = command(
        command="echo $RANK $(cat ${{inputs.data}}/cat.txt) ${{inputs.rate}}; echo best > ${{outputs.model}}/best",
        inputs={"data": Input(type="uri_folder", path="data"), "rate": 0.5},
        outputs={"model": Output(type="uri_folder")},
        environment="shell:1",
        compute="cluster",
        instance_count=2,
        distribution=PyTorchDistribution(process_count_per_instance=1),
        name="wide",
    )

    client.jobs.create_or_update(job)
    azure.cloud.jobs.wait("wide", "Completed")
    client.jobs.download("wide", download_path=folder, all=True)

    logs = folder / "artifacts" / "user_logs"
    assert [(logs / f"std_log_process_{rank}.txt").read_text() for rank in (0, 1)] == ["0 cat 0.5\n", "1 cat 0.5\n"]


def test_a_job_is_canceled(client: MLClient, azure: server.Azure) -> None:
    """The operation ends, and so does the job; a stream of it then ends without an error."""
    client.jobs.create_or_update(command(command="sleep 100", environment="shell:1", compute="cluster", name="long"))
    azure.cloud.jobs.wait("long", "Running")

    client.jobs.begin_cancel("long").result()

    azure.cloud.jobs.wait("long", "Canceled")
    client.jobs.stream("long")
    assert client.jobs.get("long").status == "Canceled"


def test_jobs_are_listed(client: MLClient, azure: server.Azure) -> None:
    """Without those that are archived; what describes a job can be changed."""
    for name in ("kept", "gone"):
        client.jobs.create_or_update(command(command="true", environment="shell:1", compute="cluster", name=name))
        azure.cloud.jobs.wait(name, "Completed")
    client.jobs.archive("gone")
    changed = client.jobs.get("kept")
    changed.tags["team"] = "pets"
    client.jobs.create_or_update(changed)

    found = {job.name: job for job in client.jobs.list()}

    assert "gone" not in found
    assert (found["kept"].status, found["kept"].tags) == ("Completed", {"team": "pets"})


@pytest.fixture(scope="module")
def curl(client: MLClient) -> str:
    """An environment that has curl."""
    recipe = "RUN apt-get update && apt-get install --yes --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"
    tag = "localhost/aml-infra/tests-curl:1"
    dockerfile = io.BytesIO(f"FROM debian:bookworm-slim\n{recipe}\n".encode())
    said = list(open_docker().build(fileobj=dockerfile, tag=tag, rm=True, forcerm=True, decode=True))
    assert not [line for line in said if "error" in line], said
    client.environments.create_or_update(entities.Environment(name="curl", version="1", image=tag))
    return "curl:1"


@pytest.fixture
def tracking(made: parts.Parts) -> mlflow.MlflowClient:
    """MLflow's client of the workspace; azureml-mlflow knows the way."""
    return mlflow.MlflowClient(made.tracking_uri)


def test_metrics_are_those_of_the_job(
    azure: server.Azure, client: MLClient, curl: str, tracking: mlflow.MlflowClient
) -> None:
    """From inside by HTTPS with the run's token, from outside by azureml-mlflow: the run's id is the job's name."""
    body = """{"run_id": "'$MLFLOW_RUN_ID'", "key": "loss", "value": 0.25, "timestamp": 1, "step": 1}"""
    script = (
        "curl --fail --silent --show-error -H 'Content-Type: application/json' "
        f"""-H "Authorization: Bearer $AZUREML_RUN_TOKEN" --data '{body}' """
        "https://${MLFLOW_TRACKING_URI#azureml://}/api/2.0/mlflow/runs/log-metric"
    )
    job = command(
        command=script,
        environment=curl,
        compute="cluster",
        name="measured",
        experiment_name="pets",
        display_name="Pets",
    )
    client.jobs.create_or_update(job)
    azure.cloud.jobs.wait("measured", "Completed")

    run = tracking.get_run("measured")
    tracking.log_metric("measured", "accuracy", 0.9)
    experiment = tracking.get_experiment_by_name("pets")

    assert experiment is not None
    assert (run.info.run_id, run.info.status, run.info.run_name) == ("measured", "FINISHED", "Pets")
    assert run.info.experiment_id == experiment.experiment_id
    assert run.data.metrics == {"loss": 0.25}
    assert [one.value for one in tracking.get_metric_history("measured", "accuracy")] == [0.9]
    found = tracking.search_runs([experiment.experiment_id], "attributes.run_id = 'measured'")
    assert [each.data.metrics for each in found] == [{"loss": 0.25, "accuracy": 0.9}]
