"""Who may do what: Azure's built-in roles, and their assignment under names that do not change."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING

import pulumi

from aml_infra import arguments
from aml_infra.errors import Problem

if TYPE_CHECKING:
    from pulumi_azure_native import authorization

ROLES = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
    "Azure Machine Learning Workspace Connection Secrets Reader": "ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
    "Azure Kubernetes Service Cluster Admin Role": "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
    "AzureML Data Scientist": "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Key Vault Administrator": "00482a5a-887f-4fb3-b363-3b7fe8e74483",
    "Kubernetes Extension Contributor": "85cb6faf-e071-4c9b-8136-154b5a04f717",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage File Data Privileged Contributor": "69566ab7-960f-475b-8e7c-b3118f30c6bd",
}
"""Ids of the roles that are used here, as in https://learn.microsoft.com/azure/role-based-access-control/built-in-roles.
"""

PRINCIPAL_TYPES = ("User", "Group", "ServicePrincipal")

PUBLIC_CLIENTS = (
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",  # Azure CLI
    "1950a258-227b-4e31-a9cf-717495945fc2",  # Azure PowerShell
    "aebc6443-996d-45c2-90f0-388ff96faa56",  # Visual Studio Code
)
"""Applications that people log in with: whoever has a token of another one is that application itself."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Principal:
    """Someone in Entra ID.

    Attributes:
        object_id: the object id; of a service principal its own, and not that of its application registration.
        type: ``User``, ``Group`` or ``ServicePrincipal``, which managed identities are, too. Azure refuses another one
            than it is.
    """

    object_id: pulumi.Input[str]
    type: str = "User"

    def find_problems(self) -> list[Problem]:
        """What is wrong with the values that are known already."""
        return arguments.find_problems(self, Principal._find_rule_problems, stand_ins={"object_id": ""})

    def _find_rule_problems(self) -> list[Problem]:
        problems = []
        if isinstance(self.object_id, str) and not is_guid(self.object_id):
            shown = (
                "`az ad signed-in-user show --query id` or `az ad sp show --id <application id> --query id` shows it"
            )
            problems.append(Problem("object_id", f"is {self.object_id!r}, no object id of Entra ID; {shown}"))
        if self.type not in PRINCIPAL_TYPES:
            problems.append(Problem("type", f"is {self.type!r}; allowed are {', '.join(PRINCIPAL_TYPES)}"))
        return problems


def is_guid(text: str) -> bool:
    """Whether ``text`` is an id as Entra ID and subscriptions have them."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def find_principal_type(client_id: str) -> str:
    """The type of a principal who has a token of the application ``client_id``."""
    return "User" if client_id.lower() in PUBLIC_CLIENTS else "ServicePrincipal"


def build_assignment_name(scope: str, principal_id: str, role: str) -> str:
    """The GUID of the assignment of ``role`` to a principal at ``scope``: the same wherever and whenever it is made."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join([scope.lower(), principal_id.lower(), ROLES[role]])))


def build_role_id(scope: str, role: str) -> str:
    """The resource id of ``role`` in the subscription of ``scope``."""
    subscription = scope.split("/")[2]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"


def grant(
    name: str,
    role: str,
    *,
    scope: pulumi.Input[str],
    principal_id: pulumi.Input[str],
    principal_type: pulumi.Input[str] = "ServicePrincipal",
    opts: pulumi.ResourceOptions,
) -> authorization.RoleAssignment:
    """Assigns one of ``ROLES``.

    The type of the principal is always said: without it, Azure looks for the principal, and does not find an identity
    that was made a moment ago.

    Args:
        name: name of the resource.
        role: which role.
        scope: id of the resource that the role is for.
        principal_id: object id of who gets it.
        principal_type: ``User``, ``Group`` or ``ServicePrincipal``.
        opts: options of the resource.
    """
    from pulumi_azure_native import authorization

    known = pulumi.Output.all(scope, principal_id)
    return authorization.RoleAssignment(
        name,
        scope=scope,
        principal_id=principal_id,
        principal_type=principal_type,
        role_definition_id=pulumi.Output.from_input(scope).apply(lambda at: build_role_id(at, role)),
        role_assignment_name=known.apply(lambda given: build_assignment_name(given[0], given[1], role)),
        opts=opts,
    )
