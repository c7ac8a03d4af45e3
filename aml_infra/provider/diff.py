"""What changed between two sets of checked inputs, and what that means for the run. Pure."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from aml_infra.backends.base import Status

NEW_RUN = ("sourceFiles", "command", "imageIdentity", "environmentVariables", "triggers", "backend", "backendOptions")
"""Inputs that make another run, or the same run in another place."""

IN_PLACE = ("cpus", "memoryGb", "gpus", "timeoutMinutes", "experiment", "displayName", "tags", "onDestroy")
"""Inputs that the next attempt uses, and that no finished run is repeated for."""

# Not compared: ``source`` (a path of this machine), ``sourceDigest`` (``sourceFiles`` says it better), ``image`` (the
# name of what ``imageIdentity`` identifies), ``allowSecrets`` (what it lets in is in ``sourceFiles``).


class Kind(enum.Enum):
    """How one property changed."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclasses.dataclass(frozen=True)
class Change:
    """One property that changed.

    Attributes:
        kind: how.
        replaces: whether it makes a new run.
        of_input: whether the user changed it, rather than the run's state.
    """

    kind: Kind
    replaces: bool
    of_input: bool = True


def compare(old_inputs: Mapping[str, Any], new_inputs: Mapping[str, Any], old_status: str | None) -> dict[str, Change]:
    """Maps the path of each changed property, as Pulumi writes paths, to its change."""
    changes: dict[str, Change] = {}
    for key in NEW_RUN:
        changes |= _compare_values(key, old_inputs.get(key), new_inputs.get(key), replaces=True)
    for key in IN_PLACE:
        changes |= _compare_values(key, old_inputs.get(key), new_inputs.get(key), replaces=False)
    if not changes and old_inputs.get("sourceDigest") != new_inputs.get("sourceDigest"):
        changes["sourceDigest"] = Change(Kind.UPDATE, replaces=True)
    if not changes and old_status != Status.COMPLETED.value:
        # A run that did not succeed is tried again, or joined, by the next `up`.
        changes["status"] = Change(Kind.UPDATE, replaces=False, of_input=False)
    return changes


def _compare_values(path: str, old: Any, new: Any, *, replaces: bool) -> dict[str, Change]:
    if old == new:
        return {}
    if isinstance(old, dict) and isinstance(new, dict):
        changes: dict[str, Change] = {}
        for key in sorted({*old, *new}):
            changes |= _compare_values(_join_path(path, key), old.get(key), new.get(key), replaces=replaces)
        return changes
    if old is None:
        return {path: Change(Kind.ADD, replaces)}
    if new is None:
        return {path: Change(Kind.DELETE, replaces)}
    return {path: Change(Kind.UPDATE, replaces)}


def _join_path(path: str, key: str) -> str:
    if key.endswith("\\"):
        # The engine takes the backslash for an escape of the closing quote.
        return path
    quoted = key.replace('"', '\\"')
    return f'{path}["{quoted}"]'
