"""Modules imported without the packages that they are in, which import clients and hundreds of types on the way."""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
import sys
import threading
import types
from collections.abc import Collection

_PREFIX = "_bare_"
_IMPORTING = threading.Lock()


def import_module(name: str, needs: Collection[str] = (), spares: Collection[str] = ()) -> types.ModuleType:
    """The module ``name``, under another name if it is not imported yet: its classes are not those that others see.

    Args:
        name: Its full name.
        needs: Modules of its top package that have to be the real ones.
        spares: Modules beside it that may be empty.
    """
    if name in sys.modules:
        return sys.modules[name]
    *above, _ = name.split(".")
    with _IMPORTING:
        if f"{_PREFIX}{name}" in sys.modules:
            return sys.modules[f"{_PREFIX}{name}"]
        for depth in range(1, len(above) + 1):
            _stand_in(above[:depth])
        top = sys.modules[f"{_PREFIX}{above[0]}"]
        for each in needs:
            real = importlib.import_module(f"{above[0]}.{each}")
            sys.modules[f"{top.__name__}.{each}"] = real
            setattr(top, each, real)
        for each in spares:
            _put_empty([*above, each])
        return importlib.import_module(f"{_PREFIX}{name}")


def find_file(name: str) -> pathlib.Path:
    """The source file of the module ``name``, which is not imported."""
    top, *rest = name.split(".")
    found = [path for each in _find_folders([top]) if (path := each.joinpath(*rest).with_suffix(".py")).is_file()]
    return found[0]


def _find_folders(path: list[str]) -> list[pathlib.Path]:
    spec = importlib.util.find_spec(path[0])
    assert spec is not None, path[0]
    folders = [pathlib.Path(each, *path[1:]) for each in spec.submodule_search_locations or ()]
    return [each for each in folders if each.is_dir()]


def _stand_in(path: list[str]) -> None:
    """Puts an empty package in the place of one, which finds what is in it all the same."""
    _put_empty(path).__path__ = [str(each) for each in _find_folders(path)]


def _put_empty(path: list[str]) -> types.ModuleType:
    name = f"{_PREFIX}{'.'.join(path)}"
    if name not in sys.modules:
        sys.modules[name] = types.ModuleType(name)
        if len(path) > 1:
            setattr(sys.modules[f"{_PREFIX}{'.'.join(path[:-1])}"], path[-1], sys.modules[name])
    return sys.modules[name]
