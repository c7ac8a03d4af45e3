from __future__ import annotations

from typing import Any

from tests.kubernetes_stand_in import ownership


def build_entry(manager: str, operation: str, *fields: str, **more: str) -> dict[str, Any]:
    """What a manager manages."""
    return {"manager": manager, "operation": operation, "fieldsV1": {f"f:{each}": {} for each in fields}, **more}


def test_what_we_created_is_what_we_apply() -> None:
    """So that applying it for the first time is no conflict; what others and controllers manage is theirs."""
    others = build_entry("others", "Update", "c")
    status = build_entry("kubectl", "Update", "d", subresource="status")
    managed = [
        build_entry("pulumi-kubernetes-1", "Update", "a"),
        others,
        build_entry("kubectl-edit", "Update", "b"),
        status,
    ]

    assert ownership.take_over(managed, "pulumi-kubernetes-1") == [
        others,
        status,
        build_entry("pulumi-kubernetes-1", "Apply", "a", "b"),
    ]


def test_what_is_ours_already_is_left() -> None:
    """Nothing is sent then."""
    assert ownership.take_over([build_entry("us", "Apply", "a"), build_entry("others", "Update", "b")], "us") is None


def test_what_we_applied_and_what_was_edited_becomes_one() -> None:
    """An entry a manager and an operation."""
    managed = [build_entry("us", "Apply", "a"), build_entry("kubectl", "Update", "a", "b")]

    assert ownership.take_over(managed, "us") == [build_entry("us", "Apply", "a", "b")]
