"""The stack's configuration: what may be in it, and the arguments that it becomes."""

from __future__ import annotations

import dataclasses
import difflib
import json
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

import pulumi
import pydantic
import pydantic_core
import secure_values

import aml_infra
from aml_infra import spec

PROJECT_FOLDER = pathlib.Path(__file__).resolve().parent.parent


class Section(pydantic.BaseModel):
    """One object of the configuration. Unknown names are errors, and nothing is turned into another type."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class RegistrySection(Section):
    """``image.registry``: see ``Registry.external``."""

    server: str
    username: str
    password: str


class ImageSection(Section):
    """``image``: see ``TrainingImageArgs``."""

    base_image: str | None = None
    conda_file: str | None = None
    pip_requirements: str | None = None
    dockerfile: str | None = None
    context: str | None = None
    build_args: dict[str, str] = {}
    build_secrets: dict[str, str] = {}
    host_ca_secret: str | None = None
    platform: str | None = None
    user_managed_dependencies: bool | None = None
    cache_from: list[str] = []
    cache_to: list[str] = []
    registry: RegistrySection | None = None
    image_identity: Literal["build_key", "digest"] = "build_key"


class ComputeSection(Section):
    """``compute``: see ``LocalDockerArgs``."""

    data_folder: str | None = None


class InputSection(Section):
    """One of ``train.inputs``: see ``DataInput``."""

    path: str
    version: str | None = None


class DistributionSection(Section):
    """``train.distribution``: see ``Distribution``."""

    workers: int


def _read_input(value: object) -> object:
    """A text as the path that it is short for; anything but that and a map is refused in the user's terms."""
    if isinstance(value, str):
        return {"path": value}
    if isinstance(value, dict):
        return value
    raise pydantic_core.PydanticCustomError("input", "give a path or a URI, or a map of path and version")


def _read_parameter(value: object) -> object:
    """In one step, as each kind of a union would report the same value once more."""
    if isinstance(value, (str, int, float)):
        return value
    raise pydantic_core.PydanticCustomError("parameter", "allowed are text, numbers, true and false")


class TrainSection(Section):
    """``train``: see ``TrainingJobArgs``."""

    source: str
    command: list[str]
    parameters: dict[str, Annotated[str | int | float | bool, pydantic.PlainValidator(_read_parameter)]] = {}
    inputs: dict[str, Annotated[InputSection, pydantic.BeforeValidator(_read_input)]] = {}
    environment_variables: dict[str, str] = {}
    secret_environment_variables: dict[str, str] = {}
    distribution: DistributionSection | None = None
    triggers: dict[str, str] = {}
    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0
    timeout_minutes: float | None = None
    experiment: str | None = None
    display_name: str | None = None
    tags: dict[str, str] = {}
    allow_secrets: list[str] = []
    require_metrics: list[str] = []
    retries: int = 0
    wait: bool = True
    on_interrupt: Literal["detach", "cancel"] = "detach"
    on_destroy: Literal["cancel", "retain"] = "cancel"


SECTIONS: dict[str, type[Section]] = {"image": ImageSection, "compute": ComputeSection, "train": TrainSection}

SUBSECTIONS: dict[str, type[Section]] = {
    "registry": RegistrySection,
    "inputs": InputSection,
    "distribution": DistributionSection,
}
"""Settings that are objects themselves, or maps of such."""

SECURE = {"image": ("build_secrets", "registry"), "train": ("secret_environment_variables",)}
"""Where secure values may be: what is read from there becomes a Pulumi secret."""

HIDDEN = (*SECURE["image"], *SECURE["train"], "build_args", "environment_variables")
"""Settings whose values no message shows."""

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
    secret_keys = pulumi.runtime.get_config_secret_keys_env()
    written = secure_values.read_stack_file(PROJECT_FOLDER, pulumi.get_stack()) if secret_keys else {}
    return build_config(pulumi.get_project(), pulumi.runtime.get_config_env(), secret_keys, written)


