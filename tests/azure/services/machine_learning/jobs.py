"""Jobs: https://learn.microsoft.com/rest/api/azureml/jobs. They run where the cloud is behind a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.azure.arm_errors import ArmError
from tests.azure.job_runs import commands, history, statuses
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service, is_same
from tests.azure.resources import Resource
from tests.azure.services.machine_learning import shared
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models

CHANGEABLE = ("description", "tags", "displayName", "properties", "isArchived", "services", "status")


class Jobs(Service):
    """Of a job that was submitted, only what describes it can be changed."""

    def check(self, request: Request) -> None:
        """What it refers to must exist; what it does never changes."""
        if request.old is None:
            _check_new(request)
            return
        old, properties = request.old.properties, request.properties
        for name, value in properties.items():
            if name not in CHANGEABLE and not _is_kept(name, old.get(name), value):
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
        """Adds what the service makes up; the properties of the run are added to those that it has."""
        old: dict[str, Any] = request.old.properties if request.old is not None else {}
        given = request.properties
        if given.get("properties") is not None:
            given["properties"] = {**(old.get("properties") or {}), **given["properties"]}
        for name, value in old.items():
            if given.get(name) is None:
                given[name] = value
        name, workspace = request.path.name, shared.find_workspace(request)
        for key, value in (
            ("experimentName", "Default"),
            ("displayName", name),
            ("isArchived", False),
            ("tags", {}),
            ("properties", {}),
            ("status", statuses.NOT_STARTED),
        ):
            if given.get(key) is None:
                given[key] = value
        given["outputs"] = {**(given.get("outputs") or {}), history.DEFAULT: history.build_default_output(name)}
        given["services"] = {**(given.get("services") or {}), **history.build_services(request.cloud, workspace, name)}

    def made(self, request: Request, resource: Resource) -> None:
        """A new job is submitted."""
        if request.old is None:
            request.cloud.jobs.submit(resource, request.principal.object_id)

    def list(self, request: Request) -> Sequence[Resource]:
        """The newest first; archived ones are left out unless they are asked for."""
        view = request.query.get("listviewtype", "ActiveOnly")
        if view not in ("ActiveOnly", "ArchivedOnly", "All"):
            text = f"listViewType is {view!r}; it may be ActiveOnly, ArchivedOnly or All."
            raise ArmError(400, "InvalidQueryParameter", text)
        found = [
            job
            for job in super().list(request)
            if (view == "All" or job.properties["isArchived"] == (view == "ArchivedOnly"))
            and request.query.get("jobtype", job.properties["jobType"]) == job.properties["jobType"]
            and _has_all(job.properties["tags"], request.query.get("tag"))
            and _has_all(job.properties["properties"], request.query.get("properties"))
        ]
        return found[::-1]

    def check_delete(self, request: Request, resource: Resource) -> None:
        """Only what has ended can be deleted."""
        if resource.properties["status"] not in statuses.ENDED and request.path.key == resource.id.lower():
            raise ArmError(409, "UserError", f"The job is {resource.properties['status']}; cancel it first.")


def _check_new(request: Request) -> None:
    properties, cloud = request.properties, request.cloud
    if properties["jobType"] != "Command":
        raise ArmError(400, "UserError", f"Jobs of type {properties['jobType']} are not served here.")
    for name in ("environmentId", "codeId", "computeId"):
        value = properties.get(name)
        if value and cloud.resources.get(value) is None:
            raise ArmError(400, "UserError", f"{name} was not found: {value}.")
    unknown = commands.find_unknown(
        properties["command"], properties.get("inputs") or {}, properties.get("outputs") or {}
    )
    if unknown:
        text = f"The command refers to inputs or outputs that the job does not have: {', '.join(unknown)}."
        raise ArmError(400, "UserError", text)


def _is_kept(name: str, old: Any, new: Any) -> bool:
    """Whether a value means what the job has; the default output is the service's own."""
    if name == "outputs":
        old, new = ({key: each[key] for key in each if key != history.DEFAULT} for each in (old or {}, new or {}))
    same = is_same(old, new) if name.endswith("Id") else old == new
    return new is None or (not old and not new) or same


def _has_all(values: Mapping[str, str], wanted: str | None) -> bool:
    """Whether there are these names, with these values where ``wanted`` says some: ``name,other=value``."""
    for part in (wanted or "").split(","):
        name, is_valued, value = part.partition("=")
        if name and (name not in values or (is_valued and values[name] != value)):
            return False
    return True


def cancel(request: Request) -> Answer:
    """Stops a job; one that has ended stays as it is."""
    assert request.old is not None
    job, cloud = request.old, request.cloud
    if job.properties["status"] in statuses.ENDED:
        return Answer(status=200)
    cloud.jobs.cancel(job)

    def finish() -> None:
        if not cloud.jobs.are_run:
            job.properties["status"] = statuses.CANCELED

    return Answer(None, 202, cloud.operations.start(request.path, finish, location="", headers="Location"))


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
