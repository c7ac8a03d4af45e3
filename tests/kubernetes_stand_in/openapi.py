"""The API server's OpenAPI schemas as shapes."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from typing import Any

from tests.azure.shapes import Kind as ValueKind
from tests.azure.shapes import Property, Shape, Type
from tests.kubernetes_stand_in.objects import Kind

QUANTITY = Type(kind=ValueKind.ANY)
"""The type of quantities, told from others by its identity: a text or a number."""

_REFERENCE = "#/components/schemas/"
_QUANTITY_NAME = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_BUILT_IN = ("io.k8s.api.", "io.k8s.apiextensions-apiserver.")
_PRESERVES = "x-kubernetes-preserve-unknown-fields"
_ANY = Type(kind=ValueKind.ANY)
_SCALARS: Mapping[str, ValueKind] = {
    "string": ValueKind.STRING,
    "integer": ValueKind.INTEGER,
    "number": ValueKind.NUMBER,
    "boolean": ValueKind.BOOLEAN,
}


def find_shape(document: Mapping[str, Any], kind: Kind) -> OpenApiShape | None:
    """The shape of a kind in the OpenAPI document of its group and version; None if it is not there (yet)."""
    schemas = document.get("components", {}).get("schemas", {})
    wanted = {"group": kind.group, "version": kind.version, "kind": kind.name}
    for name, schema in schemas.items():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            return OpenApiShape(name, schema, schemas)
    return None


class OpenApiShape:
    """An object by its schema.

    Attributes:
        is_built_in: Whether the API server itself has the kind, so that a client knows its Go type.
    """

    discriminator = None
    subtypes: Mapping[str, Shape] = types.MappingProxyType({})

    def __init__(self, name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
        self.name = name.rpartition(".")[2]
        self.is_built_in = name.startswith(_BUILT_IN)
        self.is_open = bool(schema.get(_PRESERVES))
        self._schema = schema
        self._schemas = schemas

    @functools.cached_property
    def properties(self) -> Mapping[str, Property]:
        required = self._schema.get("required", ())
        return {
            name: Property(name=name, client_name=name, type=self._read_type(name, each), required=name in required)
            for name, each in self._schema.get("properties", {}).items()
        }

    def _read_type(self, name: str, schema: Mapping[str, Any]) -> Type:
        reference = schema.get("$ref") or (
            schema["allOf"][0].get("$ref") if len(schema.get("allOf", ())) == 1 else None
        )
        if reference:
            name = reference.removeprefix(_REFERENCE)
            schema = self._schemas[name]
        if name == _QUANTITY_NAME:
            return QUANTITY
        if schema.get("type") == "array":
            return Type(kind=ValueKind.LIST, item=self._read_type(name, schema["items"]))
        if schema.get("type") == "object":
            return self._read_object(name, schema)
        if "enum" in schema and schema.get("type") == "string":
            return Type(kind=ValueKind.ENUM, values=tuple(schema["enum"]))
        scalar = _SCALARS.get(schema.get("type", ""))
        return _ANY if scalar is None else Type(kind=scalar)

    def _read_object(self, name: str, schema: Mapping[str, Any]) -> Type:
        if schema.get("properties"):
            return Type(kind=ValueKind.OBJECT, shape=OpenApiShape(name, schema, self._schemas))
        values = schema.get("additionalProperties")
        item = self._read_type(name, values) if isinstance(values, Mapping) else _ANY
        return Type(kind=ValueKind.MAP, item=item)
