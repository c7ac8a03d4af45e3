"""What Resource Manager knows of a resource type, and what the type's own service does besides."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.azure.arm_errors import ArmError
from tests.azure.arm_ids import ArmPath
from tests.azure.operations import Headers
from tests.azure.resources import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.directory import Principal


@dataclasses.dataclass(frozen=True, kw_only=True)
class NameRule:
    """What a name may be.

    Attributes:
        pattern: as a regular expression that the whole name must match.
        text: the rule in words.
        code: the service's word for a name that breaks it.
        taken: the service's word for a name that somebody has, where names are unique in all of Azure; else empty.
    """

    pattern: str
    text: str
    code: str = "InvalidResourceName"
    taken: str = ""


ANY_NAME = NameRule(pattern=r"[^/<>%&:\\?]{1,260}", text="1-260 characters")


@dataclasses.dataclass
class Request:
    """A request about one resource, or a collection of such, as a service's hooks see it.

    Attributes:
        cloud: everything.
        path: what it is about.
        resource_type: its type.
        api_version: the version that it asks for.
        principal: who asks.
        query: what follows the question mark, by lower-case name.
        body: its body, without what is read-only; empty where there is none.
        old: the resource as it is; None where there is none.
        action: what is asked of the resource besides the usual verbs, such as ``listKeys``.
    """

    cloud: Cloud
    path: ArmPath
    resource_type: ResourceType
    api_version: str
    principal: Principal
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: dict[str, Any] = dataclasses.field(default_factory=dict)
    old: Resource | None = None
    action: str = ""

    @property
    def properties(self) -> dict[str, Any]:
        """The properties in the body, to be read and changed."""
        found: dict[str, Any] = self.body.setdefault("properties", {})
        return found


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an action or a special read answers."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


Action = Callable[[Request], Answer]


class Service:
    """What a type's own service does; each hook may raise ``ArmError``."""

    def receive(self, request: Request) -> None:
        """Puts right what the service takes in another form than its model says; before the body is checked."""

    def check(self, request: Request) -> None:
        """Refuses a body that is well-formed and still not allowed; ``request.old`` is what it would change."""

    def fill(self, request: Request) -> None:
        """Adds to the body what the service itself sets."""

    def made(self, request: Request, resource: Resource) -> None:
        """After a resource was made or changed, and is ready."""

    def check_delete(self, request: Request, resource: Resource) -> None:
        """Refuses a deletion."""

    def deleted(self, request: Request, resource: Resource) -> None:
        """After a resource is gone."""

    def list(self, request: Request) -> Sequence[Resource]:
        """What the collection that is asked for holds."""
        return request.cloud.resources.list_collection(request.path)

    def show(self, request: Request, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        """What a read shows of ``body``."""
        return body


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResourceType:
    """What Resource Manager knows of a type.

    Attributes:
        name: as the service writes it, such as ``Microsoft.Storage/storageAccounts``.
        models: the model that a PUT's body is checked against, by API version; empty where there are no PUTs.
        patch_models: likewise of a PATCH's, where that is another one than for PUT.
        name_rule: what its names may be.
        is_extension: whether it stands on any other resource, such as role assignments.
        created: the HTTP status of a PUT that makes one.
        updated: and of one that changes one.
        put: the headers that a PUT is followed by; None where it is done at once. With them, ``created`` and
            ``updated`` are the status of the answer that it was accepted.
        is_changed_at_once: whether only the PUT that makes one takes time, and no change does.
        delete: likewise of a DELETE.
        deleted: the HTTP status of a DELETE that is accepted or done.
        has_location: whether its body must say a region.
        immutable: paths in the body that cannot be changed once they were set.
        is_listed: whether collections can be read.
        makes_parent: whether a PUT makes what it is a part of, too.
        actions: what can be asked of one with POST, by name.
        early_actions: the names of those that can be asked of one that is yet to be made.
        collection_actions: what can be asked of a collection with POST, by name.
        find_deleted: answers a DELETE of what is soft-deleted already; None where there is nothing.
        service: what its own service does.
    """

    name: str
    models: Mapping[str, str]
    patch_models: Mapping[str, str] = dataclasses.field(default_factory=dict)
    name_rule: NameRule = ANY_NAME
    is_extension: bool = False
    created: int = 201
    updated: int = 200
    put: Headers | None = None
    is_changed_at_once: bool = False
    delete: Headers | None = None
    deleted: int = 200
    has_location: bool = False
    immutable: tuple[str, ...] = ()
    is_listed: bool = True
    makes_parent: bool = False
    actions: Mapping[str, Action] = dataclasses.field(default_factory=dict)
    early_actions: tuple[str, ...] = ()
    collection_actions: Mapping[str, Action] = dataclasses.field(default_factory=dict)
    find_deleted: Callable[[Request], Answer | None] | None = None
    service: Service = dataclasses.field(default_factory=Service)

    @property
    def namespace(self) -> str:
        """The resource provider."""
        return self.name.partition("/")[0]

    @property
    def parent(self) -> str:
        """The type of what it is a part of; empty for an outer one."""
        outer = self.name.rpartition("/")[0]
        return outer if "/" in outer else ""

    def check_name(self, name: str) -> None:
        """Refuses a name that breaks the rule."""
        if not re.fullmatch(self.name_rule.pattern, name):
            raise ArmError(
                400, self.name_rule.code, f"The name '{name}' of {self.name} is not valid: {self.name_rule.text}."
            )


def find(body: Mapping[str, Any] | None, path: str) -> Any:
    """What ``body`` has at a path such as ``properties.sku.name``; None where it has nothing."""
    value: Any = body
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = next((each for key, each in value.items() if key.lower() == part.lower()), None)
    return value


def is_same(old: Any, new: Any) -> bool:
    """Whether two values mean the same to Azure, which minds case in no id and no enum."""
    if isinstance(old, str) and isinstance(new, str):
        return old.lower() == new.lower()
    return bool(old == new)