def build_config(
    namespace: str,
    values: Mapping[str, str],
    secret_keys: Collection[str] = (),
    written: Mapping[str, object] | None = None,
) -> Config:
    """The configuration in ``values``, the texts that Pulumi has for each full key.

    ``secret_keys`` are the keys with a secure value somewhere in them; where, Pulumi does not tell, but the stack's
    file does: ``written`` is what it has for each full key.

    Raises:
        InvalidInput: with everything that is wrong.
    """
    own = {key.partition(":")[2]: text for key, text in values.items() if key.partition(":")[0] == namespace}
    problems = [
        aml_infra.Problem(f"{namespace}:{name}", f"is not a setting; {_suggest(name, SECTIONS)}")
        for name in sorted(set(own) - set(SECTIONS))
    ]
    problems += _find_misplaced_secrets(own, namespace, secret_keys, written or {})
    hidden = {name for name in own if f"{namespace}:{name}" in secret_keys}
    image = _read_section(ImageSection, "image", own, namespace, hidden, problems)
    compute = _read_section(ComputeSection, "compute", own, namespace, hidden, problems)
    train = _read_section(TrainSection, "train", own, namespace, hidden, problems)
    problems += [problem.under(f"{namespace}:train") for problem in _find_doubled_variables(train.section)]

    image_args = build_image_args(image.section)
    compute_args = build_compute_args(compute.section)
    train_args = build_train_args(train.section, image_args, compute_args)
    aml_infra.validate(
        {
            f"{namespace}:compute": _Reported(compute_args, compute.reported),
            f"{namespace}:image": _Reported(image_args, image.reported),
            f"{namespace}:train": _Reported(train_args, train.reported, _name_secret_variables(train.section)),
        },
        found=problems,
    )
    return Config(image=image_args, compute=compute_args, train=train_args)


def _find_misplaced_secrets(
    own: Mapping[str, str], namespace: str, secret_keys: Collection[str], written: Mapping[str, object]
) -> list[aml_infra.Problem]:
    places = [f"{namespace}:{name}.{setting}" for name, settings in SECURE.items() for setting in settings]
    allowed = f"secure values may only be in {', '.join(places[:-1])} and {places[-1]}"
    problems = []
    for name, text in own.items():
        path = f"{namespace}:{name}"
        if path not in secret_keys:
            continue
        value, settings = _read_object(text), SECURE.get(name, ())
        found = secure_values.find_secure_values(written.get(path), value)
        if found:
            problems += [
                aml_infra.Problem(
                    _show_path(path, location), f"is a secure value, which would be plain text in the state; {allowed}"
                )
                for location in found
                if not location or location[0] not in settings
            ]
        elif not _has_any(value, settings):
            problems.append(
                aml_infra.Problem(path, f"holds a secure value, which would be plain text in the state; {allowed}")
            )
    return problems


def _find_doubled_variables(section: TrainSection) -> list[aml_infra.Problem]:
    return [
        aml_infra.Problem(
            f"secret_environment_variables[{name!r}]", "is in environment_variables, too; leave it out of one of them"
        )
        for name in section.secret_environment_variables
        if name in section.environment_variables
    ]


def _name_secret_variables(section: TrainSection) -> dict[str, str]:
    """Maps the path that a secret variable has among the arguments to the one that the user wrote it under."""
    return {
        f"environment_variables[{name!r}]": f"secret_environment_variables[{name!r}]"
        for name in section.secret_environment_variables
    }


def build_image_args(section: ImageSection) -> aml_infra.TrainingImageArgs:
    """The section as arguments, with its secrets made Pulumi secrets and its paths absolute."""
    values = dict(section)
    for name in ("dockerfile", "context", "conda_file", "pip_requirements"):
        values[name] = _locate(values[name])
    values["build_secrets"] = {name: pulumi.Output.secret(value) for name, value in section.build_secrets.items()}
    if section.registry is not None:
        values["registry"] = aml_infra.Registry.external(**dict(section.registry))
    return aml_infra.TrainingImageArgs(**values)


