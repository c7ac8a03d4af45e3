"""Extensions of Kubernetes clusters: Azure Machine Learning's, one for each cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import clusters
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.clusters import build_extension

TRAINING = {"enableTraining": "True"}
INFERENCE = {"enableInference": "True", "inferenceRouterServiceType": "ClusterIP"}


@pytest.fixture
def cluster(client: Client, group: str) -> str:
    """The id of a cluster."""
    path = f"{group}/providers/{clusters.CLUSTERS}/pets"
    client.make(path, clusters.build_cluster())
    return path


@pytest.fixture
def path(cluster: str) -> str:
    """The id of an extension that there is not yet."""
    return f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"


def test_an_extension_takes_time_and_is_completed(client: Client, path: str) -> None:
    """With a version, and an identity of its own."""
    answer = client.put(path, build_extension())
    ended = client.follow(answer)

    made = client.get(path).properties
    assert (answer.status, ended.body["status"]) == (201, "Succeeded")
    assert (made["provisioningState"], made["releaseTrain"], made["isSystemExtension"]) == (
        "Succeeded",
        "Stable",
        False,
    )
    assert made["currentVersion"]
    assert made["aksAssignedIdentity"]["type"] == "SystemAssigned"


def test_instance_types_can_be_made_when_it_is_there(cloud: Cloud, client: Client, cluster: str, path: str) -> None:
    """It defines what they are."""
    before = cloud.open_cluster(cluster).is_defined  # type: ignore[attr-defined]
    client.make(path, build_extension())

    assert (before, cloud.open_cluster(cluster).is_defined) == (False, True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "properties",
    [
        {"extensionType": "Microsoft.Flux"},
        {"scope": {"namespace": {"targetNamespace": "azureml"}}},
        {"scope": {"cluster": {"releaseNamespace": "elsewhere"}}},
        {"version": "1.1.80"},
        {"configurationSettings": {}},
        {"configurationSettings": {"enableInference": "True", "allowInsecureConnections": "True"}},
        {"configurationSettings": INFERENCE},
    ],
)
def test_what_cannot_work_is_refused(client: Client, path: str, properties: dict[str, Any]) -> None:
    """Before anything is installed."""
    answer = client.put(path, build_extension(**properties))

    assert (answer.status, answer.code) == (400, "ExtensionOperationFailed")


@pytest.mark.parametrize(
    "settings",
    [
        {**INFERENCE, "sslSecret": "tls", "sslCname": "models.example.com"},
        {**TRAINING, **INFERENCE, "allowInsecureConnections": "True"},
    ],
)
def test_inference_needs_a_router_and_tls(client: Client, path: str, settings: dict[str, str]) -> None:
    """Or that somebody does without."""
    assert client.make(path, build_extension(configurationSettings=settings)).status == 200


def test_a_cluster_has_one(client: Client, cluster: str, path: str) -> None:
    """Under whatever name."""
    client.make(path, build_extension())

    other = client.put(f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/other", build_extension())

    assert (other.status, other.code) == (409, "ExtensionTypeAlreadyExists")


def test_settings_change_in_place(client: Client, path: str) -> None:
    """The kind does not."""
    client.make(path, build_extension())
    settings = {**TRAINING, "installVolcano": "False"}

    assert client.put(path, build_extension(configurationSettings=settings)).status == 200
    client.cloud.operations.end_all()
    assert client.get(path).properties["configurationSettings"] == settings


def test_protected_settings_are_not_shown(client: Client, path: str) -> None:
    """But that they are there."""
    made = client.make(path, build_extension(configurationProtectedSettings={"relay": "sesame"}))

    assert made.properties["configurationProtectedSettings"] == {"relay": ""}


def test_it_needs_a_cluster(client: Client, group: str) -> None:
    """That is there; and nothing else can have it."""
    missing = f"{group}/providers/{clusters.CLUSTERS}/none/providers/Microsoft.KubernetesConfiguration/extensions/a"
    elsewhere = f"{group}/providers/Microsoft.KubernetesConfiguration/extensions/a"

    assert client.put(missing, build_extension()).status == 404
    assert client.put(elsewhere, build_extension()).code == "ExtensionOperationFailed"


def test_a_delete_takes_time(client: Client, path: str) -> None:
    """Then it is gone."""
    client.make(path, build_extension())

    assert client.delete(path).status == 202
    client.cloud.operations.end_all()
    assert client.get(path).status == 404
