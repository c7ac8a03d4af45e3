"""What Pulumi asks of the resources of one type, in plain data (see ``wire``); ``server`` has a table of them."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any

from aml_infra.errors import AmlInfraError
from aml_infra.provider.diff import Change
from aml_infra.provider.inputs import Checked
from aml_infra.provider.lifecycle import Say


class InitFailed(AmlInfraError):
    """The run exists, and is not what was asked for: Pulumi keeps it in the state, and the update fails.

    Attributes:
        resource_id: its id.
        outputs: what is known of it.
        inputs: its inputs, where they are not those that were given: an import has none.
    """

    def __init__(
        self,
        message: str,
        resource_id: str,
        outputs: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.resource_id = resource_id
        self.outputs = outputs
        self.inputs = inputs


@dataclasses.dataclass(frozen=True)
class Created:
    """A resource's id (empty while it is not known) and its outputs."""

    resource_id: str
    outputs: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Read:
    """A resource's inputs and outputs, as they are now; ``id`` is another one than it was asked for, if given."""

    inputs: Mapping[str, Any]
    outputs: dict[str, Any]
    id: str = ""


class ResourceType(abc.ABC):
    """Checks, compares, makes, reads and deletes the resources of one type."""

    @abc.abstractmethod
    def check(self, given: Mapping[str, Any]) -> Checked:
        """What the user gave, completed, and every problem of what is known."""

    @abc.abstractmethod
    def compare(
        self, old_inputs: Mapping[str, Any], old_outputs: Mapping[str, Any], new_inputs: Mapping[str, Any]
    ) -> dict[str, Change]:
        """The path of each property that changed, as Pulumi writes paths, with its change."""

    def explain(self, old_inputs: Mapping[str, Any], new_inputs: Mapping[str, Any]) -> str:  # noqa: ARG002
        """What has changed, in words; ``preview`` and ``ensure`` are given them."""
        return ""

    def must_end_first(self, old_outputs: Mapping[str, Any], changes: Mapping[str, Change]) -> bool:  # noqa: ARG002
        """Whether the old resource is deleted before the one that replaces it is made."""
        return False

    def find_name(self, name: str, resource_id: str) -> str:  # noqa: ARG002
        """The name that the existing resource ``resource_id`` goes by, whose name in the program is ``name``."""
        return name

    @abc.abstractmethod
    def preview(
        self,
        name: str,
        values: Mapping[str, Any],
        say: Say,
        because: str = "",
        old_outputs: Mapping[str, Any] | None = None,
    ) -> Created:
        """What ``ensure`` would give, as far as it is known; nothing is changed anywhere."""

    @abc.abstractmethod
    def ensure(
        self,
        name: str,
        values: Mapping[str, Any],
        say: Say,
        because: str = "",
        old_outputs: Mapping[str, Any] | None = None,
    ) -> Created:
        """Makes the resource, or makes the existing one what is asked for; may be repeated after an interruption.

        Args:
            name: of the resource.
            values: its checked inputs.
            say: tells the user.
            because: what has changed, in words.
            old_outputs: of the same resource, where the state knows it already.

        Raises:
            InitFailed: it exists, and is not what was asked for.
            AmlInfraError: it does not exist.
        """

    @abc.abstractmethod
    def read(self, resource_id: str, given: Mapping[str, Any], outputs: Mapping[str, Any]) -> Read | None:
        """The resource as it is now, or None if it is gone; an import has neither ``given`` nor ``outputs``."""

    @abc.abstractmethod
    def delete(self, resource_id: str, outputs: Mapping[str, Any], say: Say) -> None:
        """Deletes the resource; one that is gone is no error."""
