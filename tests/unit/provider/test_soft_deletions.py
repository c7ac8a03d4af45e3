from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from aml_infra.azure_client import AzureClient
from aml_infra.errors import AmlInfraError, BackendUnavailable, RequestRefused
from aml_infra.provider.lifecycle import Interruption
from aml_infra.provider.soft_deletions import SoftDeletions
from aml_infra.provider.wire import UNKNOWN
from tests.unit.azure.transport import ARM, Credential, Transport

GROUP = "/subscriptions/s/resourceGroups/pets/providers"
VAULT = f"{GROUP}/Microsoft.KeyVault/vaults/kv"
WORKSPACE = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/pets"
DELETED = "/subscriptions/s/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv"
LOOK = f"{DELETED}?api-version=2024-11-01"
PURGE = f"{DELETED}/purge?api-version=2024-11-01"
LIVE = f"{WORKSPACE}?api-version=2025-12-01"
FORCE = f"{LIVE}&forceToPurge=true"
OPERATION = f"{ARM}/operations/1"
FORBIDDEN = {"error": {"code": "AuthorizationFailed", "message": "no role"}}


class Stage:
    """Soft deletions, Azure, and what the user is told."""

    def __init__(self) -> None:
        self.azure = Transport()
        self.said: list[str] = []
        self.interruption = Interruption()
        self.deletions = SoftDeletions(self.interruption, lambda: AzureClient(Credential(), self.azure))

    def keep_vault(self, **changes: Any) -> None:
        """Azure keeps the vault, and is asked about it."""
        properties = {"vaultId": VAULT, "scheduledPurgeDate": "2026-12-24T10:00:00Z", **changes}
        self.azure.expect("GET", LOOK, {"id": DELETED, "name": "kv", "properties": properties})

    def ensure(self, resource_id: str, *, purge: bool = True) -> str:
        """``ensure``; gives the mode."""
        values = build_values(resource_id, purge=purge)
        created = self.deletions.ensure("x", values, self.said.append)
        assert created.resource_id == resource_id
        assert values.items() <= created.outputs.items()
        return str(created.outputs["mode"])

    def preview(self, resource_id: Any, *, purge: bool = True) -> Any:
        """``preview``; gives the mode."""
        return self.deletions.preview("x", build_values(resource_id, purge=purge), self.said.append).outputs["mode"]

    def delete(self, resource_id: str, *, purge: bool = True) -> None:
        """``delete``."""
        outputs = {**build_values(resource_id, purge=purge), "mode": "default"}
        self.deletions.delete(resource_id, outputs, self.said.append)

    def read(self, resource_id: str, mode: str = "default") -> str:
        """``read``; gives the mode."""
        values = build_values(resource_id)
        read = self.deletions.read(resource_id, values, {**values, "mode": mode})
        assert read is not None
        assert read.inputs == values
        return str(read.outputs["mode"])


