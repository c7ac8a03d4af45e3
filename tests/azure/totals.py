"""How much of Azure was walked by the tests."""

from __future__ import annotations

from collections.abc import Iterable

from tests.azure import arm_ids
from tests.azure.cloud import Cloud

Walked = tuple[str, str, str, str]
"""Host, path, operation and API version of a call."""

calls: list[Walked] = []
"""What was asked in this process, and in those that it has spread the tests over."""


def add(cloud: Cloud) -> None:
    """Counts what a cloud was asked."""
    calls.extend((each.host, each.path, each.operation, each.api_version) for each in cloud.calls)


def build_line(walked: Iterable[Walked]) -> str:
    """The totals in one line. Imports the models of every service, which takes seconds."""
    from tests.azure import inventory

    walked = list(walked)
    operations = {(operation, version) for _, _, operation, version in walked}
    types = {arm_ids.parse(path).type.lower() for host, path, _, _ in walked if host == "management.azure.com"}
    return (
        f"azure: {len(walked)} calls of the official clients, {len(operations)} different operations, "
        f"{len(types)} kinds of resources and questions; the server knows {inventory.count()}"
    )
