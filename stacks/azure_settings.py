"""What a stack on Azure has in its configuration: the workspace, and what is in it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import paths
import pulumi
from sections import (
    ClusterSection,
    ExternalRegistrySection,
    PrincipalSection,
    Read,
    RegistrySection,
    Reported,
    WorkspaceSection,
)

import aml_infra

ATTACHED = aml_infra.WorkspaceArgs(location="westeurope", managed_network="disabled")
"""Stands for a workspace that exists already, as nothing is known of it before it is looked up."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Azure:
    """The sections as arguments; where those take a workspace, ``stand_in`` stands for it.

    Attributes:
        workspace: the workspace that is made, or the ``config.json`` of one that exists.
        stand_in: what stands for the workspace until it is there.
        registry: the registry that is made; None where images are elsewhere.
        login: the account at a registry that exists; None where there is none.
        cluster: the cluster.
        args: what has to be validated, by the settings' names.
        problems: what is wrong already.
    """

    workspace: aml_infra.WorkspaceArgs | pathlib.Path
    stand_in: aml_infra.WorkspaceArgs
    registry: aml_infra.RegistryArgs | None
    login: ExternalRegistrySection | None
    cluster: aml_infra.GpuClusterArgs
    args: Mapping[str, aml_infra.Args]
    problems: tuple[aml_infra.Problem, ...] = ()

    def open_workspace(self, name: str) -> aml_infra.Workspace:
        """Makes the workspace, or attaches to the one that exists.

        Raises:
            InvalidInput: there is no such ``config_file``, or it names no workspace.
        """
        if not isinstance(self.workspace, pathlib.Path):
            return aml_infra.Workspace(name, self.workspace)
        try:
            return aml_infra.Workspace.from_config(self.workspace, name=name)
        except aml_infra.InvalidInput as error:
            path = f"{pulumi.get_project()}:workspace.config_file"
            raise aml_infra.InvalidInput(
                [dataclasses.replace(problem, path=path) for problem in error.problems]
            ) from None

    def open_registry(self, name: str, workspace: aml_infra.Workspace) -> aml_infra.ContainerRegistry | None:
        """Makes the registry that the image is pushed to, or connects the workspace to the one that exists."""
        if self.registry is not None:
            return aml_infra.Registry(name, dataclasses.replace(self.registry, workspace=workspace))
        if self.login is not None:
            return aml_infra.Registry.external(**dict(self.login), workspace=workspace, name=name)
        return None


def build(
    workspace: Read[WorkspaceSection],
    registry: Read[RegistrySection] | None,
    cluster: Read[ClusterSection],
    login: ExternalRegistrySection | None,
) -> Azure:
    """The sections as arguments, with paths absolute; ``login`` is the image's own registry, if it has one."""
    made, problems = _build_workspace(workspace)
    stand_in = ATTACHED if isinstance(made, pathlib.Path) else made
    cluster_args = aml_infra.GpuClusterArgs(**dict(cluster.section), workspace=stand_in)
    args: dict[str, aml_infra.Args] = {"cluster": Reported(cluster_args, cluster.reported)}
    if not isinstance(made, pathlib.Path):
        args["workspace"] = Reported(made, workspace.reported)
    registry_args = None
    if registry is not None:
        registry_args = _build_registry(registry.section, stand_in)
        args["registry"] = Reported(registry_args, registry.reported)
        if login is not None:
            text = "is of no use beside image.registry, which is where the image is pushed to; leave one of them out"
            problems.append(aml_infra.Problem("registry", text))
    return Azure(
        workspace=made,
        stand_in=stand_in,
        registry=registry_args,
        login=login,
        cluster=cluster_args,
        args=args,
        problems=tuple(problems),
    )


def _build_workspace(
    read: Read[WorkspaceSection],
) -> tuple[aml_infra.WorkspaceArgs | pathlib.Path, list[aml_infra.Problem]]:
    values = dict(read.section)
    config_file = values.pop("config_file")
    if config_file is not None:
        others = sorted(read.section.model_fields_set - {"config_file"})
        text = "is of a workspace that is made, and config_file names one that exists; leave one of them out"
        problems = [aml_infra.Problem(f"workspace.{name}", text) for name in others]
        return pathlib.Path(str(paths.locate(config_file))), problems
    problems = []
    if values["location"] is None and not read.reported & {"location", "config_file"}:
        text = "is missing; give an Azure region, as in westeurope; or config_file, for a workspace that exists"
        problems.append(aml_infra.Problem("workspace.location", text))
    if values["location"] is None:
        values["location"] = ATTACHED.location
    values["contributors"] = _build_principals(read.section.contributors)
    values["outbound_rules"] = {
        name: aml_infra.OutboundRule(**dict(rule)) for name, rule in read.section.outbound_rules.items()
    }
    values["config_path"] = paths.locate(values["config_path"])
    return aml_infra.WorkspaceArgs(**values), problems


def _build_registry(section: RegistrySection, workspace: aml_infra.WorkspaceArgs) -> aml_infra.RegistryArgs:
    values = {**dict(section), "pushers": _build_principals(section.pushers)}
    return aml_infra.RegistryArgs(**values, workspace=workspace)


def _build_principals(given: Mapping[str, PrincipalSection] | None) -> dict[str, aml_infra.Principal] | None:
    return None if given is None else {name: aml_infra.Principal(**dict(each)) for name, each in given.items()}
