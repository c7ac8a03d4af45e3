"""What a request body of an Azure service may hold, and what is wrong with one.

Shapes are read from the models of the official SDKs, see ``tests.azure.sdk_models``: no property is written down here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?")
_DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")


class Kind(enum.Enum):
    """What a value is on the wire."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "date and time"
    DURATION = "duration"
    ENUM = "enum"
    LIST = "list"
    MAP = "map"
    OBJECT = "object"
    ANY = "any"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a string (pattern, length), a number (bounds) or a list (length); None is no limit."""

    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Type:
    """The type of a value.

    Attributes:
        kind: What it is.
        values: The known values of an enum, in the service's case. Services may accept more; we do not.
        item: The type of the values of a list or of a map.
        shape: The shape of an object.
    """

    kind: Kind
    values: tuple[str, ...] = ()
    item: Type | None = None
    shape: Shape | None = None


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of an object.

    Attributes:
        name: Its name on the wire.
        client_name: Its name in the SDK, ``enable_https_traffic_only`` for ``supportsHttpsTrafficOnly``.
        type: What its value is.
        required: A body without it is refused.
        read_only: The service sets it. Resource Manager ignores what a body says about it.
        create_only: It cannot be changed later, where the SDK's model tells.
        flattened: The SDK shows the properties of this object as those of its parent.
        limits: What else its value has to keep to.
    """

    name: str
    client_name: str
    type: Type
    required: bool = False
    read_only: bool = False
    create_only: bool = False
    flattened: bool = False
    limits: Limits = NO_LIMITS


class Shape(Protocol):
    """An object on the wire. What it holds is read when it is first asked for, so a shape may hold itself."""

    @property
    def name(self) -> str:
        """The SDK's name of the model."""

    @property
    def properties(self) -> Mapping[str, Property]:
        """The properties, by their names on the wire."""

    @property
    def is_open(self) -> bool:
        """Whether it takes properties that are not listed."""

    @property
    def discriminator(self) -> str | None:
        """The property, by its name on the wire, whose value selects one of ``subtypes``."""

    @property
    def subtypes(self) -> Mapping[str, Shape]:
        """The shapes by the discriminator's values, those of subtypes' subtypes included."""


def resolve(shape: Shape, body: Mapping[str, Any]) -> Shape:
    """The subtype that ``body`` is of, as its discriminator tells; ``shape`` itself where it tells nothing."""
    while shape.discriminator and body.get(shape.discriminator) in shape.subtypes:
        found = shape.subtypes[body[shape.discriminator]]
        if found is shape:
            break
        shape = found
    return shape


def find_problems(shape: Shape, body: object, path: str = "") -> list[str]:
    """Everything that is wrong with ``body``, each as ``path: text``; read-only properties are no problem.

    Args:
        shape: What the service takes.
        body: The request's JSON, as Python reads it.
        path: Where ``body`` stands, in front of all paths.
    """
    return list(_check_object(shape, body, path))


def drop_read_only(shape: Shape, body: Mapping[str, Any], path: str = "") -> tuple[dict[str, Any], list[str]]:
    """``body`` without what the service sets itself, and the paths of that."""
    shape = resolve(shape, body)
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for name, value in body.items():
        known, here = shape.properties.get(name), _join(path, name)
        if known is None:
            kept[name] = value
        elif known.read_only:
            dropped.append(here)
        else:
            kept[name], below = _drop_inside(known.type, value, here)
            dropped += below
    return kept, dropped


def _drop_inside(type_: Type, value: Any, path: str) -> tuple[Any, list[str]]:
    if type_.shape is not None and isinstance(value, Mapping):
        return drop_read_only(type_.shape, value, path)
    dropped: list[str] = []
    if type_.item is None or not isinstance(value, list | Mapping):
        return value, dropped
    items = enumerate(value) if isinstance(value, list) else value.items()
    kept = {}
    for key, one in items:
        kept[key], below = _drop_inside(type_.item, one, _join(path, key))
        dropped += below
    return (list(kept.values()) if isinstance(value, list) else kept), dropped


