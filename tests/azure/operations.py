"""Long-running operations.

See https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations. Nothing takes
time here: an operation ends when it was asked after, or in the way, often enough.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

from tests.azure import arm_ids
from tests.azure.arm_errors import ArmError

Headers = Literal["Azure-AsyncOperation", "Location", "both"]


@dataclasses.dataclass
class Operation:
    """One operation.

    Attributes:
        polls: how often it is still found in progress.
        finish: makes its effect, and returns the resource's body, or None for a deletion; may raise ``ArmError``.
        status: ``InProgress``, ``Succeeded`` or ``Failed``.
    """

    path: arm_ids.ArmPath
    polls: int
    finish: Callable[[], dict[str, Any] | None]
    status: str = "InProgress"
    result: dict[str, Any] | None = None
    error: ArmError | None = None


class Operations:
    """The operations, by id.

    Attributes:
        polls: how often one is found in progress before it has ended.
        retry_after: seconds that clients are told to wait before they ask again. Those in Python take 0 for nothing
            said, and wait 30 s; None tells them 10 ms, in the header that Azure has for that.
    """

    def __init__(self, base_url: str) -> None:
        self.polls = 1
        self.retry_after: int | None = 0
        self._base_url = base_url
        self._operations: dict[str, Operation] = {}

    def start(
        self, path: arm_ids.ArmPath, finish: Callable[[], dict[str, Any] | None], *, location: str, headers: Headers
    ) -> Mapping[str, str]:
        """Begins an operation; returns the headers by which it is followed."""
        number = str(uuid.uuid4())
        self._operations[number] = Operation(path=path, polls=self.polls, finish=finish)
        base = f"{self._base_url}/subscriptions/{path.subscription}/providers/{path.namespace or 'Microsoft.Resources'}"
        where = f"{base}/locations/{location or 'global'}"
        found = dict(self.build_wait())
        if headers != "Location":
            found["Azure-AsyncOperation"] = f"{where}/asyncOperations/{number}?api-version=2020-01-01"
        if headers != "Azure-AsyncOperation":
            found["Location"] = f"{where}/operationResults/{number}?api-version=2020-01-01"
        return found

    def build_wait(self) -> Mapping[str, str]:
        """The header that tells clients when to ask again."""
        if self.retry_after is None:
            return {"x-ms-retry-after-ms": "10"}
        return {"Retry-After": str(self.retry_after)}

    def end_all(self) -> None:
        """Ends what is under way, as time does when nobody asks."""
        for operation in self._operations.values():
            operation.polls = 0
            _advance(operation)

    def end(self, resource_id: str) -> None:
        """Ends what is under way on a resource."""
        for operation in self._operations.values():
            if operation.path.key == resource_id.lower():
                operation.polls = 0
                _advance(operation)

    def is_busy(self, resource_id: str) -> bool:
        """Whether something is under way on a resource; whoever is refused for that has let time pass, too."""
        found = [
            operation
            for operation in self._operations.values()
            if operation.status == "InProgress" and operation.path.key == resource_id.lower()
        ]
        for operation in found:
            _advance(operation)
        return bool(found)

    def ask(self, number: str) -> Operation:
        """How an operation is doing; asking is what lets it go on."""
        if number not in self._operations:
            raise ArmError(404, "NotFound", f"The operation '{number}' was not found.")
        operation = self._operations[number]
        _advance(operation)
        return operation


def _advance(operation: Operation) -> None:
    if operation.status != "InProgress":
        return
    if operation.polls > 0:
        operation.polls -= 1
        return
    try:
        operation.result = operation.finish()
        operation.status = "Succeeded"
    except ArmError as error:
        operation.error, operation.status = error, "Failed"
