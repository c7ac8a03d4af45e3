"""Storage accounts: https://learn.microsoft.com/rest/api/storagerp/storage-accounts."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from typing import Any

from tests.azure import services
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service, find
from tests.azure.resources import Resource

VERSION = "2024-01-01"
_MODELS = "azure.mgmt.storage.models"
_ACCOUNTS = "Microsoft.Storage/storageAccounts"
_PRIVATE = [ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
NAME = NameRule(
    pattern=r"[a-z0-9]{3,24}",
    text="3-24 lower-case letters and digits",
    code="AccountNameInvalid",
    taken="StorageAccountAlreadyTaken",
)


class Accounts(Service):
    """What the service adds to an account, and what it refuses."""

    def check(self, request: Request) -> None:
        """Refuses what the kind does not have, another sort of redundancy, and rules for what is not there."""
        body, kind = request.body, request.body.get("kind")
        if find(body, "properties.isHnsEnabled") and kind not in ("StorageV2", "BlockBlobStorage"):
            raise _refuse("Hierarchical namespaces need kind StorageV2.")
        if find(body, "properties.isSftpEnabled") and not find(body, "properties.isHnsEnabled"):
            raise _refuse("SFTP needs a hierarchical namespace.")
        if kind in ("BlockBlobStorage", "FileStorage") and not body["sku"]["name"].startswith("Premium"):
            raise _refuse(f"The kind {kind} needs a Premium SKU, not {body['sku']['name']}.")
        if request.old is not None:
            _check_conversion(request.old.body["sku"]["name"], body["sku"]["name"])
        _check_rules(request)

    def fill(self, request: Request) -> None:
        """Adds endpoints, and defaults for what was not said."""
        name, properties = request.path.name.lower(), request.properties
        old = request.old.properties if request.old is not None else {}
        created = properties["creationTime"] = old.get("creationTime", request.cloud.clock.stamp())
        properties.setdefault("supportsHttpsTrafficOnly", True)
        # Who does not ask for more gets the oldest.
        properties.setdefault("minimumTlsVersion", "TLS1_0")
        properties.setdefault("allowBlobPublicAccess", False)
        is_premium = request.body["sku"]["name"].startswith("Premium")
        properties.setdefault("accessTier", old.get("accessTier", "Premium" if is_premium else "Hot"))
        properties.setdefault("networkAcls", {"defaultAction": "Allow"})
        acls: dict[str, Any] = properties["networkAcls"]
        acls.setdefault("bypass", "AzureServices")
        for rules in ("ipRules", "virtualNetworkRules", "resourceAccessRules"):
            acls.setdefault(rules, [])
        encryption = properties.setdefault("encryption", {})
        encryption.setdefault("keySource", "Microsoft.Storage")
        twice = find(old, "encryption.requireInfrastructureEncryption")
        if twice is not None:
            encryption.setdefault("requireInfrastructureEncryption", twice)
        for kind in ("blob", "file"):
            service = encryption.setdefault("services", {}).setdefault(kind, {"enabled": True})
            service.setdefault("keyType", "Account")
            service["lastEnabledTime"] = created
        kinds = ("blob", "file", "queue", "table", "web", "dfs")
        properties |= {
            "provisioningState": "Succeeded",
            "statusOfPrimary": "available",
            "primaryLocation": request.body["location"],
            "keyCreationTime": {"key1": created, "key2": created},
            "primaryEndpoints": {kind: f"https://{name}.{kind}.core.windows.net/" for kind in kinds},
            "privateEndpointConnections": old.get("privateEndpointConnections", []),
        }
        sku = request.body["sku"]
        request.body["sku"] = {**sku, "tier": sku["name"].partition("_")[0]}

    def made(self, request: Request, resource: Resource) -> None:
        """Each account has its services."""
        resource.secrets.setdefault("key", base64.b64encode(secrets.token_bytes(64)).decode())
        for service in ("blobServices", "fileServices"):
            inner = f"{resource.id}/{service}/default"
            if request.cloud.resources.get(inner) is None:
                body = {"id": inner, "name": "default", "type": f"{_ACCOUNTS}/{service}", "properties": {}}
                request.cloud.resources.put(Resource(id=inner, type=f"{_ACCOUNTS}/{service}", body=body))


def _refuse(message: str) -> ArmError:
    return ArmError(400, "InvalidRequestPropertyValue", message)


def _check_conversion(before: str, after: str) -> None:
    """Tier and zones stay: copies in another region come and go."""
    is_same_tier = before.partition("_")[0] == after.partition("_")[0]
    if not is_same_tier or ("ZRS" in before) != ("ZRS" in after):
        text = f"Storage account type conversion from '{before}' to '{after}' is not allowed."
        raise ArmError(409, "StorageAccountTypeConversionNotAllowed", text)


def _check_rules(request: Request) -> None:
    acls = request.properties.get("networkAcls") or {}
    for rule in acls.get("ipRules") or []:
        try:
            network = ipaddress.IPv4Network(rule["value"])
        except ValueError:
            network = None
        # One address is written without a length, two are two addresses.
        is_too_small = "/" in rule["value"] and network is not None and network.prefixlen > 30
        if network is None or is_too_small or any(network.overlaps(each) for each in _PRIVATE):
            text = f"Values for request parameters are invalid: networkAcls.ipRule[*].value ({rule['value']})."
            raise ArmError(400, "InvalidValuesForRequestParameters", text)
    for rule in acls.get("virtualNetworkRules") or []:
        if request.cloud.resources.get(rule["id"]) is None:
            text = f"Validation of network acls failure: SubnetsNotProvisioned: {rule['id']} was not found."
            raise ArmError(400, "NetworkAclsValidationFailure", text)


def list_keys(request: Request) -> Answer:
    """The account's keys, unless it takes none."""
    assert request.old is not None
    if request.old.properties.get("allowSharedKeyAccess") is False:
        text = "Key based authentication is not permitted on this storage account."
        raise ArmError(403, "KeyBasedAuthenticationNotPermitted", text)
    key = request.old.secrets["key"]
    return Answer({"keys": [{"keyName": name, "value": key, "permissions": "FULL"} for name in ("key1", "key2")]})


