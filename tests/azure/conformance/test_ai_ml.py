from __future__ import annotations

import json
import pathlib
import warnings

import pytest
from azure import identity
from azure.core import exceptions
from azure.storage.blob import ContainerClient

from tests.azure import server
from tests.azure.conformance import parts

with warnings.catch_warnings():
    # Its schemas are written for an older marshmallow, which says so of each when the package is imported.
    warnings.simplefilter("ignore")
    from azure.ai.ml import MLClient, entities

pytestmark = pytest.mark.filterwarnings(
    # Said at each use as well.
    "ignore:The `context` parameter is deprecated",
)

DIGEST = "sha256:" + "a" * 64


@pytest.fixture(scope="module")
def made(azure: server.Azure, credential: identity.DefaultAzureCredential) -> parts.Parts:
    """A workspace that the management clients made."""
    return parts.make(credential, azure.cloud.subscription_id, "aiml")


@pytest.fixture(scope="module")
def client(azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts) -> MLClient:
    """azure-ai-ml's client of the workspace."""
    client = MLClient(credential, azure.cloud.subscription_id, made.group, made.workspace)
    # The storage takes no keys, which the older management client cannot say of the workspace.
    workspace = client.workspaces.get(made.workspace)
    workspace.system_datastores_auth_mode = "Identity"
    client.workspaces.begin_update(workspace).result()
    return client


def test_the_workspace_is_found(client: MLClient, made: parts.Parts) -> None:
    """By name, and in the list of the resource group."""
    found = client.workspaces.get(made.workspace)

    assert found.id == made.workspace_id
    assert found.discovery_url == f"https://{parts.LOCATION}.api.azureml.ms/discovery"
    assert found.mlflow_tracking_uri == f"azureml://{parts.LOCATION}.api.azureml.ms/mlflow/v2.0{made.workspace_id}"
    assert [each.name for each in client.workspaces.list()] == [made.workspace]


def test_config_json_is_enough(
    azure: server.Azure, credential: identity.DefaultAzureCredential, made: parts.Parts, folder: pathlib.Path
) -> None:
    """`MLClient.from_config` finds the file in a folder above, and the workspace in it."""
    config = {
        "subscription_id": azure.cloud.subscription_id,
        "resource_group": made.group,
        "workspace_name": made.workspace,
    }
    (folder / "config.json").write_text(json.dumps(config))

    found = MLClient.from_config(credential)

    assert found.workspaces.get(made.workspace).id == made.workspace_id


def test_a_cluster_lives(client: MLClient) -> None:
    """It is made, changed in place, shown, listed and deleted."""
    cluster = entities.AmlCompute(
        name="gpu-cluster",
        size="STANDARD_NC4AS_T4_V3",
        min_instances=0,
        max_instances=1,
        idle_time_before_scale_down=120,
    )
    made = client.compute.begin_create_or_update(cluster).result()
    assert (made.provisioning_state, made.size) == ("Succeeded", "STANDARD_NC4AS_T4_V3")

    cluster.max_instances = 2
    client.compute.begin_create_or_update(cluster).result()

    assert client.compute.get("gpu-cluster").max_instances == 2
    assert [each.name for each in client.compute.list()] == ["gpu-cluster"]
    client.compute.begin_delete("gpu-cluster").result()
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.compute.get("gpu-cluster")


def test_an_environment_is_an_image(client: MLClient) -> None:
    """A version holds its image; another image under the same version is refused."""
    image = f"pets.azurecr.io/train@{DIGEST}"
    made = client.environments.create_or_update(entities.Environment(name="train", version="1", image=image))

    assert made.image == image
    assert client.environments.get("train", label="latest").version == "1"
    with pytest.raises(exceptions.HttpResponseError, match="already exists"):
        client.environments.create_or_update(entities.Environment(name="train", version="1", image="other:1"))


def test_an_environment_is_a_context(
    azure: server.Azure,
    client: MLClient,
    made: parts.Parts,
    credential: identity.DefaultAzureCredential,
    folder: pathlib.Path,
) -> None:
    """The context goes up to the workspace's own datastore by the caller's identity, and the version names it."""
    role = "Storage Blob Data Contributor"
    parts.assign(credential, azure.cloud.subscription_id, made.account_id, azure.owner.object_id, role)
    (folder / "context").mkdir()
    (folder / "context" / "Dockerfile").write_text("FROM mcr.microsoft.com/azureml/base\n")
    environment = entities.Environment(name="built", version="1", build=entities.BuildContext(path="context"))

    found = client.environments.create_or_update(environment)

    container = client.datastores.get("workspaceblobstore").container_name
    with ContainerClient(f"https://{made.account}.blob.core.windows.net", container, credential=credential) as blobs:
        names = [blob.name for blob in blobs.list_blobs(name_starts_with="LocalUpload/")]
    assert len(names) == 1
    assert names[0].endswith("/Dockerfile")
    assert found.build.path.rstrip("/").endswith(names[0].removesuffix("/Dockerfile").rpartition("/")[2])


def test_a_registry_is_connected(client: MLClient) -> None:
    """A workspace connection holds the password of a registry; it is not shown when read."""
    given = entities.WorkspaceConnection(
        name="registry",
        type="container_registry",
        target="registry.example.com",
        credentials=entities.UsernamePasswordConfiguration(username="train", password="sesame"),  # noqa: S106
    )
    client.connections.create_or_update(given)

    found = client.connections.get("registry")

    assert found.target == "registry.example.com"
    assert "sesame" not in str(vars(found.credentials))
    client.connections.delete("registry")
    assert list(client.connections.list()) == []


def test_datastores_are_opened_by_identity(client: MLClient) -> None:
    """A workspace has its own two from the start."""
    found = {each.name: each for each in client.datastores.list()}

    assert set(found) >= {"workspaceblobstore", "workspaceartifactstore"}
    assert client.datastores.get_default().name == "workspaceblobstore"
