"""What happens to one resource: made, changed, read and deleted, in plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tests.azure_native_stand_in import checks, comparison, wire_form
from tests.azure_native_stand_in.errors import ServiceError
from tests.azure_native_stand_in.resource_types import ResourceType
from tests.plugin_stand_ins.errors import InitFailedError, Made


class Manager(Protocol):
    """``ResourceManager``, which is imported when it is needed."""

    def get(self, path: str, api_version: str) -> dict[str, Any] | None: ...

    def put(
        self, path: str, api_version: str, body: Mapping[str, Any], queries: Mapping[str, str], *, follows: bool
    ) -> dict[str, Any]: ...

    def delete(self, path: str, api_version: str, *, follows: bool) -> None: ...


class Lifecycle:
    """The operations on resources of a subscription.

    Args:
        manager: Resource Manager.
        subscription_id: Where paths begin.
        warn: Shows the user a text.
    """

    def __init__(self, manager: Manager, subscription_id: str, warn: Callable[[str], None]) -> None:
        self._manager = manager
        self._subscription_id = subscription_id
        self._warn = warn

    def create(self, kind: ResourceType, inputs: Mapping[str, Any]) -> Made:
        """Makes a resource that must not exist.

        Raises:
            ServiceError: If it exists, or the service refuses.
            InitFailedError: If it failed after the service had accepted it.
        """
        path = kind.build_path(self._subscription_id, inputs)
        body = checks.build_body(kind, inputs)
        if not kind.is_singleton and self._manager.get(path, kind.api_version):
            raise ServiceError(f"cannot create already existing resource '{path}'")
        for *containers, name in kind.maintained:
            _find_container(body, containers).setdefault(name, [])
        return self._put(kind, path, body, inputs)

    def update(self, kind: ResourceType, inputs: Mapping[str, Any]) -> Made:
        """Changes a resource to these inputs.

        Raises:
            ServiceError: If the service refuses.
            InitFailedError: If it failed after the service had accepted it.
        """
        path = kind.build_path(self._subscription_id, inputs)
        body = checks.build_body(kind, inputs)
        for *containers, name in kind.maintained:
            found = _find_container(body, containers)
            if name not in found:
                now = self._manager.get(path, kind.api_version) or {}
                found[name] = _find_container(now, containers).get(name) or []
        return self._put(kind, path, body, inputs)

    def read(self, kind: ResourceType, path: str) -> dict[str, Any] | None:
        """The outputs as they are now; None if the resource is gone.

        Raises:
            ServiceError: If the service refuses.
        """
        answer = self._manager.get(path, kind.api_version)
        return None if answer is None else read_outputs(kind, answer)

    def delete(self, kind: ResourceType, path: str) -> None:
        """Deletes a resource; what exists with its parent is left.

        Raises:
            ServiceError: If the service refuses, or the operation fails.
        """
        if not kind.is_singleton:
            self._manager.delete(path, kind.api_version, follows=kind.follows)

    def _put(self, kind: ResourceType, path: str, body: Mapping[str, Any], inputs: Mapping[str, Any]) -> Made:
        queries = {name: _print(inputs[name]) for name in kind.queries if name in inputs}
        try:
            answer = self._manager.put(path, kind.api_version, body, queries, follows=kind.follows)
        except ServiceError as error:
            if not error.is_accepted:
                raise
            raise self._explain_partial(kind, path, error) from error
        path = answer.get("id", path)
        try:
            # What a PUT answers is not always what a GET does, which later refreshes show.
            answer = self._manager.get(path, kind.api_version) or answer
        except ServiceError as error:
            self._warn(f"Failed to read resource {path} after writing it: {error}")
        return Made(resource_id=path, outputs=read_outputs(kind, answer))

    def _explain_partial(self, kind: ResourceType, path: str, error: ServiceError) -> InitFailedError:
        try:
            outputs = self.read(kind, path)
        except ServiceError as unreadable:
            return InitFailedError(
                f"{error}: resource created but read failed {unreadable}", Made(resource_id=path, outputs={})
            )
        if outputs is None:
            text = f"{error}: resource created but read failed: it does not exist"
            return InitFailedError(text, Made(resource_id=path, outputs={}))
        return InitFailedError(str(error), Made(resource_id=path, outputs=outputs))


def read_outputs(kind: ResourceType, answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as the resource's outputs."""
    read = wire_form.read_answer(kind.answer, answer)
    return {
        **{name: value for name, value in read.items() if name in kind.outputs},
        checks.API_VERSION: kind.api_version,
    }


def foresee_outputs(
    kind: ResourceType, inputs: Mapping[str, Any], old_outputs: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The outputs that a preview knows; of a resource that exists also the name and the location."""
    foreseen = wire_form.foresee(kind.answer, inputs)
    outputs = {name: value for name, value in foreseen.items() if name in kind.outputs}
    outputs |= {name: old_outputs[name] for name in ("name", "location") if old_outputs and name in old_outputs}
    return {**outputs, checks.API_VERSION: kind.api_version}


def refresh_inputs(
    kind: ResourceType, inputs: Mapping[str, Any], old_outputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The inputs of a resource whose outputs may have moved."""
    old, new = wire_form.project(kind.args, old_outputs), wire_form.project(kind.args, outputs)
    return comparison.carry_over(inputs, old, new)


def import_inputs(kind: ResourceType, path: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that would have made a resource that was found.

    Raises:
        ServiceError: If the id is not one of this resource type.
    """
    parameters = kind.parse_path(path)
    if parameters is None:
        raise ServiceError(f"{path!r} is not the id of a {kind.token}; it is like {kind.path}")
    projected = wire_form.project(kind.args, outputs)
    inputs = {name: kept for name, value in projected.items() if (kept := _drop_empty(value)) is not None}
    inputs.pop("id", None)
    return {**inputs, **parameters, checks.API_VERSION: kind.api_version}


def _find_container(body: Mapping[str, Any], names: list[str]) -> Any:
    at: Any = body
    for each in names:
        at = at.setdefault(each, {})
    return at


def _drop_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: kept for key, one in value.items() if (kept := _drop_empty(one)) is not None} or None
    if isinstance(value, list):
        return [kept for one in value if (kept := _drop_empty(one)) is not None] or None
    return value


def _print(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
