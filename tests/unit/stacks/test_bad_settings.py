"""The table of bad settings, that it has whatever there is, and settings that nobody means."""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
import types
from typing import Any

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

import aml_infra
from tests.unit import odd_values
from tests.unit.components.engine import Engine
from tests.unit.stacks import good_settings
from tests.unit.stacks.bad_settings import ROWS

CASES = [
    pytest.param(stack, (*place, name), value, told, id=f"{section}.{name}-{index}")
    for section, (stack, place, fields) in ROWS.items()
    for name, rows in fields.items()
    for index, (value, told) in enumerate(rows)
]


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project with what good settings refer to, which is the working folder, too."""
    good_settings.write_files(tmp_path)
    monkeypatch.setattr(settings.paths, "PROJECT_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    return tmp_path


def tell(engine: Engine, settings: types.ModuleType, values: dict[str, str]) -> list[aml_infra.Problem]:
    """The problems of a configuration, of which each value is a text in JSON."""
    found: list[aml_infra.Problem] = []

    def read() -> None:
        try:
            settings.build_config("p", {f"p:{name}": text for name, text in values.items()})
        except aml_infra.InvalidInput as error:
            found.extend(error.problems)

    engine.run(read)
    return found


def write(sections: dict[str, Any]) -> dict[str, str]:
    """Sections as Pulumi hands them over."""
    return {name: json.dumps(section) for name, section in sections.items()}


@pytest.mark.parametrize("stack", good_settings.STACKS)
def test_good_settings_have_no_problem(engine: Engine, settings: types.ModuleType, stack: str) -> None:
    """What is told of a bad one is of the bad value only."""
    assert tell(engine, settings, write(good_settings.STACKS[stack])) == []


@pytest.mark.parametrize(("stack", "place", "value", "told"), CASES)
def test_a_bad_setting_is_told(
    engine: Engine,
    settings: types.ModuleType,
    folder: pathlib.Path,
    stack: str,
    place: tuple[str | int, ...],
    value: object,
    told: str | list[str],
) -> None:
    """With its path, in a user's words, and nothing besides; no resource is made."""
    found = tell(engine, settings, write(good_settings.change(stack, place, value)))

    lines = [str(problem).replace(str(folder), "{folder}") for problem in found]
    assert lines == ([told] if isinstance(told, str) else told)
    assert engine.resources == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"\\ud800": null}', "p:image"),
        ('{"context": "\\ud800"}', "p:image.context"),
        ('{"registry": {"\\ud800": null}}', "p:image.registry"),
        ('{"registry": {"server": "\\ud800", "username": "me", "password": "x"}}', "p:image.registry.server"),
    ],
)
def test_half_of_a_character_is_told(engine: Engine, settings: types.ModuleType, text: str, path: str) -> None:
    """As a value and as a name, as deep as it is."""
    told = f"{path}: holds half of a character, which no UTF-8 can be; remove it"

    assert told in map(str, tell(engine, settings, {"image": text}))


def test_each_setting_has_a_row_with_a_value_of_the_wrong_type(sections: types.ModuleType) -> None:
    """Whoever adds a setting adds what is told of bad ones."""
    there: dict[str, Any] = {
        name: each
        for name, each in vars(sections).items()
        if isinstance(each, type) and issubclass(each, sections.Section) and each is not sections.Section
    }

    assert set(ROWS) == set(there)
    for name, section in there.items():
        _, _, fields = ROWS[name]
        assert list(fields) == list(section.model_fields)
        for field, info in section.model_fields.items():
            adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(
                info.rebuild_annotation(), config=pydantic.ConfigDict(strict=True)
            )
            assert any(is_refused(adapter, value) for value, _ in fields[field]), f"{name}.{field}"


def is_refused(adapter: pydantic.TypeAdapter[Any], value: object) -> bool:
    """Whether a value is of another type."""
    try:
        adapter.validate_python(value)
    except pydantic.ValidationError:
        return True
    return False


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, 2**53 + 1])
    | st.sampled_from(odd_values.TEXTS)
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*odd_values.TEXTS, "path", "type", "secure"]) | st.text(max_size=5), inner)
    ),
    max_leaves=8,
)
"""What a configuration can hold, whatever it means."""


def change_some(section: Any, stack: str) -> st.SearchStrategy[dict[str, Any]]:
    """A stack's settings, in which some of one section are odd."""
    name, model = section
    names = st.sampled_from([*model.model_fields, "unheard-of"])
    good = good_settings.STACKS[stack]

    def put(odd: dict[str, Any]) -> dict[str, Any]:
        return {**copy.deepcopy(good), name: {**good.get(name, {}), **odd}}

    return st.dictionaries(names, json_values, max_size=4).map(put)


def test_odd_settings_are_read_or_told(engine: Engine, settings: types.ModuleType, sections: types.ModuleType) -> None:
    """Each problem has the path of a setting, and can be written down."""

    def choose(stack: str) -> st.SearchStrategy[dict[str, Any]]:
        return st.one_of([change_some(section, stack) for section in sections.SECTIONS.items()])

    @hypothesis.given(st.sampled_from(sorted(good_settings.STACKS)).flatmap(choose))
    def read(odd: dict[str, Any]) -> None:
        for problem in tell(engine, settings, write(odd)):
            assert problem.path.startswith("p:")
            assert str(problem).encode()

    engine.images.update(dict.fromkeys(odd_values.TEXTS, "sha256:0"))
    read()


@hypothesis.given(
    st.dictionaries(
        st.sampled_from(["image", "train", "workspace", "kubernetes", "compute", "x", ""]),
        st.text(max_size=20) | json_values.map(json.dumps) | st.sampled_from(["[" * 9999, '{"a":' * 9999, "1" * 9999]),
        max_size=3,
    )
)
def test_odd_texts_are_read_or_told(engine: Engine, settings: types.ModuleType, values: dict[str, str]) -> None:
    """Whatever is in the place of an object."""
    for problem in tell(engine, settings, values):
        assert problem.path.startswith("p:")
        assert dataclasses.astuple(problem)
