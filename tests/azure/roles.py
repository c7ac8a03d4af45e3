"""What role assignments allow: https://learn.microsoft.com/azure/role-based-access-control/overview.

An assignment counts at its scope and below it. An action is allowed if one of the principal's roles has it among its
actions and not among its not-actions; a not-action takes nothing away from another role.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.azure import built_in_roles
from tests.azure.arm_errors import ArmError
from tests.azure.built_in_roles import RoleDefinition

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

ASSIGNMENT_TYPE = "Microsoft.Authorization/roleAssignments"
_ASSIGNMENTS = f"/providers/{ASSIGNMENT_TYPE}/".lower()
_DEFINITION_ID = re.compile(
    r"(?:/subscriptions/(?P<subscription>[^/]+))?(?:/resourceGroups/[^/]+)?"
    r"/providers/Microsoft\.Authorization/roleDefinitions/(?P<name>[0-9a-f-]{36})",
    re.IGNORECASE,
)


def may(cloud: Cloud, principal_object_id: str, action: str, scope_id: str) -> bool:
    """Whether a principal's roles allow an action of Resource Manager at a scope."""
    found = list_roles(cloud, principal_object_id, scope_id)
    return any(_matches(action, each.actions) and not _matches(action, each.not_actions) for each in found)


def may_data(cloud: Cloud, object_id: str, data_action: str, scope_id: str) -> bool:
    """Whether a principal's roles allow an action on what is inside a resource, such as a blob."""
    found = list_roles(cloud, object_id, scope_id)
    return any(
        _matches(data_action, each.data_actions) and not _matches(data_action, each.not_data_actions) for each in found
    )


def list_roles(cloud: Cloud, principal_object_id: str, scope_id: str) -> Iterator[RoleDefinition]:
    """The roles that a principal has at a scope, from there or from above it."""
    scope = f"{scope_id.rstrip('/').lower()}/"
    for assignment in cloud.resources:
        if assignment.type.lower() != ASSIGNMENT_TYPE.lower():
            continue
        properties = assignment.body["properties"]
        # Whole segments are compared, so that a group "rg" gives nothing in a group "rg2".
        above = assignment.id.lower().rpartition(_ASSIGNMENTS)[0]
        if properties["principalId"].lower() == principal_object_id.lower() and scope.startswith(f"{above}/"):
            yield find_definition(cloud, properties["roleDefinitionId"])


def find_definition(cloud: Cloud, role_definition_id: str) -> RoleDefinition:
    """A role by its id, of the tenant (``/providers/...``) or of the subscription.

    Raises:
        ArmError: There is no such role.
    """
    match = _DEFINITION_ID.fullmatch(role_definition_id)
    subscription = match and match["subscription"]
    found = match and built_in_roles.DEFINITIONS.get(match["name"].lower())
    if not found or (subscription and subscription.lower() != cloud.subscription_id.lower()):
        name = role_definition_id.rpartition("/")[2].replace("-", "")
        text = f"The specified role definition with ID '{name}' does not exist."
        raise ArmError(400, "RoleDefinitionDoesNotExist", text)
    return found


def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    # A star stands for any text, slashes too, and between two of them for none; no action has another of fnmatch's
    # characters.
    forms = [form for pattern in patterns for form in (pattern.lower(), pattern.lower().replace("/*/", "/"))]
    return any(fnmatch.fnmatchcase(action.lower(), form) for form in forms)
