"""The stack's configuration: what may be in it, and the arguments that it becomes."""

from __future__ import annotations

import dataclasses
import difflib
import json
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any, Generic, Literal, TypeVar

import pulumi
import pydantic

import aml_infra

PROJECT_FOLDER = pathlib.Path(__file__).resolve().parent.parent


class Section(pydantic.BaseModel):
    """One object of the configuration. Unknown names are errors, and nothing is turned into another type."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class ImageSection(Section):
    """``image``: see ``TrainingImageArgs``."""

    base_image: str | None = None
    dockerfile: str | None = None
    context: str | None = None
    build_args: dict[str, str] = {}
    build_secrets: dict[str, str] = {}
    host_ca_secret: str | None = None
    platform: str | None = None
    user_managed_dependencies: bool = True


class ComputeSection(Section):
    """``compute``: see ``LocalDockerArgs``."""

    data_folder: str | None = None


class TrainSection(Section):
    """``train``: see ``TrainingJobArgs``."""

    source: str
    command: list[str]
    environment_variables: dict[str, str] = {}
    triggers: dict[str, str] = {}
    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0
    timeout_minutes: float | None = None
    experiment: str | None = None
    display_name: str | None = None
    tags: dict[str, str] = {}
    allow_secrets: list[str] = []
    on_destroy: Literal["cancel", "retain"] = "cancel"


SECTIONS: dict[str, type[Section]] = {"image": ImageSection, "compute": ComputeSection, "train": TrainSection}

UNREAD = {"source": "", "command": []}
"""Stands for required settings that could not be read."""

_Section = TypeVar("_Section", bound=Section)


@dataclasses.dataclass(frozen=True)
class Config:
    """The configuration as the components' arguments; those of the job still lack their image and compute target."""

    image: aml_infra.TrainingImageArgs
    compute: aml_infra.LocalDockerArgs
    train: aml_infra.TrainingJobArgs


def load() -> Config:
    """Reads the current stack's configuration and validates all that follows from it.

    Raises:
        InvalidInput: with everything that is wrong, each with its path, such as ``aml-infra:train.cpus``.
    """
    return build_config(
        pulumi.get_project(), pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    )


def build_config(namespace: str, values: Mapping[str, str], secret_keys: Collection[str] = ()) -> Config:
    """The configuration in ``values``, the texts that Pulumi has for each full key.

    ``secret_keys`` are the keys with a secure value somewhere in them; where, Pulumi does not tell.

    Raises:
        InvalidInput: with everything that is wrong.
    """
    own = {key.partition(":")[2]: text for key, text in values.items() if key.partition(":")[0] == namespace}
    problems = [
        aml_infra.Problem(f"{namespace}:{name}", f"is not a setting; {_suggest(name, SECTIONS)}")
        for name in sorted(set(own) - set(SECTIONS))
    ]
    problems += _find_misplaced_secrets(own, namespace, secret_keys)
    image = _read_section(ImageSection, "image", own, namespace, problems)
    compute = _read_section(ComputeSection, "compute", own, namespace, problems)
    train = _read_section(TrainSection, "train", own, namespace, problems)

    image_args = build_image_args(image.section)
    compute_args = build_compute_args(compute.section)
    train_args = build_train_args(train.section, image_args, compute_args)
    aml_infra.validate(
        {
            f"{namespace}:compute": _Reported(compute_args, compute.reported),
            f"{namespace}:image": _Reported(image_args, image.reported),
            f"{namespace}:train": _Reported(train_args, train.reported),
        },
        found=problems,
    )
    return Config(image=image_args, compute=compute_args, train=train_args)


def _find_misplaced_secrets(
    own: Mapping[str, str], namespace: str, secret_keys: Collection[str]
) -> list[aml_infra.Problem]:
    return [
        aml_infra.Problem(
            f"{namespace}:{name}",
            "holds a secure value, which would be plain text in the state; secure values may only be in "
            f"{namespace}:image.build_secrets",
        )
        for name, text in own.items()
        if f"{namespace}:{name}" in secret_keys and not (name == "image" and '"build_secrets"' in text)
    ]


