"""The stack's configuration: what may be in it, and the arguments that it becomes."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any

import pulumi
import sections
import secure_values

import aml_infra
from aml_infra import spec

PROJECT_FOLDER = pathlib.Path(__file__).resolve().parent.parent


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
        aml_infra.Problem(f"{namespace}:{name}", f"is not a setting; {sections.suggest(name, sections.SECTIONS)}")
        for name in sorted(set(own) - set(sections.SECTIONS))
    ]
    problems += _find_misplaced_secrets(own, namespace, secret_keys, written or {})
    hidden = {name for name in own if f"{namespace}:{name}" in secret_keys}
    image = sections.read_section(sections.ImageSection, "image", own, namespace, hidden, problems)
    compute = sections.read_section(sections.ComputeSection, "compute", own, namespace, hidden, problems)
    train = sections.read_section(sections.TrainSection, "train", own, namespace, hidden, problems)
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
    places = [f"{namespace}:{name}.{setting}" for name, settings in sections.SECURE.items() for setting in settings]
    allowed = f"secure values may only be in {', '.join(places[:-1])} and {places[-1]}"
    problems = []
    for name, text in own.items():
        path = f"{namespace}:{name}"
        if path not in secret_keys:
            continue
        value, settings = sections.read_object(text), sections.SECURE.get(name, ())
        found = secure_values.find_secure_values(written.get(path), value)
        if found:
            problems += [
                aml_infra.Problem(
                    sections.show_path(path, location),
                    f"is a secure value, which would be plain text in the state; {allowed}",
                )
                for location in found
                if not location or location[0] not in settings
            ]
        elif not sections.has_any(value, settings):
            problems.append(
                aml_infra.Problem(path, f"holds a secure value, which would be plain text in the state; {allowed}")
            )
    return problems


def _find_doubled_variables(section: sections.TrainSection) -> list[aml_infra.Problem]:
    return [
        aml_infra.Problem(
            f"secret_environment_variables[{name!r}]", "is in environment_variables, too; leave it out of one of them"
        )
        for name in section.secret_environment_variables
        if name in section.environment_variables
    ]


def _name_secret_variables(section: sections.TrainSection) -> dict[str, str]:
    """Maps the path that a secret variable has among the arguments to the one that the user wrote it under."""
    return {
        f"environment_variables[{name!r}]": f"secret_environment_variables[{name!r}]"
        for name in section.secret_environment_variables
    }


def build_image_args(section: sections.ImageSection) -> aml_infra.TrainingImageArgs:
    """The section as arguments, with its secrets made Pulumi secrets and its paths absolute."""
    values = dict(section)
    for name in ("dockerfile", "context", "conda_file", "pip_requirements"):
        values[name] = _locate(values[name])
    values["build_secrets"] = {name: pulumi.Output.secret(value) for name, value in section.build_secrets.items()}
    if section.registry is not None:
        values["registry"] = aml_infra.Registry.external(**dict(section.registry))
    return aml_infra.TrainingImageArgs(**values)


def build_compute_args(section: sections.ComputeSection) -> aml_infra.LocalDockerArgs:
    """The section as arguments."""
    return aml_infra.LocalDockerArgs(data_folder=_locate(section.data_folder))


def build_train_args(
    section: sections.TrainSection, image: aml_infra.TrainingImageArgs, compute: aml_infra.LocalDockerArgs
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
