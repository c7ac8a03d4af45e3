"""Between pulumi-azure-native's inputs and outputs and what Resource Manager reads and writes.

pulumi-azure-native shows what the SDKs flatten as the parent's own properties, and calls a property as the SDK does, in
camel case. Where a name differs from the wire's in case only, the wire's counts, but for its first letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aml_infra.provider.wire import UNKNOWN
from tests.azure import shapes
from tests.azure.shapes import Kind, Property, Shape, Type
from tests.plugin_stand_ins.errors import UnknownNameError

_SPELLINGS = {"ipAddressOrRange": "iPAddressOrRange"}
"""What the SDK's Python names do not tell: where capitals were."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a property is in a body."""

    containers: tuple[str, ...]
    known: Property


def find_places(shape: Shape) -> Mapping[str, Place]:
    """Every property of an object, by pulumi-azure-native's name of it; of two so called, the outer one."""
    found: dict[str, Place] = {}
    for place in _walk(shape, ()):
        found.setdefault(name_of(place.known), place)
    return found


def find_input_places(shape: Shape) -> Mapping[str, Place]:
    """Likewise, where an input goes; of two so called, the one that the service reads."""
    places = find_places(shape)
    inner = {name_of(place.known): place for place in _walk(shape, ()) if not place.known.read_only}
    return {name: inner.get(name, place) for name, place in places.items()}


def name_of(known: Property) -> str:
    """What pulumi-azure-native calls a property."""
    client = known.client_name
    if client.endswith("_property") and client.removesuffix("_property") == known.name:
        client = known.name  # a name that Python's own objects have
    # A name that an outer property has, too.
    client = client.removesuffix(f"_properties_{known.name}")
    renamed = _plain(known.name) != _plain(client)
    if renamed or known.name.islower():
        return _join_words(client)
    return _join_words(known.name)


def build_body(shape: Shape, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The request's body for these inputs.

    Raises:
        UnknownNameError: If an input has no place.
    """
    places = find_input_places(shape)
    if shape.discriminator is not None:
        given = inputs.get(name_of(shape.properties[shape.discriminator]))
        subtype = shape.subtypes.get(str(given), shape)
        if subtype is not shape:
            return build_body(subtype, inputs)
    body: dict[str, Any] = {}
    for name, value in inputs.items():
        if value is None:
            continue
        if name not in places:
            if not shape.is_open:
                raise UnknownNameError(f"the SDK's {shape.name} has no place for {name!r}")
            body[name] = value
            continue
        place, at = places[name], body
        for container in place.containers:
            at = at.setdefault(container, {})
        at[place.known.name] = _build_value(place.known.type, value)
    return body


def read_answer(shape: Shape, answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as outputs; what the SDK does not know is left out, as the official plugin does."""
    shape = shapes.resolve(shape, answer)
    outputs: dict[str, Any] = {}
    for name, place in find_places(shape).items():
        at: Any = answer
        for container in place.containers:
            at = (at or {}).get(container)
        value = (at or {}).get(place.known.name)
        if value is not None:
            outputs[name] = _read_value(place.known.type, value)
    return outputs


def foresee(shape: Shape, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that a preview knows: what is given, and that the rest comes later."""
    return {
        name: _foresee_value(place.known.type, inputs[name]) if name in inputs else UNKNOWN
        for name, place in find_places(shape).items()
    }


def project(args: Shape, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What of the outputs are inputs too."""
    args = shapes.resolve(args, outputs)
    return {name: _project_value(each.type, outputs[name]) for name, each in args.properties.items() if name in outputs}


def _walk(shape: Shape, containers: tuple[str, ...]) -> Iterator[Place]:
    below = []
    for each in shape.properties.values():
        if each.flattened and each.type.shape is not None:
            below.append(each)
        else:
            yield Place(containers=containers, known=each)
    for each in below:
        assert each.type.shape is not None
        yield from _walk(each.type.shape, (*containers, each.name))


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


def _join_words(name: str) -> str:
    first, *rest = name.split("_")
    joined = first[:1].lower() + first[1:] + "".join(each[:1].upper() + each[1:] for each in rest)
    return _SPELLINGS.get(joined, joined)


def _build_value(type_: Type, value: Any) -> Any:
    if type_.kind is Kind.MAP and isinstance(value, list):
        # A map whose values say nothing is a set, and pulumi-azure-native takes a list for it.
        return {each: {} for each in value}
    if type_.kind is Kind.INTEGER and isinstance(value, float) and value.is_integer():
        return int(value)
    if type_.shape is not None and isinstance(value, Mapping):
        return build_body(type_.shape, value)
    return _map_items(type_, value, _build_value)


def _read_value(type_: Type, value: Any) -> Any:
    if type_.shape is not None and isinstance(value, Mapping):
        return read_answer(type_.shape, value)
    return _map_items(type_, value, _read_value)


def _foresee_value(type_: Type, value: Any) -> Any:
    if type_.kind is Kind.MAP and isinstance(value, list):
        # Of a set, the answer is a map.
        return UNKNOWN
    if type_.shape is not None and isinstance(value, Mapping) and type_.shape.discriminator is None:
        return foresee(type_.shape, value)
    return _map_items(type_, value, _foresee_value)


def _project_value(type_: Type, value: Any) -> Any:
    if type_.kind is Kind.LIST and isinstance(value, Mapping):
        return list(value)
    if type_.shape is not None and isinstance(value, Mapping):
        return project(type_.shape, value)
    return _map_items(type_, value, _project_value)


def _map_items(type_: Type, value: Any, convert: Any) -> Any:
    if type_.item is not None and isinstance(value, list):
        return [convert(type_.item, each) for each in value]
    if type_.item is not None and isinstance(value, Mapping):
        return {key: convert(type_.item, each) for key, each in value.items()}
    return value
