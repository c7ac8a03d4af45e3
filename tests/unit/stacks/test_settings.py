from __future__ import annotations

import dataclasses
import json
import pathlib
import types
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from aml_infra import (
    DataInput,
    DataOutput,
    Distribution,
    InvalidInput,
    LocalDockerArgs,
    TrainingImageArgs,
    TrainingJobArgs,
)
from tests.unit.components.engine import Engine


@pytest.fixture(autouse=True)
def project_folder(tmp_path: pathlib.Path, settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project with a Dockerfile and a source folder, which paths in the configuration are relative to."""
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    monkeypatch.setattr(settings.paths, "PROJECT_FOLDER", tmp_path)
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


def test_a_registry_becomes_one_with_a_secret_password(engine: Engine, settings: types.ModuleType) -> None:
    """The password may be a secure value of the configuration."""
    account = {"server": "registry.example.com", "username": "me", "password": "sesame"}
    section = {"dockerfile": "Dockerfile", "registry": account}
    config = build(engine, settings, {"image": section}, secret_keys=("p:image",))

    secret: list[bool] = []

    async def look() -> bool:
        secret.append(await config.image.registry.password.is_secret())
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
        f"p:train.source: {str(settings.paths.PROJECT_FOLDER / 'nowhere')!r} does not exist, or cannot be reached",
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

    assert problems == ["p:image.build_secrets.a: allowed is text"]


def test_the_account_of_a_registry_is_not_shown(engine: Engine, settings: types.ModuleType) -> None:
    """A password that is a number by mistake is one all the same."""
    account = {"server": "registry.example.com", "username": "me", "password": 4711}

    problems = find_problems(engine, settings, {"image": {"dockerfile": "Dockerfile", "registry": account}})

    assert problems == ["p:image.registry.password: allowed is text"]


TRAIN = {"source": "code", "command": ["true"]}


def read_outputs(engine: Engine, values: Mapping[str, pulumi.Output[str]]) -> dict[str, tuple[str | None, bool]]:
    """The value of each output, and whether it is a secret."""
    found: dict[str, tuple[str | None, bool]] = {}

    async def look() -> bool:
        for name, value in values.items():
            found[name] = (await value.future(), await value.is_secret())
        return True

    engine.run(lambda: {"done": look()})
    return found


def test_every_argument_has_a_setting_and_the_same_default(settings: types.ModuleType) -> None:
    """What a program can say, a stack's configuration can say too; what is made of objects is made elsewhere."""
    sections = {"image": TrainingImageArgs, "compute": LocalDockerArgs, "train": TrainingJobArgs}
    # No stack attaches a cluster.
    elsewhere = {"instance_type"}

    for name, args in sections.items():
        fields = {field.name: field for field in dataclasses.fields(args)}
        model = settings.sections.SECTIONS[name].model_fields
        assert set(model) - {"secret_environment_variables"} == set(fields) - {
            "image",
            "compute",
            "workspace",
            *elsewhere,
        }
        for key in model.keys() & fields.keys():
            default = fields[key].default
            if default is not dataclasses.MISSING:
                assert model[key].default == (list(default) if isinstance(default, tuple) else default)


def test_what_is_said_of_a_job_becomes_its_arguments(engine: Engine, settings: types.ModuleType) -> None:
    """Each setting is the argument of the same name."""
    section = {
        **TRAIN,
        "parameters": {"name": "a", "epochs": 3, "lr": 0.5, "shuffle": True},
        "distribution": {"workers": 2},
        "require_metrics": ["accuracy >= 0.9"],
        "retries": 3,
        "retry_on": ["Failed"],
        "wait": False,
        "on_interrupt": "cancel",
    }

    train = build(engine, settings, {"train": section}).train

    assert train.parameters == {"name": "a", "epochs": 3, "lr": 0.5, "shuffle": True}
    assert [type(value) for value in train.parameters.values()] == [str, int, float, bool]
    assert train.distribution == Distribution(workers=2)
    assert (train.require_metrics, train.retries, train.retry_on) == (["accuracy >= 0.9"], 3, ["Failed"])
    assert (train.wait, train.on_interrupt) == (False, "cancel")


def test_inputs_are_paths_from_the_project_or_uris(
    engine: Engine, settings: types.ModuleType, project_folder: pathlib.Path
) -> None:
    """A text stands for a path, and what is not on this machine stays as it is written."""
    (project_folder / "data").mkdir()
    uri = "https://example.com/table.csv"
    given = {"digits": "data", "same": {"path": "data"}, "table": {"path": uri, "version": "2026-01-01"}}
    given["file"] = {"path": uri, "version": "1", "type": "file", "mode": "download"}

    train = build(engine, settings, {"train": {**TRAIN, "inputs": given}}).train

    assert train.inputs == {
        "digits": DataInput(str(project_folder / "data")),
        "same": DataInput(str(project_folder / "data")),
        "table": DataInput(uri, "2026-01-01"),
        "file": DataInput(uri, "1", type="file", mode="download"),
    }


def test_outputs_are_folders_with_names(engine: Engine, settings: types.ModuleType) -> None:
    """Where each goes and how, or nothing of either."""
    given = {"model": {}, "log": {"path": "azureml://datastores/lake/paths/log", "mode": "upload"}}
    sections = {"train": {**TRAIN, "command": ["train", "${{outputs.model}}"], "outputs": {"model": given["model"]}}}

    train = build(engine, settings, sections).train

    assert train.outputs == {"model": DataOutput()}


def test_secret_variables_become_pulumi_secrets_beside_the_others(engine: Engine, settings: types.ModuleType) -> None:
    """One map of the job, in which the secrets are secrets; their values may be secure ones of the configuration."""
    section = {**TRAIN, "environment_variables": {"A": "1"}, "secret_environment_variables": {"TOKEN": "sesame"}}

    train = build(engine, settings, {"train": section}, secret_keys=("p:train",)).train

    assert list(train.environment_variables) == ["A", "TOKEN"]
    assert train.environment_variables["A"] == "1"
    assert read_outputs(engine, {"TOKEN": train.environment_variables["TOKEN"]}) == {"TOKEN": ("sesame", True)}


def test_a_variable_that_is_secret_and_is_not_is_refused(engine: Engine, settings: types.ModuleType) -> None:
    """One of the two would be passed over; which, nobody should have to know."""
    section = {**TRAIN, "environment_variables": {"A": "1"}, "secret_environment_variables": {"A": "sesame"}}

    problems = find_problems(engine, settings, {"train": section})

    assert problems == [
        "p:train.secret_environment_variables['A']: is in environment_variables, too; leave it out of one of them"
    ]


def test_the_name_of_a_secret_variable_is_reported_where_it_was_written(
    engine: Engine, settings: types.ModuleType
) -> None:
    """Although it is one of the job's variables by then."""
    problems = find_problems(engine, settings, {"train": {**TRAIN, "secret_environment_variables": {"a-b": "sesame"}}})

    (problem,) = problems
    assert problem.startswith("p:train.secret_environment_variables['a-b']: is not a name for an environment variable")
    assert "sesame" not in problem


def test_the_values_of_secret_variables_are_not_shown(engine: Engine, settings: types.ModuleType) -> None:
    """Neither is what stands in the place of one by mistake."""
    for value in (4711, ["sesame"], {"a": "sesame"}):
        section = {**TRAIN, "secret_environment_variables": {"TOKEN": value}}

        problems = find_problems(engine, settings, {"train": section})

        assert problems == ["p:train.secret_environment_variables.TOKEN: allowed is text"]


def test_nothing_of_a_section_with_a_secure_value_is_shown(engine: Engine, settings: types.ModuleType) -> None:
    """Which of its values is the secure one, Pulumi does not say."""
    section = {"source": "code", "command": "sesame", "retries": "sesame"}

    problems = find_problems(engine, settings, {"train": section}, secret_keys=("p:train",))

    assert [problem.partition(":")[2].split(":")[0] for problem in problems] == [
        "train",
        "train.command",
        "train.retries",
    ]
    assert "sesame" not in str(problems)


def test_secure_values_without_a_place_for_them_are_refused(engine: Engine, settings: types.ModuleType) -> None:
    """A place that is empty, or is only spoken of, is none; the message names those that there are."""
    for section in (
        {**TRAIN, "secret_environment_variables": {}, "tags": {"a": "sesame"}},
        {**TRAIN, "tags": {"a": "secret_environment_variables"}},
    ):
        (problem,) = find_problems(engine, settings, {"train": section}, secret_keys=("p:train",))

        assert problem == (
            "p:train: holds a secure value, which would be plain text in the state; secure values may only be in "
            "p:image.build_secrets, p:image.registry and p:train.secret_environment_variables"
        )


@pytest.mark.parametrize(
    ("settings_of_train", "problem"),
    [
        ({"parameters": {"lr": [1]}}, "p:train.parameters.lr: is [1]; allowed are text, numbers, true and false"),
        ({"parameters": {"lr": None}}, "p:train.parameters.lr: is None; allowed are text, numbers, true and false"),
        ({"parameters": {"a b": 1}}, "p:train.parameters['a b']: is not a name for a parameter; allowed are letters"),
        ({"inputs": {"data": 4}}, "p:train.inputs.data: is 4; give a path or a URI, or a map of path, version"),
        ({"inputs": {"data": {"version": "1"}}}, "p:train.inputs.data.path: is missing; it has no default"),
        (
            {"inputs": {"data": {"path": "code", "mode": "copy"}}},
            "p:train.inputs.data.mode: is 'copy'; should be 'mount' or 'download'",
        ),
        ({"inputs": {"data": {"path": "code", "versoin": "1"}}}, "p:train.inputs.data.versoin: is not a setting; did"),
        ({"inputs": {"data": "s3://b/x"}}, "p:train.inputs['data']: is the URI 's3://b/x' without a version"),
        ({"inputs": {"data": ""}}, "p:train.inputs['data']: is empty; give the path of a folder"),
        ({"inputs": {"data": "nowhere"}}, "p:train.inputs['data']: "),
        ({"distribution": {"workers": 0}}, "p:train.distribution.workers: is 0; allowed are whole numbers from 1"),
        ({"distribution": {"workers": 1.5}}, "p:train.distribution.workers: is 1.5; allowed is a whole number"),
        ({"distribution": {"nodes": 2, "workers": 2}}, "p:train.distribution.nodes: is not a setting; allowed are"),
        ({"require_metrics": ["accuracy"]}, "p:train.require_metrics[0]: is 'accuracy'; write a metric"),
        ({"retries": -1}, "p:train.retries: is -1; allowed are whole numbers from 0 to 100"),
        ({"wait": "no"}, "p:train.wait: is 'no'; allowed is true or false"),
        ({"on_interrupt": "stop"}, "p:train.on_interrupt: is 'stop'; should be 'detach' or 'cancel'"),
        ({"command": ["${{inputs.data}}"]}, "p:train.command[0]: is '${{inputs.data}}', and inputs has no 'data'"),
    ],
)
def test_each_bad_setting_of_a_job_is_named(
    engine: Engine, settings: types.ModuleType, settings_of_train: dict[str, Any], problem: str
) -> None:
    """Once, with its path, what it is and what is allowed."""
    (found,) = find_problems(engine, settings, {"train": {**TRAIN, **settings_of_train}})

    assert found.startswith(problem)


def test_the_rest_of_a_section_is_read_beside_a_bad_setting(engine: Engine, settings: types.ModuleType) -> None:
    """Objects within it, too: each problem is told at once."""
    account = {"server": "https://example.com", "username": "me", "password": "sesame"}
    image = {"dockerfile": "Dockerfile", "platform": 1, "registry": account}
    train = {**TRAIN, "wait": "no", "distribution": {"workers": 0}, "inputs": {"data": "nowhere"}}

    problems = find_problems(engine, settings, {"image": image, "train": train})

    assert [problem.partition(": ")[0] for problem in problems] == [
        "p:image.platform",
        "p:train.wait",
        "p:image.registry.server",
        "p:train.inputs['data']",
        "p:train.distribution.workers",
    ]


def test_a_typing_mistake_in_a_registry_is_named_with_a_guess(engine: Engine, settings: types.ModuleType) -> None:
    """Among what is allowed there, and not in the section."""
    account = {"server": "example.com", "usernam": "me", "password": "sesame"}

    problems = find_problems(engine, settings, {"image": {"dockerfile": "Dockerfile", "registry": account}})

    assert problems == [
        "p:image.registry.username: is missing; it has no default",
        "p:image.registry.usernam: is not a setting; did you mean username?",
    ]
