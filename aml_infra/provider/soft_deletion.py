"""What is to be done about a key vault or workspace that Azure keeps after its deletion. Pure.

See https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview and
https://learn.microsoft.com/azure/machine-learning/concept-soft-delete.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any

from aml_infra.errors import Problem
from aml_infra.provider import wire
from aml_infra.provider.diff import Change, Kind
from aml_infra.provider.shapes import to_snake_case

VAULT = "Microsoft.KeyVault/vaults"
WORKSPACE = "Microsoft.MachineLearningServices/workspaces"

DEFAULT = "default"
RECOVER = "recover"
PURGE = "purge"
"""What the next create of the resource has to be, as the output ``mode``. ``purge`` is only in a state that was
refreshed: the workspace is gone, and what Azure keeps of it is in the way."""

_SHAPES = {"resourceId": (str, "text"), "location": (str, "text"), "purge": (bool, "True or False")}

_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/[^/]+/providers/(?P<type>[^/]+/[^/]+)/(?P<name>[^/]+)",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guarded:
    """The resource that is kept after its deletion.

    Attributes:
        resource_id: as the user gave it.
        subscription: its id.
        type: ``VAULT`` or ``WORKSPACE``.
        name: without the path.
        location: as it is in addresses, ``westeurope`` and not ``West Europe``.
    """

    resource_id: str
    subscription: str
    type: str
    name: str
    location: str

    @property
    def label(self) -> str:
        """What a user calls it."""
        return f"{'key vault' if self.type == VAULT else 'workspace'} {self.name!r}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remains:
    """What Azure keeps of it. Of a workspace nothing more is known than that it is not there.

    Attributes:
        resource_id: what was deleted, which may have been in another resource group.
        kept_until: the day on which Azure purges it.
        is_protected: whether it cannot be purged before.
    """

    resource_id: str
    kept_until: str = ""
    is_protected: bool = False


class Action(enum.Enum):
    """What is to be done about it."""

    NOTHING = enum.auto()
    PURGE = enum.auto()
    RECOVER = enum.auto()
    REFUSE = enum.auto()


@dataclasses.dataclass(frozen=True)
class Decision:
    """An action, and what the user is told about it."""

    action: Action
    told: str = ""


def find_problems(given: Mapping[str, Any]) -> list[Problem]:
    """What is missing, unknown or of another kind; what is not known yet is right."""
    problems = [
        Problem(to_snake_case(key), "is not a property; allowed are resource_id, location and purge")
        for key in given
        if key not in _SHAPES and not key.startswith("__")
    ]
    for key, (kind, words) in _SHAPES.items():
        value, path = given.get(key), to_snake_case(key)
        if value is None:
            problems.append(Problem(path, f"is missing; give {words}"))
        elif wire.has_secret(value):
            problems.append(Problem(path, "is a secret, and is kept in the state as it is; give a value that is none"))
        elif value is not wire.UNKNOWN and not isinstance(value, kind):
            problems.append(Problem(path, f"is a {type(value).__name__}; give {words}"))
        elif key == "location" and not str(value).strip():
            problems.append(Problem(path, "is empty; give the location of the resource, as in 'westeurope'"))
        elif key == "resourceId" and value is not wire.UNKNOWN and _match(str(value)) is None:
            allowed = f"give Resource Manager's id of one of {VAULT} or {WORKSPACE}"
            problems.append(Problem(path, f"is {value!r}; {allowed}"))
    return problems


def read_guarded(values: Mapping[str, Any]) -> Guarded | None:
    """The resource that checked inputs, or the state made from them, name; None while that is not known."""
    resource_id, location = values["resourceId"], values["location"]
    if wire.has_unknown(resource_id) or wire.has_unknown(location):
        return None
    found = _match(resource_id)
    if found is None:
        raise ValueError(f"the state holds {resource_id!r}, which check would have refused")
    return Guarded(
        resource_id=resource_id,
        subscription=found["subscription"],
        type=VAULT if found["type"].lower() == VAULT.lower() else WORKSPACE,
        name=found["name"],
        location=_normalize(location),
    )


def compare(
    old_inputs: Mapping[str, Any], old_outputs: Mapping[str, Any], new_inputs: Mapping[str, Any]
) -> dict[str, Change]:
    """The change of each property; spelling that Azure does not heed is none."""
    changes = {}
    for key in ("resourceId", "location"):
        if _normalize(old_inputs.get(key)) != _normalize(new_inputs.get(key)):
            changes[key] = Change(Kind.UPDATE, replaces=True)
    if old_inputs.get("purge") != new_inputs.get("purge"):
        changes["purge"] = Change(Kind.UPDATE, replaces=False)
    if not changes and old_outputs.get("mode") != DEFAULT:
        # A vault that was recovered must not be recovered once more.
        changes["mode"] = Change(Kind.UPDATE, replaces=False, of_input=False)
    return changes


def decide_before_create(guarded: Guarded, remains: Remains | None, *, purge: bool) -> Decision:
    """What makes the name free for a resource that is about to be created.

    Args:
        guarded: the resource.
        remains: what Azure keeps under its name; None if there is nothing, or the resource itself.
        purge: whether it may be purged.
    """
    if remains is None:
        return Decision(Action.NOTHING)
    if guarded.type == WORKSPACE:
        return Decision(Action.PURGE if purge else Action.NOTHING)
    kept = f"{guarded.label} was deleted, and Azure keeps it until {remains.kept_until}"
    if not _is_same(guarded, remains):
        fix = f"purge it with `az keyvault purge --name {guarded.name}`, or give yours another name"
        return Decision(Action.REFUSE, f"{kept} as {remains.resource_id}, which is not this stack's; {fix}")
    if purge and not remains.is_protected:
        return Decision(Action.PURGE, f"{kept}; it is purged, with all that is in it, to make room for a new one")
    return Decision(Action.RECOVER, f"{kept}; it is recovered, with all that is in it")


def decide_after_delete(guarded: Guarded, remains: Remains | None, *, purge: bool) -> Decision:
    """What is done about what Azure keeps of a resource that was deleted; arguments as above."""
    if remains is None or not _is_same(guarded, remains):
        return Decision(Action.NOTHING)
    if purge and not remains.is_protected:
        return Decision(Action.PURGE)
    if guarded.type == WORKSPACE:
        return Decision(
            Action.NOTHING,
            f"Azure may keep {guarded.label} for 14 days, and refuses a new one of its name as long, as purge is "
            "False; it can be recovered or purged in the portal, under 'Recently deleted'",
        )
    why = "it has purge protection" if remains.is_protected else "purge is False"
    return Decision(
        Action.NOTHING,
        f"Azure keeps {guarded.label} and its name until {remains.kept_until}, as {why}; the next `pulumi up` "
        "recovers it",
    )


def _match(resource_id: str) -> re.Match[str] | None:
    found = _ID.fullmatch(resource_id)
    return found if found and found["type"].lower() in (VAULT.lower(), WORKSPACE.lower()) else None


def _is_same(guarded: Guarded, remains: Remains) -> bool:
    return guarded.resource_id.lower() == remains.resource_id.lower()


def _normalize(value: Any) -> Any:
    return value.replace(" ", "").lower() if isinstance(value, str) else value
