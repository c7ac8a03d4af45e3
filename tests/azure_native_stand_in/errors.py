"""What Resource Manager answers instead of a result."""

from __future__ import annotations

from tests.plugin_stand_ins.errors import StandInError


class ServiceError(StandInError):
    """Resource Manager refused, or an operation failed.

    Attributes:
        status: The answer's status, 0 without an answer.
        is_accepted: Whether the service had accepted the request, so that the resource may exist.
    """

    def __init__(self, text: str, status: int = 0, *, is_accepted: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.is_accepted = is_accepted
