"""Versioned assets: environments, code, data: https://learn.microsoft.com/rest/api/azureml/environment-versions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from tests.azure.arm_errors import ArmError
from tests.azure.job_runs import history
from tests.azure.resource_types import Answer, NameRule, Request, ResourceType, Service
from tests.azure.resources import Resource
from tests.azure.services.machine_learning import shared
from tests.azure.services.machine_learning.shared import WORKSPACES, map_models

NAME = NameRule(pattern=r"[a-zA-Z0-9][\w.-]{0,254}", text="1-255 letters, digits, underscores, periods and hyphens")

CURATED = {"AzureML-acpt-pytorch-2.8-cuda12.6": "mcr.microsoft.com/azureml/curated/acpt-pytorch-2.8-cuda12.6:7"}
"""Environments that each workspace has from Microsoft, with their images; the tag is the version."""


_DEFAULTS = {"isAnonymous": False, "osType": "Linux"}


class Containers(Service):
    """What is common to the versions of an asset."""

    def fill(self, request: Request) -> None:
        """Keeps count of the versions."""
        old = request.old.properties if request.old is not None else {}
        request.properties.update(
            latestVersion=old.get("latestVersion"),
            nextVersion=old.get("nextVersion", "1"),
            provisioningState="Succeeded",
        )
        request.properties.setdefault("isArchived", False)


class Versions(Service):
    """One version; what it is made of never changes."""

    fixed: tuple[str, ...] = ()

    def check(self, request: Request) -> None:
        """A PUT under the same name and version may only change what describes it."""
        if request.old is None:
            return
        before, after = request.old.properties, {**_DEFAULTS, **request.properties}
        for name in self.fixed:
            if before.get(name) != after.get(name):
                raise ArmError(
                    409,
                    "UserError",
                    f"Another asset with the same name and version already exists: {request.path.names[-2]}:"
                    f"{request.path.name}. The property {name} cannot be changed; use another version.",
                )

    def fill(self, request: Request) -> None:
        """Adds defaults."""
        request.properties.setdefault("isArchived", False)
        request.properties.setdefault("isAnonymous", False)
        request.properties.setdefault("tags", {})
        request.properties.setdefault("properties", {})
        request.properties["provisioningState"] = "Succeeded"

    def made(self, request: Request, resource: Resource) -> None:
        """The container is made with its first version."""
        cloud, path = request.cloud, request.path
        kind = request.resource_type.parent
        container = cloud.resources.get(path.parent_id)
        if container is None:
            body: dict[str, Any] = {
                "id": path.parent_id,
                "name": path.names[-2],
                "type": kind,
                "properties": {"isArchived": False, "provisioningState": "Succeeded", "tags": {}},
            }
            container = Resource(id=path.parent_id, type=kind, body=body)
            cloud.resources.put(container)
        versions = [each.name for each in cloud.resources.list_inside(container.id, resource.type)]
        numbers = [int(version) for version in versions if version.isdigit()]
        container.properties.update(latestVersion=path.name, nextVersion=str(max(numbers, default=0) + 1))


class EnvironmentVersions(Versions):
    """An image as it is, with packages on top of it, or a context that the service builds."""

    fixed = ("image", "condaFile", "build", "osType", "isAnonymous")

    def check(self, request: Request) -> None:
        """Either an image or a build."""
        super().check(request)
        has_image, has_build = "image" in request.properties, "build" in request.properties
        if has_image == has_build:
            text = "An environment needs an image, with a Conda file or without, or a build context; and not both."
            raise ArmError(400, "ValidationError", text)
        if "condaFile" in request.properties and has_build:
            raise ArmError(400, "ValidationError", "A Conda file goes with an image only.")
        if request.path.names[-2].startswith("AzureML"):
            text = "Names of environments that begin with AzureML are reserved for Microsoft's own."
            raise ArmError(400, "ValidationError", text)

    def fill(self, request: Request) -> None:
        """Adds defaults."""
        super().fill(request)
        request.properties["environmentType"] = "UserCreated"
        request.properties.setdefault("osType", "Linux")
        request.properties.setdefault("autoRebuild", "Disabled")


class CodeVersions(Versions):
    """A folder of code in a datastore."""

    fixed = ("codeUri", "isAnonymous")

    def receive(self, request: Request) -> None:
        """azure-ai-ml writes the version of the hash as a number, which the service takes for a text."""
        kept = (request.body.get("properties") or {}).get("properties") or {}
        if isinstance(kept.get("hash_version"), int):
            kept["hash_version"] = str(kept["hash_version"])

    def list(self, request: Request) -> Sequence[Resource]:
        """Of a name; where a hash is asked for, all whose content has it, whatever their names."""
        wanted = {"hash_sha256": request.query.get("hash"), "hash_version": request.query.get("hashversion")}
        if wanted["hash_sha256"] is None:
            return super().list(request)
        found = request.cloud.resources.list_inside(shared.find_workspace(request).id, f"{WORKSPACES}/codes/versions")
        return [each for each in found if wanted.items() <= each.properties["properties"].items()]


def add_curated(workspace: Resource, request: Request) -> None:
    """Microsoft's own environments are in each workspace."""
    for name, image in CURATED.items():
        container_id = f"{workspace.id}/environments/{name}"
        version = image.rpartition(":")[2]
        for resource_id, kind, properties in (
            (container_id, "environments", {"latestVersion": version, "nextVersion": str(int(version) + 1)}),
            (f"{container_id}/versions/{version}", "environments/versions", {"image": image, "osType": "Linux"}),
        ):
            full = {"isArchived": False, "provisioningState": "Succeeded", "tags": {}, **properties}
            if kind.endswith("versions"):
                full["environmentType"] = "Curated"
            body = {
                "id": resource_id,
                "name": resource_id.rpartition("/")[2],
                "type": f"{WORKSPACES}/{kind}",
                "properties": full,
            }
            request.cloud.resources.put(Resource(id=resource_id, type=f"{WORKSPACES}/{kind}", body=body))


