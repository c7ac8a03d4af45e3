"""Key vaults, which stay for a while once they are deleted: https://learn.microsoft.com/rest/api/keyvault/vaults."""

from __future__ import annotations

import datetime
from typing import Any

from tests.azure import arm_ids, authorization, changes, reads, services
from tests.azure.arm_errors import ArmError
from tests.azure.cloud import Cloud
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service
from tests.azure.resources import Resource

VERSION = "2024-11-01"
VAULTS = "Microsoft.KeyVault/vaults"
_DELETED = "Microsoft.KeyVault/deletedVaults"
_MODELS = "azure.mgmt.keyvault.models"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
NAME = NameRule(
    pattern=r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    text="3-24 letters, digits and hyphens, a letter first, a letter or digit last, no two hyphens in a row",
    code="VaultNameNotValid",
)


class Vaults(Service):
    """What the service adds to a vault, and what it refuses."""

    def check(self, request: Request) -> None:
        """Refuses names that are taken, and what cannot be had or changed."""
        _check_name(request)
        properties = request.properties
        if properties.get("tenantId", "").lower() != request.cloud.tenant_id:
            raise _refuse(f"The tenant '{properties.get('tenantId')}' is not the subscription's tenant.")
        if properties.get("createMode") == "recover":
            return
        if not properties.get("enableRbacAuthorization") and properties.get("accessPolicies") is None:
            raise _refuse("The property accessPolicies is required where enableRbacAuthorization is not true.")
        if properties.get("enablePurgeProtection") is False:
            raise _refuse(
                'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a '
                "vault is an irreversible action."
            )
        if properties.get("enableSoftDelete") is False:
            raise _refuse('The property "enableSoftDelete" cannot be set to false.')
        _check_retention(request)
        access = properties.get("publicNetworkAccess", "Enabled")
        if access.lower() not in ("enabled", "disabled"):
            raise _refuse(f"publicNetworkAccess '{access}' is neither 'Enabled' nor 'Disabled'.")

    def fill(self, request: Request) -> None:
        """Brings back what was deleted, or adds defaults for what was not said."""
        cloud, properties = request.cloud, request.properties
        if properties.pop("createMode", "default") == "recover":
            deleted = cloud.deleted.get(request.path.text)
            assert deleted is not None
            # The vault comes back as it was: the rest of the body is not looked at.
            request.body = {key: deleted.body[key] for key in ("location", "tags", "properties") if key in deleted.body}
            cloud.deleted.remove(deleted.id)
            return
        old = request.old.properties if request.old is not None else {}
        for kept in ("enablePurgeProtection", "softDeleteRetentionInDays"):
            if kept in old:
                properties.setdefault(kept, old[kept])
        properties.setdefault("accessPolicies", [])
        properties.setdefault("enabledForDeployment", False)
        properties.setdefault("enableRbacAuthorization", False)
        properties.setdefault("softDeleteRetentionInDays", 90)
        properties.setdefault("publicNetworkAccess", "Enabled")
        rules = properties.get("networkAcls")
        if rules is not None:
            rules.setdefault("bypass", "AzureServices")
            rules.setdefault("defaultAction", "Allow")
            # An address is shown as the range that it is.
            ranges = [each["value"] for each in rules.get("ipRules", [])]
            rules["ipRules"] = [{"value": each if "/" in each else f"{each}/32"} for each in ranges]
            rules.setdefault("virtualNetworkRules", [])
        properties |= {
            "enableSoftDelete": True,
            "vaultUri": f"https://{request.path.name.lower()}.vault.azure.net/",
            "provisioningState": "RegisteringDns" if request.old is None else "Succeeded",
        }
        if "privateEndpointConnections" in old:
            properties["privateEndpointConnections"] = old["privateEndpointConnections"]

    def show(self, request: Request, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        """As it is; a new vault's name is known to all when it is asked after."""
        resource.properties["provisioningState"] = "Succeeded"
        return body

    def deleted(self, request: Request, resource: Resource) -> None:
        """Keeps it for as long as it says."""
        now = request.cloud.clock.now()
        end = now + datetime.timedelta(days=resource.properties["softDeleteRetentionInDays"])
        resource.properties["provisioningState"] = "Succeeded"
        resource.properties.pop("privateEndpointConnections", None)
        resource.secrets |= {"deletionDate": now, "scheduledPurgeDate": end}
        request.cloud.deleted.put(resource)


def _check_name(request: Request) -> None:
    cloud, name = request.cloud, request.path.name
    deleted = {each.name.lower(): each for each in list_deleted(cloud)}.get(name.lower())
    is_recovery = request.properties.get("createMode") == "recover"
    if is_recovery and request.old is not None:
        raise ArmError(409, "ConflictError", f"The vault '{name}' is not deleted and cannot be recovered.")
    if changes.is_taken(request) or (deleted is not None and deleted.id.lower() != request.path.key):
        raise ArmError(
            409,
            "VaultAlreadyExists",
            f"The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the "
            "name is already taken. If you are sure that the vault name was not taken then it is possible that a "
            "vault with the same name was recently deleted but not purged after being placed in a recoverable state. "
            "If the vault is in a recoverable state then the vault will need to be purged before reusing the name. "
            "For more information about VaultAlreadyExists, soft delete and purging a vault follow this link "
            "https://go.microsoft.com/fwlink/?linkid=2147740.",
        )
    if deleted is None:
        if is_recovery:
            raise _not_deleted(name)
    elif not is_recovery:
        raise ArmError(
            409,
            "ConflictError",
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing "
            "key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft "
            "delete.",
        )
    elif deleted.body["location"] != request.body["location"]:
        text = f"The deleted vault '{name}' is in '{deleted.body['location']}', not in '{request.body['location']}'."
        raise ArmError(409, "InvalidResourceLocation", text)


def _check_retention(request: Request) -> None:
    days = request.properties.get("softDeleteRetentionInDays")
    if days is None:
        return
    if request.old is not None and days != request.old.properties["softDeleteRetentionInDays"]:
        raise _refuse('The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.')
    if not 7 <= days <= 90:
        raise _refuse(f'The property "softDeleteRetentionInDays" must be 7 to 90 days, not {days}.')


def _refuse(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)


def _not_deleted(name: str) -> ArmError:
    return ArmError(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")


def list_deleted(cloud: Cloud) -> list[Resource]:
    """The vaults that were deleted and can still be brought back; the time of others is over."""
    found = [each for each in cloud.deleted if each.type == VAULTS]
    for each in found:
        if each.secrets["scheduledPurgeDate"] <= cloud.clock.now():
            cloud.deleted.remove(each.id)
    return [each for each in found if cloud.deleted.get(each.id) is not None]


def answer_deleted(call: services.FunctionCall) -> Answer:
    """Deleted vaults of the subscription or of a region; one of them; the purge of one."""
    cloud = call.cloud
    known = list_deleted(cloud)
    if len(call.path.types) > 1:
        known = [each for each in known if each.body["location"] == call.path.names[0].lower()]
    verb = "purge/action" if call.action else "read"
    # Those of a region have a role's action of their own.
    kind = "Microsoft.KeyVault/locations/deletedVaults" if len(call.path.types) > 1 else _DELETED
    authorization.require_action(cloud, call.principal, f"{kind}/{verb}", cloud.subscription)
    if len(call.path.names) < 2:
        return reads.build_page(cloud, call.path.text, call.query, [_show_deleted(cloud, each) for each in known])
    name = call.path.names[1]
    found = next((each for each in known if each.name.lower() == name.lower()), None)
    if found is None:
        raise _not_deleted(name)
    if not call.action and call.method == "GET":
        return Answer(_show_deleted(cloud, found))
    if call.action.lower() != "purge" or call.method != "POST":
        raise ArmError(405, "MethodNotAllowed", f"{call.method} is not allowed for '{call.path.text}'.")
    if found.properties.get("enablePurgeProtection"):
        text = f"Operation 'DeletedVaultPurge' is not allowed: the vault '{name}' is protected from purges."
        raise ArmError(400, "MethodNotAllowed", text)
    location = str(found.body["location"])
    headers = cloud.operations.start(
        arm_ids.parse(call.path.text), lambda: cloud.deleted.remove(found.id), location=location, headers="Location"
    )
    return Answer(None, 202, headers)


def _show_deleted(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    location = resource.body["location"]
    shown: dict[str, Any] = {
        "vaultId": resource.id,
        "location": location,
        "tags": resource.body.get("tags", {}),
        "deletionDate": resource.secrets["deletionDate"].strftime(_TIME),
        "scheduledPurgeDate": resource.secrets["scheduledPurgeDate"].strftime(_TIME),
    }
    if resource.properties.get("enablePurgeProtection"):
        shown["purgeProtectionEnabled"] = True
    return {
        "id": f"{cloud.subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{resource.name}",
        "name": resource.name,
        "type": _DELETED,
        "properties": shown,
    }


def check_name(call: services.FunctionCall) -> Answer:
    """Whether a vault could be called so."""
    cloud, name = call.cloud, str(call.body.get("name", ""))
    if call.method != "POST" or str(call.body.get("type", "")).lower() != VAULTS.lower():
        raise _refuse(f"The name of a {VAULTS} is asked after with POST, a name and that type.")
    try:
        TYPES[0].check_name(name)
    except ArmError as error:
        return Answer({"nameAvailable": False, "reason": "AccountNameInvalid", "message": error.message})
    known = [*(each for each in cloud.resources if each.type == VAULTS), *list_deleted(cloud)]
    is_taken = (VAULTS.lower(), name.lower()) in cloud.taken_names
    if is_taken or name.lower() in {each.name.lower() for each in known}:
        text = f"The vault name '{name}' is already in use."
        return Answer({"nameAvailable": False, "reason": "AlreadyExists", "message": text})
    return Answer({"nameAvailable": True})


TYPES = (
    ResourceType(
        name=VAULTS,
        models={VERSION: f"{_MODELS}:VaultCreateOrUpdateParameters"},
        patch_models={VERSION: f"{_MODELS}:VaultPatchParameters"},
        name_rule=NAME,
        # The state in the body, not headers, tells when a new one is ready.
        created=200,
        updated=200,
        has_location=True,
        immutable=("properties.tenantId",),
        service=Vaults(),
    ),
)

FUNCTIONS = (
    services.Function(name=_DELETED, versions=(VERSION,), call=answer_deleted),
    services.Function(name="Microsoft.KeyVault/locations/deletedVaults", versions=(VERSION,), call=answer_deleted),
    services.Function(name="Microsoft.KeyVault/checkNameAvailability", versions=(VERSION,), call=check_name),
)
