"""Paths of Resource Manager, taken apart."""

from __future__ import annotations

import dataclasses
import itertools

PROVIDERS = "/providers/"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArmPath:
    """What a path names: a resource, a collection of resources, or an action on either.

    Attributes:
        text: the path itself, without a slash at its end.
        scope: what comes before the last ``/providers/``; the whole path where there is none.
        namespace: the resource provider, such as ``Microsoft.Storage``; empty where there is none.
        types: the resource types, outer ones first.
        names: as many names; one less where the path is a collection, or ends in an action.
    """

    text: str
    scope: str
    namespace: str = ""
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The path as it is compared."""
        return self.text.lower()

    @property
    def type(self) -> str:
        """The full resource type, such as ``Microsoft.Storage/storageAccounts``."""
        if not self.namespace:
            parts = self._split()
            return "Microsoft.Resources/resourceGroups" if len(parts) > 2 else "Microsoft.Resources/subscriptions"
        return "/".join([self.namespace, *self.types])

    @property
    def name(self) -> str:
        """The resource's own name."""
        return self.names[-1] if self.namespace else self._split()[-1]

    @property
    def is_resource(self) -> bool:
        """Whether it names one resource."""
        if self.namespace:
            return len(self.types) == len(self.names) and bool(self.types)
        return len(self._split()) % 2 == 0

    @property
    def subscription(self) -> str:
        """The subscription's id; empty where the path is not of one."""
        return self._find("subscriptions")

    @property
    def resource_group(self) -> str:
        """The resource group's name; empty where the path is not in one."""
        return self._find("resourcegroups")

    @property
    def group_id(self) -> str:
        """The id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def parent_id(self) -> str:
        """The id of the resource that this one is a part of: the scope for an outer one."""
        if not self.namespace:
            return "/".join(self.text.split("/")[:3])
        if len(self.types) == 1:
            return self.scope
        names = self.names[: len(self.types) - 1]
        parts = [f"{kind}/{name}" for kind, name in zip(self.types, names, strict=False)]
        return f"{self.scope}{PROVIDERS}{self.namespace}/{'/'.join(parts)}"

    def _split(self) -> list[str]:
        return [part for part in self.text.split("/") if part]

    def _find(self, word: str) -> str:
        parts = self._split()
        for kind, name in itertools.pairwise(parts):
            if kind.lower() == word:
                return name
        return ""


def parse(path: str) -> ArmPath:
    """``path`` taken apart."""
    text = path.rstrip("/")
    at = text.lower().rfind(PROVIDERS)
    if at < 0:
        return ArmPath(text=text, scope=text)
    namespace, *rest = text[at + len(PROVIDERS) :].split("/")
    return ArmPath(text=text, scope=text[:at], namespace=namespace, types=tuple(rest[::2]), names=tuple(rest[1::2]))
