"""Computes, clusters of virtual machines and attached ones: https://learn.microsoft.com/rest/api/azureml/compute."""

from __future__ import annotations

import datetime
from typing import Any

from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service, find, is_same
from tests.azure.resources import Resource
from tests.azure.services.machine_learning import attached, quotas, shared
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models

CLUSTER = "AmlCompute"
REMEMBERED = datetime.timedelta(hours=1)
"""How long the service remembers the size of a deleted cluster, and gives it to the next of that name."""

_LOGIN = "properties.properties.remoteLoginPortPublicAccess"

FIXED = (
    "properties.computeType",
    "properties.disableLocalAuth",
    "properties.properties.vmSize",
    "properties.properties.vmPriority",
    "properties.properties.osType",
    "properties.properties.subnet.id",
    "properties.properties.isolatedNetwork",
    "properties.properties.enableNodePublicIp",
    "identity.type",
    *attached.FIXED,
)


class Computes(Service):
    """What the service checks, adds and does."""

    def check(self, request: Request) -> None:
        """Sizes must be had in the region, node counts make sense, networks be of one kind."""
        kind = request.properties["computeType"]
        if kind not in (CLUSTER, attached.KIND):
            raise ArmError(400, "ComputeTypeNotSupported", f"{kind} is not served here.")
        workspace = shared.find_workspace(request)
        if workspace.properties["provisioningState"] != "Succeeded":
            raise ArmError(409, "Conflict", f"The workspace {workspace.name} is not ready.")
        request.body.setdefault("location", workspace.body["location"])
        if kind == attached.KIND:
            attached.check(request)
        else:
            self._check_cluster(request, workspace)
        identity = request.body.get("identity") or {}
        for resource_id in identity.get("userAssignedIdentities") or {}:
            if request.cloud.resources.get(resource_id) is None:
                text = f"The identity {resource_id!r} could not be found."
                raise ArmError(400, "FailedIdentityOperation", text)

    def _check_cluster(self, request: Request, workspace: Resource) -> None:
        nodes: dict[str, Any] = request.properties.setdefault("properties", {})
        self._check_nodes(request, nodes)
        # azure-ai-ml says NotSpecified each time.
        login = find(request.old.body if request.old else None, _LOGIN)
        if login and nodes.get("remoteLoginPortPublicAccess", "NotSpecified") not in ("NotSpecified", login):
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{_LOGIN}' is not allowed.")
        self._check_network(workspace, nodes)
        before = find(request.old.body if request.old else None, "identity.userAssignedIdentities")
        after = find(request.body, "identity.userAssignedIdentities")
        if before and after and not is_same({key.lower() for key in before}, {key.lower() for key in after}):
            raise ArmError(400, "BadArgument", "The identities of a cluster cannot be changed.")

    def _check_nodes(self, request: Request, nodes: dict[str, Any]) -> None:
        name = nodes.get("vmSize")
        location = str(request.body["location"]).replace(" ", "").lower()
        size = quotas.find_size(location, name or "")
        if size is None:
            raise ArmError(400, "InvalidVmSize", f"The size {name!r} is not available in {location!r}.")
        scale = nodes.get("scaleSettings")
        if not scale or scale.get("minNodeCount") is None:
            raise ArmError(400, "BadArgument", "scaleSettings with minNodeCount and maxNodeCount are needed.")
        if not 0 <= scale["minNodeCount"] <= scale["maxNodeCount"] or scale["maxNodeCount"] < 1:
            raise ArmError(400, "BadArgument", f"The node counts do not make sense: {scale}.")
        if nodes.get("vmPriority") == "LowPriority" and not size.is_low_priority:
            raise ArmError(400, "InvalidVmPriority", f"There are no low-priority machines of size {size.name}.")

    def _check_network(self, workspace: Resource, nodes: dict[str, Any]) -> None:
        mode = find(workspace.body, "properties.managedNetwork.isolationMode")
        has_network = mode != "Disabled" or nodes.get("subnet")
        if nodes.get("subnet") and mode != "Disabled":
            text = "A cluster in a workspace with a managed network cannot be in a subnet of its own."
            raise ArmError(400, "BadArgument", text)
        if nodes.get("enableNodePublicIp") is False and not has_network:
            text = "Nodes without public IP addresses need a subnet, or a managed network."
            raise ArmError(400, "BadArgument", text)

    def fill(self, request: Request) -> None:
        """Adds states and defaults; a namesake that was just deleted has left its size."""
        if request.properties["computeType"] == attached.KIND:
            attached.fill(request)
            return
        cloud, properties, nodes = request.cloud, request.properties, request.properties["properties"]
        now = cloud.clock.stamp()
        old: dict[str, Any] = request.old.properties if request.old is not None else {}
        properties |= {
            "provisioningState": "Succeeded",
            "createdOn": old.get("createdOn", now),
            "modifiedOn": now,
            "isAttachedCompute": False,
            "provisioningErrors": None,
            "computeLocation": request.body["location"],
        }
        properties.setdefault("disableLocalAuth", False)
        for name, value in (
            ("osType", "Linux"),
            ("vmPriority", "Dedicated"),
            ("isolatedNetwork", False),
            ("enableNodePublicIp", True),
            ("remoteLoginPortPublicAccess", "NotSpecified"),
        ):
            nodes.setdefault(
                name, find(request.old.body if request.old else None, f"properties.properties.{name}") or value
            )
        if nodes["remoteLoginPortPublicAccess"] == "NotSpecified":
            nodes["remoteLoginPortPublicAccess"] = find(request.old.body if request.old else None, _LOGIN) or "Disabled"
        nodes["scaleSettings"].setdefault("nodeIdleTimeBeforeScaleDown", "PT120S")
        # Sizes are written as the service does.
        nodes["vmSize"] = str(nodes["vmSize"]).upper()
        if request.old is None:
            left = cloud.remembered.get(request.path.key)
            if left is not None and cloud.clock.now() - left[0] < REMEMBERED:
                nodes["vmSize"] = left[1]
        states = ("idle", "running", "preparing", "unusable", "leaving", "preempted")
        nodes |= {
            "allocationState": "Steady",
            "allocationStateTransitionTime": now,
            "errors": None,
            "currentNodeCount": 0,
            "targetNodeCount": nodes["scaleSettings"]["minNodeCount"],
            "nodeStateCounts": {f"{state}NodeCount": 0 for state in states},
        }

    def made(self, request: Request, resource: Resource) -> None:
        """The nodes that are always there come, as far as the quota goes; a shortage is told in a good answer."""
        if resource.properties["computeType"] == attached.KIND:
            attached.made(request, resource)
            return
        nodes = resource.properties["properties"]
        size, wanted = quotas.SIZES[nodes["vmSize"].lower()], nodes["targetNodeCount"]
        is_low, location = nodes["vmPriority"] == "LowPriority", resource.body["location"]
        totals = (quotas.LOW_PRIORITY,) if is_low else (size.family, quotas.DEDICATED)
        for family in totals:
            used = quotas.count_cores(request.cloud, location, family, is_low_priority=is_low)
            limit = quotas.find_limit(request.cloud, location, family)
            if used + wanted * size.cores > limit:
                text = (
                    f"The specified subscription has a {family} vCPU quota of {limit} and cannot accommodate for at "
                    f"least {wanted} requested managed compute node(s) which maps to {wanted * size.cores} vCPUs."
                )
                error = {"code": "ClusterCoreQuotaReached", "message": text}
                nodes["errors"] = [{"error": error}]
                nodes["allocationState"] = "Resizing"
                return
        nodes["currentNodeCount"] = wanted
        nodes["nodeStateCounts"]["idleNodeCount"] = wanted

    def check_delete(self, request: Request, resource: Resource) -> None:
        """What becomes of the machines is one of two.

        The specification requires the parameter, but azure-native's official plugin has never sent it, and clusters are
        deleted with it all the same.
        """
        if resource.properties["computeType"] == attached.KIND:
            attached.check_delete(request)
            return
        action = request.query.get("underlyingresourceaction", "Delete")
        if action.lower() not in ("delete", "detach"):
            text = f"The query parameter underlyingResourceAction is {action!r}; it may be Delete or Detach."
            raise ArmError(400, "InvalidQueryParameter", text)

    def deleted(self, request: Request, resource: Resource) -> None:
        """The name keeps the size for a while."""
        if resource.properties["computeType"] == attached.KIND:
            return
        size = resource.properties["properties"]["vmSize"]
        request.cloud.remembered[resource.id.lower()] = (request.cloud.clock.now(), size)


def list_nodes(request: Request) -> Answer:
    """The nodes that there are."""
    assert request.old is not None
    count = request.old.properties["properties"]["currentNodeCount"]
    nodes = [{"nodeId": f"node-{number}", "nodeState": "idle", "runId": None} for number in range(count)]
    return Answer({"nodes": nodes})


TYPES = (
    ResourceType(
        name=f"{WORKSPACES}/computes",
        models=map_models("ComputeResource"),
        patch_models=map_models("ClusterUpdateParameters"),
        name_rule=NameRule(
            pattern=r"[a-zA-Z]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])",
            text="2-32 letters, digits and hyphens, the first a letter, the last no hyphen",
            code="InvalidComputeName",
        ),
        created=201,
        updated=200,
        put="Azure-AsyncOperation",
        delete="both",
        deleted=202,
        immutable=FIXED,
        actions={"listNodes": list_nodes},
        service=Computes(),
    ),
)
