"""Workspaces: https://learn.microsoft.com/rest/api/azureml/workspaces."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from tests.azure import authorization, roles
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service, find
from tests.azure.resources import Resource
from tests.azure.services.machine_learning import assets
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models

PARTS = {
    "storageAccount": "Microsoft.Storage/storageAccounts",
    "keyVault": "Microsoft.KeyVault/vaults",
    "applicationInsights": "Microsoft.Insights/components",
    "containerRegistry": "Microsoft.ContainerRegistry/registries",
}
"""What a workspace refers to, and of which type it must be."""

REQUIRED_PARTS = ("storageAccount", "keyVault", "applicationInsights")

NEEDED_DATA_ACTION = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
"""What the identity of a workspace must be allowed on the storage, where its datastores are opened by identity."""

NEEDED_ACTIONS = {
    "storageAccount": "Microsoft.Storage/storageAccounts/write",
    "keyVault": "Microsoft.KeyVault/vaults/write",
    "applicationInsights": "Microsoft.Insights/components/write",
}
"""Likewise of the other parts; see how-to-identity-based-service-authentication in the service's documentation."""

KEPT = ("workspaceId", "notebookInfo", "mlFlowTrackingUri", "discoveryUrl", "tenantId")
NETWORK_ORDER = ("Disabled", "AllowInternetOutbound", "AllowOnlyApprovedOutbound")
"""A managed network can be made stricter, and not looser again."""


