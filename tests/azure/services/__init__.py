"""The services behind Resource Manager: one module each, which lists its resource types and its functions."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tests.azure import arm_ids
from tests.azure.resource_types import Answer, ResourceType

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.directory import Principal

MODULES = (
    "container_registry",
    "container_service",
    "diagnostic_settings",
    "groups",
    "insights",
    "key_vault",
    "kubernetes_configuration",
    "locks",
    "machine_learning",
    "managed_identity",
    "network",
    "operational_insights",
    "role_assignments",
    "storage",
)
"""Each has ``TYPES`` and may have ``FUNCTIONS``."""


@dataclasses.dataclass(frozen=True)
class FunctionCall:
    """A request that is about no resource, such as for the usage of a region's quota."""

    cloud: Cloud
    method: str
    path: arm_ids.ArmPath
    query: Mapping[str, str]
    body: dict[str, Any]
    principal: Principal
    action: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Function:
    """Something that a service answers, and that is no resource.

    Attributes:
        name: the path from the provider on, less the names in it: ``Microsoft.KeyVault/locations/deletedVaults``.
        versions: the API versions that know it.
        call: answers.
    """

    name: str
    versions: tuple[str, ...]
    call: Callable[[FunctionCall], Answer]


@functools.cache
def _read_tables() -> tuple[dict[str, ResourceType], dict[str, Function]]:
    types: dict[str, ResourceType] = {}
    functions: dict[str, Function] = {}
    for name in MODULES:
        module = importlib.import_module(f"{__name__}.{name}")
        types |= {each.name.lower(): each for each in module.TYPES}
        functions |= {each.name.lower(): each for each in getattr(module, "FUNCTIONS", ())}
    return types, functions


def find_type(name: str) -> ResourceType | None:
    """The type called so, whatever the case."""
    return _read_tables()[0].get(name.lower())


def list_types() -> Iterator[ResourceType]:
    """All types."""
    yield from _read_tables()[0].values()


def list_namespaces() -> list[str]:
    """All resource providers."""
    types, functions = _read_tables()
    found = {each.namespace for each in types.values()}
    return sorted(found | {each.name.partition("/")[0] for each in functions.values()})


def has_namespace(name: str) -> bool:
    """Whether there is such a resource provider, whatever the case."""
    return name.lower() in {each.lower() for each in list_namespaces()}


def find_function(path: arm_ids.ArmPath) -> tuple[Function, str] | None:
    """The function that a path names, and the action that is asked of what it names."""
    functions = _read_tables()[1]
    if path.type.lower() in functions:
        return functions[path.type.lower()], ""
    outer, _, action = path.type.rpartition("/")
    if not path.is_resource and outer.lower() in functions:
        return functions[outer.lower()], action
    return None
