"""A stack's state, without what two stacks with the same training differ in. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

_UNLIKE = {"created", "modified", "sourcePosition", "stackTrace", "startedAt", "finishedAt", "durationSeconds"}
_NUMBER = re.compile(r"\battempt$")


def normalize(deployment: Mapping[str, Any], *, name: str, folder: str) -> list[Any]:
    """The resources of a deployment, to be compared.

    Times go, hashes and ids become one word, and so do the run's name, its project's folder and its attempt: how many
    attempts were right is another question.

    Args:
        deployment: as ``pulumi stack export`` gives it.
        name: of the run.
        folder: of the project.
    """
    text = json.dumps(_drop(list(deployment.get("resources", []))), sort_keys=True)
    text = text.replace(folder, "FOLDER").replace(name, "NAME")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"NAME-[0-9a-f]{12}(-\d+)?\b", "RUN", text)
    text = re.sub(r"\b([0-9a-f]{64}|[0-9a-f]{12})\b", "HASH", text)
    return list(json.loads(text))


def _drop(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in _UNLIKE and not _NUMBER.search(key)}
        return {key: _drop(each) for key, each in kept.items()}
    if isinstance(value, list):
        return [_drop(each) for each in value]
    return value


def find_run(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of the one run in a deployment; empty if there is none yet."""
    found = [each for each in deployment.get("resources", []) if each["type"] == "aml-infra:index:TrainingRun"]
    return dict(found[0].get("outputs", {})) if len(found) == 1 else {}


def find_differences(expected: list[Any], found: list[Any]) -> list[str]:
    """What is different, for people."""
    if expected == found:
        return []
    before, after = (json.dumps(each, indent=1, sort_keys=True).splitlines() for each in (expected, found))
    lines = difflib.unified_diff(before, after, "undisturbed", "this one", n=1, lineterm="")
    return ["\n".join(["the state is not that of an undisturbed run:", *lines])]
