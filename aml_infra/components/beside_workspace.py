"""What components beside an Azure Machine Learning workspace have in common: they are given it, and are where it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import pulumi

from aml_infra import arguments
from aml_infra.components import workspace as workspaces
from aml_infra.components.azure_place import Place
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.errors import Problem


class Args(Protocol):
    """The arguments of such a component."""

    @property
    def workspace(self) -> Workspace | WorkspaceArgs:
        """The workspace, or args where only problems are to be found."""

    def find_problems(self, machine: Machine) -> list[Problem]:
        """What cannot be used."""


def find_workspace(name: str, args: Args, more: Iterable[Problem] = ()) -> Workspace:
    """The workspace of arguments that can be used, of a component called ``name``.

    Raises:
        InvalidInput: they cannot be used, or there are ``more`` problems; all are told.
    """
    workspace = args.workspace
    problems = [*args.find_problems(Machine()), *workspaces.find_stand_in_problems(workspace), *more]
    arguments.raise_for(problem.under(name) for problem in problems)
    if isinstance(workspace, WorkspaceArgs):
        raise TypeError("args stand for a workspace")
    return workspace


def find_place(parent: pulumi.Resource, name: str, workspace: Workspace, tags: Mapping[str, str] | None) -> Place:
    """The resource group of a workspace, and its tags unless others are given."""
    made = workspace.args
    return Place(
        parent=parent,
        name=name,
        subscription_id=workspace.subscription_id,
        # Not of the workspace's id: a workspace that is replaced must not take with it what is beside it.
        group_id=pulumi.Output.concat(
            "/subscriptions/", workspace.subscription_id, "/resourceGroups/", workspace.resource_group_name
        ),
        location=workspace.location,
        tags=tags if tags is not None else (made.tags if made is not None else {}),
    )
