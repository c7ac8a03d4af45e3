"""``Workspace``: the Azure Machine Learning workspace, made with all that it needs, or attached to."""

from __future__ import annotations

import dataclasses
import os

import pulumi

from aml_infra.components import validation
from aml_infra.components.validation import Machine
from aml_infra.components.workspace_args import WorkspaceArgs


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComputeIdentity:
    """The user-assigned identity that computes have.

    Attributes:
        id: resource id; whoever uses it waits until the identity has its roles on the workspace's storage.
        principal_id: object id in Entra ID, for more roles.
        client_id: what a job on the compute says to get a token of it.
    """

    id: pulumi.Output[str]
    principal_id: pulumi.Output[str]
    client_id: pulumi.Output[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExistingWorkspace:
    """Where a workspace is that exists already."""

    workspace_name: str
    resource_group: str
    subscription_id: str | None = None


class Workspace(pulumi.ComponentResource):
    """An Azure Machine Learning workspace, made with all that it needs; or an existing one: see ``get``."""

    id: pulumi.Output[str]
    """Resource id."""

    workspace_name: pulumi.Output[str]
    """Its name in Azure."""

    resource_group_name: pulumi.Output[str]
    """Its resource group."""

    location: pulumi.Output[str]
    """Its Azure region."""

    subscription_id: pulumi.Output[str]
    """Its subscription."""

    storage_account_id: pulumi.Output[str]
    """Resource id of its storage account."""

    storage_account_name: pulumi.Output[str]
    """Name of its storage account."""

    key_vault_id: pulumi.Output[str]
    """Resource id of its key vault."""

    container_registry_id: pulumi.Output[str | None]
    """Resource id of the registry that the service itself builds images in, where there is one."""

    log_analytics_id: pulumi.Output[str | None]
    """Resource id of the Log Analytics workspace with the logs; of an existing workspace it is not known."""

    discovery_url: pulumi.Output[str]
    """Where clients find the region's services."""

    mlflow_tracking_uri: pulumi.Output[str]
    """What MLflow is given as its tracking URI."""

    studio_url: pulumi.Output[str]
    """Where a person looks at the workspace."""

    config_json: pulumi.Output[str]
    """The text of the ``config.json`` that Azure's SDKs read."""

    is_created: bool
    """Whether it is made here; False if it existed already."""

    def __init__(
        self, name: str, args: WorkspaceArgs | ExistingWorkspace, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        if isinstance(args, WorkspaceArgs):
            validation.raise_for(problem.under(name) for problem in args.find_problems(Machine()))
        super().__init__("aml-infra:index:Workspace", name, None, opts)
        self.is_created = isinstance(args, WorkspaceArgs)
        raise NotImplementedError

    @classmethod
    def get(
        cls,
        name: str,
        *,
        workspace_name: str,
        resource_group: str,
        subscription_id: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Workspace:
        """A workspace that exists already."""
        existing = ExistingWorkspace(
            workspace_name=workspace_name, resource_group=resource_group, subscription_id=subscription_id
        )
        return cls(name, existing, opts)

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] = "config.json",
        *,
        name: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Workspace:
        """The workspace that a ``config.json`` of Azure's SDKs names."""
        raise NotImplementedError

    @property
    def compute_identity(self) -> ComputeIdentity:
        """The identity of computes, with its roles; made when it is first asked for."""
        raise NotImplementedError
