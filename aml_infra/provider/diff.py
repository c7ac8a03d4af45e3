"""What changed between two sets of checked inputs, and what that means for the run. Pure."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from aml_infra import spec as specs
from aml_infra.backends.base import Status
from aml_infra.provider import wire

NEW_RUN = (
    "sourceFiles",
    "command",
    "parameters",
    "inputFiles",
    "outputs",
    "imageIdentity",
    "environmentVariables",
    "distribution",
    "triggers",
    "backend",
    "backendOptions",
)
"""Inputs that make another run, or the same run in another place."""

SIZES = (
    "autoscaling",
    "compute_name",
    "instance_type",
    "node_selector",
    "pending_minutes",
    "priority_class",
    "pull_secret",
    "queue",
    "repository",
    "runtime",
    "service_account",
    "shared_memory_gb",
    "tolerations",
)
"""Backend options that say what a run has under it, and not where it is: another cluster of the same workspace, other
nodes, or pods of another size, of the same Kubernetes cluster."""

ACCESS = ("kubeconfig",)
"""Backend options that say how this machine gets there, which are not compared at all."""

IN_PLACE = (
    "cpus",
    "memoryGb",
    "gpus",
    "timeoutMinutes",
    "experiment",
    "displayName",
    "tags",
    "identity",
    "requireMetrics",
    "retries",
    "retryOn",
    "wait",
    "onInterrupt",
    "onDestroy",
)
"""Inputs that the next attempt uses, and that no finished run is repeated for."""

DEFAULTS = {
    "gpus": 0,
    "experiment": "Default",
    "retries": 0,
    "retryOn": ["NotResponding"],
    "wait": True,
    "onInterrupt": "detach",
    "onDestroy": "cancel",
}
"""What is the same as leaving the property out."""

WAY_DEFAULTS = {"inputs": {"type": "folder", "mode": "mount"}, "outputs": {"mode": "mount"}}
"""Likewise, of each of ``inputs`` and ``outputs``: how data comes and goes, which the next attempt uses."""

DISTRIBUTION_DEFAULTS = {"workers": 1, "framework": "pytorch", "processesPerWorker": 1}
"""Likewise, of ``distribution``."""

DIGESTS = {"sourceDigest": "sourceFiles", "inputDigests": "inputFiles"}
"""What decides whether files are the same, and the summary that says which are not."""

# Not compared: ``source`` and the paths in ``inputs`` (of this machine), ``image`` (the name of what ``imageIdentity``
# identifies), ``imageParts`` (what that is made of), ``allowSecrets`` (what it lets in is in ``sourceFiles``), and the
# backend options in ``ACCESS``.

HIDDEN = "[secret]"
"""What stands for a secret in what is compared."""


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
    old, new = prepare(old_inputs, new_inputs)
    changes: dict[str, Change] = {}
    for key in NEW_RUN:
        changes |= _compare_values(key, old.get(key), new.get(key), replaces=True)
    for key, defaults in WAY_DEFAULTS.items():
        changes |= _compare_ways(key, defaults, old_inputs.get(key), new_inputs.get(key))
    sizes = {_join_path("backendOptions", name) for name in SIZES}
    changes |= {path: dataclasses.replace(changes[path], replaces=False) for path in changes.keys() & sizes}
    for key in IN_PLACE:
        if old.get(key, DEFAULTS.get(key)) == new.get(key, DEFAULTS.get(key)):
            continue
        changes |= _compare_values(key, old.get(key), new.get(key), replaces=False)
    if "imageIdentity" in changes:
        changes |= _compare_values("imageParts", old.get("imageParts"), new.get("imageParts"), replaces=True)
    for digest, files in DIGESTS.items():
        # A summary has the first digits of each digest only.
        if old.get(digest) != new.get(digest) and not any(path.startswith(files) for path in changes):
            changes[digest] = Change(Kind.UPDATE, replaces=True)
    if not changes and old_status != Status.COMPLETED.value:
        # A run that did not succeed is tried again, or joined, by the next `up`.
        changes["status"] = Change(Kind.UPDATE, replaces=False, of_input=False)
    return changes


def _compare_ways(what: str, defaults: Mapping[str, str], old: Any, new: Any) -> dict[str, Change]:
    """Of inputs or outputs that were there and still are, how they come or go."""
    changes: dict[str, Change] = {}
    if not isinstance(old, dict) or not isinstance(new, dict):
        return changes
    for name in sorted(old.keys() & new.keys()):
        before, after = old[name], new[name]
        if not isinstance(before, dict) or not isinstance(after, dict):
            continue
        for key, default in defaults.items():
            if before.get(key, default) != after.get(key, default):
                path = _join_path(_join_path(what, name), key)
                changes |= _compare_values(path, before.get(key), after.get(key), replaces=False)
    return changes


def prepare(old_inputs: Mapping[str, Any], new_inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both, less what does not count: values of secrets, defaults, and how files are summed up that are the same."""
    old, new = _normalize(old_inputs), _normalize(new_inputs)
    for digest, files in DIGESTS.items():
        if digest in old and old[digest] == new.get(digest):
            # The state of an imported run has no summary.
            old.pop(files, None)
            new.pop(files, None)
    return old, new


def _normalize(inputs: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in _hide(dict(inputs)).items() if value not in ({}, [])}
    values.setdefault("backend", "docker")
    if isinstance(values.get("backendOptions"), dict):
        options = values["backendOptions"]
        values["backendOptions"] = {name: value for name, value in options.items() if name not in ACCESS}
    if isinstance(values.get("parameters"), dict):
        values["parameters"] = {
            name: value if value is wire.UNKNOWN else specs.format_parameter(value)
            for name, value in values["parameters"].items()
        }
    if isinstance(values.get("outputs"), dict):
        values["outputs"] = {name: _find_place(asked) for name, asked in values["outputs"].items()}
    if isinstance(values.get("distribution"), dict):
        values["distribution"] = _normalize_distribution(values["distribution"])
    return {key: value for key, value in values.items() if value != {}}


def _find_place(asked: Any) -> Any:
    """Where an output goes, which with its name is all that counts."""
    return {"path": asked.get("path") or ""} if isinstance(asked, dict) else asked


def _normalize_distribution(given: Mapping[str, Any]) -> dict[str, Any]:
    """Less what is the same as leaving it out; of one process, nothing is left."""
    values = {key: value for key, value in given.items() if value != DISTRIBUTION_DEFAULTS.get(key)}
    return {} if values.keys() <= {"framework"} else {"workers": given.get("workers"), **values}


def _hide(value: Any) -> Any:
    """``value`` with one text in place of every secret: there is one, and which is nobody's business."""
    if isinstance(value, wire.Secret):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _hide(item) for key, item in value.items()}
    return value


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