def _check_object(shape: Shape, body: object, path: str) -> Iterator[str]:
    if not isinstance(body, Mapping):
        yield _say(path, f"must be an object ({shape.name}), not {body!r}")
        return
    if shape.discriminator and shape.discriminator in body and body[shape.discriminator] not in shape.subtypes:
        known = ", ".join(sorted(shape.subtypes))
        value = body[shape.discriminator]
        yield _say(_join(path, shape.discriminator), f"{value!r} is not a {shape.name}; there are {known}")
        return
    shape = resolve(shape, body)
    for name, value in body.items():
        known_property = shape.properties.get(name)
        if known_property is None:
            if not shape.is_open:
                yield _say(_join(path, name), f"could not find member {name!r} on {shape.name}{_suggest(shape, name)}")
        elif not known_property.read_only and value is not None:
            yield from _check_value(known_property.type, known_property.limits, value, _join(path, name))
    for each in shape.properties.values():
        if each.required and not each.read_only and body.get(each.name) is None:
            yield _say(_join(path, each.name), f"is required in {shape.name}")


def _check_value(type_: Type, limits: Limits, value: Any, path: str) -> Iterator[str]:
    if type_.kind is Kind.OBJECT and type_.shape is not None:
        yield from _check_object(type_.shape, value, path)
    elif type_.kind is Kind.ENUM and value not in type_.values:
        yield _say(path, f"{value!r} is not one of {', '.join(type_.values)}")
    elif not _is_of(type_.kind, value):
        yield _say(path, f"must be {_ARTICLES.get(type_.kind, 'a')} {type_.kind.value}, not {value!r}")
    else:
        yield from _check_limits(limits, value, path)
    if type_.item is not None and isinstance(value, list | Mapping):
        for key, one in enumerate(value) if isinstance(value, list) else value.items():
            if one is not None:
                yield from _check_value(type_.item, NO_LIMITS, one, _join(path, key))


_ARTICLES = {Kind.INTEGER: "an", Kind.ENUM: "an", Kind.OBJECT: "an"}
_PYTHON_TYPES: Mapping[Kind, tuple[type, ...]] = {
    Kind.STRING: (str,),
    Kind.INTEGER: (int,),
    Kind.NUMBER: (int, float),
    Kind.BOOLEAN: (bool,),
    Kind.DATETIME: (str,),
    Kind.DURATION: (str,),
    Kind.ENUM: (str,),
    Kind.LIST: (list,),
    Kind.MAP: (Mapping,),
    Kind.OBJECT: (Mapping,),
}


def _is_of(kind: Kind, value: object) -> bool:
    if kind is Kind.ANY:
        return True
    if not isinstance(value, _PYTHON_TYPES[kind]) or (isinstance(value, bool) and kind is not Kind.BOOLEAN):
        return False
    if kind is Kind.DATETIME:
        return _DATETIME.fullmatch(str(value)) is not None
    return kind is not Kind.DURATION or _DURATION.fullmatch(str(value)) is not None


def _check_limits(limits: Limits, value: Any, path: str) -> Iterator[str]:
    if limits.pattern is not None and isinstance(value, str) and not re.search(limits.pattern, value):
        yield _say(path, f"{value!r} does not match the pattern {limits.pattern}")
    if isinstance(value, str | list):
        size = len(value)
        if limits.min_length is not None and size < limits.min_length:
            yield _say(path, f"is {size} long, at least {limits.min_length} are needed")
        if limits.max_length is not None and size > limits.max_length:
            yield _say(path, f"is {size} long, at most {limits.max_length} are allowed")
    elif isinstance(value, int | float):
        if limits.minimum is not None and value < limits.minimum:
            yield _say(path, f"{value!r} is less than {limits.minimum}")
        if limits.maximum is not None and value > limits.maximum:
            yield _say(path, f"{value!r} is more than {limits.maximum}")


def _suggest(shape: Shape, name: str) -> str:
    same = [each for each in shape.properties if each.casefold() == name.casefold()]
    return f"; it is spelt {same[0]!r}" if same else ""


def _join(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _say(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text
