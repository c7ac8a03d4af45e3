"""The custom resource ``aml-infra:index:SoftDeletion``: what Pulumi asks of it, and what it asks of Azure.

It is created before the key vault or workspace that it stands before, and deleted after it: there it makes room. Where
this account may not see or purge what Azure keeps, it goes on with a message, as a create that has no room is refused
by Azure; where Azure does not answer, it fails, and nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aml_infra import azure_client
from aml_infra.azure_client import AzureClient
from aml_infra.errors import AccessDenied, AmlInfraError, BackendUnavailable, RequestRefused
from aml_infra.provider import soft_deletion, wire
from aml_infra.provider.diff import Change
from aml_infra.provider.inputs import Checked
from aml_infra.provider.lifecycle import Interruption, Say
from aml_infra.provider.resource_type import Created, Read, ResourceType
from aml_infra.provider.soft_deletion import Action, Guarded, Remains

VAULT_API = "2024-11-01"
WORKSPACE_API = "2025-12-01"


class SoftDeletions(ResourceType):
    """Makes room for key vaults and workspaces.

    Args:
        interruption: ends the wait for a purge, which goes on in Azure.
        open_client: opens the connection to Azure, when it is first needed.
    """

    def __init__(
        self, interruption: Interruption, open_client: Callable[[], AzureClient] = azure_client.open_client
    ) -> None:
        self._interruption = interruption
        self._open_client = open_client

    def check(self, given: Mapping[str, Any]) -> Checked:
        """See ``soft_deletion.find_problems``."""
        values = {key: value for key, value in given.items() if not key.startswith("__")}
        return Checked(values, tuple(soft_deletion.find_problems(given)))

    def compare(
        self, old_inputs: Mapping[str, Any], old_outputs: Mapping[str, Any], new_inputs: Mapping[str, Any]
    ) -> dict[str, Change]:
        """See ``soft_deletion.compare``."""
        return soft_deletion.compare(old_inputs, old_outputs, new_inputs)

    def preview(
        self,
        name: str,  # noqa: ARG002
        values: Mapping[str, Any],
        say: Say,
        because: str = "",  # noqa: ARG002
        old_outputs: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Created:
        """Says what would be done, where Azure can be asked; the mode is not known where it cannot.

        Raises:
            AmlInfraError: the name is held by what is not this stack's.
        """
        guarded = soft_deletion.read_guarded(values)
        if guarded is None or values["purge"] is wire.UNKNOWN:
            return Created("", {**values, "mode": wire.UNKNOWN})
        try:
            remains = find_remains(self._open_client(), guarded)
        except BackendUnavailable as error:
            say(f"whether Azure keeps a deleted {guarded.label} is not known: {error}")
            return Created(guarded.resource_id, {**values, "mode": wire.UNKNOWN})
        action = _decide(guarded, remains, values, say)
        return Created(guarded.resource_id, {**values, "mode": _find_mode(action)})

    def ensure(
        self,
        name: str,  # noqa: ARG002
        values: Mapping[str, Any],
        say: Say,
        because: str = "",  # noqa: ARG002
        old_outputs: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Created:
        """Makes the name free, or finds that the vault has to be recovered.

        Raises:
            AmlInfraError: the name is held by what is not this stack's.
            BackendUnavailable: Azure does not answer.
            RequestRefused: Azure refuses to purge.
        """
        guarded = soft_deletion.read_guarded(values)
        if guarded is None:
            raise AmlInfraError("what stands before a create is not known at its creation")
        client = self._open_client()
        try:
            remains = find_remains(client, guarded)
        except AccessDenied as error:
            say(
                f"whether Azure keeps a deleted {guarded.label} is not known: {error}; it is created as if there "
                "were none"
            )
            remains = None
        action = _decide(guarded, remains, values, say)
        mode = _find_mode(action)
        if action is Action.PURGE:
            try:
                self._purge(client, guarded, say)
            except AccessDenied as error:
                is_vault = guarded.type == soft_deletion.VAULT
                say(f"{guarded.label} is not purged{', but recovered' if is_vault else ''}: {error}")
                mode = soft_deletion.RECOVER if is_vault else mode
        return Created(guarded.resource_id, {**values, "mode": mode})

    def read(self, resource_id: str, given: Mapping[str, Any], outputs: Mapping[str, Any]) -> Read | None:
        """What the next create has to be; the resource is never gone, as there is nothing that could be.

        Raises:
            AmlInfraError: it is imported, which says too little.
            BackendUnavailable: Azure does not answer.
        """
        guarded = soft_deletion.read_guarded(given) if given else None
        if guarded is None:
            raise AmlInfraError(f"{resource_id}: a SoftDeletion cannot be imported; let `pulumi up` create it")
        try:
            remains = find_remains(self._open_client(), guarded)
        except AccessDenied:
            return Read(given, dict(outputs))
        mode = soft_deletion.DEFAULT
        if remains is not None:
            mode = soft_deletion.RECOVER if guarded.type == soft_deletion.VAULT else soft_deletion.PURGE
        return Read(given, {**outputs, "mode": mode})

    def delete(self, resource_id: str, outputs: Mapping[str, Any], say: Say) -> None:
        """Purges what Azure keeps, where that is allowed; what stays is told.

        Raises:
            BackendUnavailable: Azure does not answer, so whether it is purged is not known.
        """
        guarded = soft_deletion.read_guarded(outputs)
        if guarded is None:
            raise AmlInfraError(f"{resource_id}: the state does not say what it stands before")
        try:
            client = self._open_client()
            remains = find_remains(client, guarded)
            decision = soft_deletion.decide_after_delete(guarded, remains, purge=outputs["purge"])
            if decision.told:
                say(decision.told)
            if decision.action is Action.PURGE:
                self._purge(client, guarded, say)
        except (AccessDenied, RequestRefused) as error:
            say(f"{guarded.label} is not purged, and Azure may keep it: {error}")

    def _purge(self, client: AzureClient, guarded: Guarded, say: Say) -> None:
        if purge(client, guarded, lambda: self._interruption.pause(0)):
            say(f"what Azure kept of {guarded.label} is purged")


def find_remains(client: AzureClient, guarded: Guarded) -> Remains | None:
    """What Azure keeps of the resource; None if that is nothing, or if the resource is there.

    Raises:
        AccessDenied: this account may not see it.
        BackendUnavailable: Azure does not answer.
    """
    if guarded.type == soft_deletion.WORKSPACE:
        # Azure has no list of deleted workspaces.
        is_there = client.get(guarded.resource_id, WORKSPACE_API) is not None
        return None if is_there else Remains(resource_id=guarded.resource_id)
    found = client.get(_build_deleted_path(guarded), VAULT_API)
    if found is None:
        return None
    properties = found["properties"]
    return Remains(
        resource_id=properties["vaultId"],
        kept_until=properties["scheduledPurgeDate"][:10],
        is_protected=bool(properties.get("purgeProtectionEnabled")),
    )


def purge(client: AzureClient, guarded: Guarded, is_interrupted: Callable[[], bool]) -> bool:
    """Purges what Azure keeps of the resource, which must not be there; False if there was nothing.

    Raises:
        AccessDenied: this account may not.
        BackendUnavailable: Azure does not answer.
        RequestRefused: Azure refuses it.
    """
    if guarded.type == soft_deletion.WORKSPACE:
        return client.run(
            "DELETE",
            guarded.resource_id,
            WORKSPACE_API,
            query={"forceToPurge": "true"},
            is_interrupted=is_interrupted,
        )
    path = f"{_build_deleted_path(guarded)}/purge"
    return client.run("POST", path, VAULT_API, is_interrupted=is_interrupted)


def _decide(guarded: Guarded, remains: Remains | None, values: Mapping[str, Any], say: Say) -> Action:
    decision = soft_deletion.decide_before_create(guarded, remains, purge=values["purge"])
    if decision.action is Action.REFUSE:
        raise AmlInfraError(decision.told)
    if decision.told:
        say(decision.told)
    return decision.action


def _build_deleted_path(guarded: Guarded) -> str:
    return (
        f"/subscriptions/{guarded.subscription}/providers/Microsoft.KeyVault/locations/{guarded.location}"
        f"/deletedVaults/{guarded.name}"
    )


def _find_mode(action: Action) -> str:
    return soft_deletion.RECOVER if action is Action.RECOVER else soft_deletion.DEFAULT
