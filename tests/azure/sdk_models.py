"""Shapes out of the models of Azure's official SDKs, of either generation.

The older ones (msrest) have ``_attribute_map``, ``_validation`` and ``_subtype_map``, with keys such as
``properties.keyVault`` where the SDK flattens; the newer ones (TypeSpec) have a ``rest_field`` for each property.
"""

from __future__ import annotations

import datetime
import enum
import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from tests.azure import bare_packages
from tests.azure.shapes import Kind, Limits, Property, Shape, Type

MACHINE_LEARNING = "azure.ai.ml._restclient.arm_ml_service.models"
"""The models of API version 2025-12-01, which only azure-ai-ml has."""

_SCALARS: Mapping[str, Kind] = {
    "str": Kind.STRING,
    "bool": Kind.BOOLEAN,
    "int": Kind.INTEGER,
    "long": Kind.INTEGER,
    "unix-time": Kind.INTEGER,
    "float": Kind.NUMBER,
    "object": Kind.ANY,
    "iso-8601": Kind.DATETIME,
    "date": Kind.STRING,
    "rfc-1123": Kind.STRING,
    "base64": Kind.STRING,
    "bytearray": Kind.STRING,
    "time": Kind.STRING,
    "duration": Kind.DURATION,
}
_PYTHON_SCALARS: Mapping[Any, Kind] = {
    str: Kind.STRING,
    bytes: Kind.STRING,
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    Any: Kind.ANY,
    object: Kind.ANY,
    datetime.datetime: Kind.DATETIME,
    datetime.timedelta: Kind.DURATION,
}


@functools.cache
def load_shape(name: str) -> Shape:
    """The shape of the model ``package:Class``, as ``azure.mgmt.storage.models:StorageAccount``.

    Only that package is imported: not the clients beside it, nor azure-ai-ml around it, which takes seconds.
    """
    package, _, model = name.partition(":")
    return read_shape(getattr(load_models(package), model))


@functools.cache
def read_shape(model: type) -> Shape:
    """The shape of a model class of an SDK."""
    if hasattr(model, "_attribute_map"):
        return _OldShape(model)
    if getattr(model, "_is_model", False):
        return _NewShape(model)
    raise TypeError(f"{model!r} is no model of an Azure SDK")


def load_models(package: str) -> types.ModuleType:
    """The package of an SDK's models, imported as ``load_shape`` does."""
    return bare_packages.import_module(package)


class _Shape:
    """What both generations share."""

    def __init__(self, model: type) -> None:
        self._model = model
        self._package = sys.modules[model.__module__.rpartition(".")[0]]
        self.name = model.__name__

    def __repr__(self) -> str:
        return f"<shape of {self._model.__module__}.{self.name}>"

    def _read_hints(self, of: Any) -> dict[str, Any]:
        # The models name one another by the package that they are in, which they import for type checkers only.
        return typing.get_type_hints(of, localns={"_models": self._package})


class _Container:
    """An object that has no model, as the SDK flattens it away."""

    is_open = False
    discriminator = None
    subtypes: Mapping[str, Shape] = types.MappingProxyType({})

    def __init__(self, name: str, properties: Mapping[str, Property]) -> None:
        self.name = name
        self.properties = types.MappingProxyType(properties)


class _OldShape(_Shape):
    @functools.cached_property
    def properties(self) -> Mapping[str, Property]:
        model: Any = self._model
        hints = self._read_hints(model.__init__)
        tree: dict[str, Any] = {}
        for client_name, entry in model._attribute_map.items():
            *above, name = [each.replace("\\.", ".") for each in re.split(r"(?<!\\)\.", entry["key"])]
            if name:
                place = functools.reduce(lambda at, key: at.setdefault(key, {}), above, tree)
                place[name] = self._read(name, client_name, entry["type"], hints.get(client_name))
        return types.MappingProxyType(dict(self._fold(tree)))

    @functools.cached_property
    def is_open(self) -> bool:
        model: Any = self._model
        return any(entry["key"] == "" for entry in model._attribute_map.values())

    @property
    def _subtype_map(self) -> Mapping[str, Mapping[str, str]]:
        found: Mapping[str, Mapping[str, str]] = vars(self._model).get("_subtype_map", {})
        return found

    @functools.cached_property
    def discriminator(self) -> str | None:
        model: Any = self._model
        for client_name in self._subtype_map:
            return str(model._attribute_map[client_name]["key"]).replace("\\.", ".")
        return None

    @functools.cached_property
    def subtypes(self) -> Mapping[str, Shape]:
        found: dict[str, Shape] = {}
        for by_value in self._subtype_map.values():
            for value, name in by_value.items():
                subtype = read_shape(getattr(self._package, name))
                found |= {value: subtype, **subtype.subtypes}
        return types.MappingProxyType(found)

    def _fold(self, tree: Mapping[str, Any]) -> Iterator[tuple[str, Property]]:
        for name, value in tree.items():
            if isinstance(value, Property):
                yield name, value
            else:
                inner = dict(self._fold(value))
                shape = _Container(f"{self.name}.{name}", inner)
                yield (
                    name,
                    Property(
                        name=name,
                        client_name=name,
                        type=Type(kind=Kind.OBJECT, shape=shape),
                        required=any(each.required and not each.read_only for each in inner.values()),
                        flattened=True,
                    ),
                )

    def _read(self, name: str, client_name: str, type_: str, hint: Any) -> Property:
        model: Any = self._model
        rules = model._validation.get(client_name, {})
        return Property(
            name=name,
            client_name=client_name,
            type=self._read_type(type_, hint),
            required=rules.get("required", False),
            read_only=rules.get("readonly", False),
            limits=Limits(
                pattern=rules.get("pattern"),
                min_length=rules.get("min_length", rules.get("min_items")),
                max_length=rules.get("max_length", rules.get("max_items")),
                minimum=rules.get("minimum", rules.get("minimum_ex")),
                maximum=rules.get("maximum", rules.get("maximum_ex")),
            ),
        )

    def _read_type(self, type_: str, hint: Any) -> Type:
        if type_[0] in "[{":
            kind = Kind.LIST if type_[0] == "[" else Kind.MAP
            inner = [each for one in _list_alternatives(hint) for each in typing.get_args(one)[-1:]]
            return Type(kind=kind, item=self._read_type(type_[1:-1], inner[0] if inner else None))
        if type_ == "str":
            return _find_enum(hint) or Type(kind=Kind.STRING)
        if type_ in _SCALARS:
            return Type(kind=_SCALARS[type_])
        found = getattr(self._package, type_)
        if issubclass(found, enum.Enum):
            return _read_enum(found)
        return Type(kind=Kind.OBJECT, shape=read_shape(found))


