"""The API server's side of a conversation that is written down: what differs from it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.kubernetes_stand_in.objects import Object
from tests.kubernetes_stand_in.transport import RefusedError
from tests.plugin_stand_ins.errors import StandInError

MANAGER = "MANAGER"
"""Stands for a field manager whose name is made by chance."""

_MANAGER = re.compile(r"pulumi-kubernetes-[0-9a-f]{8}")


def _build_resources(**plurals: tuple[str, bool]) -> Object:
    return {
        "resources": [
            {"kind": kind, "name": name, "namespaced": is_namespaced} for kind, (name, is_namespaced) in plurals.items()
        ]
    }


_SCHEMAS = "#/components/schemas/"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_META = {"type": "object", "properties": {"name": {"type": "string"}, "namespace": {"type": "string"}, "labels": _TEXTS,
                                          "annotations": _TEXTS}}  # fmt: skip


def build_schema(kind: str, group: str = "", **properties: Any) -> Object:
    """The schema of a kind, as the API server tells it."""
    frame = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _META}
    named = {"group": group, "version": "v1", "kind": kind}
    return {"type": "object", "properties": {**frame, **properties}, "x-kubernetes-group-version-kind": [named]}


DOCUMENT: Mapping[str, Any] = {
    "components": {
        "schemas": {
            _QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
            "io.k8s.api.core.v1.Secret": build_schema(
                "Secret", data=_TEXTS, stringData=_TEXTS, type={"type": "string"}, immutable={"type": "boolean"}
            ),
            "io.k8s.api.core.v1.ConfigMap": build_schema("ConfigMap", data=_TEXTS, immutable={"type": "boolean"}),
            "io.k8s.api.core.v1.QuotaSpec": {
                "type": "object",
                "required": ["hard"],
                "properties": {
                    "hard": {"type": "object", "additionalProperties": {"$ref": f"{_SCHEMAS}{_QUANTITY}"}},
                    "scopes": {"type": "array", "items": {"type": "string", "enum": ["BestEffort", "Terminating"]}},
                    "selector": {"type": "object", "properties": {"matchLabels": _TEXTS}},
                    "share": {"allOf": [{"$ref": f"{_SCHEMAS}{_QUANTITY}"}], "default": {}},
                },
            },
            "io.k8s.api.core.v1.ResourceQuota": build_schema(
                "ResourceQuota", spec={"allOf": [{"$ref": f"{_SCHEMAS}io.k8s.api.core.v1.QuotaSpec"}]}
            ),
            "com.example.v1.Thing": build_schema(
                "Thing", "example.com", spec={"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            ),
        }
    }
}
"""Schemas of kinds; as those of the API server, but with fewer properties."""

_ALWAYS: Mapping[str, Object] = {
    "/openapi/v3": {"paths": {}},
    "/openapi/v3/api/v1": dict(DOCUMENT),
    "/openapi/v3/apis/batch/v1": {},
    "/api/v1": _build_resources(
        Namespace=("namespaces", False), Secret=("secrets", True), ConfigMap=("configmaps", True),
        ResourceQuota=("resourcequotas", True), PersistentVolumeClaim=("persistentvolumeclaims", True),
        Service=("services", True), Pod=("pods", True),
    ),
    "/apis/batch/v1": _build_resources(Job=("jobs", True)),
    "/apis/discovery.k8s.io/v1": _build_resources(EndpointSlice=("endpointslices", True)),
    "/apis/storage.k8s.io/v1": _build_resources(StorageClass=("storageclasses", False)),
}  # fmt: skip
"""What is asked for whenever it is needed."""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request that must come, and its answer.

    Attributes:
        ask: Method, path and query.
        sends: The body that must be sent; None where none may be.
        answer: The answer's body; for a watch the events, each a type and an object; an error in place of an answer.
        status: The answer's status.
    """

    ask: str
    sends: Any = None
    answer: Mapping[str, Any] | Sequence[tuple[str, Object]] | StandInError = ()
    status: int = 200


class Conversation:
    """A transport that answers requests in the order of ``exchanges``; what kinds there are it always tells."""

    def __init__(self, *exchanges: Exchange) -> None:
        self._left = list(exchanges)

    def ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """Answers the next request, which has to be the one that is due."""
        if method == "GET" and path in _ALWAYS:
            return _ALWAYS[path]
        due = self._take(f"{method} {path}")
        assert body == due.sends
        if isinstance(due.answer, StandInError):
            raise due.answer
        assert isinstance(due.answer, Mapping)
        if due.status >= 400:
            raise RefusedError(due.status, due.answer)
        return due.answer

    def stream(self, path: str) -> Iterator[Any]:
        """Gives the events of the next watch."""
        due = self._take(f"WATCH {path}")
        if isinstance(due.answer, StandInError):
            raise due.answer
        assert not isinstance(due.answer, Mapping)
        yield from ({"type": event, "object": thing} for event, thing in due.answer)

    def check_end(self) -> None:
        """Everything that was due has come."""
        assert not self._left, [each.ask for each in self._left]

    def _take(self, said: str) -> Exchange:
        said = _MANAGER.sub(MANAGER, said)
        assert self._left, f"nothing more was expected, but came {said}"
        due = self._left.pop(0)
        assert said == due.ask
        return due


def build_object(kind: str, name: str = "one", namespace: str = "team", **parts: Any) -> Object:
    """An object of the core, as the API server has it."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **parts}
