"""Datastores: https://learn.microsoft.com/rest/api/azureml/datastores."""

from __future__ import annotations

from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service
from tests.azure.services.machine_learning import shared
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models


class Datastores(Service):
    """Where data is."""

    def fill(self, request: Request) -> None:
        """No datastore of a user is the default one."""
        request.properties.setdefault("isDefault", False)


def list_secrets(request: Request) -> Answer:
    """The keys of a datastore; one that is opened by identity has none."""
    assert request.old is not None
    if request.old.properties["credentials"]["credentialsType"] == "None":
        raise ArmError(400, "UserError", "No secrets for credentials of type None.")
    workspace = shared.find_workspace(request)
    account = request.cloud.resources.get(workspace.properties["storageAccount"])
    assert account is not None
    return Answer({"secretsType": "AccountKey", "key": account.secrets["key"]})


TYPES = (
    ResourceType(
        name=f"{WORKSPACES}/datastores",
        models=map_models("Datastore"),
        name_rule=NameRule(pattern=r"\w{1,255}", text="1-255 letters, digits and underscores", code="ValidationError"),
        actions={"listSecrets": list_secrets},
        service=Datastores(),
    ),
)
