"""User-assigned identities: https://learn.microsoft.com/rest/api/managedidentity/user-assigned-identities."""

from __future__ import annotations

import uuid

from tests.azure.resource_types import NameRule, Request, ResourceType, Service
from tests.azure.resources import Resource

VERSION = "2023-01-31"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
_MODELS = "azure.mgmt.msi.v2023_01_31.models"


class Identities(Service):
    """Adds and removes the service principals that identities are in the directory."""

    def fill(self, request: Request) -> None:
        """Makes its ids, once."""
        if request.old is not None:
            known = request.old.properties
        else:
            known = {
                "tenantId": request.cloud.tenant_id,
                "principalId": str(uuid.uuid4()),
                "clientId": str(uuid.uuid4()),
            }
        request.body["properties"] = known

    def made(self, request: Request, resource: Resource) -> None:
        """The directory learns of it, and its servers do one after the other."""
        properties = resource.properties
        request.cloud.directory.add_identity(properties["principalId"], properties["clientId"])

    def deleted(self, request: Request, resource: Resource) -> None:
        """The service principal goes, and what was assigned to it stays, without an owner."""
        request.cloud.directory.remove_identity(resource.properties["principalId"])


TYPES = (
    ResourceType(
        name=IDENTITIES,
        models={VERSION: f"{_MODELS}:Identity"},
        patch_models={VERSION: f"{_MODELS}:IdentityUpdate"},
        name_rule=NameRule(
            pattern=r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}",
            text="3-128 letters, digits, hyphens and underscores, a letter or digit first",
        ),
        has_location=True,
        service=Identities(),
    ),
)
