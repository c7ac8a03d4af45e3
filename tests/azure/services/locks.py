"""Locks: https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources."""

from __future__ import annotations

from collections.abc import Iterator

from tests.azure import arm_ids
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import NameRule, Request, ResourceType
from tests.azure.resources import Resource

LOCKS = "Microsoft.Authorization/locks"
_MODEL = "azure.mgmt.resource.locks.v2016_09_01.models:ManagementLockObject"


def check_unlocked(request: Request, verb: str) -> None:
    """Refuses what a lock forbids.

    A lock counts for what it stands on and all below it, and what is above cannot be deleted with what is locked in it.
    Locks themselves can be removed.

    Args:
        request: What is asked.
        verb: ``write`` or ``delete``; a lock of level ``CanNotDelete`` forbids only the latter.
    """
    if request.resource_type.name == LOCKS:
        return
    levels = ("ReadOnly", "CanNotDelete") if verb == "delete" else ("ReadOnly",)
    found = [
        scope
        for scope, lock in _list_locks(request)
        if lock.properties["level"] in levels
        and (_is_inside(request.path.key, scope) or (verb == "delete" and _is_inside(scope, request.path.key)))
    ]
    if found:
        raise ArmError(
            409,
            "ScopeLocked",
            f"The scope '{request.path.text}' cannot perform {verb} operation because following scope(s) are locked: "
            f"'{','.join(found)}'. Please remove the lock and try again.",
        )


def _list_locks(request: Request) -> Iterator[tuple[str, Resource]]:
    for each in request.cloud.resources:
        if each.type == LOCKS:
            yield arm_ids.parse(each.id).scope, each


def _is_inside(key: str, scope: str) -> bool:
    return f"{key.lower()}/".startswith(f"{scope.lower()}/")


TYPES = (
    ResourceType(
        name=LOCKS,
        # The SDK has the older version only; the newer one changed nothing of a lock.
        models=dict.fromkeys(("2016-09-01", "2020-05-01"), _MODEL),
        name_rule=NameRule(pattern=r"[\w.()-]{1,90}", text="1-90 letters, digits, and - _ ( ) ."),
        is_extension=True,
    ),
)
