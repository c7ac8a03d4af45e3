"""The functions: ``getClientConfig``, and the getter of each resource type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.azure_native_stand_in import checks, resource_types, wire_form
from tests.azure_native_stand_in.errors import ServiceError
from tests.azure_native_stand_in.lifecycle import Manager
from tests.azure_native_stand_in.resource_types import ResourceType
from tests.plugin_stand_ins.errors import UnknownNameError

GET_CLIENT_CONFIG = "azure-native:authorization:getClientConfig"


def find_getter(token: str) -> ResourceType:
    """The resource type that ``azure-native:<module>:get<Type>`` reads.

    Raises:
        UnknownNameError: If the token is none of a getter.
    """
    module, _, name = token.rpartition(":")
    found = resource_types.list_types().get(f"{module}:{name.removeprefix('get')}")
    if found is None or not name.startswith("get"):
        raise UnknownNameError(f"function {token!r} is not served by the stand-in")
    return found


def get_resource(manager: Manager, subscription_id: str, kind: ResourceType, args: Mapping[str, Any]) -> dict[str, Any]:
    """A resource that exists, as the getter's result.

    Raises:
        ServiceError: If the arguments are wrong, there is no such resource, or the service refuses.
    """
    unknown = sorted(set(args) - set(kind.parameters))
    missing = [each for each in kind.parameters if each not in args]
    if unknown or missing:
        raise ServiceError(
            f"get{kind.name} takes {', '.join(kind.parameters)}; not {unknown}, and {missing} is missing"
        )
    path = kind.build_path(subscription_id, args)
    answer = manager.get(path, kind.api_version)
    if answer is None:
        raise ServiceError(f"request failed {path}: Status=404 there is no such resource")
    return {**wire_form.read_answer(kind.answer, answer), checks.API_VERSION: kind.api_version}
