"""Kubernetes objects as plain data: their kinds, names and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aml_infra.provider.wire import UNKNOWN
from tests.plugin_stand_ins.errors import UnknownNameError

Object = dict[str, Any]

PREFIX = "pulumi.com/"
AUTONAMED = f"{PREFIX}autonamed"
SKIP_AWAIT = f"{PREFIX}skipAwait"
TIMEOUT_SECONDS = f"{PREFIX}timeoutSeconds"
PATCH_FORCE = f"{PREFIX}patchForce"
FIELD_MANAGER = f"{PREFIX}patchFieldManager"
PROPAGATION = f"{PREFIX}deletionPropagationPolicy"
ANNOTATIONS = frozenset({AUTONAMED, SKIP_AWAIT, TIMEOUT_SECONDS, PATCH_FORCE, FIELD_MANAGER, PROPAGATION})
"""The annotations that are understood."""

_PACKAGE = "kubernetes"
_AWAITED_ELSEWHERE = frozenset({"Pod", "ReplicationController", "StatefulSet", "Ingress"})
"""The official plugin waits for these in ways that are not written here."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What an object is of; the group of the core is empty."""

    group: str
    version: str
    name: str

    @classmethod
    def parse_token(cls, token: str) -> Kind:
        """The kind of Pulumi's resource type ``kubernetes:<group>/<version>:<kind>``.

        Raises:
            UnknownNameError: If it is none, or is not served here.
        """
        package, module, name = token.split(":")
        group, slash, version = module.partition("/")
        is_unserved = name in _AWAITED_ELSEWHERE or name.endswith(("Patch", "List")) or group == "helm.sh"
        if package != _PACKAGE or not slash or is_unserved:
            raise UnknownNameError(f"resource type {token!r} is not served by the kubernetes stand-in")
        return cls(group="" if group == "core" else group, version=version, name=name)

    @property
    def api_version(self) -> str:
        """``v1`` or ``batch/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.api_version}/{self.name}"


def find_metadata(thing: Mapping[str, Any], name: str) -> str:
    """A text of an object's metadata, empty where there is none or it is not known yet."""
    metadata = thing.get("metadata")
    value = metadata.get(name) if isinstance(metadata, Mapping) else None
    return value if isinstance(value, str) else ""


def find_annotation(thing: Mapping[str, Any], name: str) -> str:
    """An annotation's value, empty where there is none or it is not known yet."""
    metadata = thing.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    value = annotations.get(name) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else ""


def has_annotation(thing: Mapping[str, Any], name: str) -> bool:
    """Whether an annotation is ``true``."""
    return find_annotation(thing, name) == "true"


def is_name_unknown(thing: Mapping[str, Any]) -> bool:
    """Whether an object has a name that is known only later."""
    metadata = thing.get("metadata")
    return metadata is UNKNOWN or (isinstance(metadata, Mapping) and metadata.get("name") is UNKNOWN)


def build_id(thing: Mapping[str, Any]) -> str:
    """The resource's id: ``namespace/name``, or the name alone."""
    namespace, name = find_metadata(thing, "namespace"), find_metadata(thing, "name")
    return f"{namespace}/{name}" if namespace else name


def parse_id(resource_id: str) -> tuple[str, str]:
    """The namespace, which may be empty, and the name in an id."""
    namespace, slash, name = resource_id.partition("/")
    return (namespace, name) if slash else ("", namespace)
