"""The inputs of a training run: checked, completed with what is found on this machine, and read as a run spec.

``check`` adds to what the user wrote:

- ``sourceDigest`` and ``sourceFiles``, so that the diff names the files that changed;
- ``imageIdentity``, where the image is used as it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from aml_infra import backends, spec
from aml_infra import source as sources
from aml_infra.backends.base import Backend
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem
from aml_infra.provider import wire
from aml_infra.spec import Resources, RunSpec

_MAPS = ("environmentVariables", "triggers", "tags", "backendOptions")
_LISTS = ("command", "allowSecrets")
_NUMBERS = ("cpus", "memoryGb", "gpus", "timeoutMinutes")
_TEXTS = ("source", "image", "imageIdentity", "backend", "experiment", "displayName", "onDestroy")
_REQUIRED = ("source", "command", "image")

OpenBackend = Callable[[str, Mapping[str, str]], Backend]


@dataclasses.dataclass(frozen=True)
class Checked:
    """What ``check`` makes of the user's inputs: completed values, and every problem found."""

    values: dict[str, Any]
    problems: tuple[Problem, ...]


def check(given: Mapping[str, Any], open_backend: OpenBackend = backends.open_backend) -> Checked:
    """Checks all of ``given`` that is known already, and completes it.

    Problems have the property paths of ``TrainingRunArgs``.
    """
    problems = _find_shape_problems(given)
    values = {key: value for key, value in wire.reveal(dict(given)).items() if value is not None}
    if wire.has_secret(given.get("image")):
        values["image"] = given["image"]
    bad = {problem.path for problem in problems}
    known = {
        key: wire.reveal(value)
        for key, value in values.items()
        if not wire.has_unknown(value) and _to_snake_case(key) not in bad
    }
    if "command" in known:
        problems += spec.find_command_problems(known["command"])
    if "environmentVariables" in known:
        problems += spec.find_environment_problems(known["environmentVariables"])
    resources = _read_resources(known)
    problems += spec.find_resource_problems(resources, known.get("timeoutMinutes"))
    problems += spec.find_on_destroy_problems(known.get("onDestroy", "cancel"))
    if "source" in known:
        problems += _add_source(values, known)
    elif wire.has_unknown(values.get("source")):
        values |= {"sourceDigest": wire.UNKNOWN, "sourceFiles": wire.UNKNOWN}
    if known.get("image", "image").strip() == "":
        problems.append(Problem("image", "is empty; give the reference of an image, as in 'debian:bookworm-slim'"))
    if wire.has_unknown(values.get("backend")) or wire.has_unknown(values.get("backendOptions")):
        values.setdefault("imageIdentity", wire.UNKNOWN)
    else:
        problems += _check_backend(values, known, resources, open_backend)
    return Checked(values, tuple(problems))


def read_backend(values: Mapping[str, Any], open_backend: OpenBackend = backends.open_backend) -> Backend:
    """The backend that checked inputs, or the state made from them, name."""
    return open_backend(values.get("backend", "docker"), values.get("backendOptions") or {})


def read_spec(name: str, values: Mapping[str, Any]) -> RunSpec | None:
    """Checked inputs as a run spec, or None while something in the fingerprint is not known."""
    identity = ("sourceDigest", "command", "imageIdentity", "environmentVariables", "triggers")
    required = ("sourceDigest", "command", "imageIdentity")
    if any(wire.has_unknown(values.get(key)) for key in identity) or any(key not in values for key in required):
        return None
    image = wire.reveal(values["image"])
    return RunSpec(
        name=name,
        source_digest=values["sourceDigest"],
        command=tuple(values["command"]),
        image="" if image is wire.UNKNOWN else image,
        image_identity=values["imageIdentity"],
        environment=values.get("environmentVariables") or {},
        triggers=values.get("triggers") or {},
        resources=_read_resources(values),
        timeout_minutes=_read_known(values, "timeoutMinutes"),
        experiment=_read_known(values, "experiment") or "Default",
        display_name=_read_known(values, "displayName") or name,
        tags=_read_known(values, "tags") or {},
    )


def _find_shape_problems(given: Mapping[str, Any]) -> list[Problem]:
    problems = [Problem(_to_snake_case(key), "is missing") for key in _REQUIRED if given.get(key) is None]
    allowed = {*_MAPS, *_LISTS, *_NUMBERS, *_TEXTS}
    for key, value in given.items():
        path = _to_snake_case(key)
        plain = wire.reveal(value)
        if key.startswith("__") or plain is None or plain is wire.UNKNOWN:
            continue
        if key not in allowed:
            problems.append(Problem(path, f"is not a property; allowed are {', '.join(sorted(allowed))}"))
        elif key not in ("image", "imageIdentity") and wire.has_secret(value):
            problems.append(
                Problem(path, "is a secret, and would be shown in the run's record; give a value that is not one")
            )
        elif not _has_shape(key, plain):
            problems.append(Problem(path, f"is a {type(plain).__name__} of the wrong shape; see TrainingRunArgs"))
    return problems


def _has_shape(key: str, value: Any) -> bool:
    if key in _MAPS:
        return isinstance(value, dict) and all(isinstance(item, str) or item is wire.UNKNOWN for item in value.values())
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) or item is wire.UNKNOWN for item in value)
    if key in _NUMBERS:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str)


def _add_source(values: dict[str, Any], known: Mapping[str, Any]) -> list[Problem]:
    try:
        snapshot = sources.take_snapshot(known["source"], allow_secrets=known.get("allowSecrets") or ())
    except InvalidInput as error:
        return list(error.problems)
    values["sourceDigest"] = snapshot.digest
    values["sourceFiles"] = snapshot.summarize()
    return []


def _check_backend(
    values: dict[str, Any],
    known: Mapping[str, Any],
    resources: Resources,
    open_backend: OpenBackend,
) -> list[Problem]:
    name = known.get("backend", "docker")
    if name not in backends.MODULES:
        return [Problem("backend", f"is {name!r}; allowed are {', '.join(sorted(backends.MODULES))}")]
    try:
        backend = open_backend(name, known.get("backendOptions") or {})
        problems = backend.find_problems(resources)
        if values.get("imageIdentity") is None and known.get("image", "").strip() and not problems:
            values["imageIdentity"] = backend.identify_image(known["image"])
    except InvalidInput as error:
        return list(error.problems)
    except BackendUnavailable as error:
        return [Problem("compute", str(error))]
    if values.get("imageIdentity") is None and wire.has_unknown(values.get("image")):
        values["imageIdentity"] = wire.UNKNOWN
    return problems


def _read_resources(values: Mapping[str, Any]) -> Resources:
    gpus = _read_known(values, "gpus") or 0
    return Resources(
        cpus=_read_known(values, "cpus"),
        memory_gb=_read_known(values, "memoryGb"),
        # A fraction stays one, so that the check of its range can say so.
        gpus=int(gpus) if math.isfinite(gpus) and not gpus % 1 else gpus,
    )


def _read_known(values: Mapping[str, Any], key: str) -> Any:
    value = values.get(key)
    return None if wire.has_unknown(value) else value


def _to_snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