def build_values(resource_id: Any, *, purge: bool = True) -> dict[str, Any]:
    """Checked inputs."""
    return {"resourceId": resource_id, "location": "West Europe", "purge": purge}


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A stage on which Azure must be asked all that is expected."""
    stage = Stage()
    yield stage
    assert stage.azure.exchanges == []


def test_a_name_that_is_free_stays_so(stage: Stage) -> None:
    """Nothing is done, and nothing said."""
    stage.azure.expect("GET", LOOK, status=404)

    assert stage.ensure(VAULT) == "default"
    assert stage.said == []


def test_a_deleted_vault_is_purged(stage: Stage) -> None:
    """And waited for, so that the create finds room."""
    stage.keep_vault()
    stage.azure.expect("POST", PURGE, status=202, headers={"Location": OPERATION})
    stage.azure.expect("GET", OPERATION, status=202)
    stage.azure.expect("GET", OPERATION, status=200)

    assert stage.ensure(VAULT) == "default"
    assert "is purged, with all that is in it" in stage.said[0]


def test_a_protected_vault_is_recovered(stage: Stage) -> None:
    """By the create, which is told to."""
    stage.keep_vault(purgeProtectionEnabled=True)

    assert stage.ensure(VAULT) == "recover"
    assert "is recovered" in stage.said[0]


def test_a_vault_that_may_not_be_purged_is_recovered(stage: Stage) -> None:
    """Purging is a right of its own."""
    stage.keep_vault()
    stage.azure.expect("POST", PURGE, FORBIDDEN, status=403)

    assert stage.ensure(VAULT) == "recover"
    assert "not purged, but recovered" in stage.said[1]


def test_an_interrupted_purge_is_repeated(stage: Stage) -> None:
    """The vault may be gone in the meantime."""
    stage.keep_vault()
    stage.azure.expect("POST", PURGE, status=404)

    assert stage.ensure(VAULT) == "default"


def test_a_strangers_vault_is_not_touched(stage: Stage) -> None:
    """The update fails before anything is made in its place, and the preview already."""
    for make in (stage.preview, stage.ensure):
        stage.keep_vault(vaultId=VAULT.replace("pets", "cars"))
        with pytest.raises(AmlInfraError, match="not this stack's; purge it with `az keyvault purge --name kv`"):
            make(VAULT)


def test_what_may_not_be_seen_does_not_hold_up_a_create(stage: Stage) -> None:
    """Azure would refuse the create, if there were something."""
    stage.azure.expect("GET", LOOK, FORBIDDEN, status=403)

    assert stage.ensure(VAULT) == "default"
    assert "created as if there were none" in stage.said[0]


def test_no_answer_fails_a_create(stage: Stage) -> None:
    """Nothing is concluded."""
    for _ in range(4):
        stage.azure.expect("GET", LOOK, error=requests.ConnectionError("cut"))

    with pytest.raises(BackendUnavailable):
        stage.ensure(VAULT)


def test_a_workspace_that_is_there_is_left_alone(stage: Stage) -> None:
    """Purging would delete it."""
    stage.azure.expect("GET", LIVE, {"name": "pets"})

    assert stage.ensure(WORKSPACE) == "default"


def test_a_workspace_that_is_gone_is_purged(stage: Stage) -> None:
    """Whether Azure keeps it can only be seen by doing so."""
    stage.azure.expect("GET", LIVE, status=404)
    stage.azure.expect("DELETE", FORCE, status=202, headers={"Azure-AsyncOperation": OPERATION})
    stage.azure.expect("GET", OPERATION, {"status": "Succeeded"})

    assert stage.ensure(WORKSPACE) == "default"
    assert stage.said == ["what Azure kept of workspace 'pets' is purged"]


@pytest.mark.parametrize("status", [204, 404])
def test_a_workspace_that_never_was_is_no_news(stage: Stage, status: int) -> None:
    """The first `up` of a stack says nothing about it."""
    stage.azure.expect("GET", LIVE, status=404)
    stage.azure.expect("DELETE", FORCE, status=status)

    assert stage.ensure(WORKSPACE) == "default"
    assert stage.said == []


def test_a_purge_that_azure_refuses_fails_a_create(stage: Stage) -> None:
    """With Azure's words."""
    stage.azure.expect("GET", LIVE, status=404)
    stage.azure.expect("DELETE", FORCE, {"error": {"code": "ScopeLocked", "message": "locked"}}, status=409)

    with pytest.raises(RequestRefused, match="ScopeLocked"):
        stage.ensure(WORKSPACE)


def test_an_interruption_ends_the_wait_for_a_purge(stage: Stage) -> None:
    """It goes on in Azure, and the next `up` looks again."""
    stage.keep_vault()
    stage.azure.expect("POST", PURGE, status=202, headers={"Location": OPERATION})
    waits, ends = threading.Event(), threading.Event()
    stage.azure.expect("GET", OPERATION, status=202)

    def wait() -> None:
        waits.set()
        ends.wait()
        raise TimeoutError

    stage.azure.on_sleep = wait
    stage.interruption.raise_()

    with pytest.raises(BackendUnavailable, match="interrupted while Azure does POST"):
        stage.ensure(VAULT)
    waits.wait()
    ends.set()


def test_a_preview_only_looks(stage: Stage) -> None:
    """And says what would be done."""
    stage.keep_vault()
    assert stage.preview(VAULT) == "default"
    stage.keep_vault()

    assert stage.preview(VAULT, purge=False) == "recover"
    assert ["is purged" in stage.said[0], "is recovered" in stage.said[1]] == [True, True]


