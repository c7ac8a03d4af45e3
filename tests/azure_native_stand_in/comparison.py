"""Old and new inputs compared, and outputs that moved carried over into inputs, both as the official plugin does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.plugin_stand_ins import differences
from tests.plugin_stand_ins.differences import Change, Path


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[Path, Change]:
    """The changed properties by their paths; the location may be spelt in two ways."""
    old, new = dict(old), dict(new)
    if _is_same_location(old.get("location"), new.get("location")):
        new["location"] = old["location"]
    return differences.compare(old, new)


def find_replacing(changes: Collection[Path], replaces: Collection[str]) -> set[Path]:
    """The changed paths that cannot be changed in place."""
    return {path for path in changes if path[0] in replaces}


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


def _is_same_location(old: Any, new: Any) -> bool:
    both = isinstance(old, str) and isinstance(new, str)
    return both and old.replace(" ", "").lower() == new.replace(" ", "").lower()
