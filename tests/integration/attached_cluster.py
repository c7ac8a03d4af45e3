"""A real Kubernetes as the inside of a cluster that the tests' Azure has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubernetes.objects import Objects

VERSION = "amlarc.azureml.com/v1alpha1"
KIND = "InstanceType"

_AMOUNTS = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
}
_RESOURCES = {
    "type": "object",
    "required": ["requests", "limits"],
    "properties": {"requests": _AMOUNTS, "limits": _AMOUNTS},
}
_SPEC = {
    "type": "object",
    "required": ["resources"],
    "properties": {
        "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}},
        "resources": _RESOURCES,
    },
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "instancetypes.amlarc.azureml.com"},
    "spec": {
        "group": "amlarc.azureml.com",
        "scope": "Cluster",
        "names": {"kind": KIND, "plural": "instancetypes", "singular": "instancetype"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC}}},
            }
        ],
    },
}
"""What the extension defines; its own schema is not public, and this one has what its documentation asks for."""


class RealContents:
    """What the API server says; see ``Contents``."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def define_instance_types(self) -> None:
        """As the extension's chart does."""
        self._objects.apply(DEFINITION)

    def list_instance_types(self) -> Mapping[str, Mapping[str, Any]]:
        """Those that there are; none before they are defined."""
        definition = self._objects.read(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", "instancetypes.amlarc.azureml.com"
        )
        if definition is None:
            return {}
        return {each["metadata"]["name"]: each["spec"] for each in self._objects.list_all(VERSION, KIND)}

    def has_namespace(self, name: str) -> bool:
        """Whether it is there."""
        return self._objects.read("v1", "Namespace", name) is not None