class Workspaces(Service):
    """What the service checks, adds and does."""

    def check(self, request: Request) -> None:
        """Parts and identities must exist, soft-deleted namesakes be purged, and networks not be opened again."""
        if request.old is None and request.cloud.deleted.get(request.path.text) is not None:
            raise ArmError(
                409,
                "Conflict",
                f"Soft-deleted workspace exists with the name '{request.path.name}'. Please purge or recover it. "
                "https://aka.ms/wsoftdelete",
            )
        if str(request.body.get("kind", "Default")) not in ("Default", "default"):
            raise ArmError(400, "ValidationError", f"Kind {request.body['kind']!r} is not served here.")
        self._check_parts(request)
        self._check_identity(request)
        self._check_network(request)

    def _check_parts(self, request: Request) -> None:
        old = request.old.properties if request.old is not None else {}
        for name in REQUIRED_PARTS:
            if not request.properties.get(name) and not old.get(name):
                raise ArmError(400, "ValidationError", f"Missing dependent resources in workspace json: {name}.")
        for name, kind in PARTS.items():
            resource_id = request.properties.get(name)
            if not resource_id:
                continue
            found = request.cloud.resources.get(resource_id)
            if found is None or found.type.lower() != kind.lower():
                raise ArmError(400, "ValidationError", f"The {name} {resource_id!r} was not found, or is no {kind}.")
            authorization.require_action(request.cloud, request.principal, f"{kind}/read", resource_id)

    def _check_identity(self, request: Request) -> None:
        identity = request.body.get("identity")
        if identity is None:
            if request.old is None:
                raise ArmError(400, "ValidationError", "The workspace needs an identity.")
            request.body["identity"] = identity = copy.deepcopy(request.old.body["identity"])
        assigned = identity.get("userAssignedIdentities") or {}
        kind = identity["type"]
        if ("UserAssigned" in kind) != bool(assigned):
            raise ArmError(400, "InvalidIdentityValues", f"Type {kind!r} does not fit {len(assigned)} identities.")
        for resource_id in assigned:
            if request.cloud.resources.get(resource_id) is None:
                text = f"The identity {resource_id!r} could not be found."
                raise ArmError(400, "FailedIdentityOperation", text)
        primary = request.properties.get("primaryUserAssignedIdentity")
        if kind == "UserAssigned" and not primary:
            raise ArmError(400, "ValidationError", "primaryUserAssignedIdentity is needed for type UserAssigned.")
        if primary and primary.lower() not in {each.lower() for each in assigned}:
            raise ArmError(400, "ValidationError", f"{primary!r} is not among the identities of the workspace.")

    def _check_network(self, request: Request) -> None:
        before = find(request.old.body if request.old else None, "properties.managedNetwork.isolationMode")
        after = find(request.body, "properties.managedNetwork.isolationMode")
        if before and after and NETWORK_ORDER.index(after) < NETWORK_ORDER.index(before):
            text = f"The isolation mode of the managed network cannot be changed from {before} to {after}."
            raise ArmError(400, "ValidationError", text)

    def fill(self, request: Request) -> None:
        """Adds what the service makes up, and keeps what it made up before."""
        cloud, properties = request.cloud, request.properties
        old = request.old.properties if request.old is not None else {}
        host, number = f"{request.body['location']}.api.azureml.ms", str(uuid.uuid4())
        made = {
            "workspaceId": number,
            "tenantId": cloud.tenant_id,
            "discoveryUrl": f"https://{request.body['location']}.api.azureml.ms/discovery",
            "mlFlowTrackingUri": f"azureml://{host}/mlflow/v1.0{request.path.text}",
            "notebookInfo": {"resourceId": number.replace("-", ""), "fqdn": f"ml-{number[:8]}.notebooks.azure.net"},
        }
        properties |= {name: old.get(name, made[name]) for name in KEPT}
        for name in PARTS:
            if name not in properties and old.get(name):
                properties[name] = old[name]
        for name, value in (
            ("hbiWorkspace", False),
            ("v1LegacyMode", False),
            ("publicNetworkAccess", "Enabled"),
            ("allowPublicAccessWhenBehindVnet", False),
            ("enableDataIsolation", False),
            ("systemDatastoresAuthMode", "AccessKey"),
            ("friendlyName", request.path.name),
        ):
            properties.setdefault(name, old.get(name, value))
        properties |= {
            "storageHnsEnabled": False,
            "privateLinkCount": 0,
            "privateEndpointConnections": old.get("privateEndpointConnections", []),
            "provisioningState": "Succeeded",
        }
        network = properties.setdefault("managedNetwork", {"isolationMode": "Disabled"})
        before = old.get("managedNetwork", {})
        network["status"] = before.get("status", {"status": "Inactive", "sparkReady": False})
        network["networkId"] = before.get("networkId", str(uuid.uuid4()))
        network["outboundRules"] = before.get("outboundRules", {})
        # As the service writes ids: groups in lower case.
        for name in PARTS:
            if properties.get(name):
                properties[name] = properties[name].replace("/resourceGroups/", "/resourcegroups/")
        self._fill_identity(request)
        request.body.setdefault("kind", "Default")
        request.body.setdefault("sku", {"name": "Basic", "tier": "Basic"})

    def _fill_identity(self, request: Request) -> None:
        cloud, identity = request.cloud, request.body["identity"]
        for resource_id in identity.get("userAssignedIdentities") or {}:
            found = cloud.resources.get(resource_id)
            assert found is not None
            identity["userAssignedIdentities"][resource_id] = {
                name: found.properties[name] for name in ("principalId", "clientId")
            }
        if "SystemAssigned" in identity["type"]:
            before = (request.old.body["identity"] if request.old else {}).get("principalId")
            identity |= {"principalId": before or str(uuid.uuid4()), "tenantId": cloud.tenant_id}
            if not before:
                cloud.directory.add_identity(identity["principalId"], str(uuid.uuid4()), "ServicePrincipal")

    def made(self, request: Request, resource: Resource) -> None:
        """The identity must be allowed what the workspace does with it; then its datastores are made."""
        self._check_rights(request, resource)
        assets.add_curated(resource, request)
        for name, container in (
            ("workspaceblobstore", f"azureml-blobstore-{resource.properties['workspaceId']}"),
            ("workspaceartifactstore", "azureml"),
        ):
            store_id = f"{resource.id}/datastores/{name}"
            built, kept = build_datastore(resource, store_id, container), request.cloud.resources.get(store_id)
            if kept is None:
                request.cloud.resources.put(built)
            else:
                # How they are opened follows the workspace.
                for opening in ("serviceDataAccessAuthIdentity", "credentials"):
                    kept.properties[opening] = built.properties[opening]

    def _check_rights(self, request: Request, resource: Resource) -> None:
        identity, properties = resource.body["identity"], resource.properties
        primary = properties.get("primaryUserAssignedIdentity", "").lower()
        assigned = {key.lower(): value for key, value in (identity.get("userAssignedIdentities") or {}).items()}
        if not primary:
            # The service grants a system-assigned identity what it needs itself.
            return
        who, cloud = assigned[primary]["principalId"], request.cloud
        for name, action in NEEDED_ACTIONS.items():
            if not roles.may(cloud, who, action, properties[name]):
                raise _refuse_identity(primary, action, properties[name])
        by_identity = properties["systemDatastoresAuthMode"] == "Identity"
        if by_identity and not roles.may_data(cloud, who, NEEDED_DATA_ACTION, properties["storageAccount"]):
            raise _refuse_identity(primary, NEEDED_DATA_ACTION, properties["storageAccount"])

    def check_delete(self, request: Request, resource: Resource) -> None:
        """Nothing stands in the way."""

    def deleted(self, request: Request, resource: Resource) -> None:
        """It is kept for 14 days, unless it is purged."""
        if request.query.get("forcetopurge", "").lower() != "true":
            request.cloud.deleted.put(resource)


