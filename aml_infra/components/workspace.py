"""``Workspace``: the Azure Machine Learning workspace, made with all that it needs, or attached to."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import pulumi

from aml_infra import arguments
from aml_infra.components import (
    azure_place,
    functions,
    validation,
    workspace_config,
    workspace_creation,
    workspace_dependencies,
)
from aml_infra.components.azure_place import Place
from aml_infra.components.validation import Machine
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.components.workspace_config import WorkspaceAddress
from aml_infra.errors import Problem

if TYPE_CHECKING:
    from pulumi_azure_native import authorization, machinelearningservices

_Answer = TypeVar("_Answer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComputeIdentity:
    """The user-assigned identity that computes have.

    Attributes:
        id: resource id; whoever uses it waits until the identity has its roles on the workspace and its storage.
        principal_id: object id in Entra ID, to grant more roles.
        client_id: what a job on the compute says to get a token of this identity.
    """

    id: pulumi.Output[str]
    principal_id: pulumi.Output[str]
    client_id: pulumi.Output[str]


class Workspace(pulumi.ComponentResource):
    """An Azure Machine Learning workspace.

    It is made with a storage account, a key vault, logs, an identity and their roles; or it exists already: see ``get``
    and ``from_config``.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

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
    """Resource id of the Log Analytics workspace with the logs; of a workspace that existed already it is not known."""

    identity_principal_id: pulumi.Output[str]
    """Object id of the identity that the workspace works with, to grant it more roles."""

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

    args: WorkspaceArgs | None
    """How it is made; None if it existed already."""

    def __init__(
        self, name: str, args: WorkspaceArgs | WorkspaceAddress, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        arguments.require(name, args, WorkspaceArgs, WorkspaceAddress)
        found = args.find_problems() if isinstance(args, WorkspaceAddress) else args.find_problems(Machine())
        arguments.raise_for(problem.under(name) for problem in found)
        super().__init__("aml-infra:index:Workspace", name, None, opts)
        self._name = name
        self._compute_identity: ComputeIdentity | None = None
        self._address: tuple[str, str] | None = None
        self.is_created = isinstance(args, WorkspaceArgs)
        self.args = args if isinstance(args, WorkspaceArgs) else None
        if isinstance(args, WorkspaceArgs):
            self._make(args)
        else:
            self._attach(args)
        self.register_outputs(
            {
                "id": self.id,
                "workspaceName": self.workspace_name,
                "resourceGroupName": self.resource_group_name,
                "discoveryUrl": self.discovery_url,
                "mlflowTrackingUri": self.mlflow_tracking_uri,
                "studioUrl": self.studio_url,
                "configJson": self.config_json,
            }
        )

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
        """A workspace that exists already. Nothing of it is changed or deleted.

        Args:
            name: name of the component.
            workspace_name: the workspace's name in Azure.
            resource_group: name of its resource group.
            subscription_id: its subscription, to be sure: it must be the one that Pulumi works in.
            opts: options of the component.
        """
        address = WorkspaceAddress(
            subscription_id=subscription_id, resource_group=resource_group, workspace_name=workspace_name
        )
        return cls(name, address, opts)

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] = "config.json",
        *,
        name: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Workspace:
        """The workspace that a ``config.json`` of Azure's SDKs names; it exists already.

        Args:
            path: the file; or a folder, where it is looked for as the SDKs do: in ``.azureml``, in ``aml_config`` and
                in the folder itself, then in those above. A file that is not there is looked for likewise.
            name: name of the component; by default the workspace's.
            opts: options of the component.

        Raises:
            InvalidInput: there is no such file, or it names no workspace.
        """
        found: list[WorkspaceAddress] = []
        problems = validation.collect(
            lambda: found.append(workspace_config.read_config(workspace_config.find_config(path)))
        )
        arguments.raise_for(problem.under(name or "Workspace.from_config") for problem in problems)
        return cls(name or found[0].workspace_name, found[0], opts)

    @property
    def compute_identity(self) -> ComputeIdentity:
        """The identity of computes, with its roles on workspace and storage; made when it is first asked for."""
        if self._compute_identity is None:
            self._compute_identity = self._make_compute_identity()
        return self._compute_identity

    def is_same(self, other: Workspace) -> bool:
        """Whether ``other`` is this workspace, too: the same component, or another one that is attached to the same."""
        return self is other or (self._address is not None and self._address == other._address)

    def _make_compute_identity(self) -> ComputeIdentity:
        identity = workspace_dependencies.make_identity(self._place, "compute")
        scopes = {"storage": self.storage_account_id, "workspace": self.id}
        identity_id = identity.id
        for what, role in workspace_creation.COMPUTE_ROLES.items():
            granted = workspace_creation.grant(
                self._place,
                "compute-identity",
                what,
                role,
                scope=scopes[what],
                principal_id=identity.principal_id,
            )
            identity_id = azure_place.after(granted, identity_id)
        return ComputeIdentity(id=identity_id, principal_id=identity.principal_id, client_id=identity.client_id)

    def _make(self, args: WorkspaceArgs) -> None:
        if not args.public_network_access and args.private_endpoint_subnet_id is None:
            pulumi.log.warn(
                "the workspace can be reached through private endpoints only, and none is made here; set "
                "private_endpoint_subnet_id, or public_network_access",
                self,
            )
        client = self._find_client()
        workspace_creation.check_login(self._name, args, client)
        self.subscription_id = pulumi.Output.from_input(client.subscription_id)
        group_id = workspace_creation.make_group(self, self._name, args, self.subscription_id)
        self.location = pulumi.Output.from_input(args.location)
        self._place = self._find_place(group_id, args.tags)
        made = workspace_creation.make_all(self._place, args, client)
        self.workspace_name = made.workspace_name
        self.storage_account_id, self.storage_account_name = made.account.id, made.account.name
        self.log_analytics_id = made.logs.id.apply(_find_optional)
        self.identity_principal_id = made.identity.principal_id
        self._describe(made.workspace)
        if args.config_path is not None:
            path = args.config_path
            self.config_json = self.config_json.apply(lambda text: _write_config(path, text))

    def _attach(self, address: WorkspaceAddress) -> None:
        from pulumi_azure_native import machinelearningservices

        # In one subscription, as is checked here; Azure does not tell names apart by case.
        self._address = address.resource_group.lower(), address.workspace_name.lower()
        current, given = self._find_client().subscription_id, address.subscription_id
        if given is not None and given.lower() != current.lower():
            fix = f"run `pulumi config set azure-native:subscriptionId {given}`, or give a provider for it in opts"
            problem = Problem("subscription_id", f"is {given!r}, and Pulumi works in {current!r}; {fix}")
            arguments.raise_for([problem.under(self._name)])
        self.subscription_id = pulumi.Output.from_input(current)
        opts = pulumi.InvokeOptions(parent=self)
        named = f"there is no workspace {address.workspace_name!r} in resource group {address.resource_group!r}"
        answer = self._ask(
            lambda: machinelearningservices.get_workspace(address.resource_group, address.workspace_name, opts),
            f"{named} that this login may read; check the names, and who is logged in",
        )
        found = pulumi.Output.from_input(answer)
        self.location = found.apply(lambda known: str(known.location))
        self._place = self._find_place(
            pulumi.Output.concat("/subscriptions/", self.subscription_id, "/resourceGroups/", address.resource_group),
            {},
        )
        self.workspace_name = pulumi.Output.from_input(address.workspace_name)
        self.storage_account_id = found.apply(lambda known: str(known.storage_account))
        self.storage_account_name = self.storage_account_id.apply(lambda known: known.rpartition("/")[2])
        self.log_analytics_id = pulumi.Output.from_input(None)
        self.identity_principal_id = found.apply(find_identity)
        self._describe(found)

    def _find_client(self) -> authorization.GetClientConfigResult:
        from pulumi_azure_native import authorization

        # Asked at once, as what is wrong with the login is told before anything is made.
        opts = pulumi.InvokeOptions(parent=self)
        where = "https://www.pulumi.com/registry/packages/azure-native/installation-configuration"
        fix = f"run `az login`, or log in as {where} says"
        return self._ask(lambda: authorization.get_client_config(opts), f"cannot tell who is logged in to Azure; {fix}")

    def _ask(self, ask: Callable[[], _Answer], problem: str) -> _Answer:
        try:
            return ask()
        except Exception as error:
            # A failed invoke is a bare Exception, the SDK has nothing narrower.
            if type(error) is not Exception:
                raise
            reason = functions.read_failure(str(error))
            raise arguments.InvalidProgram([Problem(self._name, f"{problem} ({reason})")]) from error

    def _find_place(self, group_id: pulumi.Output[str], tags: Mapping[str, str]) -> Place:
        return Place(
            parent=self,
            name=self._name,
            subscription_id=self.subscription_id,
            group_id=group_id,
            location=self.location,
            tags=tags,
        )

    def _describe(
        self, source: machinelearningservices.Workspace | pulumi.Output[machinelearningservices.GetWorkspaceResult]
    ) -> None:
        self.id = source.id.apply(str)
        self.resource_group_name = self._place.group
        self.key_vault_id = source.key_vault.apply(str)
        self.container_registry_id = source.container_registry.apply(_find_optional)
        self.discovery_url = source.discovery_url.apply(str)
        self.mlflow_tracking_uri = source.ml_flow_tracking_uri.apply(str)
        self.studio_url = pulumi.Output.concat("https://ml.azure.com/?wsid=", self.id, "&tid=", source.tenant_id)
        self.config_json = pulumi.Output.all(
            self.subscription_id, self.resource_group_name, self.workspace_name, self.id
        ).apply(_write_config_text)


