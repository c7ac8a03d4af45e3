from __future__ import annotations

import pathlib
import warnings

import pytest
from azure import identity

from tests.azure import server
from tests.azure.conformance import parts

with warnings.catch_warnings():
    # Its schemas are written for an older marshmallow, which says so of each when the package is imported.
    warnings.simplefilter("ignore")
    from azure.ai.ml import MLClient, command, entities
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
