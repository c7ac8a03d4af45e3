"""Inputs of which something is known only later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aml_infra.provider.wire import UNKNOWN
from tests.azure import shapes
from tests.azure.shapes import Shape


def find_problems(shape: Shape, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with inputs, each as ``path: text``; what is not known yet has the wrong type, of course."""
    unknown = set(_list_unknown(given, ""))
    return [each for each in shapes.find_problems(shape, given) if each.partition(":")[0] not in unknown]


def _list_unknown(value: Any, path: str) -> Iterator[str]:
    if value is UNKNOWN:
        yield path
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _list_unknown(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _list_unknown(one, f"{path}[{at}]")