def check_name(call: services.FunctionCall) -> Answer:
    """Whether an account could be called so."""
    kind = services.find_type(_ACCOUNTS)
    assert kind is not None
    name = str(call.body.get("name", ""))
    if call.method != "POST" or call.body.get("type") != _ACCOUNTS:
        raise _refuse(f"The name of an account is asked after with POST, a name and the type {_ACCOUNTS}.")
    reason = ""
    try:
        kind.check_name(name)
    except ArmError:
        reason = "AccountNameInvalid"
    taken = {each.name.lower() for each in call.cloud.resources if each.type == _ACCOUNTS}
    if not reason and (name in taken or (_ACCOUNTS.lower(), name) in call.cloud.taken_names):
        reason = "AlreadyExists"
    if not reason:
        return Answer({"nameAvailable": True})
    return Answer({"nameAvailable": False, "reason": reason, "message": f"The name {name} cannot be had."})


class Settings(Service):
    """The settings of an account's blobs or files; there is always exactly one set."""

    def check(self, request: Request) -> None:
        """Only the one called ``default``."""
        if request.path.name != "default":
            raise ArmError(400, "InvalidResourceName", "The settings are called 'default'.")

    def check_delete(self, request: Request, resource: Resource) -> None:
        """It goes with its account."""
        if request.path.is_resource and request.cloud.resources.get(request.path.parent_id) is not None:
            raise ArmError(405, "MethodNotAllowed", "The settings of an account cannot be deleted.")


TYPES = (
    ResourceType(
        name=_ACCOUNTS,
        models={VERSION: f"{_MODELS}:StorageAccountCreateParameters"},
        patch_models={VERSION: f"{_MODELS}:StorageAccountUpdateParameters"},
        name_rule=NAME,
        # A first PUT is accepted, a later one is done at once.
        created=202,
        updated=200,
        put="Location",
        is_changed_at_once=True,
        has_location=True,
        immutable=(
            "kind",
            "properties.isHnsEnabled",
            "properties.isNfsV3Enabled",
            "properties.encryption.requireInfrastructureEncryption",
        ),
        actions={"listKeys": list_keys},
        service=Accounts(),
    ),
    ResourceType(
        name=f"{_ACCOUNTS}/blobServices",
        models={VERSION: f"{_MODELS}:BlobServiceProperties"},
        updated=200,
        service=Settings(),
    ),
    ResourceType(
        name=f"{_ACCOUNTS}/fileServices",
        models={VERSION: f"{_MODELS}:FileServiceProperties"},
        service=Settings(),
    ),
)

FUNCTIONS = (services.Function(name="Microsoft.Storage/checkNameAvailability", versions=(VERSION,), call=check_name),)
