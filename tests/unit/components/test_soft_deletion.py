from __future__ import annotations

import pulumi

from aml_infra import naming
from aml_infra.components.soft_deletion import SoftDeletion, SoftDeletionArgs
from tests.unit.components.engine import Engine

VAULT = "/subscriptions/s/resourceGroups/pets/providers/Microsoft.KeyVault/vaults/kv"


def test_the_plugin_is_given_what_it_checks(engine: Engine) -> None:
    """Under the names that it knows, and as plain values."""

    def program() -> dict[str, pulumi.Output[str]]:
        group = pulumi.Output.from_input("/subscriptions/s/resourceGroups/pets")
        resource_id = pulumi.Output.concat(group, "/providers/Microsoft.KeyVault/vaults/kv")
        args = SoftDeletionArgs(resource_id=resource_id, location="westeurope", purge=True)
        return {"mode": SoftDeletion("vault", args).mode}

    engine.run(program)

    resource = engine.find(naming.SOFT_DELETION_TYPE)
    assert (resource.name, resource.inputs) == (
        "vault",
        {"resourceId": VAULT, "location": "westeurope", "purge": True},
    )
