"""What is secret in inputs stays secret in outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aml_infra.provider import wire
from aml_infra.provider.wire import Secret


def mark_secrets(plain: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``plain`` with everything secret that is in ``given``, and with what a Secret holds.

    A list is secret as a whole, as its items may move.
    """
    marked = dict(plain)
    if plain.get("kind") == "Secret":
        return marked | {name: Secret(plain[name]) for name in ("data", "stringData") if name in plain}
    for name, value in given.items():
        if name not in plain:
            continue
        if isinstance(value, dict) and isinstance(plain[name], dict):
            marked[name] = mark_secrets(plain[name], value)
        elif wire.has_secret(value):
            marked[name] = Secret(plain[name])
    return marked
