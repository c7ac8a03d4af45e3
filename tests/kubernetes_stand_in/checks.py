"""Inputs checked and completed before anything is sent."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from aml_infra.provider.wire import UNKNOWN
from tests.kubernetes_stand_in import normalization, objects
from tests.kubernetes_stand_in.objects import Kind, Object
from tests.kubernetes_stand_in.openapi import OpenApiShape
from tests.plugin_stand_ins import unknowns

_SUFFIX_LENGTH = 8


def complete(
    name: str, inputs: Mapping[str, Any], old_inputs: Mapping[str, Any], seed: bytes, default_namespace: str
) -> Object:
    """``inputs`` with the name and the namespace that were left out.

    Args:
        name: Pulumi's name of the resource, which a name begins with.
        inputs: What the user gave.
        old_inputs: What was checked the last time; a name that we made then is kept.
        seed: Where the rest of a new name comes from, so that an update has the names of its preview.
        default_namespace: The namespace if none is given; empty for objects that have none.
    """
    metadata = inputs.get("metadata", {})
    if not isinstance(metadata, Mapping):
        return dict(inputs)
    completed: dict[str, Any] = dict(metadata)
    if not completed.get("name"):
        if not old_inputs:
            completed |= _mark_autonamed(metadata, f"{name}-{_make_suffix(seed)}")
        elif objects.has_annotation(old_inputs, objects.AUTONAMED):
            completed |= _mark_autonamed(metadata, objects.find_metadata(old_inputs, "name"))
    if default_namespace and not completed.get("namespace"):
        completed["namespace"] = default_namespace
    return {**inputs, "metadata": completed}


def find_problems(kind: Kind, inputs: Mapping[str, Any], shape: OpenApiShape | None) -> list[str]:
    """What is wrong with inputs, each as ``path: text``.

    Args:
        kind: The kind that the resource type names.
        inputs: What the user gave, of which something may not be known yet.
        shape: The kind's schema; None where it is not known, so that nothing but the frame is looked at.
    """
    problems = [
        f"{name}: must be {wanted!r}, as in the resource's type, not {inputs.get(name)!r}"
        for name, wanted in (("apiVersion", kind.api_version), ("kind", kind.name))
        if inputs.get(name) != wanted
    ]
    metadata = inputs.get("metadata", {})
    if isinstance(metadata, Mapping):
        problems += _find_annotation_problems(metadata.get("annotations", {}))
        if metadata.get("generateName"):
            problems.append("metadata.generateName: is not served by the kubernetes stand-in; leave it out")
    if shape is not None:
        problems += unknowns.find_problems(shape, inputs)
        problems += normalization.find_quantity_problems(shape, inputs)
    return problems


def _find_annotation_problems(annotations: Any) -> list[str]:
    if not isinstance(annotations, Mapping):
        return []
    place, known = "metadata.annotations", ", ".join(sorted(objects.ANNOTATIONS - {objects.AUTONAMED}))
    problems = [
        f"{place}: {name!r} is not served by the kubernetes stand-in; there are {known}"
        for name in annotations
        if name.startswith(objects.PREFIX) and name not in objects.ANNOTATIONS
    ]
    seconds = annotations.get(objects.TIMEOUT_SECONDS, "0")
    if seconds is not UNKNOWN and not str(seconds).isdigit():
        problems.append(f"{place}: {objects.TIMEOUT_SECONDS} is {seconds!r}, and must be a number of seconds")
    return problems


def _mark_autonamed(metadata: Mapping[str, Any], name: str) -> Object:
    annotations = metadata.get("annotations", {})
    if not isinstance(annotations, Mapping):
        return {"name": name}
    return {"name": name, "annotations": {**annotations, objects.AUTONAMED: "true"}}


def _make_suffix(seed: bytes) -> str:
    return hashlib.sha256(seed).hexdigest()[:_SUFFIX_LENGTH] if seed else secrets.token_hex(_SUFFIX_LENGTH // 2)
