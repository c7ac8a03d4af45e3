from __future__ import annotations

import json
import pathlib
import types
from typing import Any

import pytest

from aml_infra import InvalidInput
from tests.unit.components.engine import Engine


@pytest.fixture(autouse=True)
def project_folder(tmp_path: pathlib.Path, settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project with a Dockerfile and a source folder, which paths in the configuration are relative to."""
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    monkeypatch.setattr(settings, "PROJECT_FOLDER", tmp_path)
    return tmp_path


def build(
    engine: Engine, settings: types.ModuleType, sections: dict[str, Any], secret_keys: tuple[str, ...] = ()
) -> Any:
    """What a good configuration with ``sections`` in it becomes."""
    good = {"image": {"dockerfile": "Dockerfile"}, "train": {"source": "code", "command": ["true"]}}
    values = {f"p:{name}": json.dumps(section) for name, section in {**good, **sections}.items()}
    built: list[Any] = []
    engine.run(lambda: built.append(settings.build_config("p", values, secret_keys)))
    return built[0]


def find_problems(
    engine: Engine, settings: types.ModuleType, sections: dict[str, Any], secret_keys: tuple[str, ...] = ()
) -> list[str]:
    """The problems of such a configuration, as text."""
    with pytest.raises(InvalidInput) as caught:
        build(engine, settings, sections, secret_keys)
    return [str(problem) for problem in caught.value.problems]


def test_becomes_arguments_with_paths_from_the_project(
    engine: Engine, settings: types.ModuleType, project_folder: pathlib.Path
) -> None:
    """The program's working folder is not what a user of the configuration thinks of."""
    config = build(engine, settings, {"compute": {"data_folder": "runs"}})

    assert config.image.dockerfile == str(project_folder / "Dockerfile")
    assert config.compute.data_folder == str(project_folder / "runs")
    assert (config.train.source, config.train.command) == (str(project_folder / "code"), ["true"])


def test_the_text_of_a_dockerfile_stays_as_it_is(engine: Engine, settings: types.ModuleType) -> None:
    """A text is not a path."""
    config = build(engine, settings, {"image": {"dockerfile": "FROM x\nRUN y\n"}})

    assert config.image.dockerfile == "FROM x\nRUN y\n"


def test_build_secrets_become_pulumi_secrets(engine: Engine, settings: types.ModuleType) -> None:
    """Whatever the configuration says, what is a secret stays one."""
    section = {"dockerfile": "Dockerfile", "build_secrets": {"token": "sesame"}}
    config = build(engine, settings, {"image": section}, secret_keys=("p:image",))

    secret: list[bool] = []

    async def look() -> bool:
        secret.append(await config.image.build_secrets["token"].is_secret())
        return True

    engine.run(lambda: {"done": look()})
    assert secret == [True]


def test_other_namespaces_are_not_ours(engine: Engine, settings: types.ModuleType) -> None:
    """Configuration of providers is theirs to check."""
    values = {"other:thing": "1", "p:image": '{"dockerfile": "Dockerfile"}'}
    values["p:train"] = '{"source": "code", "command": ["true"]}'

    engine.run(lambda: settings.build_config("p", values))


def test_unknown_keys_and_settings_are_named_with_a_guess(engine: Engine, settings: types.ModuleType) -> None:
    """A typing mistake is never passed over."""
    problems = find_problems(
        engine, settings, {"tran": {}, "image": {"dockerfile": "Dockerfile", "platfrom": "x"}, "compute": {"zzz": 1}}
    )

    assert problems == [
        "p:tran: is not a setting; did you mean train?",
        "p:image.platfrom: is not a setting; did you mean platform?",
        "p:compute.zzz: is not a setting; allowed are data_folder",
    ]


def test_wrong_types_and_wrong_values_are_told_together(engine: Engine, settings: types.ModuleType) -> None:
    """What can be read of a section is checked although the rest of it cannot be read."""
    section = {"source": "nowhere", "command": "python train.py", "cpus": "four", "gpus": 1, "on_destroy": "keep"}

    problems = find_problems(engine, settings, {"train": section})

    assert [problem.partition(";")[0] for problem in problems] == [
        "p:train.command: is 'python train.py'",
        "p:train.cpus: is 'four'",
        "p:train.on_destroy: is 'keep'",
        f"p:train.source: {str(settings.PROJECT_FOLDER / 'nowhere')!r} does not exist, or cannot be reached",
        "p:train.gpus: is 1",
    ]


def test_a_missing_setting_is_told_once(engine: Engine, settings: types.ModuleType) -> None:
    """What stands in for it makes no noise of its own."""
    problems = find_problems(engine, settings, {"train": {"source": "code"}})

    assert problems == ["p:train.command: is missing; it has no default"]


def test_a_section_must_be_an_object(engine: Engine, settings: types.ModuleType) -> None:
    """Its text is not shown, as it may be a secret."""
    problems = find_problems(engine, settings, {"train": "sesame"})

    assert len(problems) == 1
    assert problems[0].startswith("p:train: is not an object; give its settings under it: source, command")


def test_a_secret_that_cannot_be_kept_is_refused(engine: Engine, settings: types.ModuleType) -> None:
    """A secure value anywhere else would be plain text in the state."""
    section = {"source": "code", "command": ["true"], "environment_variables": {"TOKEN": "sesame"}}

    problems = find_problems(engine, settings, {"train": section}, secret_keys=("p:train",))

    (problem,) = problems
    assert problem.startswith("p:train: holds a secure value, which would be plain text in the state; ")


def test_values_that_may_be_secret_are_not_shown(engine: Engine, settings: types.ModuleType) -> None:
    """Neither the values of build secrets nor what stands in their place."""
    problems = find_problems(engine, settings, {"image": {"dockerfile": "Dockerfile", "build_secrets": {"a": 4711}}})

    assert problems == ["p:image.build_secrets.a: should be a valid string"]
