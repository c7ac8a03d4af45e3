"""What a program hands over as arguments: whether each is of the type that its class declares, told in a user's words.

Types are looked at before any rule is, so that rules may take for granted that a text is one. What is not known yet, an
output or something awaited, fits wherever Pulumi's ``Input`` is declared.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import os
import re
import reprlib
import sys
import types
import typing
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi

from aml_infra.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HIDDEN = ("build_args", "build_secrets", "environment_variables", "password")
"""Arguments whose values no message shows."""

_WORDS: Mapping[Any, tuple[str, str]] = {
    str: ("text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    os.PathLike: ("a path", "paths"),
    bool: ("True or False", "truth values"),
}
"""What a user calls one of a type, and several."""

_SHOWN = (str, bytes, bool, int, float, list, tuple, dict, set)
"""Types whose values say more than the type's name."""

_SHOWN_LENGTH = 200
_WHOLE_BITS = sys.float_info.max_exp
"""A whole number of more bits is none that a number of Pulumi, or of a format here, could hold."""

_Args = TypeVar("_Args", bound="DataclassInstance")


class InvalidProgram(InvalidInput, pulumi.RunError):
    """``InvalidInput`` that Pulumi shows as it is, without a traceback."""


def raise_for(problems: Iterable[Problem]) -> None:
    """Raises ``InvalidProgram`` with all of ``problems``, or returns if there are none."""
    unique = tuple(dict.fromkeys(problems))
    if unique:
        raise InvalidProgram(unique)


def require(name: str, args: object, *classes: type) -> None:
    """That the arguments of a component called ``name`` are of one of its ``classes``.

    Raises:
        InvalidProgram: they are something else.
    """
    if not isinstance(args, classes):
        # The first is what users give; others are made by class methods. What is in a map, as a secret, is not shown.
        told = f"its args are {_describe(args, shows=False)}; allowed is {_add_article(classes[0].__name__)}"
        raise InvalidProgram((Problem(name, told),))


def is_known(value: object) -> bool:
    """Whether a value is there already, and is neither an output nor awaited; the plugin checks it when it is."""
    return not isinstance(value, (pulumi.Output, Awaitable))


def find_problems(
    args: _Args,
    find_rule_problems: Callable[[_Args], list[Problem]],
    *,
    stand_ins: Mapping[str, Any] = types.MappingProxyType({}),
    related: Mapping[str, Collection[str]] = types.MappingProxyType({}),
) -> list[Problem]:
    """Arguments of the wrong type, and what the rules find in the others.

    Args:
        args: the arguments.
        find_rule_problems: the rules; they are given the arguments with a default for each that is of the wrong type.
        stand_ins: what the rules are given instead of the default, as of arguments that have none.
        related: arguments that the rules would wrongly find fault with where another one is of the wrong type.
    """
    problems = find_type_problems(args)
    if not problems:
        return find_rule_problems(args)
    wrong = {_find_argument(problem) for problem in problems}
    sound = dataclasses.replace(args, **{**_list_defaults(args, wrong), **_choose(stand_ins, wrong)})
    silent = wrong.union(*_choose(related, wrong).values())
    return problems + [problem for problem in find_rule_problems(sound) if _find_argument(problem) not in silent]


def find_type_problems(args: Any) -> list[Problem]:
    """Arguments of the wrong type, with their paths; so are texts that nothing can be given as text.

    What is no dataclass has none.
    """
    class_: type = type(args)
    if not dataclasses.is_dataclass(class_):
        return []
    hints = _read_hints(class_)
    return [
        problem
        for field in dataclasses.fields(args)
        for problem in _find(field.name, getattr(args, field.name), hints[field.name], shows=field.name not in HIDDEN)
    ]


def show(value: object) -> str:
    """A value as a message has it: short, whatever it is."""
    return _Short().repr(value)


class _Short(reprlib.Repr):
    """What ``repr`` gives, less the middle of what is long."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _SHOWN_LENGTH
        self.maxlevel = 3

    def repr_int(self, value: int, _level: int) -> str:
        # Python refuses to write out one that is longer still.
        return repr(value) if value.bit_length() <= _SHOWN_LENGTH else f"a number of {value.bit_length()} bits"


def _find_argument(problem: Problem) -> str:
    return re.split(r"[.\[]", problem.path, maxsplit=1)[0]


def _list_defaults(args: DataclassInstance, names: Collection[str]) -> dict[str, Any]:
    defaults = {}
    for field in dataclasses.fields(args):
        if field.name in names and field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
        elif field.name in names and field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
    return defaults


def _choose(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


@functools.cache
def _read_hints(class_: type) -> dict[str, Any]:
    # What Pulumi's ``Input`` refers to is not in the modules of the classes.
    return typing.get_type_hints(class_, localns={"Output": pulumi.Output, "T": Any})


def _find(path: str, value: Any, hint: Any, *, shows: bool) -> list[Problem]:
    options = _list_options(hint)
    for option in options:
        if _fits(value, option):
            return _find_inside(path, value, option, shows=shows)
    given = _describe(value, shows=shows)
    return [Problem(path, f"is {given}; allowed is {_word(options)}{_suggest(value, options) if shows else ''}")]


def _list_options(hint: Any) -> list[Any]:
    """The types that a hint allows, one by one."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [option for each in typing.get_args(hint) for option in _list_options(each)]
    return [hint]


