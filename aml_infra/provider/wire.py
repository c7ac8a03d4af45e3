"""Pulumi's property values, between the engine's protobuf structs and plain Python data.

Strings, numbers, booleans, lists and maps are themselves; what is not known yet is ``UNKNOWN``; a secret is wrapped in
``Secret``; what is no plain data is ``Foreign``. Follows Pulumi's gRPC protocol (``pulumi/proto``, "property values").
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a marker of the protocol)
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown(enum.Enum):
    """The type of ``UNKNOWN``."""

    UNKNOWN = enum.auto()


UNKNOWN = Unknown.UNKNOWN
"""A value that is known only after something else was created."""


@dataclasses.dataclass(frozen=True)
class Secret:
    """A value that must not be shown."""

    value: Any = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Foreign:
    """An asset, an archive or a resource, which is no plain data; it goes back to the engine as it came."""

    struct: struct_pb2.Struct = dataclasses.field(repr=False)


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A struct of the protocol as plain data."""
    return {key: _decode_value(value) for key, value in struct.fields.items()}


def encode(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Plain data as a struct of the protocol; integers become numbers."""
    return struct_pb2.Struct(fields={key: _encode_value(value) for key, value in values.items()})


def reveal(value: Any) -> Any:
    """``value`` with every secret in it unwrapped."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether anything in ``value`` is not known yet."""
    return value is UNKNOWN or any(has_unknown(item) for item in _list_items(value))


def has_secret(value: Any) -> bool:
    """Whether anything in ``value`` is a secret."""
    return isinstance(value, Secret) or any(has_secret(item) for item in _list_items(value))


def _list_items(value: Any) -> list[Any]:
    if isinstance(value, Secret):
        return [value.value]
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _decode_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "number_value":
            return value.number_value
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
        case "list_value":
            return [_decode_value(item) for item in value.list_value.values]
        case "struct_value":
            fields = value.struct_value.fields
            if SIGNATURE_KEY not in fields:
                return decode(value.struct_value)
            if fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE:
                return Secret(_decode_value(fields["value"]))
            return Foreign(value.struct_value)
        case _:
            return None


def _encode_value(value: Any) -> struct_pb2.Value:
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=UNKNOWN_TEXT)
    if isinstance(value, Secret):
        signature = struct_pb2.Value(string_value=SECRET_SIGNATURE)
        fields = {SIGNATURE_KEY: signature, "value": _encode_value(value.value)}
        return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
    if isinstance(value, Foreign):
        return struct_pb2.Value(struct_value=value.struct)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, (int, float)):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode(value))
    if isinstance(value, (list, tuple)):
        items = [_encode_value(item) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    raise TypeError(f"a {type(value).__name__} cannot be sent to the engine")
