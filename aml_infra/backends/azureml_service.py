"""The services of one Azure Machine Learning workspace, call by call.

Resource Manager has jobs and what they refer to, run history what became of them, MLflow their metrics, and the
workspace's storage account their files. Every method raises what ``AzureClient`` does.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aml_infra import vm_sizes
from aml_infra.azure_client import AzureClient
from aml_infra.backends.azureml_request import API_VERSION, Place
from aml_infra.errors import BackendUnavailable

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

ARTIFACTS = "workspaceartifactstore"
"""The datastore that the service keeps the files of jobs in."""

_PARAMETERS = 100
"""Most parameters that one call of MLflow's API takes."""

_PARAMETER_LENGTH = 500
"""Longest value of a parameter that the service takes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Logged:
    """What a job logged with MLflow.

    Attributes:
        metrics: the last value of each. What is not a finite number is left out: JSON has no way to say it, and it
            equals nothing, so that each `pulumi up` would see a change.
        parameters: as text.
    """

    metrics: Mapping[str, float]
    parameters: Mapping[str, str]


class WorkspaceService:
    """One workspace, with one account.

    Args:
        client: the account's.
        place: the workspace, and a cluster in it.
    """

    def __init__(self, client: AzureClient, place: Place) -> None:
        self._client = client
        self.place = place
        self._datastores: dict[str, Mapping[str, Any]] = {}

    def get_job(self, name: str) -> dict[str, Any] | None:
        """The job called ``name``, or None."""
        return self._client.get(self.place.locate_job(name), API_VERSION)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Makes what is at ``path``."""
        return self._client.put(path, API_VERSION, body)

    def get(self, path: str) -> dict[str, Any] | None:
        """What is at ``path``, or None."""
        return self._client.get(path, API_VERSION)

    def cancel_job(self, name: str) -> None:
        """Asks the service to end a job, and waits until it has said that it has."""
        self._client.run("POST", f"{self.place.locate_job(name)}/cancel", API_VERSION, may_repeat=True)

    def delete(self, path: str) -> None:
        """Deletes what is at ``path``, if it is there."""
        self._client.run("DELETE", path, API_VERSION)

    def get_history(self, name: str) -> dict[str, Any]:
        """What run history has of a job: when it ran, and why it failed; empty while it has nothing."""
        return self._client.ask_learning("GET", f"{self._history}/runs/{_quote(name)}/details") or {}

    def explain_queue(self, name: str) -> str:
        """Why a job waits, in the service's words; empty where it does not say."""
        found = self._client.ask_learning("GET", f"{self._history}/runs/{_quote(name)}") or {}
        return str((found.get("queueingInfo") or {}).get("message") or "")

    def archive(self, name: str, experiment: str) -> None:
        """Takes a job out of the lists that people look at; it is still found by its name."""
        url = f"{self._history}/experiments/{_quote(experiment)}/runs/{_quote(name)}"
        self._client.ask_learning("PATCH", url, body={"hidden": True})

    def get_logged(self, name: str) -> Logged:
        """What a job logged with MLflow."""
        answer = self._client.ask_learning("GET", f"{self._mlflow}/runs/get", query={"run_id": name})
        data = ((answer or {}).get("run") or {}).get("data") or {}
        metrics = {each["key"]: float(each["value"]) for each in data.get("metrics") or ()}
        return Logged(
            metrics={key: value for key, value in metrics.items() if math.isfinite(value)},
            parameters={each["key"]: str(each["value"]) for each in data.get("params") or ()},
        )

    def log_parameters(self, name: str, parameters: Mapping[str, str]) -> None:
        """Adds parameters to what a job logged, which must not have them yet."""
        params = [{"key": key, "value": value[:_PARAMETER_LENGTH]} for key, value in sorted(parameters.items())]
        for start in range(0, len(params), _PARAMETERS):
            body = {"run_id": name, "params": params[start : start + _PARAMETERS]}
            self._client.ask_learning("POST", f"{self._mlflow}/runs/log-batch", body=body)

    def get_compute(self) -> dict[str, Any] | None:
        """The cluster, or None."""
        return self._client.get(self.place.compute_id, API_VERSION)

    def find_size(self, location: str, vm_size: str) -> vm_sizes.Size | None:
        """What a machine of ``vm_size`` has in a region, or None if there is none of that size."""
        path = (
            f"/subscriptions/{self.place.subscription_id}/providers/Microsoft.MachineLearningServices"
            f"/locations/{location}/vmSizes"
        )
        for each in self._client.list(path, API_VERSION):
            if vm_sizes.normalize(each["name"]) == vm_sizes.normalize(vm_size):
                return vm_sizes.Size(cpus=each["vCPUs"], memory_gb=each["memoryGB"], gpus=each["gpus"])
        return None

    def open_datastore(self, name: str) -> ContainerClient:
        """The container behind a datastore of the workspace."""
        if name not in self._datastores:
            found = self._client.get(f"{self.place.workspace_id}/datastores/{name}", API_VERSION)
            if found is None:
                raise BackendUnavailable(f"workspace {self.place.workspace_name!r} has no datastore {name!r} yet")
            self._datastores[name] = found["properties"]
        known = self._datastores[name]
        account = f"https://{known['accountName']}.blob.{known.get('endpoint') or 'core.windows.net'}"
        return self._client.open_container(account, known["containerName"])

    def find_birth(self) -> str:
        """When the workspace was made, as Resource Manager writes moments; empty where it does not say."""
        return str((self._workspace.get("systemData") or {}).get("createdAt") or "")

    @functools.cached_property
    def _workspace(self) -> dict[str, Any]:
        """What Resource Manager says of the workspace.

        Raises:
            BackendUnavailable: there is no such workspace.
        """
        found = self._client.get(self.place.workspace_id, API_VERSION)
        if found is None:
            raise BackendUnavailable(
                f"there is no workspace {self.place.workspace_name!r} in resource group "
                f"{self.place.resource_group!r} of subscription {self.place.subscription_id}"
            )
        return found

    @property
    def _properties(self) -> dict[str, Any]:
        return dict(self._workspace["properties"])

    @functools.cached_property
    def _history(self) -> str:
        found = self._client.ask_anonymously(self._properties["discoveryUrl"])
        if found is None:
            raise BackendUnavailable(f"{self._properties['discoveryUrl']} does not say where the services are")
        return f"{found.get('history') or found['api']}/history/v1.0{self.place.workspace_id}"

    @functools.cached_property
    def _mlflow(self) -> str:
        tracking = str(self._properties["mlFlowTrackingUri"])
        return f"{tracking.replace('azureml://', 'https://', 1)}/api/2.0/mlflow"


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="")