def _fits(value: Any, option: Any) -> bool:
    """Whether a value is of a type, whatever it holds."""
    kind = typing.get_origin(option) or option
    if kind is Any:
        return True
    if isinstance(value, bool):
        return kind in (bool, object)
    if kind is float:
        return isinstance(value, (int, float))
    if kind is collections.abc.Sequence:
        return isinstance(value, kind) and not isinstance(value, (str, bytes, bytearray, memoryview))
    if getattr(kind, "_is_protocol", False):
        return not isinstance(value, type) and all(_has(value, name) for name in _list_members(kind))
    return isinstance(value, kind)


def _list_members(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_")]


def _has(value: object, name: str) -> bool:
    # Not ``hasattr``, which would call what is a property.
    return inspect.getattr_static(value, name, None) is not None


def _find_inside(path: str, value: Any, option: Any, *, shows: bool) -> list[Problem]:
    """What is wrong within a value that is itself of the right type."""
    kind, inner = typing.get_origin(option) or option, typing.get_args(option)
    if kind is str:
        return _find_text_problems(path, value)
    if kind is os.PathLike:
        text = os.fspath(value)
        return _find(path, text, str, shows=shows)
    if isinstance(value, int) and kind in (int, float) and value.bit_length() > _WHOLE_BITS:
        return [Problem(path, f"is {show(value)}; allowed is {_word([kind])} that is not so large")]
    if kind is collections.abc.Sequence:
        return [
            problem
            for index, item in enumerate(value)
            for problem in _find(f"{path}[{index}]", item, inner[0], shows=shows)
        ]
    if kind is collections.abc.Mapping:
        return [problem for key, item in value.items() for problem in _find_item(path, key, item, inner[1], shows)]
    # What can tell its own problems is asked for them by the rules.
    if dataclasses.is_dataclass(kind) and not hasattr(kind, "find_problems"):
        return [problem.under(path) for problem in find_type_problems(value)]
    return []


def _find_item(path: str, key: Any, item: Any, hint: Any, shows: bool) -> list[Problem]:  # noqa: FBT001 (see _find)
    if not isinstance(key, str):
        return [Problem(path, f"has {_describe(key)}, as a name; allowed is text{_suggest(key, [str])}")]
    inside = f"{path}[{key!r}]"
    return _find_text_problems(inside, key, "has a name that ") + _find(inside, item, hint, shows=shows)


def _find_text_problems(path: str, text: str, what: str = "") -> list[Problem]:
    if "\0" in text:
        return [Problem(path, f"{what}holds a NUL character, which nothing here can be given; remove it")]
    if any("\ud800" <= character <= "\udfff" for character in text):
        return [Problem(path, f"{what}holds half of a character, which no UTF-8 can be; remove it")]
    return []


def _describe(value: object, *, shows: bool = True) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = _add_article(type(value).__name__)
    return f"{show(value)}, {kind}" if shows and type(value) in _SHOWN else kind


def _suggest(value: object, options: list[Any]) -> str:
    """How what was most likely meant is written."""
    if str in options and type(value) in (int, float):
        return f", as in {show(value)!r}"
    if isinstance(value, str) and any(_is_list_of_texts(option) for option in options):
        return f", as in {show(value.split())}"
    return ""


def _is_list_of_texts(option: Any) -> bool:
    is_list = typing.get_origin(option) is collections.abc.Sequence
    return is_list and str in _list_options(typing.get_args(option)[0])


def _word(options: list[Any], *, several: bool = False) -> str:
    words = [_word_one(option, several=several) for option in options if not _is_left_out(option)]
    words = list(dict.fromkeys(words))
    joint = ", " if " or " in words[-1] else " or "
    return joint.join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _is_left_out(option: Any) -> bool:
    """None, and what only a program that is run gets."""
    return option is type(None) or typing.get_origin(option) in (pulumi.Output, collections.abc.Awaitable)


def _word_one(option: Any, *, several: bool) -> str:
    kind, inner = typing.get_origin(option) or option, typing.get_args(option)
    if kind in _WORDS:
        return _WORDS[kind][several]
    if kind is collections.abc.Sequence:
        return f"a list of {_word(_list_options(inner[0]), several=True)}"
    if kind is collections.abc.Mapping:
        return f"a map of {_word(_list_options(inner[1]), several=True)}"
    return str(kind.__name__) if several else _add_article(kind.__name__)


def _add_article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
