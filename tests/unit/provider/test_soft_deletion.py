from __future__ import annotations

from typing import Any

import pytest

from aml_infra.provider import soft_deletion
from aml_infra.provider.diff import Change, Kind
from aml_infra.provider.soft_deletion import Action, Guarded, Remains
from aml_infra.provider.wire import UNKNOWN, Secret

GROUP = "/subscriptions/s/resourceGroups/pets/providers"
VAULT = f"{GROUP}/Microsoft.KeyVault/vaults/kv"
WORKSPACE = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/pets"
GIVEN = {"resourceId": VAULT, "location": "West Europe", "purge": True}
UNTIL = "2026-12-24"


def read_guarded(resource_id: str) -> Guarded:
    """The resource of that id."""
    guarded = soft_deletion.read_guarded({**GIVEN, "resourceId": resource_id})
    assert guarded is not None
    return guarded


def keep(**changes: Any) -> Remains:
    """What Azure keeps of the vault."""
    return Remains(**{"resource_id": VAULT, "kept_until": UNTIL, **changes})


@pytest.mark.parametrize("resource_id", [VAULT, WORKSPACE, VAULT.lower(), UNKNOWN])
def test_vaults_and_workspaces_are_right(resource_id: Any) -> None:
    """However their id is spelt, or while it is not known."""
    assert soft_deletion.find_problems({**GIVEN, "resourceId": resource_id}) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resourceId": "kv"}, "resource_id: is 'kv'; give Resource Manager's id"),
        ({"resourceId": f"{GROUP}/Microsoft.Storage/storageAccounts/x"}, "resource_id: is '/subscriptions/s"),
        ({"resourceId": f"{VAULT}/secrets/x"}, "resource_id: is '/subscriptions/s"),
        ({"resourceId": Secret(VAULT)}, "resource_id: is a secret"),
        ({"location": " "}, "location: is empty"),
        ({"location": None}, "location: is missing"),
        ({"purge": "yes"}, "purge: is a str; give True or False"),
        ({"sauce": 1}, "sauce: is not a property"),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, Any], told: str) -> None:
    """With the property's path."""
    (problem,) = soft_deletion.find_problems({**GIVEN, **changes})

    assert str(problem).startswith(told)


def test_all_problems_are_told_at_once() -> None:
    """Whatever is missing."""
    assert [problem.path for problem in soft_deletion.find_problems({})] == ["resource_id", "location", "purge"]


def test_a_location_is_spelt_as_in_addresses() -> None:
    """Azure has names for people, too."""
    assert read_guarded(VAULT).location == "westeurope"


def test_what_is_not_known_yet_names_nothing() -> None:
    """As at the preview of a new resource group."""
    assert soft_deletion.read_guarded({**GIVEN, "resourceId": UNKNOWN}) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"resourceId": VAULT.upper(), "location": "westeurope"}, {}),
        ({"resourceId": WORKSPACE}, {"resourceId": Change(Kind.UPDATE, replaces=True)}),
        ({"resourceId": UNKNOWN}, {"resourceId": Change(Kind.UPDATE, replaces=True)}),
        ({"location": "northeurope"}, {"location": Change(Kind.UPDATE, replaces=True)}),
        ({"purge": False}, {"purge": Change(Kind.UPDATE, replaces=False)}),
    ],
)
def test_what_changed_is_told(changes: dict[str, Any], expected: dict[str, Change]) -> None:
    """Another resource is another one to stand before; spelling is no change."""
    assert soft_deletion.compare(GIVEN, {"mode": "default"}, {**GIVEN, **changes}) == expected


@pytest.mark.parametrize("mode", ["recover", "purge"])
def test_what_was_done_once_is_a_change(mode: str) -> None:
    """The next `up` looks again, and the vault that was recovered is an ordinary one from then on."""
    change = Change(Kind.UPDATE, replaces=False, of_input=False)

    assert soft_deletion.compare(GIVEN, {"mode": mode}, GIVEN) == {"mode": change}


@pytest.mark.parametrize(
    ("resource_id", "remains", "purge", "expected"),
    [
        (VAULT, None, True, Action.NOTHING),
        (VAULT, keep(), True, Action.PURGE),
        (VAULT, keep(), False, Action.RECOVER),
        (VAULT, keep(is_protected=True), True, Action.RECOVER),
        (VAULT, keep(resource_id=VAULT.upper()), True, Action.PURGE),
        (VAULT, keep(resource_id=VAULT.replace("pets", "cars")), True, Action.REFUSE),
        (WORKSPACE, None, True, Action.NOTHING),
        (WORKSPACE, Remains(resource_id=WORKSPACE), True, Action.PURGE),
        (WORKSPACE, Remains(resource_id=WORKSPACE), False, Action.NOTHING),
    ],
)
def test_room_is_made_before_a_create(resource_id: str, remains: Remains | None, purge: bool, expected: Action) -> None:
    """A vault that cannot or shall not be purged is recovered, and another stack's is not touched."""
    decision = soft_deletion.decide_before_create(read_guarded(resource_id), remains, purge=purge)

    assert decision.action is expected
    assert bool(decision.told) == (resource_id == VAULT and remains is not None)


@pytest.mark.parametrize(
    ("resource_id", "remains", "purge", "expected"),
    [
        (VAULT, None, True, Action.NOTHING),
        (VAULT, keep(), True, Action.PURGE),
        (VAULT, keep(resource_id=VAULT.replace("pets", "cars")), True, Action.NOTHING),
        (WORKSPACE, None, True, Action.NOTHING),
        (WORKSPACE, Remains(resource_id=WORKSPACE), True, Action.PURGE),
    ],
)
def test_what_may_be_purged_is_purged_after_a_delete(
    resource_id: str, remains: Remains | None, purge: bool, expected: Action
) -> None:
    """Without a word about it."""
    decision = soft_deletion.decide_after_delete(read_guarded(resource_id), remains, purge=purge)

    assert (decision.action, decision.told) == (expected, "")


@pytest.mark.parametrize(
    ("resource_id", "remains", "purge", "told"),
    [
        (VAULT, keep(is_protected=True), True, f"until {UNTIL}, as it has purge protection; the next `pulumi up`"),
        (VAULT, keep(), False, f"until {UNTIL}, as purge is False; the next `pulumi up`"),
        (WORKSPACE, Remains(resource_id=WORKSPACE), False, "for 14 days"),
    ],
)
def test_what_stays_after_a_delete_is_told(resource_id: str, remains: Remains, purge: bool, told: str) -> None:
    """Until when, and what comes of it."""
    decision = soft_deletion.decide_after_delete(read_guarded(resource_id), remains, purge=purge)

    assert decision.action is Action.NOTHING
    assert told in decision.told
