"""Where in a stack's configuration its secure values are.

Pulumi hands a program the decrypted values, and tells which top-level keys hold a secure one somewhere. Where, only the
stack's own file says. It need not be the one that was used (``--config-file``), so it is believed only as far as it has
the same settings.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

Path = tuple[str | int, ...]


def read_stack_file(project: pathlib.Path, stack: str) -> dict[str, Any]:
    """The configuration in the file of ``stack`` as it is written, by full key; empty if it cannot be read."""
    described = _read(project / "Pulumi.yaml")
    folder = described.get("stackConfigDir")
    found = _read(project / (folder if isinstance(folder, str) else "") / f"Pulumi.{stack}.yaml").get("config")
    return found if isinstance(found, dict) else {}


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def find_secure_values(written: object, value: object) -> list[Path] | None:
    """The paths of the secure values in ``value``, which was ``written`` so in the file; None if it was not."""
    try:
        return list(_walk(written, value, ()))
    except _OtherValueError:
        return None


class _OtherValueError(Exception):
    """The file has something else."""


def _walk(written: object, value: object, path: Path) -> Iterator[Path]:
    if isinstance(written, Mapping) and set(written) == {"secure"} and isinstance(written["secure"], str):
        yield path
    elif isinstance(written, Mapping) and isinstance(value, Mapping) and {str(key) for key in written} == set(value):
        for key, inner in written.items():
            yield from _walk(inner, value[str(key)], (*path, str(key)))
    elif isinstance(written, list) and isinstance(value, list) and len(written) == len(value):
        for index, (inner, known) in enumerate(zip(written, value, strict=True)):
            yield from _walk(inner, known, (*path, index))
    elif isinstance(written, (Mapping, list)) or isinstance(value, (Mapping, list)) or _is_other(written, value):
        raise _OtherValueError


def _is_other(written: object, value: object) -> bool:
    """Only texts are compared: numbers come back from Pulumi in other forms."""
    return isinstance(written, str) and isinstance(value, str) and written != value
