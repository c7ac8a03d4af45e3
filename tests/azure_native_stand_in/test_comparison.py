"""Inputs compared, and what moved in outputs carried over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_native_stand_in import comparison
from tests.plugin_stand_ins import differences
from tests.plugin_stand_ins.differences import Change


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": Change.UPDATE}),
        ({"a": 1}, {}, {"a": Change.DELETE}),
        ({}, {"a": None}, {"a": Change.ADD}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a.c": Change.UPDATE}),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, {"a[1]": Change.UPDATE, "a[2]": Change.ADD}),
        ({"a": [{"b": 1}, 2]}, {"a": [{"b": 2}]}, {"a[0].b": Change.UPDATE, "a[1]": Change.DELETE}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": Change.UPDATE}),
        ({"location": "West Europe"}, {"location": "westeurope"}, {}),
        ({"a": {"location": "West Europe"}}, {"a": {"location": "westeurope"}}, {"a.location": Change.UPDATE}),
    ],
)
def test_changes_are_told_as_deep_as_they_go(
    old: dict[str, Any], new: dict[str, Any], changes: dict[str, Change]
) -> None:
    """Each by its path; only the resource's own location may be spelt in two ways."""
    found = comparison.compare(old, new)

    assert {differences.format_path(path): change for path, change in found.items()} == changes


@pytest.mark.parametrize(
    ("inputs", "old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1, "default": 5}, {"a": 1, "default": 5}, {"a": 1}),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 1, "default": 5}, {"a": 1, "default": 6}, {"a": 1, "default": 6}),
        ({"a": 1}, {"a": 1}, {"a": 1, "added": 7}, {"a": 1, "added": 7}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}),
        ({"secret": 1}, {}, {}, {"secret": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, {"a": {"b": 3}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 3, "c": 2}]}, {"a": [{"b": 3}]}),
        ({"a": [1, 2]}, {"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": [1]}, {"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}),
    ],
)
def test_only_what_moved_becomes_an_input(
    inputs: dict[str, Any], old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Defaults of the service stay outputs, what the service never tells stays an input."""
    assert comparison.carry_over(inputs, old, new) == expected