def test_a_preview_of_a_workspace_purges_nothing(stage: Stage) -> None:
    """One request, which has no effect."""
    stage.azure.expect("GET", LIVE, status=404)

    assert stage.preview(WORKSPACE) == "default"


def test_a_preview_goes_on_without_an_answer(stage: Stage) -> None:
    """What comes of it is not known then."""
    stage.azure.expect("GET", LOOK, FORBIDDEN, status=403)

    assert stage.preview(VAULT) is UNKNOWN
    assert "is not known: this account may not" in stage.said[0]


def test_a_preview_of_what_is_not_known_asks_nobody(stage: Stage) -> None:
    """As of a resource group that is yet to be made."""
    assert stage.preview(UNKNOWN) is UNKNOWN


def test_a_deleted_vault_is_purged_at_destroy(stage: Stage) -> None:
    """And that is said."""
    stage.keep_vault()
    stage.azure.expect("POST", PURGE, status=200)

    stage.delete(VAULT)

    assert stage.said == ["what Azure kept of key vault 'kv' is purged"]


def test_a_protected_vault_is_left_at_destroy(stage: Stage) -> None:
    """Which is told, with what comes of it."""
    stage.keep_vault(purgeProtectionEnabled=True)

    stage.delete(VAULT)

    assert "until 2026-12-24, as it has purge protection; the next `pulumi up` recovers it" in stage.said[0]


def test_a_destroy_may_be_repeated(stage: Stage) -> None:
    """What is gone is gone."""
    stage.azure.expect("GET", LOOK, status=404)
    stage.azure.expect("GET", LIVE, status=404)
    stage.azure.expect("DELETE", FORCE, status=204)

    stage.delete(VAULT)
    stage.delete(WORKSPACE)

    assert stage.said == []


def test_a_workspace_that_was_retained_is_left_alone(stage: Stage) -> None:
    """A destroy that leaves it there must not purge it."""
    stage.azure.expect("GET", LIVE, {"name": "pets"})

    stage.delete(WORKSPACE)


def test_what_may_not_be_purged_does_not_hold_up_a_destroy(stage: Stage) -> None:
    """It is told, with the reason."""
    stage.keep_vault()
    stage.azure.expect("POST", PURGE, FORBIDDEN, status=403)
    stage.azure.expect("GET", LOOK, FORBIDDEN, status=403)

    stage.delete(VAULT)
    stage.delete(VAULT)

    assert all(
        "key vault 'kv' is not purged, and Azure may keep it: this account may not" in told for told in stage.said
    )


def test_no_answer_fails_a_destroy(stage: Stage) -> None:
    """What is in the state stays there."""
    for _ in range(4):
        stage.azure.expect("GET", LIVE, error=requests.ConnectionError("cut"))

    with pytest.raises(BackendUnavailable):
        stage.delete(WORKSPACE)


def test_a_refresh_of_what_is_there_changes_nothing(stage: Stage) -> None:
    """And after a recovery, what was recovered is an ordinary vault."""
    stage.azure.expect("GET", LOOK, status=404)
    stage.azure.expect("GET", LIVE, {"name": "pets"})

    assert [stage.read(VAULT, "recover"), stage.read(WORKSPACE)] == ["default", "default"]


def test_a_refresh_sees_what_was_deleted_by_hand(stage: Stage) -> None:
    """So that the next `up` makes room for another."""
    stage.keep_vault()
    stage.azure.expect("GET", LIVE, status=404)

    assert [stage.read(VAULT), stage.read(WORKSPACE)] == ["recover", "purge"]


def test_a_refresh_keeps_what_it_may_not_see(stage: Stage) -> None:
    """As the state has it."""
    stage.azure.expect("GET", LOOK, FORBIDDEN, status=403)

    assert stage.read(VAULT, "recover") == "recover"


def test_an_import_is_refused(stage: Stage) -> None:
    """There is nothing that could be imported."""
    with pytest.raises(AmlInfraError, match="cannot be imported; let `pulumi up` create it"):
        stage.deletions.read(VAULT, {}, {})