def build_compute_args(section: ComputeSection) -> aml_infra.LocalDockerArgs:
    """The section as arguments."""
    return aml_infra.LocalDockerArgs(data_folder=_locate(section.data_folder))


def build_train_args(
    section: TrainSection, image: aml_infra.TrainingImageArgs, compute: aml_infra.LocalDockerArgs
) -> aml_infra.TrainingJobArgs:
    """The section as arguments; ``image`` and ``compute`` stand in until they are made."""
    values = {**dict(section), "source": _locate(section.source) or ""}
    hidden = values.pop("secret_environment_variables")
    values["environment_variables"] = {
        **section.environment_variables,
        **{name: pulumi.Output.secret(value) for name, value in hidden.items()},
    }
    values["inputs"] = {
        name: aml_infra.DataInput(given.path if spec.is_uri(given.path) else _locate(given.path) or "", given.version)
        for name, given in section.inputs.items()
    }
    if section.distribution is not None:
        values["distribution"] = aml_infra.Distribution(workers=section.distribution.workers)
    return aml_infra.TrainingJobArgs(**values, image=image, compute=compute)


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
    """Arguments less the problems of settings that were reported already; ``renamed`` has the user's own paths."""

    args: aml_infra.Args
    reported: frozenset[str]
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def find_problems(self, machine: Any) -> list[aml_infra.Problem]:
        return [
            dataclasses.replace(problem, path=self.renamed.get(problem.path, problem.path))
            for problem in self.args.find_problems(machine)
            if re.split(r"[.\[]", problem.path)[0] not in self.reported
        ]


def _read_section(
    model: type[_Section],
    name: str,
    values: Mapping[str, str],
    namespace: str,
    hidden: Collection[str],
    problems: list[aml_infra.Problem],
) -> _Read[_Section]:
    path = f"{namespace}:{name}"
    names = frozenset(model.model_fields)
    value = _read_object(values.get(name, "{}"))
    if value is None:
        # The value itself is not shown, as it may be a secret.
        problems.append(
            aml_infra.Problem(path, f"is not an object; give its settings under it: {', '.join(model.model_fields)}")
        )
        return _Read(_read_rest(model, {}), names)
    try:
        return _Read(model.model_validate(value))
    except pydantic.ValidationError as error:
        errors = error.errors(include_url=False)
        problems += [_explain(path, dict(one), model, is_hidden=name in hidden) for one in errors]
        reported = frozenset(str(one["loc"][0]) for one in errors)
        # The rest is read all the same, so that its problems are told too.
        return _Read(_read_rest(model, {key: value[key] for key in value.keys() & names - reported}), reported)


def _read_object(text: str) -> dict[str, Any] | None:
    """The object that ``text`` is in JSON, or None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _has_any(value: Mapping[str, Any] | None, settings: Collection[str]) -> bool:
    return value is not None and any(value.get(each) for each in settings)


def _read_rest(model: type[_Section], values: Mapping[str, Any]) -> _Section:
    return model.model_validate({**UNREAD, **values} if model is TrainSection else values)


def _explain(path: str, error: Mapping[str, Any], model: type[Section], *, is_hidden: bool) -> aml_infra.Problem:
    location = error["loc"]
    full = _show_path(path, location)
    if error["type"] == "extra_forbidden":
        owner = SUBSECTIONS.get(str(location[0]), model) if len(location) > 1 else model
        return aml_infra.Problem(full, f"is not a setting; {_suggest(str(location[-1]), owner.model_fields)}")
    if error["type"] == "missing":
        return aml_infra.Problem(full, "is missing; it has no default")
    what = error["msg"][0].lower() + error["msg"][1:]
    # Where in a section its secure value is, Pulumi does not tell.
    shown = "" if is_hidden or location[0] in HIDDEN else f"is {error['input']!r}; "
    return aml_infra.Problem(full, f"{shown}{what.removeprefix('input ')}")


def _show_path(path: str, location: Collection[str | int]) -> str:
    return path + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _suggest(name: str, allowed: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed are {', '.join(allowed)}"
