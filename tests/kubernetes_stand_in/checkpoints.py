"""What is kept of an object in the state: the live object, and beside it the inputs that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubernetes_stand_in import secrecy
from tests.kubernetes_stand_in.objects import Object

_INPUTS = "__inputs"
_API_VERSION = "__initialApiVersion"
_FIELD_MANAGER = "__fieldManager"
_DASHED = "x-kubernetes-"
_UNDERSCORED = "x_kubernetes_"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """An object in the state.

    Attributes:
        inputs: What it was made from.
        live: What it was when it was last looked at.
        field_manager: Who applies it; empty if nobody did.
    """

    inputs: Object
    live: Object
    field_manager: str


def build_outputs(checkpoint: Checkpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """The resource's outputs; what is secret in ``given``, the decoded inputs, is secret in them."""
    return {
        **secrecy.mark_secrets(spell(checkpoint.live), given),
        _INPUTS: secrecy.mark_secrets(spell(checkpoint.inputs), given),
        _API_VERSION: checkpoint.inputs.get("apiVersion", checkpoint.live.get("apiVersion", "")),
        _FIELD_MANAGER: checkpoint.field_manager,
    }


def parse_outputs(outputs: Mapping[str, Any]) -> Checkpoint:
    """What ``build_outputs`` made outputs of, without secrecy."""
    live = {name: value for name, value in outputs.items() if not name.startswith("__")}
    return Checkpoint(
        inputs=unspell(outputs.get(_INPUTS, {})), live=unspell(live), field_manager=outputs.get(_FIELD_MANAGER, "")
    )


def spell(value: Any) -> Any:
    """A Kubernetes value with names as Pulumi's SDKs spell them: ``x_kubernetes_list_type``."""
    return _rename(value, _DASHED, "-", "_")


def unspell(value: Any) -> Any:
    """The reverse of ``spell``."""
    return _rename(value, _UNDERSCORED, "_", "-")


def _rename(value: Any, prefix: str, old: str, new: str) -> Any:
    if isinstance(value, Mapping):
        return {
            name.replace(old, new) if name.startswith(prefix) else name: _rename(each, prefix, old, new)
            for name, each in value.items()
        }
    return [_rename(each, prefix, old, new) for each in value] if isinstance(value, list) else value
