"""Arguments that nobody means end in acceptance or in problems, and never in a traceback."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

import hypothesis
import pytest

import aml_infra
from aml_infra import arguments
from aml_infra.components.validation import Machine
from tests.unit import odd_values
from tests.unit.components import good_arguments
from tests.unit.components.engine import Engine


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The working folder, with what good arguments refer to."""
    good_arguments.write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    return tmp_path


@pytest.mark.parametrize("class_", good_arguments.CLASSES, ids=lambda class_: class_.__name__)
def test_odd_arguments_are_accepted_or_told(engine: Engine, folder: pathlib.Path, class_: Any) -> None:
    """Each problem has the path of an argument, and can be written down; no resource is made."""
    good = good_arguments.build(class_, folder)
    known = {field.name for field in dataclasses.fields(type(good_arguments.put_in_place(good, folder)))}

    @hypothesis.given(odd_values.change(class_))
    def find(changes: dict[str, Any]) -> None:
        found: list[aml_infra.Problem] = []

        def look() -> None:
            whole = good_arguments.put_in_place(dataclasses.replace(good, **changes), folder)
            if isinstance(whole, aml_infra.TrainingRunArgs):
                found.extend(arguments.find_type_problems(whole))
            else:
                found.extend(whole.find_problems(Machine()))

        engine.run(look)
        for problem in found:
            assert re.split(r"[.\[]", problem.path)[0] in known
            assert problem.message.encode()
        assert str(aml_infra.InvalidInput(found)).encode()

    engine.images.update(dict.fromkeys(odd_values.TEXTS, "sha256:0"))
    find()
    assert engine.resources == []


@hypothesis.given(odd_values.anything)
def test_whatever_there_is_can_be_shown(value: Any) -> None:
    """Shortly, and as text that can be sent."""
    shown = arguments.show(value)

    assert len(shown) < 2000
    assert shown.encode()


def test_nesting_is_shown_to_some_depth() -> None:
    """However deep it is, deeper than Python calls."""
    value: list[Any] = []
    for _ in range(3000):
        value = [value]

    assert arguments.show(value) == "[[[[...]]]]"


def test_a_number_is_shown_by_its_length_where_python_does_not_write_it_out() -> None:
    """Which it does not from some length on, or takes long to."""
    assert arguments.show(10**5000) == "a number of 16610 bits"
