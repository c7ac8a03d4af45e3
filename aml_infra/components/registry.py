"""``Registry``: the Azure container registry that a workspace's images are in; or one that exists already."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from aml_infra import arguments
from aml_infra.components import (
    azure_functions,
    beside_workspace,
    diagnostics,
    registry_login,
    role_assignments,
    workspace_args,
    workspace_creation,
    workspace_network,
)
from aml_infra.components import workspace as workspaces
from aml_infra.components.azure_place import Place
from aml_infra.components.external_registry import ExternalRegistry
from aml_infra.components.registry_login import Login
from aml_infra.components.role_assignments import Principal
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.components.workspace_network import Target
from aml_infra.errors import Problem

if TYPE_CHECKING:
    from pulumi_azure_native import containerregistry

SKUS = ("Basic", "Standard", "Premium")

DOMAIN = "azurecr.io"
"""What the names of registries in Azure's public cloud end with."""

UNTAGGED_DAYS = 15
"""Days after which an image that has lost its tag is removed, as in Azure Verified Modules."""

ROLE_SECONDS = 300.0
"""How long Azure may take until a role that was granted holds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """How the registry is made.

    Attributes:
        workspace: the workspace whose computes pull from it; it is made in that one's resource group and region. The
            args of one may stand for it while the program is only validated.
        sku: ``Basic``, ``Standard`` or ``Premium``. By default ``Premium`` where there is no public network access,
            which needs it, else ``Standard``.
        public_network_access: True: it can be reached from the internet, by those who have a role. By default as the
            workspace has it; False where that one existed already.
        zone_redundancy: False for regions without availability zones. Only ``Premium`` has it. It cannot be changed
            later: the registry is replaced, without its images.
        private_endpoint_subnet_id: id of the subnet that gets a private endpoint for the registry, which needs
            ``Premium``. By default the workspace's, where there is no public network access.
        private_dns_zone_ids: ids of the private DNS zones that the endpoint is registered in: of those called
            ``privatelink.azurecr.io``.
        pushers: who may push images, by a name of your choice. By default whoever runs ``pulumi up``.
        tags: on all resources; those of the workspace by default.
    """

    workspace: Workspace | WorkspaceArgs
    sku: str | None = None
    public_network_access: bool | None = None
    zone_redundancy: bool = True
    private_endpoint_subnet_id: pulumi.Input[str] | None = None
    private_dns_zone_ids: Sequence[str] = ()
    pushers: Mapping[str, Principal] | None = None
    tags: Mapping[str, str] | None = None

    @property
    def is_public(self) -> bool:
        """Whether it can be reached from the internet."""
        if self.public_network_access is not None:
            return self.public_network_access
        made = workspaces.find_args(self.workspace)
        return made is not None and made.public_network_access

    @property
    def chosen_sku(self) -> str:
        """The sku, given or not."""
        is_private = not self.is_public or self.private_endpoint_subnet_id is not None
        return self.sku or ("Premium" if is_private else "Standard")

    def find_problems(self, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of ``Args``)
        """Everything that is wrong with the arguments; the service is not asked."""
        return arguments.find_problems(
            self,
            RegistryArgs._find_rule_problems,
            stand_ins={"workspace": workspace_args.STAND_IN},
            # What the sku must be depends on how the registry is reached.
            related=dict.fromkeys(("workspace", "public_network_access", "private_endpoint_subnet_id"), ("sku",)),
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = []
        if self.sku is not None and self.sku not in SKUS:
            problems.append(Problem("sku", f"is {self.sku!r}; allowed are {', '.join(SKUS)}"))
        elif self.chosen_sku != "Premium":
            problems += [
                Problem("sku", f"is {self.sku!r}, and {what} Premium; leave sku out, or {fix}")
                for is_wanted, what, fix in (
                    (not self.is_public, "no public network access needs", "set public_network_access"),
                    (
                        self.private_endpoint_subnet_id is not None,
                        "a private endpoint needs",
                        "private_endpoint_subnet_id",
                    ),
                )
                if is_wanted
            ]
        problems += [
            Problem(
                f"private_dns_zone_ids[{index}]",
                f"is {zone_id!r}; allowed are ids of private DNS zones {workspace_args.REGISTRY_ZONE}",
            )
            for index, zone_id in enumerate(self.private_dns_zone_ids)
            if workspace_args.find_zone(zone_id) != workspace_args.REGISTRY_ZONE
        ]
        for who, principal in (self.pushers or {}).items():
            problems += [problem.under(f"pushers[{who!r}]") for problem in principal.find_problems()]
        return problems


class Registry(pulumi.ComponentResource):
    """An Azure container registry: no passwords, no anonymous pull.

    The workspace and its computes may pull, by their identities; ``pushers`` may push, with a token of Entra ID that is
    asked for when something is pushed. ``external`` is a registry that exists already.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    id: pulumi.Output[str]
    """Resource id."""

    server: pulumi.Output[str]
    """Its host, such as ``petsdev.azurecr.io``; known at preview. At update whoever uses it waits for the roles."""

    username: pulumi.Output[str]
    """What whoever has a token is called."""

    waiting_seconds = ROLE_SECONDS

    has_lasting_password = False

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        arguments.require(name, args, RegistryArgs)
        workspace = beside_workspace.find_workspace(name, args)
        super().__init__("aml-infra:index:Registry", name, None, opts)
        self._name = name
        place = beside_workspace.find_place(self, name, workspace, args.tags)
        registry_name = place.build_name("registry")
        registry = _make_registry(place, args, registry_name)
        grants = self._grant_roles(name, args, workspace, registry)
        if workspace.is_created:
            diagnostics.send_diagnostics(
                f"{name}-diagnostics",
                resource_id=registry.id,
                log_analytics_id=workspace.log_analytics_id.apply(str),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self._make_endpoint(place, args, registry)
        self.id = registry.id
        self.username = pulumi.Output.from_input(registry_login.TOKEN_USER)
        self.server = registry_name.apply(lambda known: f"{known.lower()}.{DOMAIN}")
        for awaited in (registry, *grants):
            self.server = workspace_creation.after(awaited, self.server)
        self.register_outputs({"id": self.id, "server": self.server, "username": self.username})

    @staticmethod
    def external(
        server: str,
        username: pulumi.Input[str],
        password: pulumi.Input[str],
        *,
        workspace: Workspace | None = None,
        name: str | None = None,
    ) -> ExternalRegistry:
        """A registry that exists already, whoever runs it.

        Args:
            server: host, with port and namespace where there are any; no ``https://``. Docker speaks HTTPS to it,
                except on this machine (``localhost``, ``127.0.0.0/8``).
            username: an account that may push and pull.
            password: its password or token; made a Pulumi secret if it is none.
            workspace: a workspace that gets a connection to the registry, so that its computes can pull from it; the
                password goes into its key vault.
            name: name of the connection; given together with ``workspace``.
        """
        return ExternalRegistry(server=server, username=username, password=password, workspace=workspace, name=name)

    @property
    def password(self) -> pulumi.Output[str]:
        """A token, good for three hours; a secret. At preview, when nothing is pushed, it is empty."""
        if pulumi.runtime.is_dry_run():
            return pulumi.Output.secret("")
        return self.login.apply(lambda known: known.password)

    @property
    def login(self) -> pulumi.Output[Login]:
        """A login with a token that is asked for now; a secret."""

        async def ask(server: str) -> Login:
            token = await azure_functions.ask_registry_token(server)
            return Login(server, token.username, token.password)

        return pulumi.Output.secret(self.server.apply(ask))

    def find_problems(self) -> list[Problem]:
        """Nothing: what was wrong with its arguments was told when it was made."""
        return []

    def _grant_roles(
        self, name: str, args: RegistryArgs, workspace: Workspace, registry: containerregistry.Registry
    ) -> list[pulumi.Resource]:
        pullers = {
            "compute": workspace.compute_identity.principal_id,
            "workspace": workspace.identity_principal_id,
        }
        granted: list[pulumi.Resource] = [
            role_assignments.grant(
                f"{name}-{who}-pull",
                "AcrPull",
                scope=registry.id,
                principal_id=principal_id,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for who, principal_id in pullers.items()
        ]
        granted += [
            role_assignments.grant(
                f"{name}-{who}-push",
                "AcrPush",
                scope=registry.id,
                principal_id=object_id,
                principal_type=kind,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for who, (object_id, kind) in self._list_pushers(args).items()
        ]
        return granted

    def _list_pushers(self, args: RegistryArgs) -> dict[str, tuple[pulumi.Input[str], pulumi.Input[str]]]:
        if args.pushers is not None:
            return {who: (principal.object_id, principal.type) for who, principal in args.pushers.items()}
        from pulumi_azure_native import authorization

        client = authorization.get_client_config_output(opts=pulumi.InvokeOutputOptions(parent=self))
        object_id = client.object_id.apply(lambda known: _check_object_id(self._name, known))
        return {"deployer": (object_id, client.client_id.apply(role_assignments.find_principal_type))}

    def _make_endpoint(self, place: Place, args: RegistryArgs, registry: containerregistry.Registry) -> None:
        made = workspaces.find_args(args.workspace)
        subnet_id = args.private_endpoint_subnet_id
        if subnet_id is None and made is not None and not args.is_public:
            subnet_id = made.private_endpoint_subnet_id
        if subnet_id is not None:
            target = Target(part="registry", group_id="registry", resource_id=registry.id)
            workspace_network.make_endpoint(place, target, subnet_id=subnet_id, zone_ids=args.private_dns_zone_ids)


def _check_object_id(name: str, object_id: str) -> str:
    if not object_id:
        fix = "list who may push images, or {} for nobody"
        arguments.raise_for([Problem(f"{name}.pushers", f"is missing, and the login has no object id; {fix}")])
    return object_id


def _make_registry(place: Place, args: RegistryArgs, registry_name: pulumi.Output[str]) -> containerregistry.Registry:
    from pulumi_azure_native import containerregistry

    is_premium = args.chosen_sku == "Premium"
    return containerregistry.Registry(
        f"{place.name}-registry",
        registry_name=registry_name,
        resource_group_name=place.group,
        location=place.location,
        sku=containerregistry.SkuArgs(name=args.chosen_sku),
        admin_user_enabled=False,
        anonymous_pull_enabled=False,
        data_endpoint_enabled=False,
        network_rule_bypass_options="AzureServices",
        policies=_build_policies(args) if is_premium else None,
        public_network_access="Enabled" if args.is_public else "Disabled",
        zone_redundancy="Enabled" if is_premium and args.zone_redundancy else "Disabled",
        tags=place.tags,
        opts=pulumi.ResourceOptions(
            parent=place.parent,
            # The name is the same, and so is what the images are called.
            delete_before_replace=True,
            replace_on_changes=["zoneRedundancy"],
        ),
    )


def _build_policies(args: RegistryArgs) -> containerregistry.PoliciesArgs:
    from pulumi_azure_native import containerregistry

    return containerregistry.PoliciesArgs(
        # Of what cannot be reached from the internet, nothing can be exported elsewhere either.
        export_policy=containerregistry.ExportPolicyArgs(status="enabled" if args.is_public else "disabled"),
        # An image in quarantine can be pulled when a scanner has released it, and there is none here.
        quarantine_policy=containerregistry.QuarantinePolicyArgs(status="disabled"),
        retention_policy=containerregistry.RetentionPolicyArgs(days=UNTAGGED_DAYS, status="enabled"),
    )
