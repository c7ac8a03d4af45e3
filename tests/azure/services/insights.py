"""Application Insights: https://learn.microsoft.com/rest/api/application-insights/components."""

from __future__ import annotations

import uuid

from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import NameRule, Request, ResourceType, Service
from tests.azure.services.operational_insights import WORKSPACES

VERSION = "2020-02-02"
COMPONENTS = "Microsoft.Insights/components"
_MODELS = "azure.mgmt.applicationinsights.v2020_02_02.models"
_RETENTIONS = (30, 60, 90, 120, 180, 270, 365, 550, 730)


class Components(Service):
    """What the service adds to a component, and what it refuses."""

    def check(self, request: Request) -> None:
        """Its data must have a workspace to go to."""
        properties = request.properties
        if properties.get("Application_Type") is None:
            raise ArmError(400, "BadRequest", "The property Application_Type is required: 'web' or 'other'.")
        workspace_id = properties.get("WorkspaceResourceId")
        if workspace_id is None:
            text = "WorkspaceResourceId is required: components that keep their own data are retired."
            raise ArmError(400, "BadRequest", text)
        workspace = request.cloud.resources.get(workspace_id)
        if workspace is None or workspace.type != WORKSPACES:
            raise ArmError(400, "BadRequest", f"The workspace '{workspace_id}' does not exist.")
        days = properties.get("RetentionInDays", 90)
        if days not in _RETENTIONS:
            listed = ", ".join(map(str, _RETENTIONS))
            raise ArmError(400, "BadRequest", f"RetentionInDays is {days} and must be one of {listed}.")

    def fill(self, request: Request) -> None:
        """Makes its ids, once, and adds defaults for what was not said."""
        properties, name, region = request.properties, request.path.name, request.body["location"]
        old = request.old.properties if request.old is not None else {}
        key, app = (old.get(each, str(uuid.uuid4())) for each in ("InstrumentationKey", "AppId"))
        parts = {
            "InstrumentationKey": key,
            "IngestionEndpoint": f"https://{region}-1.in.applicationinsights.azure.com/",
            "LiveEndpoint": f"https://{region}.livediagnostics.monitor.azure.com/",
            "ApplicationId": app,
        }
        properties.setdefault("Flow_Type", "Bluefield")
        properties.setdefault("Request_Source", "rest")
        properties.setdefault("RetentionInDays", 90)
        properties.setdefault("IngestionMode", "LogAnalytics")
        properties.setdefault("publicNetworkAccessForIngestion", "Enabled")
        properties.setdefault("publicNetworkAccessForQuery", "Enabled")
        properties |= {
            "ApplicationId": name,
            "AppId": app,
            "Name": name,
            "InstrumentationKey": key,
            "ConnectionString": ";".join(f"{part}={value}" for part, value in parts.items()),
            "CreationDate": old.get("CreationDate", request.cloud.clock.stamp()),
            "TenantId": request.cloud.subscription_id,
            "Ver": "v2",
            "provisioningState": "Succeeded",
        }
        request.body["etag"] = f'"{uuid.uuid4()}"'


TYPES = (
    ResourceType(
        name=COMPONENTS,
        models={VERSION: f"{_MODELS}:ApplicationInsightsComponent"},
        patch_models={VERSION: f"{_MODELS}:TagsResource"},
        name_rule=NameRule(
            pattern=r"[^/<>%&:\\?\x00-\x1f]{0,259}[^/<>%&:\\?\x00-\x1f. ]",
            text="1-260 characters, none of /<>%&:\\?, no period or space at the end",
        ),
        created=200,
        has_location=True,
        service=Components(),
    ),
)
