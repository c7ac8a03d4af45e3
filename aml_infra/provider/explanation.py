"""What changed between two sets of checked inputs, in words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aml_infra.provider import diff, shapes, wire

MAX_PHRASES = 8
"""Changes that are told one by one; the others are counted."""

MAX_FILES = 3
"""Changed files that are told one by one; more are folded to their folders."""

MAX_WIDTH = 60
"""Longest value in a phrase."""


_SPACE = re.compile(r"\s")


def explain(old_inputs: Mapping[str, Any], new_inputs: Mapping[str, Any]) -> str:
    """What makes it another run, in words such as ``train.py changed; lr 0.01 -> 0.02``; empty if nothing does."""
    old, new = diff.prepare(old_inputs, new_inputs)
    phrases = _explain_files(old.get("sourceFiles"), new.get("sourceFiles"), "source changed")
    phrases += _explain_values("command", _join_words(old.get("command")), _join_words(new.get("command")))
    phrases += _explain_map("", old.get("parameters"), new.get("parameters"))
    phrases += _explain_inputs(old.get("inputFiles"), new.get("inputFiles"))
    phrases += _explain_map("output ", *(_list_places(each.get("outputs")) for each in (old, new)))
    if old.get("imageIdentity") != new.get("imageIdentity"):
        parts = _explain_files(old.get("imageParts"), new.get("imageParts"), "")
        phrases.append(f"image: {', '.join(parts)}" if parts else "image changed")
    phrases += _explain_map("variable ", old.get("environmentVariables"), new.get("environmentVariables"))
    phrases += _explain_map("", *(_list_workers(each.get("distribution")) for each in (old, new)))
    phrases += _explain_map("trigger ", old.get("triggers"), new.get("triggers"))
    phrases += _explain_values("backend", old.get("backend"), new.get("backend"))
    phrases += _explain_map("backend option ", *(_list_options(each) for each in (old, new)))
    if len(phrases) > MAX_PHRASES:
        phrases = [*phrases[: MAX_PHRASES - 1], f"and {len(phrases) - MAX_PHRASES + 1} more changes"]
    return "; ".join(phrases)


def _list_options(inputs: Mapping[str, Any]) -> Any:
    """The backend's options, less those that another value of makes no other run."""
    options = inputs.get("backendOptions")
    if not isinstance(options, dict):
        return options
    return {name: value for name, value in options.items() if name not in diff.SIZES}


def _list_places(outputs: Any) -> Any:
    """Where each output goes."""
    if not isinstance(outputs, dict):
        return outputs
    return {name: asked["path"] if isinstance(asked, dict) else asked for name, asked in outputs.items()}


def _list_workers(distribution: Any) -> Any:
    """How processes train together, with what was left out, by the names that users write."""
    if distribution is wire.UNKNOWN:
        return distribution
    values = {**diff.DISTRIBUTION_DEFAULTS, **(distribution or {})}
    return {shapes.to_snake_case(name): value for name, value in values.items()}


def _explain_files(old: Any, new: Any, otherwise: str) -> list[str]:
    if old == new:
        return []
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [otherwise] if otherwise else []
    verbs = {path: _find_verb(path in old, path in new) for path in {*old, *new} if old.get(path) != new.get(path)}
    if len(verbs) <= MAX_FILES:
        return [f"{path} {verb}" for path, verb in sorted(verbs.items())]
    folders: dict[str, int] = {}
    for path in verbs:
        folder, slash, _ = path.partition("/")
        folders[folder + slash] = folders.get(folder + slash, 0) + 1
    counted = sorted(folders.items())
    told = [
        f"{folder} ({count} changed)" if count > 1 else f"{folder} {verbs.get(folder, 'changed')}"
        for folder, count in counted
    ]
    if len(told) > MAX_FILES:
        rest = sum(count for _, count in counted[MAX_FILES:])
        told = [*told[:MAX_FILES], f"{rest} more files"]
    return told


def _explain_inputs(old: Any, new: Any) -> list[str]:
    old, new = old or {}, new or {}
    if old == new or not isinstance(old, dict) or not isinstance(new, dict):
        return ["inputs changed"] if old != new else []
    phrases = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if before is None or after is None:
            phrases.append(f"input {name} {_find_verb(before is not None, after is not None)}")
        else:
            phrases.append(f"input {name}: {', '.join(_explain_files(before, after, 'changed'))}")
    return phrases


def _explain_map(what: str, old: Any, new: Any) -> list[str]:
    old, new = old or {}, new or {}
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    return [
        phrase for key in sorted({*old, *new}) for phrase in _explain_values(f"{what}{key}", old.get(key), new.get(key))
    ]


def _explain_values(what: str, old: Any, new: Any) -> list[str]:
    if old == new:
        return []
    # What was no secret yet when it was written down may well be one.
    if old is None or new is None or diff.HIDDEN in (old, new):
        return [f"{what} {_find_verb(old is not None, new is not None)}"]
    return [f"{what} {_show(old)} -> {_show(new)}"]


def _find_verb(was: bool, is_: bool) -> str:  # noqa: FBT001 (which of the two is told by its place)
    return "changed" if was and is_ else "added" if is_ else "removed"


def _join_words(command: Any) -> str | None:
    return " ".join(map(str, command)) if isinstance(command, list) else None


def _show(value: Any) -> str:
    if value is wire.UNKNOWN:
        return "(not known yet)"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_plain = isinstance(value, str) and value and not _SPACE.search(value)
    text = value if is_plain else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_WIDTH else f"{text[:MAX_WIDTH]}..."
