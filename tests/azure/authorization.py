"""Who asks, and whether that is allowed."""

from __future__ import annotations

from collections.abc import Mapping

from tests.azure import arm_ids, directory, roles
from tests.azure.arm_errors import ArmError
from tests.azure.cloud import Cloud
from tests.azure.directory import Principal
from tests.azure.resource_types import Request

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")


def identify(cloud: Cloud, headers: Mapping[str, str]) -> Principal:
    """Whose token the request has.

    Raises:
        ArmError: none, or one that is not good here.
    """
    try:
        return cloud.directory.identify(cloud.directory.read_bearer(headers.get("authorization")), AUDIENCES)
    except directory.TokenError as error:
        raise ArmError(401, error.code, str(error), headers=error.headers) from error


def require(request: Request, verb: str) -> None:
    """Refuses what none of the principal's roles allows; ``verb`` is the last part of the action.

    Raises:
        ArmError: it is not allowed.
    """
    action = f"{request.resource_type.name}/{verb}"
    scope = request.path.text if request.path.is_resource else request.path.parent_id
    require_action(request.cloud, request.principal, action, scope)


def require_action(cloud: Cloud, principal: Principal, action: str, scope: str) -> None:
    """Likewise, of any action on any scope."""
    if roles.may(cloud, principal.object_id, action, scope):
        return
    where = arm_ids.parse(scope).text
    raise ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{where}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials.",
    )
