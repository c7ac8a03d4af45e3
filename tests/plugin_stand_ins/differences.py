"""What differs between two objects."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

Path = tuple[str | int, ...]
"""Where a value is: keys of objects, and places in lists."""


class Change(enum.Enum):
    """What happens to a property, in Pulumi's words."""

    ADD = "ADD"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


def compare(old: Any, new: Any, path: Path = ()) -> dict[Path, Change]:
    """The changed properties by their paths, as deep as they can be told."""
    if old == new:
        return {}
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _compare_items(old, new, path)
    if isinstance(old, list) and isinstance(new, list):
        return _compare_items(dict(enumerate(old)), dict(enumerate(new)), path)
    return {path: Change.UPDATE}


def format_path(path: Path) -> str:
    """A path as Pulumi writes it: ``spec.ports[0]``, ``metadata.annotations["example.com/a"]``."""
    text = ""
    for each in path:
        if isinstance(each, int):
            text += f"[{each}]"
        elif any(sign in each for sign in '."[]'):
            quoted = each.replace('"', r"\"")
            text += f'["{quoted}"]'
        else:
            text += f".{each}" if text else each
    return text


def _compare_items(old: Mapping[Any, Any], new: Mapping[Any, Any], path: Path) -> dict[Path, Change]:
    changes: dict[Path, Change] = {}
    for key in sorted({*old, *new}):
        here = (*path, key)
        if key not in old:
            changes[here] = Change.ADD
        elif key not in new:
            changes[here] = Change.DELETE
        else:
            changes |= compare(old[key], new[key], here)
    return changes
