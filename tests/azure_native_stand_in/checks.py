"""Inputs checked and completed before anything is sent."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aml_infra.provider.wire import has_unknown
from tests.azure import shapes
from tests.azure_native_stand_in import wire_form
from tests.azure_native_stand_in.resource_types import ResourceType
from tests.plugin_stand_ins import unknowns

RANDOMLY_NAMED = "__createBeforeDelete"
"""Where it is set, the name is ours: then a replacement need not delete first."""

API_VERSION = "azureApiVersion"
INTERNAL = frozenset({RANDOMLY_NAMED, API_VERSION})
"""Inputs that the plugin adds and the service does not get."""

_SUFFIX_BYTES = 4


def complete(
    kind: ResourceType,
    name: str,
    inputs: Mapping[str, Any],
    old_inputs: Mapping[str, Any],
    find_location: Callable[[Mapping[str, Any]], Any],
) -> dict[str, Any]:
    """``inputs`` with the name, the location and the API version that were left out.

    Args:
        kind: The resource type.
        name: Pulumi's name of the resource.
        inputs: What the user gave.
        old_inputs: What was checked the last time, whose name and location are kept.
        find_location: The default location for these inputs, None if there is none.
    """
    completed = dict(inputs)
    own = kind.parameters[-1]
    if own not in completed:
        if own in old_inputs:
            completed[own] = old_inputs[own]
            completed |= {key: old_inputs[key] for key in (RANDOMLY_NAMED,) if key in old_inputs}
        elif not kind.args.properties[own].required:
            is_guid = kind.name == "RoleAssignment"
            completed[own] = str(uuid.uuid4()) if is_guid else f"{name}{secrets.token_hex(_SUFFIX_BYTES)}"
            completed[RANDOMLY_NAMED] = True
    if "location" in kind.args.properties and "location" not in completed:
        location = old_inputs.get("location") or find_location(completed)
        if location is not None:
            completed["location"] = location
    return {**completed, API_VERSION: kind.api_version}


def is_unchanged(kind: ResourceType, inputs: Mapping[str, Any], old_inputs: Mapping[str, Any]) -> bool:
    """Whether ``inputs``, completed, are what was checked the last time: then nothing has to be looked at again."""
    added = {*INTERNAL, kind.parameters[-1], "location"}
    is_same = {**old_inputs, **inputs} == old_inputs and set(old_inputs) - set(inputs) <= added
    return is_same and old_inputs.get(API_VERSION) == kind.api_version


def find_problems(kind: ResourceType, inputs: Mapping[str, Any]) -> list[str]:
    """What is wrong with completed inputs: as pulumi-azure-native has them, then as the service takes them."""
    given = {name: value for name, value in inputs.items() if name not in INTERNAL}
    problems = unknowns.find_problems(kind.args, given)
    if problems or has_unknown(given):
        return problems
    return shapes.find_problems(kind.body, build_body(kind, given))


def build_body(kind: ResourceType, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the request that makes the resource."""
    elsewhere = INTERNAL | kind.queries | set(kind.parameters)
    return wire_form.build_body(kind.body, {name: value for name, value in inputs.items() if name not in elsewhere})
