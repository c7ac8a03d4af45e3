"""Resource groups."""

from __future__ import annotations

import dataclasses

from tests.azure import arm_ids, changes, services
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import NameRule, Request, ResourceType, Service
from tests.azure.resources import Resource

MODEL = "azure.mgmt.resource.resources.v2022_09_01.models:ResourceGroup"


class Groups(Service):
    """Deletes what is in a group with it, inner resources and dependents first."""

    def fill(self, request: Request) -> None:
        """Has it ready at once."""
        request.properties["provisioningState"] = "Succeeded"

    def deleted(self, request: Request, resource: Resource) -> None:
        """The store has removed what was in it already."""

    def check_delete(self, request: Request, resource: Resource) -> None:
        """Deletes the contents, as their own services do."""
        inside = request.cloud.resources.list_inside(resource.id)
        # Last made, first deleted: what depends on others was made after them.
        for each in reversed([one for one in inside if len(arm_ids.parse(one.id).types) == 1]):
            path = arm_ids.parse(each.id)
            kind = services.find_type(path.type)
            if kind is None:
                raise ArmError(409, "ResourceGroupDeletionBlocked", f"{each.id} cannot be deleted.")
            inner = dataclasses.replace(request, path=path, resource_type=kind, api_version="", body={}, old=each)
            kind.service.check_delete(inner, each)
            changes.remove(inner, each)


TYPES = (
    ResourceType(
        name="Microsoft.Resources/resourceGroups",
        # No SDK has 2024-03-01; that version changed nothing of a group.
        models=dict.fromkeys(("2022-09-01", "2024-03-01", "2024-07-01", "2025-04-01"), MODEL),
        patch_models={
            "2022-09-01": "azure.mgmt.resource.resources.v2022_09_01.models:ResourceGroupPatchable",
            "2025-04-01": "azure.mgmt.resource.resources.v2022_09_01.models:ResourceGroupPatchable",
        },
        name_rule=NameRule(
            pattern=r"[\w().-]{0,89}[\w()-]",
            text="1-90 letters, digits, underscores, hyphens, periods and parentheses, no period at the end",
            code="InvalidResourceGroup",
        ),
        has_location=True,
        delete="Location",
        deleted=202,
        immutable=("managedBy",),
        service=Groups(),
    ),
)
