"""What is inside Kubernetes clusters, as far as services of Azure look into them or change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol


class Contents(Protocol):
    """The inside of one cluster."""

    def define_instance_types(self) -> None:
        """What Azure Machine Learning's extension does when it is installed: instance types can be made then."""
        ...

    def list_instance_types(self) -> Mapping[str, Mapping[str, Any]]:
        """The ``spec`` of each instance type, by name."""
        ...

    def has_namespace(self, name: str) -> bool:
        """Whether there is a namespace."""
        ...


@dataclasses.dataclass
class KnownContents:
    """The inside of a cluster that nobody can ask: what a test says of it.

    Attributes:
        namespaces: that there are.
        instance_types: by name; the ``spec`` of each.
        is_defined: whether instance types can be made.
    """

    namespaces: set[str] = dataclasses.field(default_factory=lambda: {"default"})
    instance_types: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    is_defined: bool = False

    def define_instance_types(self) -> None:
        """See ``Contents``."""
        self.is_defined = True

    def list_instance_types(self) -> Mapping[str, Mapping[str, Any]]:
        """See ``Contents``."""
        return self.instance_types if self.is_defined else {}

    def has_namespace(self, name: str) -> bool:
        """See ``Contents``."""
        return name in self.namespaces
