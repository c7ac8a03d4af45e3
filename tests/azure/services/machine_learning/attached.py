"""Kubernetes clusters that are attached: computes of kind Kubernetes.

See https://learn.microsoft.com/azure/machine-learning/how-to-attach-kubernetes-to-workspace. It says which errors there
are, and not how the service words all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.azure import arm_ids, roles
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Request, find
from tests.azure.resources import Resource
from tests.azure.services import kubernetes_configuration
from tests.azure.services.machine_learning import shared

KIND = "Kubernetes"
DEFAULT_TYPE = "defaultinstancetype"
FIXED = ("properties.resourceId", "properties.properties.namespace")
NOT_INSTALLED = "The Azure Machine Learning extension is not installed."
NO_WAY_IN = "Internal server error."
NEEDED = {
    "Microsoft.KubernetesConfiguration/extensions/write": NOT_INSTALLED,
    "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action": NO_WAY_IN,
}
"""What the workspace's identity must be allowed on a cluster, and what is said where it is not: of the roles that are
asked for, each action is allowed by one alone. The second is of AKS only."""

_DEFAULT = {
    "nodeSelector": None,
    "resources": {
        "requests": {"cpu": "100m", "memory": "2Gi"},
        "limits": {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": None},
    },
}


def check(request: Request) -> None:
    """The cluster must be there, in the workspace's subscription."""
    cluster = str(request.properties.get("resourceId") or "")
    parsed = arm_ids.parse(cluster)
    if parsed.type.lower() not in kubernetes_configuration.CLUSTERS:
        raise ArmError(400, "BadArgument", f"The resourceId {cluster!r} is no id of a Kubernetes cluster.")
    if parsed.subscription.lower() != request.cloud.subscription_id:
        raise ArmError(400, "BadArgument", "The cluster is in another subscription than the workspace.")
    if request.cloud.resources.get(cluster) is None:
        raise ArmError(400, "ClusterNotFound", "Cannot found Kubernetes cluster.")


def fill(request: Request) -> None:
    """Adds states and defaults."""
    now, properties = request.cloud.clock.stamp(), request.properties
    old: Mapping[str, Any] = request.old.properties if request.old is not None else {}
    properties |= {
        "provisioningState": "Succeeded",
        "createdOn": old.get("createdOn", now),
        "modifiedOn": now,
        "isAttachedCompute": True,
        "provisioningErrors": None,
        "computeLocation": request.body["location"],
    }
    properties.setdefault("disableLocalAuth", False)
    inner = properties.get("properties") or {}
    namespace = inner.get("namespace") or find(old, "properties.namespace") or "default"
    properties["properties"] = {"defaultInstanceType": DEFAULT_TYPE, **inner, "namespace": namespace}


def made(request: Request, resource: Resource) -> None:
    """The service looks into the cluster, and takes over the instance types that there are.

    Raises:
        ArmError: It may not, or finds no extension, or no way in.
    """
    cluster_id, inner = resource.properties["resourceId"], resource.properties["properties"]
    cluster, identity = request.cloud.resources.get(cluster_id), find_identity(request)
    assert cluster is not None
    if not kubernetes_configuration.list_extensions(request.cloud, cluster_id):
        raise _fail(NOT_INSTALLED)
    for action, text in NEEDED.items() if identity else ():
        is_asked = action.startswith((f"{cluster.type}/", "Microsoft.KubernetesConfiguration/"))
        if is_asked and not roles.may(request.cloud, identity, action, cluster_id):
            raise _fail(text)
    if cluster.properties.get("disableLocalAccounts"):
        raise _fail(NO_WAY_IN)
    inside = request.cloud.open_cluster(cluster_id).list_instance_types()
    given = inner.get("instanceTypes") or {}
    inner["instanceTypes"] = {DEFAULT_TYPE: _DEFAULT, **given, **{name: dict(spec) for name, spec in inside.items()}}


def find_identity(request: Request) -> str:
    """The object id of the user-assigned identity that the workspace has; empty for a system-assigned one.

    The latter is given its roles by the service itself.
    """
    workspace = shared.find_workspace(request)
    assigned = find(workspace.body, "identity.userAssignedIdentities") or {}
    primary = str(workspace.properties.get("primaryUserAssignedIdentity") or next(iter(assigned), ""))
    found = request.cloud.resources.get(primary) if primary else None
    return str(found.properties["principalId"]) if found is not None else ""


def check_delete(request: Request) -> None:
    """A cluster that somebody else has made is only ever detached."""
    action = request.query.get("underlyingresourceaction", "Detach")
    if action.lower() != "detach":
        text = f"The query parameter underlyingResourceAction is {action!r}; of an attached compute it may be Detach."
        raise ArmError(400, "InvalidQueryParameter", text)


def _fail(text: str) -> ArmError:
    return ArmError(400, "AttachComputeFailed", text)
