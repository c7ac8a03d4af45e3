"""Values that nobody means: of any type, and of the right type with odd content. For hypothesis."""

from __future__ import annotations

import collections.abc
import dataclasses
import os
import pathlib
import types
import typing
from typing import Any

import pulumi
from hypothesis import strategies as st

TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "../../etc/passwd",
    "/dev/null/x",
    "/",
    ".",
    "~",
    "$(touch x)",
    "`touch x`",
    "; rm -rf /",
    "a && b",
    "--help",
    "${{inputs.x}}",
    "${{parameters.}}",
    "<{%reset%}>",
    "a,b=c",
    "a::b$c",
    "\ud800",
    "caf\u00e9",
    "\u202e",
    "\U0001f600",
    "x" * 300,
    "x" * 5000,
    "azureml:",
    "s3://bucket",
    "nan",
    "1e999",
    "[",
    "*",
    "FROM x\n",
    "FROM\n",
    "type=registry,ref=",
    "accuracy >= 0.9",
    "a: [b\n",
)
"""What has gone wrong elsewhere, and what the rules look for."""


class Later:
    """Something awaited."""

    def __await__(self) -> typing.Generator[None, None, str]:
        yield
        return ""


class Thing:
    """An object of somebody else's class."""


texts = st.sampled_from(TEXTS) | st.text(max_size=20)
numbers = st.integers() | st.floats() | st.sampled_from([0, -1, 2**53 + 1, 10**400, -(10**4000)])
anything = st.recursive(
    st.none()
    | st.booleans()
    | numbers
    | texts
    | st.binary(max_size=5)
    | st.complex_numbers()
    | st.builds(Thing)
    | st.builds(Later)
    | st.sampled_from([int, Thing, len, ..., pathlib.PurePosixPath("x"), range(3), {1, 2}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(texts | st.integers() | st.none() | st.binary(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
"""Any value at all."""


def fit(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, whatever they hold; and now and then, deep in them, one that is of no type that is meant."""
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return st.one_of([fit(option) for option in inner])
    if kind is str:
        return texts
    if kind in (int, float):
        return numbers
    if kind is bool:
        return st.booleans()
    if kind is type(None):
        return st.none()
    if kind is os.PathLike:
        return texts.map(pathlib.PurePosixPath)
    if kind is collections.abc.Sequence:
        return st.lists(fit(inner[0]) | anything, max_size=3)
    if kind is collections.abc.Mapping:
        return st.dictionaries(texts, fit(inner[1]) | anything, max_size=3)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind)
    return anything


def build(class_: type) -> st.SearchStrategy[Any]:
    """Arguments of a class, with odd values in all of their fields."""
    hints = typing.get_type_hints(class_, localns={"Output": pulumi.Output, "T": Any})
    fields = {field.name: fit(hints[field.name]) | anything for field in dataclasses.fields(class_)}
    return st.builds(class_, **fields)


def change(class_: type) -> st.SearchStrategy[dict[str, Any]]:
    """Odd values for a few of the fields of a class."""
    hints = typing.get_type_hints(class_, localns={"Output": pulumi.Output, "T": Any})
    fields = {field.name: fit(hints[field.name]) | anything for field in dataclasses.fields(class_)}
    names = st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=4, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen}))
