"""How much the tests' Resource Manager knows: what `make test-azure` prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tests.azure import sdk_models, services
from tests.azure.shapes import Shape, Type


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inventory:
    """Counts.

    Attributes:
        types: Resource types.
        versions: Pairs of a resource type and an API version.
        properties: Properties whose names and values are checked in the bodies of PUTs, each place counted once for
            its type; a shape that holds itself is counted once.
    """

    types: int
    versions: int
    properties: int

    def __str__(self) -> str:
        return f"{self.types} resource types in {self.versions} API versions, {self.properties} properties checked"


def count() -> Inventory:
    """What there is. Imports the models of every service, which takes seconds."""
    types = list(services.list_types())
    return Inventory(
        types=len(types),
        versions=sum(len(each.models) for each in types),
        properties=sum(
            len({place for model in set(each.models.values()) if model for place in list_properties(model)})
            for each in types
        ),
    )


def list_properties(model: str) -> Iterator[str]:
    """The paths of all properties of a model that a body may hold."""
    yield from _walk(sdk_models.load_shape(model), "", ())


def _walk(shape: Shape, path: str, above: tuple[str, ...]) -> Iterator[str]:
    if shape.name in above:
        return
    for variant in (shape, *shape.subtypes.values()):
        for each in variant.properties.values():
            if not each.read_only:
                place = f"{path}.{each.name}" if path else each.name
                yield place
                yield from _walk_type(each.type, place, (*above, shape.name))


def _walk_type(type_: Type, path: str, above: tuple[str, ...]) -> Iterator[str]:
    if type_.shape is not None:
        yield from _walk(type_.shape, path, above)
    if type_.item is not None:
        yield from _walk_type(type_.item, f"{path}[]", above)
