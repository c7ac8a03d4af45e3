"""What a stand-in answers instead of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class StandInError(Exception):
    """Base of them all."""


class ConfigurationError(StandInError):
    """The provider cannot be configured so."""


class UnknownNameError(StandInError):
    """There is no such resource type or function here."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A resource as it is: its id and its outputs."""

    resource_id: str
    outputs: Mapping[str, Any]


class InitFailedError(StandInError):
    """The resource exists, and is not what was asked for.

    Attributes:
        made: The resource as it is.
        reasons: What is wrong with it; the text itself is always the first.
        inputs: Its inputs, if they are not those that were asked for.
    """

    def __init__(
        self, text: str, made: Made, reasons: Sequence[str] = (), inputs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(text)
        self.inputs = inputs
        self.made = made
        self.reasons = [text, *reasons]
