"""Old and new inputs compared, and outputs that moved carried over into inputs, both as the official plugin does."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from typing import Any


class Change(enum.Enum):
    """What happens to a property, in Pulumi's words."""

    ADD = "ADD"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Change]:
    """The changed properties by their paths, as deep as they can be told."""
    old, new = dict(old), dict(new)
    if _is_same_location(old.get("location"), new.get("location")):
        new["location"] = old["location"]
    return _compare_objects(old, new, "")


def find_root(path: str) -> str:
    """The property of the resource that a path leads into."""
    return path.partition(".")[0].partition("[")[0]


def find_replacing(changes: Collection[str], replaces: Collection[str]) -> set[str]:
    """The changed paths that cannot be changed in place."""
    return {path for path in changes if find_root(path) in replaces}


def carry_over(inputs: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``inputs`` with what differs between two projections of outputs.

    Defaults that the service adds are outputs from the start; so only what moved since then becomes an input.
    """
    result = {name: value for name, value in inputs.items() if name in new or name not in old}
    for name, value in new.items():
        if name not in old:
            result[name] = value
        elif old[name] != value:
            result[name] = _carry_over_value(inputs[name], old[name], value) if name in inputs else value
    return result


def _carry_over_value(value: Any, old: Any, new: Any) -> Any:
    if all(isinstance(each, Mapping) for each in (value, old, new)):
        return carry_over(value, old, new)
    if all(isinstance(each, list) for each in (value, old, new)):
        paired = min(len(value), len(old))
        return [
            _carry_over_value(value[at], old[at], each) if at < paired and old[at] != each else _keep(value, at, each)
            for at, each in enumerate(new)
        ]
    return new


def _keep(values: list[Any], at: int, new: Any) -> Any:
    return values[at] if at < len(values) else new


def _compare_objects(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for name in sorted({*old, *new}):
        here = f"{path}.{name}" if path else name
        if name not in old:
            changes[here] = Change.ADD
        elif name not in new:
            changes[here] = Change.DELETE
        else:
            changes |= _compare_values(old[name], new[name], here)
    return changes


def _compare_values(old: Any, new: Any, path: str) -> dict[str, Change]:
    if old == new:
        return {}
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _compare_objects(old, new, path)
    if isinstance(old, list) and isinstance(new, list):
        changes: dict[str, Change] = {}
        for at in range(max(len(old), len(new))):
            here = f"{path}[{at}]"
            if at >= len(old):
                changes[here] = Change.ADD
            elif at >= len(new):
                changes[here] = Change.DELETE
            else:
                changes |= _compare_values(old[at], new[at], here)
        return changes
    return {path: Change.UPDATE}


def _is_same_location(old: Any, new: Any) -> bool:
    both = isinstance(old, str) and isinstance(new, str)
    return both and old.replace(" ", "").lower() == new.replace(" ", "").lower()
