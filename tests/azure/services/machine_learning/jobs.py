"""Jobs: https://learn.microsoft.com/rest/api/azureml/jobs. They end when a test says so."""

from __future__ import annotations

from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service
from tests.azure.resources import Resource
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models

CHANGEABLE = ("description", "tags", "displayName", "properties", "isArchived", "services", "status")
ENDED = ("Completed", "Failed", "Canceled", "NotResponding", "Paused")


class Jobs(Service):
    """Of a job that was submitted, only what describes it can be changed."""

    def check(self, request: Request) -> None:
        """What it refers to must exist; what it does never changes."""
        properties, cloud = request.properties, request.cloud
        if request.old is None:
            for name in ("environmentId", "codeId", "computeId"):
                value = properties.get(name)
                if value and cloud.resources.get(value) is None:
                    raise ArmError(400, "UserError", f"{name} was not found: {value}.")
            return
        old = request.old.properties
        for name, value in properties.items():
            if name not in CHANGEABLE and value is not None and value != old.get(name):
                raise ArmError(
                    400,
                    "UserError",
                    "A job with this name already exists. If you are trying to create a new job, use a different name. "
                    f"If you are trying to update an existing job, the existing job's {name} cannot be changed. Only "
                    "description, tags, displayName, properties, and isArchived can be updated.",
                    details=[{"code": "JobPropertyImmutable", "message": name}],
                )
        for name, value in (old.get("properties") or {}).items():
            if (properties.get("properties") or {}).get(name, value) != value:
                raise ArmError(400, "UserError", f"The property {name} of the run is immutable.")

    def fill(self, request: Request) -> None:
        """Adds what the service makes up."""
        old: dict[str, object] = request.old.properties if request.old is not None else {}
        for name, value in old.items():
            request.properties.setdefault(name, value)
        request.properties.setdefault("experimentName", "Default")
        request.properties.setdefault("displayName", request.path.name)
        request.properties.setdefault("isArchived", False)
        request.properties.setdefault("status", "NotStarted")

    def check_delete(self, request: Request, resource: Resource) -> None:
        """Only what has ended can be deleted."""
        if resource.properties["status"] not in ENDED and request.path.key == resource.id.lower():
            raise ArmError(409, "UserError", f"The job is {resource.properties['status']}; cancel it first.")


def cancel(request: Request) -> Answer:
    """Stops a job; one that has ended stays as it is."""
    assert request.old is not None
    job = request.old
    if job.properties["status"] in ENDED:
        return Answer(status=200)
    job.properties["status"] = "CancelRequested"

    def finish() -> None:
        job.properties["status"] = "Canceled"

    return Answer(None, 202, request.cloud.operations.start(request.path, finish, location="", headers="Location"))


TYPES = (
    ResourceType(
        name=f"{WORKSPACES}/jobs",
        models=map_models("JobBase"),
        name_rule=NameRule(
            pattern=r"[a-zA-Z0-9][\w-]{0,254}",
            text="1-255 letters, digits, underscores and hyphens, the first a letter or digit",
            code="UserError",
        ),
        delete="Location",
        deleted=202,
        actions={"cancel": cancel},
        service=Jobs(),
    ),
)