def start_upload(request: Request) -> Answer:
    """Where a client may put the files of a version, and a signature for it where there is a storage."""
    workspace, blobs = shared.find_workspace(request), request.cloud.blobs
    account = request.cloud.resources.get(workspace.properties["storageAccount"])
    assert account is not None
    container = f"{uuid.uuid4()}-{uuid.uuid4().hex[:12]}"
    credential = {"credentialType": "None"}
    if blobs is not None:
        blobs.ensure_container(account, container)
        signed = blobs.sign(account, container, "", "racwl", history.find_signer(workspace))
        credential = {"credentialType": "SAS", "sasUri": signed}
    return Answer(
        {
            "pendingUploadId": str(uuid.uuid4()),
            "pendingUploadType": "TemporaryBlobReference",
            "blobReferenceForConsumption": {
                "blobUri": f"https://{account.name}.blob.core.windows.net/{container}",
                "storageAccountArmId": workspace.properties["storageAccount"],
                "credential": credential,
            },
        }
    )


def _build_types(kind: str, container: str, version: str, service: Versions) -> tuple[ResourceType, ResourceType]:
    return (
        ResourceType(name=f"{WORKSPACES}/{kind}", models=map_models(container), name_rule=NAME, service=Containers()),
        ResourceType(
            name=f"{WORKSPACES}/{kind}/versions",
            models=map_models(version),
            name_rule=NAME,
            makes_parent=True,
            actions={"startPendingUpload": start_upload} if kind == "codes" else {},
            early_actions=("startPendingUpload",),
            service=service,
        ),
    )


TYPES = (
    *_build_types("environments", "EnvironmentContainer", "EnvironmentVersion", EnvironmentVersions()),
    *_build_types("codes", "CodeContainer", "CodeVersion", CodeVersions()),
    *_build_types("data", "DataContainer", "DataVersionBase", Versions()),
)
