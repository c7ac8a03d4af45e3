"""How much of Azure was walked by the tests of this process."""

from __future__ import annotations

from tests.azure import arm_ids, inventory
from tests.azure.cloud import Call, Cloud

_calls: list[Call] = []


def add(cloud: Cloud) -> None:
    """Counts what a cloud was asked."""
    _calls.extend(cloud.calls)


def build_line() -> str:
    """The totals in one line; empty if there are none."""
    if not _calls:
        return ""
    operations = {(each.operation, each.api_version) for each in _calls}
    types = {arm_ids.parse(each.path).type.lower() for each in _calls if each.host == "management.azure.com"}
    return (
        f"azure: {len(_calls)} calls of the official clients, {len(operations)} different operations, "
        f"{len(types)} kinds of resources and questions; the server knows {inventory.count()}"
    )