def _refuse_identity(identity: str, action: str, scope: str) -> ArmError:
    text = f"The identity {identity!r} of the workspace is not authorized to perform {action!r} on {scope!r}."
    return ArmError(403, "FailedToPerformOperationWithUserAssignedIdentity", text)


def build_datastore(workspace: Resource, store_id: str, container: str) -> Resource:
    """A datastore in the workspace's own storage."""
    by_identity = workspace.properties["systemDatastoresAuthMode"] == "Identity"
    name = store_id.rpartition("/")[2]
    kind = f"{WORKSPACES}/datastores"
    properties: dict[str, Any] = {
        "datastoreType": "AzureBlob",
        "accountName": workspace.properties["storageAccount"].rpartition("/")[2],
        "containerName": container,
        "endpoint": "core.windows.net",
        "protocol": "https",
        "isDefault": name == "workspaceblobstore",
        "serviceDataAccessAuthIdentity": "WorkspaceUserAssignedIdentity" if by_identity else "None",
        "credentials": {"credentialsType": "None" if by_identity else "AccountKey"},
        "tags": {},
        "properties": {},
    }
    return Resource(id=store_id, type=kind, body={"id": store_id, "name": name, "type": kind, "properties": properties})


def purge_deleted(request: Request) -> Answer | None:
    """The answer to a DELETE of a workspace that is soft-deleted; None if there is none."""
    if request.old is not None or request.query.get("forcetopurge", "").lower() != "true":
        return None
    if request.cloud.deleted.get(request.path.text) is None:
        return None
    request.cloud.deleted.remove(request.path.text)
    return Answer(status=200)


def list_keys(request: Request) -> Answer:
    """The keys of the workspace's parts, as far as they have any."""
    assert request.old is not None
    account = request.cloud.resources.get(request.old.properties["storageAccount"])
    takes_keys = account is not None and account.properties.get("allowSharedKeyAccess") is not False
    shown: dict[str, Any] = {"userStorageArmId": request.old.properties["storageAccount"]}
    if takes_keys and account is not None:
        shown["userStorageKey"] = account.secrets["key"]
    return Answer(shown)


TYPES = (
    ResourceType(
        name=WORKSPACES,
        models=map_models("Workspace"),
        patch_models=map_models("WorkspaceUpdateParameters"),
        name_rule=NameRule(
            pattern=r"[a-zA-Z0-9][\w-]{2,32}",
            text="3-33 letters, digits, hyphens and underscores, the first a letter or digit",
            code="ValidationError",
        ),
        created=202,
        updated=202,
        put="both",
        delete="both",
        deleted=202,
        has_location=True,
        immutable=("properties.keyVault", "properties.storageAccount", "properties.hbiWorkspace"),
        actions={"listKeys": list_keys},
        find_deleted=purge_deleted,
        service=Workspaces(),
    ),
)
