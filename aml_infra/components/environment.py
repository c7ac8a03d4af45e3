"""Environments of an Azure Machine Learning workspace: an image registered as one, and those that exist already."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from aml_infra import arguments, azure_names, naming
from aml_infra.components import functions, workspace_creation
from aml_infra.components.workspace import Workspace
from aml_infra.errors import Problem

GET_CONTAINER = "azure-native:machinelearningservices:getEnvironmentContainer"
GET_VERSION = "azure-native:machinelearningservices:getEnvironmentVersion"

VERSION_DIGITS = 12
"""Hexadecimal digits of a version."""

_NOT_FOUND = re.compile(r"\b404\b|NotFound|not found", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment version of a workspace."""

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    version: pulumi.Output[str]


def register(
    parent: pulumi.Resource, name: str, workspace: Workspace, *, image: pulumi.Output[str], conda_file: str | None
) -> Environment:
    """Registers ``image`` as a version of the environment called ``name``.

    Versions cannot be changed, and jobs that have run refer to theirs. So the version says what is in it, it stays when
    the stack has another one or is gone, and one that is there already, from a former update or from another stack, is
    taken over.

    Args:
        parent: the component that has the image.
        name: the component's name.
        workspace: where it is registered.
        image: reference of the image, by its digest.
        conda_file: text of a Conda file that the service builds an environment of on top of the image.
    """
    from pulumi_azure_native import machinelearningservices

    version = image.apply(lambda known: name_version(known, conda_file))
    made = machinelearningservices.EnvironmentVersion(
        f"{name}-environment",
        name=naming.slugify(name),
        version=version,
        resource_group_name=workspace.resource_group_name,
        workspace_name=workspace.workspace_name,
        properties=machinelearningservices.EnvironmentVersionPropertiesArgs(
            conda_file=conda_file, image=image, os_type=machinelearningservices.OperatingSystemType.LINUX
        ),
        opts=pulumi.ResourceOptions(parent=parent, retain_on_delete=True, transforms=[_Adoption(parent, name).adopt]),
    )
    return Environment(
        id=made.id.apply(str),
        name=pulumi.Output.from_input(naming.slugify(name)),
        version=workspace_creation.after(made, version),
    )


def name_version(image: str, conda_file: str | None) -> str:
    """The version that an environment has by what is in it."""
    return hashlib.sha256("\0".join([image, conda_file or ""]).encode()).hexdigest()[:VERSION_DIGITS]


