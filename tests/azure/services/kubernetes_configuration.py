"""Extensions of Kubernetes clusters: https://learn.microsoft.com/rest/api/kubernetesconfiguration/extensions.

Only Azure Machine Learning's is served. What it refuses is what its health check does, and `az k8s-extension` before;
how the service words that is not documented.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from tests.azure import arm_ids
from tests.azure.arm_errors import ArmError
from tests.azure.cloud import Cloud
from tests.azure.resource_types import NameRule, Request, ResourceType, Service, find, is_same
from tests.azure.resources import Resource

EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
MACHINE_LEARNING = "microsoft.azureml.kubernetes"
CLUSTERS = ("microsoft.containerservice/managedclusters", "microsoft.kubernetes/connectedclusters")
VERSION = "1.1.80"
_MODELS = "azure.mgmt.kubernetesconfiguration.v2023_05_01.models"
_ROUTERS = ("clusterip", "nodeport", "loadbalancer")


class Extensions(Service):
    """What the service checks, adds and does."""

    def check(self, request: Request) -> None:
        """One for each cluster, in a namespace of its own, with settings that go together."""
        properties = request.properties
        kind = str(properties.get("extensionType") or "")
        if kind.lower() != MACHINE_LEARNING:
            raise _refuse(f"The extension type {kind!r} is not served here.")
        if arm_ids.parse(request.path.parent_id).type.lower() not in CLUSTERS:
            raise _refuse(f"{request.path.parent_id} is no cluster.")
        if find(properties, "scope.namespace") or find(properties, "scope.cluster.releaseNamespace") != "azureml":
            raise _refuse("Invalid scope. This extension can only be installed at 'cluster' scope, in 'azureml'.")
        if properties.get("version") and properties.get("autoUpgradeMinorVersion", True):
            raise _refuse("A version can only be given where autoUpgradeMinorVersion is false.")
        others = [each for each in list_extensions(request.cloud, request.path.parent_id) if each is not request.old]
        if others:
            raise ArmError(409, "ExtensionTypeAlreadyExists", f"{others[0].id} is of the type {kind} already.")
        _check_settings(properties.get("configurationSettings") or {})

    def fill(self, request: Request) -> None:
        """Adds states, and the identity that the extension has on AKS."""
        properties = request.properties
        old: Mapping[str, Any] = request.old.properties if request.old is not None else {}
        properties.setdefault("autoUpgradeMinorVersion", True)
        properties.setdefault("releaseTrain", "Stable")
        identity = {"type": "SystemAssigned", "principalId": str(uuid.uuid4()), "tenantId": request.cloud.tenant_id}
        properties |= {
            "currentVersion": properties.get("version") or VERSION,
            "provisioningState": "Succeeded",
            "isSystemExtension": False,
            "errorInfo": None,
            "statuses": [],
            "aksAssignedIdentity": old.get("aksAssignedIdentity", identity),
        }

    def made(self, request: Request, resource: Resource) -> None:
        """The cluster knows instance types from then on."""
        request.cloud.open_cluster(request.path.parent_id).define_instance_types()

    def show(self, request: Request, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        """Of protected settings there are the names."""
        protected = body["properties"].get("configurationProtectedSettings")
        if protected:
            body["properties"]["configurationProtectedSettings"] = dict.fromkeys(protected, "")
        return body


def list_extensions(cloud: Cloud, cluster_id: str) -> list[Resource]:
    """Azure Machine Learning's extensions of a cluster: one, or none."""
    found = cloud.resources.list_inside(cluster_id, EXTENSIONS)
    return [each for each in found if is_same(each.properties["extensionType"], MACHINE_LEARNING)]


def is_on(settings: Mapping[str, str], name: str) -> bool:
    """Whether a setting is true."""
    return settings.get(name, "False").lower() == "true"


def _check_settings(settings: Mapping[str, str]) -> None:
    if not is_on(settings, "enableTraining") and not is_on(settings, "enableInference"):
        raise _refuse("Either enableTraining or enableInference has to be True.")
    if not is_on(settings, "enableInference"):
        return
    if settings.get("inferenceRouterServiceType", "").lower() not in _ROUTERS:
        raise _refuse("inferenceRouterServiceType has to be NodePort, LoadBalancer or ClusterIP.")
    has_tls = settings.get("sslSecret") and settings.get("sslCname")
    if not has_tls and not is_on(settings, "allowInsecureConnections"):
        raise _refuse("INVALID_SSL_SETTING: sslSecret and sslCname are needed, or allowInsecureConnections.")


def _refuse(text: str) -> ArmError:
    return ArmError(400, "ExtensionOperationFailed", text)


TYPES = (
    ResourceType(
        name=EXTENSIONS,
        models={"2023-05-01": f"{_MODELS}:Extension"},
        patch_models={"2023-05-01": f"{_MODELS}:PatchExtension"},
        name_rule=NameRule(
            pattern=r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?",
            text="1-53 lower-case letters, digits and hyphens, no hyphen at its ends, as a Helm release",
        ),
        is_extension=True,
        put="Azure-AsyncOperation",
        delete="both",
        deleted=202,
        immutable=("properties.extensionType", "properties.scope"),
        service=Extensions(),
    ),
)
