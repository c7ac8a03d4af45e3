"""Log Analytics workspaces: https://learn.microsoft.com/azure/azure-monitor/logs/delete-workspace tells how they go."""

from __future__ import annotations

import datetime
import secrets
import uuid
from typing import Any

from tests.azure import authorization, reads, services
from tests.azure.arm_errors import ArmError
from tests.azure.cloud import Cloud
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service, find
from tests.azure.resources import Resource

# No SDK has the models of 2023-09-01; those of 2022-10-01 are older and know less.
VERSIONS = ("2022-10-01", "2023-09-01")
WORKSPACES = "Microsoft.OperationalInsights/workspaces"
_DELETED = "Microsoft.OperationalInsights/deletedWorkspaces"
_MODELS = "azure.mgmt.loganalytics.models"
_DAYS_KEPT = 14
_TIERS = ("pergb2018", "capacityreservation", "lacluster")


class Workspaces(Service):
    """What the service adds to a workspace, and what it refuses."""

    def check(self, request: Request) -> None:
        """Refuses what the tier does not have, and the names of what was deleted elsewhere."""
        tier = find(request.body, "properties.sku.name") or "PerGB2018"
        level = find(request.body, "properties.sku.capacityReservationLevel")
        if tier.lower() not in _TIERS:
            raise _refuse("InvalidPricingTier", f"The pricing tier '{tier}' is not open to new workspaces.")
        if (tier.lower() == "capacityreservation") != (level is not None):
            text = "sku.capacityReservationLevel is required for the tier CapacityReservation, and for no other."
            raise _refuse("InvalidPricingTier", text)
        days = request.properties.get("retentionInDays")
        if days is not None and not 30 <= days <= 730:
            text = f"'RetentionInDays' property doesn't match the SKU limits: it is {days}, 30 to 730 are allowed."
            raise _refuse("InvalidParameter", text)
        _check_deleted(request)

    def fill(self, request: Request) -> None:
        """Adds defaults for what was not said; one that was deleted gets its data back."""
        cloud, properties, now = request.cloud, request.properties, request.cloud.clock.stamp()
        old = request.old
        if old is None:
            old = next((each for each in list_deleted(cloud) if each.id.lower() == request.path.key), None)
        known = old.properties if old is not None else {}
        sku = properties.setdefault("sku", known.get("sku", {"name": "PerGB2018"}))
        is_same_tier = find(known, "sku.name") == sku["name"]
        sku["lastSkuUpdate"] = find(known, "sku.lastSkuUpdate") if is_same_tier else now
        properties.setdefault("retentionInDays", 30)
        features = properties.setdefault("features", {})
        features.setdefault("enableLogAccessUsingOnlyResourcePermissions", True)
        properties["features"] = {"legacy": 0, "searchVersion": 1, **features}
        capping = properties.setdefault("workspaceCapping", {})
        capping.setdefault("dailyQuotaGb", -1.0)
        tomorrow = (cloud.clock.now() + datetime.timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
        capping |= {"quotaNextResetTime": tomorrow, "dataIngestionStatus": "RespectQuota"}
        properties.setdefault("publicNetworkAccessForIngestion", "Enabled")
        properties.setdefault("publicNetworkAccessForQuery", "Enabled")
        properties |= {
            "provisioningState": "Succeeded",
            "customerId": known.get("customerId", str(uuid.uuid4())),
            "createdDate": known.get("createdDate", now),
            "modifiedDate": now,
        }
        request.body["etag"] = f'"{uuid.uuid4()}"'

    def made(self, request: Request, resource: Resource) -> None:
        """It has keys, those that it had before it was deleted."""
        deleted = request.cloud.deleted.get(resource.id)
        if deleted is not None:
            resource.secrets = dict(deleted.secrets)
            request.cloud.deleted.remove(resource.id)
        for key in ("primarySharedKey", "secondarySharedKey"):
            resource.secrets.setdefault(key, secrets.token_urlsafe(64))

    def deleted(self, request: Request, resource: Resource) -> None:
        """Keeps it for two weeks, unless it is deleted by force."""
        if request.query.get("force", "").lower() != "true":
            end = request.cloud.clock.now() + datetime.timedelta(days=_DAYS_KEPT)
            resource.secrets["scheduledPurgeDate"] = end
            request.cloud.deleted.put(resource)


def _refuse(code: str, message: str) -> ArmError:
    return ArmError(400, code, message)


def _check_deleted(request: Request) -> None:
    """Only in its own group and region can a deleted workspace's name be used: it comes back then."""
    if request.old is not None:
        return
    for each in list_deleted(request.cloud):
        is_there = each.id.lower() == request.path.key and each.body["location"] == request.body["location"]
        if each.name.lower() == request.path.name.lower() and not is_there:
            text = (
                f"The workspace name '{each.name}' is in use by '{each.id}' in '{each.body['location']}', which was "
                "deleted less than 14 days ago. Recover it there, or delete it with force."
            )
            raise ArmError(409, "Conflict", text)


def list_deleted(cloud: Cloud) -> list[Resource]:
    """The workspaces that were deleted and can still be brought back; the time of others is over."""
    found = [each for each in cloud.deleted if each.type == WORKSPACES]
    for each in found:
        if each.secrets["scheduledPurgeDate"] <= cloud.clock.now():
            cloud.deleted.remove(each.id)
    return [each for each in found if cloud.deleted.get(each.id) is not None]


def answer_deleted(call: services.FunctionCall) -> Answer:
    """The deleted workspaces of the subscription or of a group."""
    if call.method != "GET" or call.path.names or call.action:
        raise ArmError(405, "MethodNotAllowed", f"{call.method} is not allowed for '{call.path.text}'.")
    scope = call.path.scope
    authorization.require_action(call.cloud, call.principal, f"{_DELETED}/read", scope)
    found = [each.body for each in list_deleted(call.cloud) if each.id.lower().startswith(f"{scope.lower()}/")]
    return reads.build_page(call.cloud, call.path.text, call.query, found)


def show_keys(request: Request) -> Answer:
    """The keys, unless the workspace takes none."""
    assert request.old is not None
    if find(request.old.properties, "features.disableLocalAuth"):
        text = f"Local authentication is disabled for workspace '{request.old.name}', so it has no keys to show."
        raise ArmError(403, "LocalAuthDisabled", text)
    known: dict[str, Any] = request.old.secrets
    return Answer({key: known[key] for key in ("primarySharedKey", "secondarySharedKey")})


TYPES = (
    ResourceType(
        name=WORKSPACES,
        # The SDK asks for keys in a version of which it has no models.
        models={"2020-08-01": "", **dict.fromkeys(VERSIONS, f"{_MODELS}:Workspace")},
        patch_models=dict.fromkeys(VERSIONS, f"{_MODELS}:WorkspacePatch"),
        name_rule=NameRule(
            pattern=r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
            text="4-63 letters, digits and hyphens, a letter or digit first and last",
        ),
        put="Azure-AsyncOperation",
        is_changed_at_once=True,
        delete="both",
        has_location=True,
        actions={"sharedKeys": show_keys},
        service=Workspaces(),
    ),
)

FUNCTIONS = (services.Function(name=_DELETED, versions=VERSIONS, call=answer_deleted),)
