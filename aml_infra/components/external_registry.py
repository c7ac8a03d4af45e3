"""A container registry that exists already, whoever runs it."""

from __future__ import annotations

import dataclasses
import re

import pulumi

from aml_infra import arguments
from aml_infra.components import azure_place, registry_login
from aml_infra.components.registry_login import Login
from aml_infra.components.workspace import Workspace
from aml_infra.errors import Problem

_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Account:
    """An account of a registry, as far as it is known."""

    server: pulumi.Input[str]
    username: pulumi.Input[str]
    password: pulumi.Input[str] = dataclasses.field(repr=False)

    def find_problems(self) -> list[Problem]:
        """What is wrong with the values that are known already."""
        return arguments.find_problems(
            self, Account._find_rule_problems, stand_ins={"server": "", "username": "", "password": ""}
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = [
            Problem(name, "is empty; give the account that may push and pull")
            for name in ("username", "password")
            if getattr(self, name) == ""
        ]
        if isinstance(self.server, str) and not _SERVER.fullmatch(self.server):
            allowed = "give its host, with port and namespace where there are any, as in 'ghcr.io/team'"
            problems.append(Problem("server", f"is {self.server!r}, no registry's name; {allowed}"))
        return problems


class ExternalRegistry:
    """A registry that exists already; made by ``Registry.external``. It is no resource."""

    server: pulumi.Output[str]
    """Host, with port and namespace where there are any: ``registry.example.com``, ``ghcr.io/team``."""

    username: pulumi.Output[str]
    """The account."""

    password: pulumi.Output[str]
    """Its password or token; always a Pulumi secret."""

    waiting_seconds = 0.0
    """The account may push, or may not."""

    has_lasting_password = True
    """It changes when somebody changes it."""

    def __init__(
        self,
        *,
        server: pulumi.Input[str],
        username: pulumi.Input[str],
        password: pulumi.Input[str],
        workspace: Workspace | None = None,
        name: str | None = None,
    ) -> None:
        self._account = Account(server=server, username=username, password=password)
        # What is of the wrong type is told by ``find_problems``; an output of it might fail before that.
        wrong = {problem.path for problem in arguments.find_type_problems(self._account)}
        self.server = pulumi.Output.from_input("" if "server" in wrong else server)
        self.username = pulumi.Output.from_input("" if "username" in wrong else username)
        self.password = pulumi.Output.secret("" if "password" in wrong else password)
        if workspace is not None or name is not None:
            arguments.raise_for(
                [
                    *(problem.under(name or "registry") for problem in self.find_problems()),
                    *_find_connection_problems(workspace, name),
                ]
            )
        if workspace is not None and name is not None:
            self._connect(workspace, name)

    @property
    def login(self) -> pulumi.Output[Login]:
        """The resolved credentials; a secret."""
        return pulumi.Output.all(self.server, self.username, self.password).apply(lambda known: Login(*known))

    def find_problems(self) -> list[Problem]:
        """What is wrong with the values that are known already; the registry itself is not asked."""
        return self._account.find_problems()

    @property
    def is_on_this_machine(self) -> bool:
        """Whether nobody but this machine can pull from it, as far as the server is known."""
        server = self._account.server
        return isinstance(server, str) and registry_login.is_on_this_machine(server)

    def _connect(self, workspace: Workspace, name: str) -> None:
        from pulumi_azure_native import machinelearningservices

        if self.is_on_this_machine:
            pulumi.log.warn(f"{name}.server: {registry_login.UNREACHABLE}", workspace)
        machinelearningservices.WorkspaceConnection(
            f"{name}-connection",
            connection_name=azure_place.build_name("connection", workspace.subscription_id, name),
            resource_group_name=workspace.resource_group_name,
            workspace_name=workspace.workspace_name,
            properties=machinelearningservices.UsernamePasswordAuthTypeWorkspaceConnectionPropertiesArgs(
                auth_type="UsernamePassword",
                category=machinelearningservices.ConnectionCategory.CONTAINER_REGISTRY,
                credentials=machinelearningservices.WorkspaceConnectionUsernamePasswordArgs(
                    username=self.username, password=self.password
                ),
                target=self.server.apply(lambda known: f"https://{registry_login.find_host(known)}"),
            ),
            opts=pulumi.ResourceOptions(parent=workspace),
        )


def _find_connection_problems(workspace: Workspace | None, name: str | None) -> list[Problem]:
    if workspace is None:
        return [Problem(name or "registry", "has a name, but no workspace that it is the connection of; give both")]
    if name is None:
        return [Problem("registry", "has a workspace, but no name; give a name, as the connection to it has one")]
    return []
