"""The inputs and outputs that the installed pulumi-azure-native knows, as shapes.

A module such as ``network`` imports hundreds of resource types, which takes a second; only the file that has the wanted
type is imported here.
"""

from __future__ import annotations

import collections.abc
import enum
import functools
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import _types

from tests.azure import bare_packages
from tests.azure.shapes import Kind, Property, Shape, Type

_SCALARS: Mapping[Any, Kind] = {
    str: Kind.STRING,
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    Any: Kind.ANY,
}


def import_module(name: str) -> types.ModuleType:
    """``pulumi_azure_native.<name>`` alone."""
    # Its utilities ask for the version of the distribution that they are in, which has the real name. The types of
    # outputs, half of everything, are not looked at.
    return bare_packages.import_module(f"pulumi_azure_native.{name}", needs=("_utilities",), spares=("outputs",))


@functools.cache
def read_args(args: type) -> Shape:
    """The shape of an ``...Args`` class; names are those of the engine."""
    return _ArgsShape(args)


def list_outputs(resource: type) -> tuple[str, ...]:
    """The names of a resource's outputs."""
    return tuple(_types.resource_py_to_pulumi_names(resource).values())


@functools.cache
def read_api_version(name: str) -> str:
    """The API version that the type in ``pulumi_azure_native.<name>`` uses, which only its documentation tells."""
    text = bare_packages.find_file(f"pulumi_azure_native.{name}").read_text()
    found = re.search(r"Uses Azure REST API version (\S+)\.", text)
    assert found is not None, name
    return found[1]


class _Given(enum.Enum):
    """What is given for a property to see whether a class takes it."""

    GIVEN = enum.auto()


class _ArgsShape:
    is_open = False
    discriminator = None
    subtypes: Mapping[str, Shape] = types.MappingProxyType({})

    def __init__(self, args: type) -> None:
        self.name = args.__name__.removesuffix("Args")
        self._args = args

    @functools.cached_property
    def _required(self) -> frozenset[str]:
        parameters = list(inspect.signature(self._args).parameters.values())
        return frozenset(each.name for each in parameters if each.default is inspect.Parameter.empty)

    @functools.cached_property
    def constants(self) -> Mapping[str, str]:
        """The properties that have one value only, by their names of Python."""
        made = vars(self._args(**dict.fromkeys(self._required, _Given.GIVEN)))
        return {name: made[name] for name in self._required if made[name] is not _Given.GIVEN}

    @functools.cached_property
    def properties(self) -> Mapping[str, Property]:
        names = _types.input_type_py_to_pulumi_names(self._args)
        hints = _types.input_type_types(self._args)
        return types.MappingProxyType(
            {
                name: Property(
                    name=name,
                    client_name=python_name,
                    type=_read_type(hints[name]),
                    required=python_name in self._required,
                )
                for python_name, name in names.items()
            }
        )


class _UnionShape:
    """One of several classes, told apart by a property that is constant in each."""

    is_open = True

    def __init__(self, members: tuple[type, ...]) -> None:
        self.name = " or ".join(each.__name__.removesuffix("Args") for each in members)
        self._shapes = [_ArgsShape(each) for each in members]

    @functools.cached_property
    def _python_name(self) -> str:
        (name,) = set.intersection(*(set(each.constants) for each in self._shapes))
        return name

    @functools.cached_property
    def discriminator(self) -> str | None:
        return next(name for name, each in self._shapes[0].properties.items() if each.client_name == self._python_name)

    @functools.cached_property
    def subtypes(self) -> Mapping[str, Shape]:
        return {each.constants[self._python_name]: each for each in self._shapes}

    @functools.cached_property
    def properties(self) -> Mapping[str, Property]:
        assert self.discriminator is not None
        values = Type(kind=Kind.ENUM, values=tuple(self.subtypes))
        known = Property(name=self.discriminator, client_name=self._python_name, type=values, required=True)
        return {self.discriminator: known}


def _read_type(hint: Any) -> Type:
    options = [each for each in _list_alternatives(hint) if each is not type(None)]
    enums = [each for each in options if inspect.isclass(each) and issubclass(each, enum.Enum)]
    if enums:
        return Type(kind=Kind.ENUM, values=tuple(str(each.value) for each in enums[0]))
    classes = tuple(each for each in options if inspect.isclass(each) and _types.is_input_type(each))
    if len(classes) > 1:
        return Type(kind=Kind.OBJECT, shape=_UnionShape(classes))
    if classes:
        one: Any = classes[0]
        return Type(kind=Kind.OBJECT, shape=read_args(one))
    (one,) = options
    origin = typing.get_origin(one)
    if origin in (collections.abc.Sequence, list):
        return Type(kind=Kind.LIST, item=_read_type(typing.get_args(one)[0]))
    if origin in (collections.abc.Mapping, dict):
        return Type(kind=Kind.MAP, item=_read_type(typing.get_args(one)[1]))
    return Type(kind=_SCALARS[one])


def _list_alternatives(hint: Any) -> tuple[Any, ...]:
    """What a value may be; that it may come later, as an output or awaitable, is left out."""
    if typing.get_origin(hint) not in (typing.Union, getattr(types, "UnionType", None)):
        return (hint,)
    plain = [
        each
        for each in typing.get_args(hint)
        if not (
            inspect.isclass(typing.get_origin(each))
            and issubclass(typing.get_origin(each), (collections.abc.Awaitable, pulumi.Output))
        )
    ]
    return tuple(dict.fromkeys(option for each in plain for option in _list_alternatives(each)))
