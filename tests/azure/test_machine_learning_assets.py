"""What is in a workspace: environments, code, jobs, connections, outbound rules; most of it never changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import arm_client, workspaces
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.workspaces import Parts

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04@sha256:" + "0" * 64


@pytest.fixture
def environment(workspace: str) -> str:
    """The id of an environment version that there is not yet."""
    return f"{workspace}/environments/fastai/versions/1"


def test_an_environment_is_made_with_its_first_version(client: Client, environment: str) -> None:
    """The container counts the versions."""
    answer = client.put(environment, {"properties": {"image": IMAGE}})

    container = client.get(environment.partition("/versions/")[0]).properties
    assert (answer.status, answer.properties["environmentType"]) == (201, "UserCreated")
    assert (container["latestVersion"], container["nextVersion"]) == ("1", "2")


@pytest.mark.parametrize("change", [{"image": f"{IMAGE[:-1]}1"}, {"image": IMAGE, "condaFile": "name: x"}])
def test_what_a_version_is_made_of_stays(client: Client, environment: str, change: dict[str, Any]) -> None:
    """Another image or Conda file needs another version."""
    client.put(environment, {"properties": {"image": IMAGE}})

    answer = client.put(environment, {"properties": change})

    assert answer.status == 409
    assert "Another asset with the same name and version already exists" in answer.message


def test_what_describes_a_version_changes(client: Client, environment: str) -> None:
    """Tags and description do."""
    client.put(environment, {"properties": {"image": IMAGE}})

    answer = client.put(environment, {"properties": {"image": IMAGE, "tags": {"a": "b"}}})

    assert (answer.status, answer.properties["tags"]) == (200, {"a": "b"})


@pytest.mark.parametrize(
    "properties", [{}, {"image": IMAGE, "build": {"contextUri": "https://x"}}, {"condaFile": "name: x"}]
)
def test_a_version_has_an_image_or_a_context(client: Client, environment: str, properties: dict[str, Any]) -> None:
    """Exactly one of them."""
    answer = client.put(environment, {"properties": properties})

    assert (answer.status, answer.code) == (400, "ValidationError")


def test_names_of_curated_environments_are_taken(client: Client, workspace: str) -> None:
    """They are Microsoft's, and can be read."""
    answer = client.put(f"{workspace}/environments/AzureML-mine/versions/1", {"properties": {"image": IMAGE}})
    curated = client.get(f"{workspace}/environments/AzureML-acpt-pytorch-2.8-cuda12.6/versions/7")

    assert (answer.status, answer.code) == (400, "ValidationError")
    assert curated.properties["environmentType"] == "Curated"


def test_code_stays_where_it_is(client: Client, workspace: str) -> None:
    """Other code needs another version."""
    path = f"{workspace}/codes/train/versions/1"
    client.put(path, {"properties": {"codeUri": "https://pets.blob.core.windows.net/a/b"}})

    answer = client.put(path, {"properties": {"codeUri": "https://pets.blob.core.windows.net/a/c"}})

    assert answer.status in (400, 409)


def test_code_is_found_by_its_content(client: Client, workspace: str) -> None:
    """Under whatever name it was uploaded; a name that is new is no error then."""
    code = {
        "codeUri": "https://pets.blob.core.windows.net/a/b",
        "properties": {"hash_sha256": "abc", "hash_version": 202208},
    }
    client.put(f"{workspace}/codes/train/versions/1", {"properties": code})

    same = client.get(f"{workspace}/codes/new/versions?hash=abc&hashVersion=202208").body["value"]
    other = client.get(f"{workspace}/codes/new/versions?hash=def&hashVersion=202208").body["value"]

    assert [each["id"] for each in same] == [f"{workspace}/codes/train/versions/1"]
    assert other == []
    assert client.get(f"{workspace}/codes/new/versions").status == 404


def test_code_is_uploaded_before_it_is_made(client: Client, workspace: str) -> None:
    """Each time to another place; without a storage there is no signature for it."""
    first, second = (client.post(f"{workspace}/codes/new/versions/1/startPendingUpload").body for _ in range(2))

    assert first["blobReferenceForConsumption"]["blobUri"].startswith("https://pets.blob.core.windows.net/")
    assert first["blobReferenceForConsumption"]["blobUri"] != second["blobReferenceForConsumption"]["blobUri"]
    assert first["blobReferenceForConsumption"]["credential"] == {"credentialType": "None"}


@pytest.fixture
def job(client: Client, workspace: str, environment: str) -> tuple[str, dict[str, Any]]:
    """The id of a job that was submitted, and its body."""
    client.put(environment, {"properties": {"image": IMAGE}})
    compute = f"{workspace}/computes/gpu"
    client.make(compute, workspaces.build_cluster())
    body = {
        "properties": {
            "jobType": "Command",
            "command": "python train.py",
            "environmentId": environment,
            "computeId": compute,
        }
    }
    path = f"{workspace}/jobs/train-1"
    assert client.put(path, body).status == 201
    return path, body


