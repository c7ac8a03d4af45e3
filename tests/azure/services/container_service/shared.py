"""What clusters and their pools share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.azure import arm_ids, roles
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Request
from tests.azure.resources import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

VERSION = "2025-09-01"
CLUSTERS = "Microsoft.ContainerService/managedClusters"
POOLS = f"{CLUSTERS}/agentPools"
MODELS = "azure.mgmt.containerservice.models"

VERSIONS = {"1.33": ("1.33.7", "1.33.8"), "1.34": ("1.34.3", "1.34.4"), "1.35": ("1.35.1",)}
"""The versions of Kubernetes that can be had, by minor version."""

DEFAULT_VERSION = "1.34"


def refuse(message: str, *, code: str = "BadRequest") -> ArmError:
    """The service's refusal of a body."""
    return ArmError(400, code, message)


def find_version(request: Request, given: str | None) -> str:
    """The whole version that is meant by ``given``: of a minor version the newest patch."""
    wanted = given or DEFAULT_VERSION
    if wanted in VERSIONS:
        return VERSIONS[wanted][-1]
    if wanted in VERSIONS.get(wanted.rpartition(".")[0], ()):
        return wanted
    text = (
        f"Managed cluster {request.path.names[0]} is on version {wanted}, which is not supported in this region. "
        "Please use [az aks get-versions] command to get the supported version list in this region."
    )
    raise refuse(text, code="K8sVersionNotSupported")


def require_linked(request: Request, action: str, scope: str) -> None:
    """Refuses a caller who may not use another resource so.

    Raises:
        ArmError: none of the caller's roles allows ``action`` there.
    """
    who = request.principal
    if roles.may(request.cloud, who.object_id, action, scope):
        return
    raise ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{who.client_id}' with object id '{who.object_id}' has permission to perform action "
        f"'{request.resource_type.name}/write' on scope '{request.path.text}'; however, it does not have permission to "
        f"perform action(s) '{action}' on the linked scope(s) '{scope}' (respectively) or the linked scope(s) are "
        "invalid.",
    )


def check_subnet(request: Request, subnet_id: str | None) -> None:
    """A subnet must be there, and whoever puts nodes into it may do so."""
    if not subnet_id:
        return
    if request.cloud.resources.get(subnet_id) is None:
        raise refuse(f"The subnet {subnet_id} was not found.", code="SubnetNotFound")
    require_linked(request, "Microsoft.Network/virtualNetworks/subnets/join/action", subnet_id)


def build_resource(resource_id: str, kind: str, properties: dict[str, Any], **more: Any) -> Resource:
    """A resource that the service makes itself."""
    body = {"id": resource_id, "name": arm_ids.parse(resource_id).name, "type": kind, **more, "properties": properties}
    return Resource(id=resource_id, type=kind, body=body)


def find_only_cluster(cloud: Cloud) -> Resource | None:
    """The cloud's cluster, where it has one and no other."""
    found = [each for each in cloud.resources if each.type == CLUSTERS]
    return found[0] if len(found) == 1 else None