def build_image_args(section: ImageSection) -> aml_infra.TrainingImageArgs:
    """The section as arguments, with its secrets made Pulumi secrets and its paths absolute."""
    values = dict(section)
    for name in ("dockerfile", "context"):
        values[name] = _locate(values[name])
    values["build_secrets"] = {name: pulumi.Output.secret(value) for name, value in section.build_secrets.items()}
    return aml_infra.TrainingImageArgs(**values)


def build_compute_args(section: ComputeSection) -> aml_infra.LocalDockerArgs:
    """The section as arguments."""
    return aml_infra.LocalDockerArgs(data_folder=_locate(section.data_folder))


def build_train_args(
    section: TrainSection, image: aml_infra.TrainingImageArgs, compute: aml_infra.LocalDockerArgs
) -> aml_infra.TrainingJobArgs:
    """The section as arguments; ``image`` and ``compute`` stand in until they are made."""
    return aml_infra.TrainingJobArgs(
        **{**dict(section), "source": _locate(section.source) or ""}, image=image, compute=compute
    )


def _locate(path: str | None) -> str | None:
    """``path`` from the project's folder; the text of a Dockerfile stays as it is."""
    return path if not path or "\n" in path else str(PROJECT_FOLDER / path)


@dataclasses.dataclass(frozen=True)
class _Read(Generic[_Section]):
    """A section as far as it could be read, and the settings in it that could not."""

    section: _Section
    reported: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class _Reported:
    """Arguments less the problems of settings that were reported already."""

    args: aml_infra.Args
    reported: frozenset[str]

    def find_problems(self, machine: Any) -> list[aml_infra.Problem]:
        return [
            problem
            for problem in self.args.find_problems(machine)
            if re.split(r"[.\[]", problem.path)[0] not in self.reported
        ]


def _read_section(
    model: type[_Section], name: str, values: Mapping[str, str], namespace: str, problems: list[aml_infra.Problem]
) -> _Read[_Section]:
    path = f"{namespace}:{name}"
    names = frozenset(model.model_fields)
    try:
        value = json.loads(values.get(name, "{}"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        # The value itself is not shown, as it may be a secret.
        problems.append(
            aml_infra.Problem(path, f"is not an object; give its settings under it: {', '.join(model.model_fields)}")
        )
        return _Read(_construct(model, {}), names)
    try:
        return _Read(model.model_validate(value))
    except pydantic.ValidationError as error:
        errors = error.errors(include_url=False)
        problems += [_explain(path, dict(one), model) for one in errors]
        reported = frozenset(str(one["loc"][0]) for one in errors)
        # The rest is read all the same, so that its problems are told too.
        return _Read(_construct(model, {key: value[key] for key in value.keys() & names - reported}), reported)


def _construct(model: type[_Section], values: Mapping[str, Any]) -> _Section:
    return model.model_construct(**{**UNREAD, **values} if model is TrainSection else values)


def _explain(path: str, error: Mapping[str, Any], model: type[Section]) -> aml_infra.Problem:
    location = error["loc"]
    full = path + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    if error["type"] == "extra_forbidden":
        return aml_infra.Problem(full, f"is not a setting; {_suggest(str(location[0]), model.model_fields)}")
    if error["type"] == "missing":
        return aml_infra.Problem(full, "is missing; it has no default")
    what = error["msg"][0].lower() + error["msg"][1:]
    shown = "" if {"build_secrets", "build_args", "environment_variables"} & {*location} else f"is {error['input']!r}; "
    return aml_infra.Problem(full, f"{shown}{what.removeprefix('input ')}")


def _suggest(name: str, allowed: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed are {', '.join(allowed)}"
