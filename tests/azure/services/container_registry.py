"""Container registries: https://learn.microsoft.com/rest/api/containerregistry/registries; their tiers have limits."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from tests.azure import arm_ids, authorization, changes, services
from tests.azure.arm_errors import ArmError, not_found
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service, find
from tests.azure.resources import Resource

VERSION = "2023-01-01-preview"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
_MODELS = "azure.mgmt.containerregistry.v2023_01_01_preview.models"
_PREMIUM = {
    "publicNetworkAccess": "Disabled",
    "zoneRedundancy": "Enabled",
    "dataEndpointEnabled": True,
    "policies.quarantinePolicy.status": "enabled",
    "policies.retentionPolicy.status": "enabled",
    "policies.trustPolicy.status": "enabled",
    "policies.exportPolicy.status": "disabled",
    "encryption.status": "enabled",
    "networkRuleSet.defaultAction": "Deny",
}
"""What only the tier Premium can have."""

_STORAGE_GIB = {"basic": 10, "standard": 100, "premium": 500}


class Registries(Service):
    """What the service adds to a registry, and what it refuses."""

    def check(self, request: Request) -> None:
        """Refuses names that are taken, and what the tier does not have."""
        name = request.path.name.lower()
        if request.old is None and changes.is_taken(request):
            raise ArmError(
                409,
                "AlreadyInUse",
                f"The registry DNS name {name}.azurecr.io is already in use. You can check if the name is already "
                "claimed using following API: "
                "https://docs.microsoft.com/en-us/rest/api/containerregistry/registries/checknameavailability",
            )
        tier = request.body["sku"]["name"]
        if tier == "Classic":
            raise ArmError(400, "SkuNotSupported", "The tier Classic is retired: Basic, Standard and Premium are left.")
        lacking = list(_find_lacking(request, tier))
        if lacking:
            raise ArmError(400, "SkuNotSupported", f"{', '.join(lacking)} is not supported for the SKU {tier}.")
        days = find(request.properties, "policies.retentionPolicy.days")
        if days is not None and not 0 <= days <= 365:
            raise ArmError(400, "InvalidParameter", f"policies.retentionPolicy.days is {days}, not 0 to 365.")
        is_open = request.properties.get("publicNetworkAccess", "Enabled") == "Enabled"
        if find(request.properties, "policies.exportPolicy.status") == "disabled" and is_open:
            text = "The export policy can be disabled only where publicNetworkAccess is disabled."
            raise ArmError(400, "InvalidParameter", text)

    def fill(self, request: Request) -> None:
        """Adds defaults for what was not said."""
        properties, now = request.properties, request.cloud.clock.stamp()
        old = request.old.properties if request.old is not None else {}
        tier = request.body["sku"]["name"]
        request.body["sku"] = {"name": tier, "tier": tier}
        defaults: dict[str, Any] = {
            "adminUserEnabled": False,
            "anonymousPullEnabled": False,
            "dataEndpointEnabled": False,
            "encryption": {"status": "disabled"},
            "networkRuleBypassOptions": "AzureServices",
            "publicNetworkAccess": "Enabled",
            "zoneRedundancy": old.get("zoneRedundancy", "Disabled"),
        }
        policies: dict[str, dict[str, Any]] = {
            "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
            "exportPolicy": {"status": "enabled"},
            "quarantinePolicy": {"status": "disabled"},
            "retentionPolicy": {"days": 7, "lastUpdatedTime": now, "status": "disabled"},
            "softDeletePolicy": {"retentionDays": 7, "lastUpdatedTime": now, "status": "disabled"},
            "trustPolicy": {"type": "Notary", "status": "disabled"},
        }
        given = properties.get("policies") or {}
        filled = {key: {**policy, **(given.get(key) or {})} for key, policy in policies.items()}
        login_server = request.cloud.registry_server or f"{request.path.name.lower()}.azurecr.io"
        request.body["properties"] = {
            **defaults,
            **properties,
            "policies": filled,
            "loginServer": login_server,
            "creationDate": old.get("creationDate", now),
            "provisioningState": "Succeeded",
            "dataEndpointHostNames": [],
            "privateEndpointConnections": old.get("privateEndpointConnections", []),
        }
        if request.properties["dataEndpointEnabled"]:
            host = f"{request.path.name.lower()}.{request.body['location']}.data.azurecr.io"
            request.properties["dataEndpointHostNames"] = [host]
        # The other tiers have no rules, not even empty ones.
        if tier == "Premium":
            request.properties.setdefault("networkRuleSet", {"defaultAction": "Allow", "ipRules": []})
        else:
            request.properties.pop("networkRuleSet", None)

    def made(self, request: Request, resource: Resource) -> None:
        """It has two passwords, which nobody sees while the admin user is off."""
        for name in ("password", "password2"):
            resource.secrets.setdefault(name, secrets.token_urlsafe(39))


def _find_lacking(request: Request, tier: str) -> Iterator[str]:
    """What the body asks for and the tier does not have."""
    properties = request.properties
    if tier == "Basic" and properties.get("anonymousPullEnabled"):
        yield "anonymousPullEnabled"
    if tier == "Premium":
        return
    yield from (path for path, value in _PREMIUM.items() if find(properties, path) == value)
    if find(properties, "networkRuleSet.ipRules"):
        yield "networkRuleSet.ipRules"
    if request.old is not None and request.old.properties.get("privateEndpointConnections"):
        yield "privateEndpointConnections"


def list_credentials(request: Request) -> Answer:
    """The admin user's passwords, if there is one."""
    registry = request.old
    assert registry is not None
    if not registry.properties["adminUserEnabled"]:
        raise ArmError(
            400,
            "UnAuthorizedForCredentialOperations",
            f"Cannot perform credential operations for {registry.id} as admin user is disabled. Kindly enable admin "
            "user as per docs: "
            "https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication#admin-account",
        )
    passwords = [{"name": name, "value": registry.secrets[name]} for name in ("password", "password2")]
    return Answer({"username": registry.name, "passwords": passwords})