def find_args(workspace: Workspace | WorkspaceArgs) -> WorkspaceArgs | None:
    """How a workspace is made; None if it existed already."""
    return workspace if isinstance(workspace, WorkspaceArgs) else workspace.args


def find_stand_in_problems(workspace: Workspace | WorkspaceArgs | None) -> list[Problem]:
    """That the args of a workspace are in its place, where a component is made."""
    if isinstance(workspace, WorkspaceArgs):
        return [Problem("workspace", "is a WorkspaceArgs; make a Workspace of it, and pass that")]
    return []


def find_identity(found: machinelearningservices.GetWorkspaceResult) -> str:
    """The object id of the identity that an existing workspace works with."""
    identity, primary = found.identity, (found.primary_user_assigned_identity or "").lower()
    if identity is None:
        return ""
    assigned = identity.user_assigned_identities or {}
    ids = {key.lower(): value.principal_id for key, value in assigned.items()}
    return str(ids.get(primary) or identity.principal_id or "")


def _find_optional(known: str | None) -> str | None:
    return known or None


def _write_config_text(known: Sequence[str]) -> str:
    subscription_id, resource_group, workspace_name, _ = known
    return workspace_config.write_text(
        WorkspaceAddress(subscription_id=subscription_id, resource_group=resource_group, workspace_name=workspace_name)
    )


def _write_config(path: str | os.PathLike[str], text: str) -> str:
    if not pulumi.runtime.is_dry_run():
        workspace_config.write_file(path, text)
    return text
