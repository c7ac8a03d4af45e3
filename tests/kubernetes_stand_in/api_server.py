"""The API server in terms of kinds and objects."""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubernetes_stand_in import openapi
from tests.kubernetes_stand_in.objects import Kind, Object
from tests.kubernetes_stand_in.openapi import OpenApiShape
from tests.kubernetes_stand_in.transport import RefusedError, Transport
from tests.plugin_stand_ins.errors import StandInError

CUSTOM_DEFINITION = "CustomResourceDefinition"
_CLUSTER_SCOPED = frozenset(
    {"Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "StorageClass", CUSTOM_DEFINITION}
)
"""Known without asking; the official plugin has such a table, too."""


class UnknownKindError(StandInError):
    """The API server does not have a kind."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the objects of a kind are.

    Attributes:
        base: The path of the group and version.
        plural: The kind's name in paths.
        is_namespaced: Whether its objects are in namespaces.
    """

    base: str
    plural: str
    is_namespaced: bool


class ApiServer:
    """Reads and changes objects. Threads may share it.

    Args:
        transport: How it is reached.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._places: dict[Kind, Place] = {}
        self._shapes: dict[Kind, OpenApiShape] = {}

    def check(self) -> None:
        """Asks something that everybody may ask.

        Raises:
            StandInError: If the API server cannot be reached, or does not know who asks.
        """
        self._transport.ask("GET", "/openapi/v3")

    def find_place(self, kind: Kind) -> Place:
        """Where a kind's objects are.

        Raises:
            UnknownKindError: If there is no such kind.
        """
        with self._lock:
            if kind not in self._places:
                base = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
                resources = self._ask_optional(base).get("resources", ())
                for each in resources:
                    if each["kind"] == kind.name and "/" not in each["name"]:
                        place = Place(base=base, plural=each["name"], is_namespaced=each["namespaced"])
                        self._places[kind] = place
            if kind not in self._places:
                raise UnknownKindError(f'no matches for kind "{kind.name}" in version "{kind.api_version}"')
            return self._places[kind]

    def is_namespaced(self, kind: Kind) -> bool:
        """Whether a kind's objects are in namespaces; one that is not known (yet) probably is."""
        if not may_be_namespaced(kind):
            return False
        try:
            return self.find_place(kind).is_namespaced
        except UnknownKindError:
            return True

    def find_shape(self, kind: Kind) -> OpenApiShape | None:
        """The kind's schema; None if it is not known (yet)."""
        with self._lock:
            if kind not in self._shapes:
                base = f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"
                shape = openapi.find_shape(self._ask_optional(f"/openapi/v3/{base}"), kind)
                if shape is None:
                    return None
                self._shapes[kind] = shape
            return self._shapes[kind]

    def forget_kinds(self) -> None:
        """Has kinds asked for anew, after their definitions changed."""
        with self._lock:
            self._places.clear()
            self._shapes.clear()

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """An object."""
        return self._ask("GET", self._build_path(kind, namespace, name))

    def list_all(self, kind: Kind, namespace: str, **selectors: str) -> tuple[list[Object], str]:
        """What ``labelSelector`` and ``fieldSelector`` select of a namespace or of none, and since when to watch it."""
        listed = self._ask("GET", self._build_path(kind, namespace, **selectors))
        return list(listed["items"]), str(listed["metadata"]["resourceVersion"])

    def create(self, kind: Kind, thing: Object, manager: str, *, is_dry: bool) -> Object:
        """Creates an object; in a dry run, what it would be."""
        path = self._build_path(kind, *_locate(thing, ""), **_build_options(manager, is_dry=is_dry))
        return self._ask("POST", path, thing)

    def apply(self, kind: Kind, thing: Object, manager: str, *, is_forced: bool, is_dry: bool) -> Object:
        """Creates or changes an object by server-side apply; in a dry run, what it would be."""
        options = {**_build_options(manager, is_dry=is_dry), "force": str(is_forced).lower()}
        path = self._build_path(kind, *_locate(thing, thing["metadata"]["name"]), **options)
        return self._ask("PATCH", path, thing, "application/apply-patch+yaml")

    def replace(self, kind: Kind, thing: Object, manager: str, *, is_dry: bool) -> Object:
        """Puts an object in the place of the one that has its name and version."""
        options = _build_options(manager, is_dry=is_dry)
        return self._ask("PUT", self._build_path(kind, *_locate(thing, thing["metadata"]["name"]), **options), thing)

    def replace_managers(self, kind: Kind, live: Object, managed: list[Mapping[str, Any]]) -> Object:
        """Changes who manages the fields of an object, if it has not changed meanwhile."""
        version = live["metadata"]["resourceVersion"]
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": managed},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ]
        path = self._build_path(kind, *_locate(live, live["metadata"]["name"]))
        return self._ask("PATCH", path, patch, "application/json-patch+json")

    def delete(self, kind: Kind, namespace: str, name: str, policy: str) -> None:
        """Has an object deleted."""
        self._ask("DELETE", self._build_path(kind, namespace, name), {"propagationPolicy": policy})

    def watch(
        self, kind: Kind, namespace: str, since: str, seconds: float, **selectors: str
    ) -> Iterator[tuple[str, Object]]:
        """What has happened to objects since they were listed, and happens for so many seconds."""
        length = str(max(1, round(seconds)))
        options = {**selectors, "watch": "true", "resourceVersion": since, "timeoutSeconds": length}
        for event in self._transport.stream(self._build_path(kind, namespace, **options)):
            if event["type"] == "ERROR":
                raise RefusedError(event["object"].get("code", 0), event["object"])
            yield event["type"], event["object"]

    def _build_path(self, kind: Kind, namespace: str, name: str = "", **options: str) -> str:
        place = self.find_place(kind)
        parts = [place.base]
        if place.is_namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [place.plural, *([name] if name else [])]
        query = urllib.parse.urlencode({each: value for each, value in options.items() if value})
        return "/".join(parts) + (f"?{query}" if query else "")

    def _ask(self, *request: Any) -> Object:
        return dict(self._transport.ask(*request))

    def _ask_optional(self, path: str) -> Object:
        try:
            return self._ask("GET", path)
        except RefusedError as error:
            if error.status == 404:
                return {}
            raise


def may_be_namespaced(kind: Kind) -> bool:
    """Whether a kind's objects may be in namespaces, as far as that can be told without asking."""
    return kind.name not in _CLUSTER_SCOPED


def _locate(thing: Mapping[str, Any], name: str) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), name


def _build_options(manager: str, *, is_dry: bool) -> dict[str, str]:
    """What the API server does not know is refused; the official plugin has it ignored."""
    return {"fieldManager": manager, "fieldValidation": "Strict", "dryRun": "All" if is_dry else ""}
