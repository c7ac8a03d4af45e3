"""Inputs as the API server would write them, so that a difference in form is no difference."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from aml_infra.provider.wire import UNKNOWN
from tests.azure.shapes import Kind as ValueKind
from tests.azure.shapes import Shape, Type
from tests.kubernetes_stand_in import openapi, quantities
from tests.kubernetes_stand_in.objects import Object
from tests.kubernetes_stand_in.openapi import OpenApiShape

_READ_ONLY = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
    "resourceVersion", "uid",
)  # fmt: skip


def normalize(thing: Mapping[str, Any], shape: OpenApiShape | None) -> Object:
    """An object's inputs in the form that the API server gives back.

    Custom resources are left as they are, except for metadata that only the API server sets.

    Args:
        thing: The inputs.
        shape: The kind's schema; None where it is not known.
    """
    made = dict(thing)
    if isinstance(made.get("metadata"), Mapping):
        made["metadata"] = {name: value for name, value in made["metadata"].items() if name not in _READ_ONLY}
    if made.get("kind") == "Secret" and made.get("apiVersion") == "v1":
        made = _encode_texts(made)
    if made.get("kind") == "CustomResourceDefinition":
        made.pop("status", None)
        if isinstance(made.get("spec"), Mapping) and made["spec"].get("preserveUnknownFields") is False:
            made["spec"] = {name: each for name, each in made["spec"].items() if name != "preserveUnknownFields"}
    return _normalize_object(shape, made) if shape is not None and shape.is_built_in else made


def find_quantity_problems(shape: Shape, thing: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The quantities that are none, each as ``path: text``."""
    for name, value in thing.items():
        if name in shape.properties:
            yield from _find_problems(shape.properties[name].type, value, f"{path}.{name}" if path else name)


def prune(source: Any, target: Any) -> Any:
    """What of ``source``, a live object, is in ``target``, its inputs, too."""
    if isinstance(source, Mapping) and isinstance(target, Mapping):
        return {name: prune(value, target[name]) for name, value in source.items() if name in target}
    if isinstance(source, list) and isinstance(target, list):
        return [prune(*pair) for pair in zip(source, target, strict=False)]
    return source


def _encode_texts(secret: Object) -> Object:
    """A Secret without ``stringData``, which only ever is input; base64 without line breaks."""
    texts, data = secret.get("stringData"), secret.get("data")
    if isinstance(texts, Mapping) and texts:
        encoded = {name: UNKNOWN if each is UNKNOWN else _encode(str(each).encode()) for name, each in texts.items()}
        kept = {name: each for name, each in secret.items() if name != "stringData"}
        return {**kept, "data": {**(data if isinstance(data, Mapping) else {}), **encoded}}
    if isinstance(data, Mapping):
        return {**secret, "data": {name: _encode_again(each) for name, each in data.items()}}
    return secret


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _encode_again(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return _encode(base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True))
    except ValueError:
        return value  # the API server says what is wrong with it


def _normalize_object(shape: Shape, thing: Mapping[str, Any]) -> Object:
    known = shape.properties
    made = {name: _normalize(known[name].type, each) if name in known else each for name, each in thing.items()}
    return {name: each for name, each in made.items() if name not in known or not _is_left_out(known[name].type, each)}


def _normalize(type_: Type, value: Any) -> Any:
    if type_ is openapi.QUANTITY and isinstance(value, str | int | float):
        try:
            return quantities.canonicalize(str(value))
        except ValueError:
            return value
    if type_.shape is not None and isinstance(value, Mapping):
        return _normalize_object(type_.shape, value)
    if type_.item is not None and isinstance(value, list):
        return [_normalize(type_.item, each) for each in value]
    if type_.item is not None and isinstance(value, Mapping):
        return {name: _normalize(type_.item, each) for name, each in value.items()}
    return value


def _is_left_out(type_: Type, value: Any) -> bool:
    """Empty lists and maps are as if they were not given; empty objects say something: ``emptyDir: {}``."""
    return type_.kind in (ValueKind.LIST, ValueKind.MAP) and value in ([], {})


def _find_problems(type_: Type, value: Any, path: str) -> Iterator[str]:
    if type_ is openapi.QUANTITY:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            if value is not UNKNOWN:
                yield f"{path}: must be a quantity, not {value!r}"
            return
        try:
            quantities.canonicalize(str(value))
        except ValueError as error:
            yield f"{path}: {error}"
    elif type_.shape is not None and isinstance(value, Mapping):
        yield from find_quantity_problems(type_.shape, value, path)
    elif type_.item is not None and isinstance(value, list):
        for at, one in enumerate(value):
            yield from _find_problems(type_.item, one, f"{path}[{at}]")
    elif type_.item is not None and isinstance(value, Mapping):
        for name, one in value.items():
            yield from _find_problems(type_.item, one, f"{path}.{name}")
