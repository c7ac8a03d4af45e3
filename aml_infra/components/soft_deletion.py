"""The user's side of the custom resource ``aml-infra:index:SoftDeletion``: it stands before what Azure soft-deletes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pulumi

from aml_infra import naming


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftDeletionArgs:
    """What is to be done about a soft-deleted key vault or Azure ML workspace.

    Attributes:
        resource_id: Resource Manager's id of the vault or workspace, whether it exists already or not. It must be built
            from the id of its resource group, so that this resource comes after the group and goes before it.
        location: where the vault or workspace is.
        purge: whether what is soft-deleted may be purged, with all that is in it: at the next create under the same
            name, and at destroy. Otherwise a vault is recovered, and a workspace is left to the user.
    """

    resource_id: pulumi.Input[str]
    location: pulumi.Input[str]
    purge: pulumi.Input[bool]


class SoftDeletion(pulumi.CustomResource):
    """Makes the name of a key vault or workspace free before it is created, and again after it was deleted.

    The vault or workspace must depend on it: then it is created first, and deleted last.
    """

    mode: pulumi.Output[str]
    """Of a vault: its ``create_mode``, which is ``default``, or ``recover`` in the one update that recovers it.
    Preview knows it where the service can be asked."""

    def __init__(self, name: str, args: SoftDeletionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {
            "resourceId": args.resource_id,
            "location": args.location,
            "purge": args.purge,
            "mode": None,
        }
        super().__init__(naming.SOFT_DELETION_TYPE, name, props, opts)
