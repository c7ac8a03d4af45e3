"""Where resources send their logs and metrics: https://learn.microsoft.com/azure/azure-monitor/platform/diagnostic-settings.

They are extensions: each stands on the resource that it is about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from tests.azure import arm_ids
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Request, ResourceType, Service
from tests.azure.resources import Resource

VERSION = "2021-05-01-preview"
SETTINGS = "Microsoft.Insights/diagnosticSettings"
_MOST = 5
_RETENTION = {"enabled": False, "days": 0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Categories:
    """What a resource type tells of itself.

    Attributes:
        logs: kinds of log entries.
        groups: names for several of them at once.
        metrics: kinds of metrics.
    """

    logs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("audit", "allLogs")
    metrics: tuple[str, ...] = ("AllMetrics",)


_STORAGE = Categories(logs=("StorageRead", "StorageWrite", "StorageDelete"), metrics=("Transaction", "Capacity"))
CATEGORIES = {
    "Microsoft.ContainerRegistry/registries": Categories(
        logs=("ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents")
    ),
    "Microsoft.ContainerService/managedClusters": Categories(
        logs=(
            "cloud-controller-manager", "cluster-autoscaler", "csi-azuredisk-controller", "csi-azurefile-controller",
            "csi-snapshot-controller", "guard", "karpenter-events", "kube-apiserver", "kube-audit", "kube-audit-admin",
            "kube-controller-manager", "kube-scheduler",
        ),
    ),
    "Microsoft.Insights/components": Categories(
        logs=(
            "AppAvailabilityResults", "AppBrowserTimings", "AppDependencies", "AppEvents", "AppExceptions",
            "AppMetrics", "AppPageViews", "AppPerformanceCounters", "AppRequests", "AppSystemEvents", "AppTraces",
        ),
        groups=("allLogs",),
    ),
    "Microsoft.KeyVault/vaults": Categories(logs=("AuditEvent", "AzurePolicyEvaluationDetails")),
    # Whether workspaces know the group "audit" is not certain, so it is refused.
    "Microsoft.MachineLearningServices/workspaces": Categories(
        logs=(
            "AmlComputeClusterEvent", "AmlComputeClusterNodeEvent", "AmlComputeCpuGpuUtilization",
            "AmlComputeJobEvent", "AmlRunStatusChangedEvent", "ComputeInstanceEvent", "DataLabelChangeEvent",
            "DataLabelReadEvent", "DataSetChangeEvent", "DataSetReadEvent", "DataStoreChangeEvent",
            "DataStoreReadEvent", "DeploymentEventACI", "DeploymentEventAKS", "DeploymentReadEvent",
            "EnvironmentChangeEvent", "EnvironmentReadEvent", "InferencingOperationACI", "InferencingOperationAKS",
            "ModelsActionEvent", "ModelsChangeEvent", "ModelsReadEvent", "PipelineChangeEvent", "PipelineReadEvent",
            "RunEvent", "RunReadEvent",
        ),
        groups=("allLogs",),
    ),
    "Microsoft.Network/virtualNetworks": Categories(logs=("VMProtectionAlerts",), groups=("allLogs",)),
    "Microsoft.OperationalInsights/workspaces": Categories(logs=("Audit", "SummaryLogs")),
    "Microsoft.Storage/storageAccounts": Categories(groups=(), metrics=("Transaction", "Capacity")),
    "Microsoft.Storage/storageAccounts/blobServices": _STORAGE,
    "Microsoft.Storage/storageAccounts/fileServices": _STORAGE,
}  # fmt: skip
_BY_TYPE = {name.lower(): categories for name, categories in CATEGORIES.items()}
_DESTINATIONS = {
    "workspaceId": "Microsoft.OperationalInsights/workspaces",
    "storageAccountId": "Microsoft.Storage/storageAccounts",
    "eventHubAuthorizationRuleId": "Microsoft.EventHub/namespaces/authorizationRules",
    "marketplacePartnerId": "",
}


class Settings(Service):
    """What the service adds to a setting, and what it refuses."""

    def check(self, request: Request) -> None:
        """Refuses unknown categories and destinations, and sending the same twice to one place."""
        categories = _find_categories(request)
        _check_entries(request, categories)
        _check_destinations(request)
        others = [each for each in self.list(request) if each.id.lower() != request.path.key]
        if len(others) >= _MOST:
            raise ArmError(409, "Conflict", f"A resource has at most {_MOST} diagnostic settings.")
        for other in others:
            _check_no_clash(request.properties, other, categories)

    def fill(self, request: Request) -> None:
        """Lists the categories that were left out, too, as not enabled."""
        categories, properties = _find_categories(request), request.properties
        logs, metrics = properties.setdefault("logs", []), properties.setdefault("metrics", [])
        if any("category" in each for each in logs):
            missing = set(categories.logs) - {each["category"] for each in logs}
            logs += [{"category": each, "enabled": False} for each in sorted(missing)]
        if not any(each.get("category") == "AllMetrics" for each in metrics):
            missing = set(categories.metrics) - {each["category"] for each in metrics}
            metrics += [{"category": each, "enabled": False} for each in sorted(missing)]
        for each in [*logs, *metrics]:
            each.setdefault("retentionPolicy", dict(_RETENTION))

    def list(self, request: Request) -> Sequence[Resource]:
        """Only those of the resource itself."""
        start = f"{request.path.scope}/providers/{SETTINGS}/".lower()
        return [each for each in request.cloud.resources if each.id.lower().startswith(start)]


def _find_categories(request: Request) -> Categories:
    kind = arm_ids.parse(request.path.scope).type.lower()
    if kind not in _BY_TYPE:
        text = f"The resource type '{kind}' does not support diagnostic settings."
        raise ArmError(400, "ResourceTypeNotSupported", text)
    return _BY_TYPE[kind]


def _refuse(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)


def _check_entries(request: Request, categories: Categories) -> None:
    logs, metrics = request.properties.get("logs") or [], request.properties.get("metrics") or []
    if not logs and not metrics:
        raise _refuse("At least one log or metric is needed.")
    _check_log_categories(logs, categories)
    for each in metrics:
        if each.get("category") not in (*categories.metrics, "AllMetrics"):
            raise _refuse(f"Metric category '{each.get('category')}' is not supported.")
    for each in [*logs, *metrics]:
        if (each.get("retentionPolicy") or _RETENTION)["days"]:
            raise _refuse("Diagnostic settings storage retention is no longer supported: days must be 0.")


def _check_log_categories(logs: list[dict[str, Any]], categories: Categories) -> None:
    names = [each["category"] for each in logs if each.get("category") is not None]
    groups = [each["categoryGroup"] for each in logs if each.get("categoryGroup") is not None]
    if len(names) + len(groups) != len(logs):
        raise _refuse("Each log has either a category or a categoryGroup.")
    if names and groups:
        raise _refuse("Diagnostic settings does not support mix of log category and log category group.")
    for name in names:
        if name not in categories.logs:
            raise _refuse(f"Category '{name}' is not supported.")
    for name in groups:
        if name not in categories.groups:
            raise _refuse(f"Category group: '{name}' is not supported.")


def _list_destinations(properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    return ((key, properties[key]) for key in _DESTINATIONS if properties.get(key))


def _check_destinations(request: Request) -> None:
    found = list(_list_destinations(request.properties))
    if not found:
        raise _refuse("At least one data sink needs to be specified: " + ", ".join(_DESTINATIONS) + ".")
    for key, target_id in found:
        target = request.cloud.resources.get(target_id)
        if target is None or target.type != _DESTINATIONS[key]:
            text = f"The resource '{target_id}' of {key} was not found."
            raise ArmError(400, "ResourceNotFound", text)
    kind = request.properties.get("logAnalyticsDestinationType")
    if kind not in (None, "Dedicated", "AzureDiagnostics"):
        raise _refuse(f"logAnalyticsDestinationType '{kind}' is neither 'Dedicated' nor 'AzureDiagnostics'.")


def _check_no_clash(properties: dict[str, Any], other: Resource, categories: Categories) -> None:
    theirs = {target_id.lower() for _, target_id in _list_destinations(other.properties)}
    common = [target_id for _, target_id in _list_destinations(properties) if target_id.lower() in theirs]
    twice = _list_enabled(properties, categories) & _list_enabled(other.properties, categories)
    if common and twice:
        raise ArmError(
            409,
            "Conflict",
            f"Data sink '{common[0]}' is already used in diagnostic setting '{other.name}' for category "
            f"'{min(twice)}'. Data sinks can't be reused in different settings on the same category for the same "
            "resource.",
        )


def _list_enabled(properties: dict[str, Any], categories: Categories) -> set[str]:
    """The categories that are sent; which ones a group has is not known, so it counts as all."""
    found: set[str] = set()
    for each in [*(properties.get("logs") or []), *(properties.get("metrics") or [])]:
        if each["enabled"] and each.get("categoryGroup"):
            found |= set(categories.logs)
        elif each["enabled"]:
            found |= set(categories.metrics if each["category"] == "AllMetrics" else (each["category"],))
    return found


TYPES = (
    ResourceType(
        name=SETTINGS,
        models={VERSION: "azure.mgmt.monitor.v2021_05_01_preview.models:DiagnosticSettingsResource"},
        is_extension=True,
        created=200,
        service=Settings(),
    ),
)
