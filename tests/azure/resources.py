"""Everything that there is in the cloud, by id."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.azure import arm_ids


@dataclasses.dataclass
class Resource:
    """One resource.

    Attributes:
        id: as it was written when the resource was made.
        type: the full type, as the service writes it.
        body: the whole of it, on the wire.
        previous: the body before the last change, for reads that are stale.
        secrets: what the service knows and no read shows, such as keys.
    """

    id: str
    type: str
    body: dict[str, Any]
    previous: dict[str, Any] | None = None
    secrets: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its own name."""
        return self.id.rpartition("/")[2]

    @property
    def properties(self) -> dict[str, Any]:
        """Its properties, to be read and changed."""
        found: dict[str, Any] = self.body.setdefault("properties", {})
        return found

    def change(self, body: dict[str, Any]) -> None:
        """Has another body from now on."""
        self.previous = copy.deepcopy(self.body)
        self.body = body


class ResourceStore:
    """Resources by id, whatever the case."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))

    def get(self, resource_id: str) -> Resource | None:
        """The resource, or None."""
        return self._resources.get(resource_id.lower().rstrip("/"))

    def put(self, resource: Resource) -> None:
        """Adds or replaces it."""
        self._resources[resource.id.lower()] = resource

    def remove(self, resource_id: str) -> None:
        """Removes it, with all that is part of it or assigned to it."""
        key = resource_id.lower()
        for other in [each for each in self._resources if each == key or each.startswith(f"{key}/")]:
            del self._resources[other]

    def list_inside(self, resource_id: str, resource_type: str = "") -> list[Resource]:
        """What is part of a resource or in a group, at any depth; of one type, if given."""
        start, wanted = f"{resource_id.lower()}/", resource_type.lower()
        return [
            each
            for key, each in self._resources.items()
            if key.startswith(start) and (not wanted or each.type.lower() == wanted)
        ]

    def list_collection(self, path: arm_ids.ArmPath) -> list[Resource]:
        """What the collection at ``path`` holds; of an outer type, anywhere in the group or the subscription."""
        wanted, parent = path.type.lower(), path.parent_id.lower()
        found = []
        for each in self._resources.values():
            if each.type.lower() != wanted:
                continue
            own = arm_ids.parse(each.id).parent_id.lower()
            if own == parent or (len(path.types) == 1 and own.startswith(f"{parent}/")):
                found.append(each)
        return found
