"""Every property that pulumi-azure-native has is known to be somewhere in the service's models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.azure.shapes import Kind, Shape, Type
from tests.azure_native_stand_in import resource_types, wire_form
from tests.azure_native_stand_in.resource_types import ResourceType

TYPES = [pytest.param(each, id=each.token) for each in resource_types.list_types().values()]
UNKNOWN_TO_THE_SDK = {"subnet.serviceGateway"}
"""Inputs that the SDKs' models do not have: they fail."""

NOT_ANSWERED = {("RoleAssignment", "systemData")}


def list_differences(args: Shape, body: Shape, path: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """The inputs that have no place, or one of another kind."""
    if (id(args), id(body)) in seen:
        return
    seen.add((id(args), id(body)))
    if args.discriminator is not None:
        for value, each in args.subtypes.items():
            if value not in body.subtypes:
                yield f"{path}<{value}>"
            else:
                yield from list_differences(each, body.subtypes[value], path, seen)
        return
    places = wire_form.find_input_places(body)
    for name, known in args.properties.items():
        here = f"{path}.{name}" if path else name
        if name not in places:
            yield here
            continue
        yield from compare_types(known.type, places[name].known.type, here, seen)


def compare_types(given: Type, taken: Type, path: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """The same of one input's type."""
    if given.kind is Kind.LIST and taken.kind is Kind.MAP:
        return  # a set
    while given.item is not None and taken.item is not None:
        given, taken = given.item, taken.item
    is_text = given.kind is Kind.STRING and taken.kind in (Kind.ENUM, Kind.DATETIME, Kind.DURATION)
    if given.kind is not taken.kind and not is_text:
        yield f"{path}: {given.kind} is {taken.kind}"
    if given.shape is not None and taken.shape is not None:
        yield from list_differences(given.shape, taken.shape, path, seen)


@pytest.mark.parametrize("kind", TYPES)
def test_every_input_has_a_place(kind: ResourceType) -> None:
    """By its exact name, at every depth, and of the same kind."""
    elsewhere = {*kind.parameters, *kind.queries}
    differences = set(list_differences(kind.args, kind.body, "", set()))

    assert differences - elsewhere <= UNKNOWN_TO_THE_SDK


@pytest.mark.parametrize("kind", TYPES)
def test_every_output_is_in_the_answer(kind: ResourceType) -> None:
    """By its exact name."""
    missing = set(kind.outputs) - set(wire_form.find_places(kind.answer)) - {"azureApiVersion"}

    assert missing <= {name for resource, name in NOT_ANSWERED if resource == kind.name}


@pytest.mark.parametrize("kind", TYPES)
def test_the_path_is_made_of_inputs(kind: ResourceType) -> None:
    """And it can be taken apart again, whatever the case of the words in it."""
    inputs = {name: "subscriptions/s/a" if name in ("scope", "resourceUri") else "n-1" for name in kind.parameters}
    path = kind.build_path("s", inputs)

    assert set(kind.parameters) <= set(kind.args.properties)
    assert kind.parse_path(path) == inputs
    assert kind.parse_path(path.replace("resourceGroups", "resourcegroups")) == inputs
    assert kind.parse_path(f"{path}/more/1") is None


@pytest.mark.parametrize("kind", TYPES)
def test_what_replaces_is_an_input(kind: ResourceType) -> None:
    """A misspelt one would be changed in place."""
    assert kind.replaces <= set(kind.args.properties) | {"location"}
