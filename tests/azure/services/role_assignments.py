"""Role assignments and definitions: https://learn.microsoft.com/rest/api/authorization/role-assignments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.azure import authorization, built_in_roles, reads, roles, services
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service
from tests.azure.resources import Resource

VERSION = "2022-04-01"
_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_OF_PRINCIPAL = re.compile(rf"(?:principalId eq '|assignedTo\(')({_GUID})'\)?", re.IGNORECASE)
_BY_NAME = re.compile(r"(roleName|type) eq '([^']*)'", re.IGNORECASE)


class Assignments(Service):
    """What the service adds to an assignment, and what it refuses."""

    def check(self, request: Request) -> None:
        """Refuses roles and principals that are not there, seconds of the same, and changes."""
        properties = request.properties
        roles.find_definition(request.cloud, properties["roleDefinitionId"])
        if not re.fullmatch(_GUID, properties["principalId"]):
            text = "A valid principal ID must be provided for role assignment."
            raise ArmError(400, "InvalidPrincipalId", text)
        _check_unchanged(request)
        _check_single(request)
        if request.old is None:
            _check_principal(request)

    def fill(self, request: Request) -> None:
        """Writes the role's id as one of the subscription, and adds who made it when."""
        cloud, properties = request.cloud, request.properties
        old = request.old.properties if request.old is not None else {}
        role = roles.find_definition(cloud, properties["roleDefinitionId"])
        who, now = request.principal.object_id, cloud.clock.stamp()
        known = cloud.directory.find_principal(properties["principalId"])
        kind = properties.get("principalType") or old.get("principalType") or (known.kind if known else "Unknown")
        properties |= {
            "roleDefinitionId": f"{cloud.subscription}/providers/{_DEFINITIONS}/{role.name}",
            "scope": request.path.scope,
            "principalType": kind,
            "createdOn": old.get("createdOn", now),
            "createdBy": old.get("createdBy", who),
            "updatedOn": now,
            "updatedBy": who,
        }

    def list(self, request: Request) -> Sequence[Resource]:
        """Those at the scope, above and below it, or what a filter leaves of them."""
        scope, wanted = f"{request.path.scope.lower()}/", request.query.get("$filter", "")
        of_principal = _OF_PRINCIPAL.fullmatch(wanted)
        if wanted and wanted != "atScope()" and of_principal is None:
            raise ArmError(400, "InvalidFilter", f"The filter '{wanted}' is not supported.")
        found = []
        for each in _list_assignments(request):
            own = f"{each.properties['scope'].lower()}/"
            is_near = scope.startswith(own) or (wanted != "atScope()" and own.startswith(scope))
            is_theirs = of_principal is None or each.properties["principalId"].lower() == of_principal[1].lower()
            if is_near and is_theirs:
                found.append(each)
        return found


def _list_assignments(request: Request) -> Iterator[Resource]:
    return (each for each in request.cloud.resources if each.type == roles.ASSIGNMENT_TYPE)


def _check_unchanged(request: Request) -> None:
    """The same name means the same assignment, in all of the tenant."""
    name = request.path.name.lower()
    old = next((each for each in _list_assignments(request) if each.name.lower() == name), None)
    if old is not None and (old.id.lower() != request.path.key or _identify(request, old.properties) != _own(request)):
        text = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
        raise ArmError(400, "RoleAssignmentUpdateNotPermitted", text)


def _check_single(request: Request) -> None:
    for each in _list_assignments(request):
        is_other = (
            each.id.lower() != request.path.key and each.properties["scope"].lower() == request.path.scope.lower()
        )
        if is_other and _identify(request, each.properties) == _own(request):
            raise ArmError(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists. The ID of the conflicting role assignment is "
                f"{each.name.replace('-', '')}.",
            )


def _own(request: Request) -> tuple[str, str]:
    return _identify(request, request.properties)


def _identify(request: Request, properties: dict[str, Any]) -> tuple[str, str]:
    role = roles.find_definition(request.cloud, properties["roleDefinitionId"])
    return role.name, properties["principalId"].lower()


def _check_principal(request: Request) -> None:
    directory, properties = request.cloud.directory, request.properties
    who, kind = properties["principalId"], properties.get("principalType")
    known = directory.find_principal(who)
    if kind is None and not directory.is_replicated(who):
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {who.replace('-', '')} does not exist in the directory {request.cloud.tenant_id}. Check that "
            "you have the correct principal ID. If you are creating this principal and then immediately assigning a "
            "role, this error might be related to a replication delay. In this case, set the role assignment "
            "principalType property to a value, such as ServicePrincipal, User, or Group.  See "
            "https://aka.ms/docs-principaltype",
        )
    if kind is not None and known is not None and kind != known.kind:
        text = (
            f"The PrincipalId '{who.replace('-', '')}' has type '{known.kind}' , which is different from specified "
            f"PrincipalType '{kind}'."
        )
        raise ArmError(400, "UnmatchedPrincipalType", text)


def answer_definitions(call: services.FunctionCall) -> Answer:
    """A role, or those that a filter leaves."""
    cloud, path = call.cloud, call.path
    if call.method != "GET" or call.action:
        raise ArmError(405, "MethodNotAllowed", f"{call.method} is not allowed for '{path.text}'.")
    scope = path.scope or cloud.subscription
    authorization.require_action(cloud, call.principal, f"{_DEFINITIONS}/read", scope)
    prefix = cloud.subscription if path.subscription else ""
    if path.is_resource:
        try:
            return Answer(roles.find_definition(cloud, path.text).build_body(prefix))
        except ArmError as error:
            raise ArmError(404, error.code, error.message) from None
    found = [each.build_body(prefix) for each in built_in_roles.DEFINITIONS.values()]
    for part in filter(None, call.query.get("$filter", "").split(" and ")):
        condition = _BY_NAME.fullmatch(part)
        if condition is None and part != "atScope()":
            raise ArmError(400, "InvalidFilter", f"The filter '{part}' is not supported.")
        if condition is not None:
            key = "roleName" if condition[1].lower() == "rolename" else "type"
            found = [each for each in found if each["properties"][key].lower() == condition[2].lower()]
    return reads.build_page(cloud, path.text, call.query, found)


TYPES = (
    ResourceType(
        name=roles.ASSIGNMENT_TYPE,
        models={VERSION: "azure.mgmt.authorization.v2022_04_01.models:RoleAssignmentCreateParameters"},
        name_rule=NameRule(pattern=_GUID, text="a GUID", code="InvalidRoleAssignmentId"),
        is_extension=True,
        service=Assignments(),
    ),
)

FUNCTIONS = (services.Function(name=_DEFINITIONS, versions=(VERSION,), call=answer_definitions),)