class _Adoption:
    """Takes over a version that is there: azure-native would refuse to create it."""

    def __init__(self, parent: pulumi.Resource, name: str) -> None:
        self._parent = parent
        self._name = name

    async def adopt(self, asked: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        """Makes the engine import the version, if it exists; one that is in the state already, it leaves alone."""
        keys = ("name", "resourceGroupName", "version", "workspaceName")
        args = {key: asked.props.get(key) for key in keys}
        if not all(isinstance(value, str) and value != pulumi.runtime.rpc.UNKNOWN for value in args.values()):
            return None
        found = await _ask(self._parent, self._name, GET_VERSION, args)
        if found is None:
            return None
        options = pulumi.ResourceOptions.merge(
            asked.opts,
            # What is in it is what its version says; the service adds to it.
            pulumi.ResourceOptions(import_=str(found["id"]), ignore_changes=["properties"]),
        )
        return pulumi.ResourceTransformResult(asked.props, options)


class CuratedImage:
    """An environment that exists in a workspace already; made by ``TrainingImage.curated``. It is no resource."""

    environment_id: pulumi.Output[str]
    """Resource id of the environment version."""

    environment_name: pulumi.Output[str]
    """Name of the environment."""

    environment_version: pulumi.Output[str]
    """Its version; known at preview, also where the latest was asked for."""

    ref: pulumi.Output[str]
    """The image that it has; where the service builds it, the environment, as in ``azureml:name:version``."""

    identity: pulumi.Output[str]
    """What it is, for a run's fingerprint: SHA-256 over its name, its version and what is in it."""

    parts: pulumi.Output[Mapping[str, str]]
    """What the identity is made of, for sentences that explain a change."""

    restore_hook = None
    """It cannot be restored: it is the service's."""

    workspace: Workspace
    """The workspace that it is in."""

    is_built_by_service = False
    """Whether it has no image to pull is known too late to say so."""

    is_local = False
    """It is the service's."""

    def __init__(self, *, name: str, version: str | None, workspace: Workspace) -> None:
        arguments.raise_for(problem.under(name or "curated") for problem in find_curated_problems(name, version))
        self._label, self.workspace = name, workspace
        # A workspace that is not there yet has nothing to look up.
        place = pulumi.Output.all(workspace.id, workspace.resource_group_name, workspace.workspace_name)

        async def look_up(known: Sequence[str]) -> _Found:
            return await self._look_up(version, resource_group=known[1], workspace_name=known[2])

        found: pulumi.Output[_Found] = place.apply(look_up)
        self.environment_id = found.apply(lambda known: known.id)
        self.environment_name = pulumi.Output.from_input(name)
        self.environment_version = found.apply(lambda known: known.version)
        self.ref = found.apply(lambda known: known.image or f"azureml:{name}:{known.version}")
        self.identity = found.apply(lambda known: known.digest)
        self.parts = found.apply(lambda known: {f"environment {name}:{known.version}": known.digest[:12]})

    async def _look_up(self, version: str | None, *, resource_group: str, workspace_name: str) -> _Found:
        where = {"name": self._label, "resourceGroupName": resource_group, "workspaceName": workspace_name}
        if version is None:
            container = await _ask(self.workspace, self._label, GET_CONTAINER, where)
            version = None if container is None else container["properties"].get("latestVersion")
        found = None
        if version is not None:
            found = await _ask(self.workspace, self._label, GET_VERSION, {**where, "version": version})
        if found is None:
            wanted = self._label if version is None else f"{self._label}:{version}"
            shown = f"`az ml environment list --workspace-name {workspace_name} --resource-group {resource_group}`"
            raise pulumi.RunError(
                f"{self._label}: workspace {workspace_name!r} has no environment {wanted}; {shown} shows them"
            )
        properties = found["properties"]
        content = [self._label, version, *(properties.get(key) or "" for key in ("image", "condaFile"))]
        content.append(json.dumps(properties.get("build") or {}, sort_keys=True))
        digest = hashlib.sha256("\0".join(map(str, content)).encode()).hexdigest()
        image = properties.get("image") or ""
        return _Found(
            id=str(found["id"]), version=str(version), image="" if properties.get("condaFile") else image, digest=digest
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Found:
    """A version that exists: ``image`` is empty where the service builds it."""

    id: str
    version: str
    image: str
    digest: str


def find_curated_problems(name: str, version: str | None) -> list[Problem]:
    """What cannot be the name or the version of an environment."""
    problems = []
    found = azure_names.find_name_problem("environment", name)
    if found is not None:
        problems.append(Problem("name", found))
    if version is not None and not version.strip():
        problems.append(Problem("version", "is empty; give a version, or leave it out for the latest"))
    return problems


async def _ask(parent: pulumi.Resource, label: str, token: str, args: Mapping[str, Any]) -> dict[str, Any] | None:
    """What azure-native's function ``token`` answers; None if there is no such thing."""
    options = pulumi.InvokeOptions(parent=parent, version=importlib.metadata.version("pulumi-azure-native"))
    try:
        return dict(await pulumi.runtime.invoke_async(token, dict(args), options))
    except Exception as error:
        # A failed invoke is a bare Exception, the SDK has nothing narrower.
        if type(error) is not Exception:
            raise
        reason = functions.read_failure(str(error))
        if _NOT_FOUND.search(reason):
            return None
        raise pulumi.RunError(f"{label}: environment {args['name']!r} cannot be looked up ({reason})") from error
