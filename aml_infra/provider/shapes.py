"""The properties of a training run: which there are, and what kind of value each takes. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from aml_infra.errors import Problem
from aml_infra.provider import wire

REQUIRED = ("source", "command", "image")
_FOREIGN = "an asset, an archive or a resource"
MAY_BE_SECRET = ("image", "imageIdentity", "environmentVariables")


@dataclasses.dataclass(frozen=True)
class Shape:
    """A kind of value.

    Attributes:
        words: what a user would call it.
        fits: whether a value, in which some parts may not be known yet, is one.
    """

    words: str
    fits: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or value is wire.UNKNOWN


def _is_number(value: Any) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool)) or value is wire.UNKNOWN


def _is_map_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(fits(item) for item in value.values())


def _is_parameter(value: Any) -> bool:
    return isinstance(value, (str, int, float)) or value is wire.UNKNOWN


def _is_input(value: Any) -> bool:
    if value is wire.UNKNOWN:
        return True
    return (
        isinstance(value, dict)
        and {"path"} <= value.keys() <= {"path", "version", "type", "mode"}
        and _is_text(value["path"])
        and all(value.get(key) is None or _is_text(value[key]) for key in ("version", "type", "mode"))
    )


def _is_output(value: Any) -> bool:
    if value is wire.UNKNOWN:
        return True
    return (
        isinstance(value, dict)
        and value.keys() <= {"path", "mode"}
        and all(item is None or _is_text(item) for item in value.values())
    )


def _is_distribution(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"workers"} <= value.keys() <= {"workers", "framework", "processesPerWorker"}
        and _is_number(value["workers"])
        and (value.get("framework") is None or _is_text(value["framework"]))
        and (value.get("processesPerWorker") is None or _is_number(value["processesPerWorker"]))
    )


_TEXT = Shape("text", _is_text)
_NUMBER = Shape("a number", _is_number)
_TRUTH = Shape("True or False", lambda value: isinstance(value, bool))
_TEXTS = Shape("a list of texts", lambda value: isinstance(value, list) and all(_is_text(item) for item in value))
_TEXT_MAP = Shape("a map of texts", _is_map_of(_is_text))

SHAPES: dict[str, Shape] = {
    "source": _TEXT,
    "command": _TEXTS,
    "image": _TEXT,
    "imageIdentity": _TEXT,
    "imageParts": _TEXT_MAP,
    "backend": _TEXT,
    "backendOptions": _TEXT_MAP,
    "environmentVariables": _TEXT_MAP,
    "parameters": Shape("a map of texts, numbers and truth values", _is_map_of(_is_parameter)),
    "inputs": Shape("a map of DataInput(path, version, type, mode)", _is_map_of(_is_input)),
    "outputs": Shape("a map of DataOutput(path, mode)", _is_map_of(_is_output)),
    "distribution": Shape("Distribution(workers, framework, processes_per_worker)", _is_distribution),
    "triggers": _TEXT_MAP,
    "cpus": _NUMBER,
    "memoryGb": _NUMBER,
    "gpus": _NUMBER,
    "timeoutMinutes": _NUMBER,
    "experiment": _TEXT,
    "displayName": _TEXT,
    "tags": _TEXT_MAP,
    "identity": _TEXT,
    "allowSecrets": _TEXTS,
    "requireMetrics": _TEXTS,
    "retries": _NUMBER,
    "retryOn": _TEXTS,
    "wait": _TRUTH,
    "onInterrupt": _TEXT,
    "onDestroy": _TEXT,
}
"""What each property takes."""


def find_problems(given: Mapping[str, Any]) -> list[Problem]:
    """What is missing, unknown, of another kind, or a secret where none may be."""
    problems = [Problem(to_snake_case(key), "is missing") for key in REQUIRED if given.get(key) is None]
    for key, value in given.items():
        path = to_snake_case(key)
        plain = wire.reveal(value)
        if key.startswith("__") or plain is None or plain is wire.UNKNOWN:
            continue
        if key not in SHAPES:
            problems.append(Problem(path, f"is not a property; allowed are {', '.join(map(to_snake_case, SHAPES))}"))
        elif key not in MAY_BE_SECRET and wire.has_secret(value):
            problems.append(
                Problem(path, "is a secret, and would be shown in the run's record; give a value that is not one")
            )
        elif not SHAPES[key].fits(plain):
            what = _FOREIGN if isinstance(plain, wire.Foreign) else f"a {type(plain).__name__}"
            problems.append(Problem(path, f"is {what} that does not fit; give {SHAPES[key].words}"))
    return problems


def to_snake_case(name: str) -> str:
    """A property's name as Python users write it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