class _NewShape(_Shape):
    is_open = False

    @functools.cached_property
    def _fields(self) -> Mapping[str, Any]:
        # As the SDK's own Model finds them: the subclasses' come last and win.
        parents = [vars(each) for each in reversed(self._model.__mro__)]
        return {key: one for each in parents for key, one in each.items() if type(one).__name__ == "_RestField"}

    @functools.cached_property
    def properties(self) -> Mapping[str, Property]:
        hints = self._read_hints(self._model)
        flattened = getattr(self._model, f"_{self.name}__flattened_items", None)
        found = {}
        for client_name, field in self._fields.items():
            name = field._rest_name_input or client_name
            type_ = self._read_type(hints[client_name])
            visibility = field._visibility or ()
            found[name] = Property(
                name=name,
                client_name=client_name,
                type=type_,
                required=field._is_discriminator or type(None) not in typing.get_args(hints[client_name]),
                read_only=list(visibility) == ["read"],
                create_only="create" in visibility and "update" not in visibility,
                flattened=bool(flattened and type_.shape and _holds(type_.shape, flattened)),
            )
        return types.MappingProxyType(found)

    @functools.cached_property
    def discriminator(self) -> str | None:
        if not self.subtypes:
            return None
        own = [key for key, one in vars(self._model).items() if getattr(one, "_is_discriminator", False)]
        return str(self._fields[own[0]]._rest_name_input or own[0]) if own else None

    @functools.cached_property
    def subtypes(self) -> Mapping[str, Shape]:
        # A subclass without subclasses of its own inherits the mapping that it is in.
        mapping = vars(self._model).get("__mapping__", {})
        found: dict[str, Shape] = {}
        for value, model in mapping.items():
            subtype = read_shape(model)
            found |= {value: subtype, **subtype.subtypes}
        return types.MappingProxyType(found)

    def _read_type(self, hint: Any) -> Type:
        if (found := _find_enum(hint)) is not None:
            return found
        options = _list_alternatives(hint)
        if len(options) > 1:
            return Type(kind=Kind.ANY)
        (one,) = options
        origin, inner = typing.get_origin(one), typing.get_args(one)
        if origin in (list, dict):
            kind = Kind.LIST if origin is list else Kind.MAP
            return Type(kind=kind, item=self._read_type(inner[-1]))
        if one in _PYTHON_SCALARS:
            return Type(kind=_PYTHON_SCALARS[one])
        return Type(kind=Kind.OBJECT, shape=read_shape(one))


def _holds(shape: Shape, client_names: list[str]) -> bool:
    return set(client_names) <= {each.client_name for each in shape.properties.values()}


def _list_alternatives(hint: Any) -> list[Any]:
    """What a value may be by its annotation, without None."""
    union = typing.get_origin(hint) in (typing.Union, getattr(types, "UnionType", None))
    return [each for each in (typing.get_args(hint) if union else (hint,)) if each not in (None, type(None))]


def _find_enum(hint: Any) -> Type | None:
    options = _list_alternatives(hint)
    literals = [each.value if isinstance(each, enum.Enum) else each for one in options for each in _read_literal(one)]
    if literals:
        return Type(kind=Kind.ENUM, values=tuple(literals))
    for each in options:
        if inspect.isclass(each) and issubclass(each, enum.Enum):
            return _read_enum(each)
    return None


def _read_literal(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()


def _read_enum(found: type[enum.Enum]) -> Type:
    return Type(kind=Kind.ENUM, values=tuple(str(each.value) for each in found))