def list_usages(call: services.FunctionCall) -> Answer:
    """How much of its tier a registry uses."""
    path = arm_ids.parse(call.path.text.rpartition("/")[0])
    authorization.require_action(call.cloud, call.principal, f"{REGISTRIES}/listUsages/read", path.text)
    registry = call.cloud.resources.get(path.text)
    if registry is None:
        raise not_found(REGISTRIES, path.name, path.resource_group)
    limit = _STORAGE_GIB[registry.body["sku"]["name"].lower()] * 2**30
    return Answer({"value": [{"name": "Size", "limit": limit, "currentValue": 0, "unit": "Bytes"}]})


def check_name(call: services.FunctionCall) -> Answer:
    """Whether a registry could be called so."""
    name = str(call.body.get("name", ""))
    if call.method != "POST" or call.body.get("type") != REGISTRIES:
        text = f"The name of a registry is asked after with POST, a name and the type {REGISTRIES}."
        raise ArmError(400, "BadRequest", text)
    try:
        TYPES[0].check_name(name)
    except ArmError as error:
        return Answer({"nameAvailable": False, "reason": "Invalid", "message": error.message})
    known = {each.name.lower() for each in call.cloud.resources if each.type == REGISTRIES}
    if name.lower() in known or (REGISTRIES.lower(), name.lower()) in call.cloud.taken_names:
        text = f"The registry {name} is already in use."
        return Answer({"nameAvailable": False, "reason": "AlreadyExists", "message": text})
    return Answer({"nameAvailable": True})


TYPES = (
    ResourceType(
        name=REGISTRIES,
        models={VERSION: f"{_MODELS}:Registry"},
        patch_models={VERSION: f"{_MODELS}:RegistryUpdateParameters"},
        name_rule=NameRule(pattern=r"[A-Za-z0-9]{5,50}", text="5-50 letters and digits"),
        put="Azure-AsyncOperation",
        delete="Location",
        has_location=True,
        immutable=("properties.zoneRedundancy",),
        actions={"listCredentials": list_credentials},
        service=Registries(),
    ),
)

FUNCTIONS = (
    services.Function(name=f"{REGISTRIES}/listUsages", versions=(VERSION,), call=list_usages),
    services.Function(name="Microsoft.ContainerRegistry/checkNameAvailability", versions=(VERSION,), call=check_name),
)
