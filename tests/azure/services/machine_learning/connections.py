"""Connections: https://learn.microsoft.com/rest/api/azureml/workspace-connections."""

from __future__ import annotations

from typing import Any

from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service
from tests.azure.resources import Resource
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models


class Connections(Service):
    """What the workspace logs in with elsewhere; nobody reads it again but by asking for the secrets."""

    def check(self, request: Request) -> None:
        """A registry needs an account."""
        properties = request.properties
        if not properties.get("target"):
            raise ArmError(400, "ValidationError", "A connection needs a target.")
        credentials = properties.get("credentials") or {}
        if properties["authType"] == "UsernamePassword" and not {"username", "password"} <= set(credentials):
            raise ArmError(400, "ValidationError", "A connection by UsernamePassword needs a username and a password.")

    def fill(self, request: Request) -> None:
        """Adds what the service says of it."""
        request.properties.setdefault("isSharedToAll", True)
        request.properties["group"] = "ServicesAndApps"
        request.properties["createdByWorkspaceArmId"] = request.path.parent_id

    def made(self, request: Request, resource: Resource) -> None:
        """The credentials go into the key vault."""
        resource.secrets["credentials"] = resource.properties.pop("credentials", None)

    def show(self, request: Request, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        """Without credentials."""
        body["properties"]["credentials"] = None
        return body


def list_secrets(request: Request) -> Answer:
    """The connection with its credentials."""
    assert request.old is not None
    shown = {**request.old.properties, "credentials": request.old.secrets["credentials"]}
    return Answer({**request.old.body, "properties": shown})


TYPES = (
    ResourceType(
        name=f"{WORKSPACES}/connections",
        models=map_models("WorkspaceConnectionPropertiesV2BasicResource"),
        patch_models=map_models("WorkspaceConnectionUpdateParameter"),
        name_rule=NameRule(
            pattern=r"[a-zA-Z0-9][\w-]{2,32}",
            text="3-33 letters, digits, hyphens and underscores",
            code="ValidationError",
        ),
        created=200,
        actions={"listsecrets": list_secrets},
        service=Connections(),
    ),
)
