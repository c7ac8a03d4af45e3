"""What a managed network lets out: https://learn.microsoft.com/rest/api/azureml/managed-network-settings-rule."""

from __future__ import annotations

from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import NameRule, Request, ResourceType, Service, find
from tests.azure.resources import Resource
from tests.azure.services.machine_learning import shared
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models


class OutboundRules(Service):
    """One at a time: a second one while the first is under way is refused."""

    def check(self, request: Request) -> None:
        """The network must be there, and of the kind that the rule is for."""
        workspace, rule = shared.find_workspace(request), request.properties
        mode = find(workspace.body, "properties.managedNetwork.isolationMode")
        if mode == "Disabled":
            raise ArmError(400, "ValidationError", "The workspace has no managed network.")
        if rule["type"] in ("FQDN", "ServiceTag") and mode != "AllowOnlyApprovedOutbound":
            text = f"Rules of type {rule['type']} need isolation mode AllowOnlyApprovedOutbound, not {mode}."
            raise ArmError(400, "ValidationError", text)
        if rule["type"] == "PrivateEndpoint":
            target = find(rule, "destination.serviceResourceId") or ""
            if request.cloud.resources.get(target) is None:
                raise ArmError(400, "ValidationError", f"The resource {target!r} was not found.")
        for other in request.cloud.resources.list_inside(workspace.id, f"{WORKSPACES}/outboundRules"):
            if request.cloud.operations.is_busy(other.id):
                text = "Another operation of the managed network is in progress; try again when it has ended."
                raise ArmError(409, "Conflict", text)

    def fill(self, request: Request) -> None:
        """Nothing is provisioned before the first compute."""
        request.properties.setdefault("category", "UserDefined")
        request.properties["status"] = "Inactive"

    def made(self, request: Request, resource: Resource) -> None:
        """The workspace shows its rules, too."""
        rules = shared.find_workspace(request).properties["managedNetwork"]["outboundRules"]
        rules[resource.name] = dict(resource.properties)

    def deleted(self, request: Request, resource: Resource) -> None:
        """And no longer."""
        parent = request.cloud.resources.get(request.path.parent_id)
        if parent is not None:
            parent.properties["managedNetwork"]["outboundRules"].pop(resource.name, None)


TYPES = (
    ResourceType(
        name=f"{WORKSPACES}/outboundRules",
        models=map_models("OutboundRuleBasicResource"),
        name_rule=NameRule(pattern=r"[\w-]{1,80}", text="1-80 letters, digits, underscores and hyphens"),
        created=202,
        updated=202,
        put="Location",
        delete="Location",
        deleted=202,
        service=OutboundRules(),
    ),
)