def test_a_job_that_was_submitted_stays(client: Client, job: tuple[str, dict[str, Any]]) -> None:
    """Another command is refused, with the part that cannot be changed."""
    path, body = job

    answer = client.put(path, {"properties": {**body["properties"], "command": "python other.py"}})

    assert (answer.status, answer.code) == (400, "UserError")
    assert "A job with this name already exists" in answer.message
    assert answer.body["error"]["details"] == [{"code": "JobPropertyImmutable", "message": "command"}]


def test_what_describes_a_job_changes(client: Client, job: tuple[str, dict[str, Any]]) -> None:
    """A repeated PUT may change tags, and the job goes on."""
    path, body = job

    answer = client.put(path, {"properties": {**body["properties"], "tags": {"a": "b"}}})

    assert (answer.status, answer.properties["tags"]) == (200, {"a": "b"})


def test_a_job_needs_what_it_refers_to(client: Client, job: tuple[str, dict[str, Any]]) -> None:
    """A compute that is missing is told."""
    path, body = job

    answer = client.put(f"{path}2", {"properties": {**body["properties"], "computeId": f"{path}/none"}})

    assert (answer.status, answer.code) == (400, "UserError")
    assert "computeId was not found" in answer.message


def test_a_cancelled_job_ends_in_time(client: Client, job: tuple[str, dict[str, Any]]) -> None:
    """Until then the cancellation is requested."""
    path, _ = job

    assert client.post(f"{path}/cancel").status == 202
    assert client.get(path).properties["status"] == "CancelRequested"
    client.cloud.operations.end_all()
    assert client.get(path).properties["status"] == "Canceled"


def test_a_connections_password_is_shown_on_request_only(cloud: Cloud, client: Client, workspace: str) -> None:
    """It is in no read, and in no log."""
    path = f"{workspace}/connections/registry"
    credentials = {"username": "robot", "password": "hush-hush"}
    body = {
        "properties": {
            "authType": "UsernamePassword",
            "category": "ContainerRegistry",
            "target": "https://registry.example",
            "credentials": credentials,
        }
    }

    made, read = client.put(path, body), client.get(path)

    assert (made.status, read.properties["credentials"]) == (200, None)
    assert client.post(f"{path}/listsecrets").properties["credentials"] == credentials
    assert "hush-hush" not in f"{made.body}{read.body}{cloud.calls}"


def test_a_connections_secrets_take_a_role(cloud: Cloud, client: Client, workspace: str) -> None:
    """Which may do nothing else: not even read what the connection is of."""
    path = f"{workspace}/connections/keys"
    properties = {
        "authType": "CustomKeys",
        "category": "CustomKeys",
        "target": "aml-infra",
        "credentials": {"keys": {"TOKEN": "hush-hush"}},
    }
    assert client.put(path, {"properties": properties}).status == 200
    reader = arm_client.log_in(cloud, arm_client.READER, workspace)
    secrets_reader = arm_client.log_in(cloud, arm_client.SECRETS_READER, workspace)

    assert reader.post(f"{path}/listsecrets").code == "AuthorizationFailed"
    assert secrets_reader.get(path).code == "AuthorizationFailed"
    assert secrets_reader.post(f"{path}/listsecrets").properties["credentials"] == {"keys": {"TOKEN": "hush-hush"}}


def test_a_connection_by_password_needs_one(client: Client, workspace: str) -> None:
    """A username alone is refused."""
    properties = {
        "authType": "UsernamePassword",
        "category": "ContainerRegistry",
        "target": "https://registry.example",
        "credentials": {"username": "robot"},
    }

    answer = client.put(f"{workspace}/connections/registry", {"properties": properties})

    assert (answer.status, answer.code) == (400, "ValidationError")


@pytest.fixture
def network(client: Client, group: str, parts: Parts) -> str:
    """The id of a workspace whose network lets out only what rules say."""
    path = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/closed"
    client.make(path, workspaces.build_body(parts, managedNetwork={"isolationMode": "AllowOnlyApprovedOutbound"}))
    return path


def test_outbound_rules_come_one_after_the_other(client: Client, network: str) -> None:
    """A second one is refused while the first is under way."""
    rule = {"properties": {"type": "FQDN", "destination": "pypi.org"}}

    first = client.put(f"{network}/outboundRules/pypi", rule)
    second = client.put(f"{network}/outboundRules/conda", rule)
    client.cloud.operations.end_all()
    third = client.put(f"{network}/outboundRules/conda", rule)

    assert [first.status, second.status, third.status] == [202, 409, 202]
    assert "pypi" in client.get(network).properties["managedNetwork"]["outboundRules"]


def test_an_outbound_rule_needs_a_managed_network(client: Client, workspace: str) -> None:
    """Of the strict kind, for host names."""
    answer = client.put(f"{workspace}/outboundRules/pypi", {"properties": {"type": "FQDN", "destination": "pypi.org"}})

    assert (answer.status, answer.code) == (400, "ValidationError")
