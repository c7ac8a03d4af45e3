from __future__ import annotations

import json
import pathlib
import types
from typing import Any

import pulumi
import pytest

from aml_infra import InvalidInput
from tests.unit.components.engine import Engine

ALLOWED = (
    "which would be plain text in the state; secure values may only be in "
    "p:image.build_secrets, p:image.registry and p:train.secret_environment_variables"
)
SECURE = {"secure": "v1:c2VzYW1l"}
ACCOUNT = {"server": "example.com", "username": "me"}


@pytest.mark.parametrize(
    ("written", "value", "paths"),
    [
        ({"a": {"b": SECURE}, "c": [1, SECURE]}, {"a": {"b": "x"}, "c": [1, "x"]}, [("a", "b"), ("c", 1)]),
        (SECURE, {"a": "x"}, [()]),
        ({"a": "1", "b": 1.5, "c": None}, {"a": "1", "b": 1.5, "c": None}, []),
        ({1: SECURE}, {"1": "x"}, [("1",)]),
        ({"a": SECURE}, {"b": "x"}, None),
        ({"a": SECURE}, {"a": "x", "b": "y"}, None),
        ({"a": SECURE, "b": "y"}, {"a": "x", "b": "z"}, None),
        ({"a": [SECURE]}, {"a": ["x", "y"]}, None),
        ({"a": {"b": SECURE}}, {"a": "x"}, None),
        ({"a": "x"}, {"a": ["x"]}, None),
        (None, {"a": "x"}, None),
    ],
)
def test_the_file_says_where_secure_values_are(
    secure_values: types.ModuleType, written: object, value: object, paths: object
) -> None:
    """It is believed only where it has the same settings, as another file may have been used."""
    assert secure_values.find_secure_values(written, value) == paths


@pytest.mark.parametrize(("project", "folder"), [("stackConfigDir: conf\n", "conf"), ("name: x\n", "."), ("", ".")])
def test_the_file_is_found_as_pulumi_finds_it(
    tmp_path: pathlib.Path, secure_values: types.ModuleType, project: str, folder: str
) -> None:
    """In the folder that the project names, else in its own."""
    (tmp_path / "Pulumi.yaml").write_text(project)
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "Pulumi.dev.yaml").write_text("config:\n  p:image:\n    a:\n      secure: x\n")

    assert secure_values.read_stack_file(tmp_path, "dev") == {"p:image": {"a": {"secure": "x"}}}


@pytest.mark.parametrize("text", [None, "", "config: 1", "[", "- config", "\x00"])
def test_a_file_that_cannot_be_read_says_nothing(
    tmp_path: pathlib.Path, secure_values: types.ModuleType, text: str | None
) -> None:
    """Pulumi has read its own, and complains of it itself."""
    if text is not None:
        (tmp_path / "Pulumi.dev.yaml").write_text(text)

    assert secure_values.read_stack_file(tmp_path, "dev") == {}


def find_problems(engine: Engine, settings: types.ModuleType, value: dict[str, Any], written: object) -> list[str]:
    """The problems of a section ``image`` with a secure value in it."""
    values = {"p:image": json.dumps(value), "p:train": json.dumps({"source": "tests", "command": ["true"]})}
    problems: list[str] = []

    def build() -> None:
        try:
            settings.build_config("p", values, ("p:image",), {"p:image": written})
        except InvalidInput as error:
            problems.extend(map(str, error.problems))

    engine.run(build)
    return problems


def test_a_misplaced_secure_value_is_named_beside_one_that_is_not(engine: Engine, settings: types.ModuleType) -> None:
    """It would be in the image's history, in the state and among arguments."""
    value = {"dockerfile": "FROM x\n", "build_args": {"TOKEN": "sesame"}, "registry": {**ACCOUNT, "password": "sesame"}}
    written = {**value, "build_args": {"TOKEN": SECURE}, "registry": {**ACCOUNT, "password": SECURE}}

    assert find_problems(engine, settings, value, written) == [
        f"p:image.build_args.TOKEN: is a secure value, {ALLOWED}"
    ]


def test_a_section_that_is_one_secure_value_is_refused(engine: Engine, settings: types.ModuleType) -> None:
    """All of it is meant to be secret, also what becomes plain text."""
    value = {"dockerfile": "FROM x\n", "build_secrets": {"TOKEN": "sesame"}}

    assert find_problems(engine, settings, value, SECURE) == [f"p:image: is a secure value, {ALLOWED}"]


@pytest.mark.parametrize("is_written", [True, False])
def test_secure_values_in_their_places_are_taken(
    engine: Engine, settings: types.ModuleType, *, is_written: bool
) -> None:
    """Whether the file is known or not."""
    value = {"dockerfile": "FROM x\n", "registry": {**ACCOUNT, "password": "sesame"}}
    written = {**value, "registry": {**ACCOUNT, "password": SECURE}} if is_written else None

    assert find_problems(engine, settings, value, written) == []


def test_the_program_reads_the_file_of_its_stack(
    engine: Engine, settings: types.ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack that runs, in the project that it belongs to."""
    value = {"dockerfile": "FROM x\n", "build_args": {"A": "sesame"}, "build_secrets": {"B": "b"}}
    written = {**value, "build_args": {"A": SECURE}, "build_secrets": {"B": SECURE}}
    (tmp_path / "Pulumi.test.yaml").write_text(json.dumps({"config": {"aml-infra:image": written}}))
    train = {"source": "..", "command": ["true"]}
    values = {"aml-infra:image": json.dumps(value), "aml-infra:train": json.dumps(train)}
    monkeypatch.setattr(settings.paths, "PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr(pulumi.runtime, "get_config_env", lambda: values)
    monkeypatch.setattr(pulumi.runtime, "get_config_secret_keys_env", lambda: ["aml-infra:image"])

    with pytest.raises(InvalidInput, match=r"aml-infra:image\.build_args\.A: is a secure value"):
        engine.run(settings.load)
