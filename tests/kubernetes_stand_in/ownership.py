"""Who manages which fields of an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TAKEN_OVER = ("pulumi-kubernetes", "pulumi-resource-kubernetes", "kubectl", "before-first-apply")
"""Beginnings of the names of managers whose changes the official plugin takes for its own."""


def take_over(managed: Sequence[Mapping[str, Any]], manager: str) -> list[Mapping[str, Any]] | None:
    """``managedFields`` with ``manager`` as the applier of what was created or changed by us, or by hand.

    Kubernetes tells who applies from who creates and updates, even if both have the same name: without this, the first
    server-side apply would conflict with the creation.

    Returns:
        None if there is nothing to take over.
    """
    taken = [each for each in managed if _is_taken(each)]
    if not taken:
        return None
    own = [each for each in managed if _is_own(each, manager)]
    fields: dict[str, Any] = {}
    for each in (*own, *taken):
        _unite(fields, each["fieldsV1"])
    applied = {**taken[-1], "manager": manager, "operation": "Apply", "fieldsV1": fields}
    return [*(each for each in managed if each not in taken and each not in own), applied]


def _is_taken(entry: Mapping[str, Any]) -> bool:
    is_change = entry["operation"] == "Update" or entry["manager"] == "kubectl"
    return is_change and not entry.get("subresource") and entry["manager"].startswith(_TAKEN_OVER)


def _is_own(entry: Mapping[str, Any], manager: str) -> bool:
    return entry["manager"] == manager and entry["operation"] == "Apply" and not entry.get("subresource")


def _unite(fields: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, below in more.items():
        _unite(fields.setdefault(name, {}), below)
