"""How a machine comes to the image of a job's environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests import local_registry
from tests.azure import data_planes, roles
from tests.azure.directory import Principal
from tests.azure.job_runs import failures, machines
from tests.azure.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.azure.cloud import Cloud

_REGISTRY = "Microsoft.ContainerRegistry/registries"
_CONNECTION = "Microsoft.MachineLearningServices/workspaces/connections"
_PULL = f"{_REGISTRY}/pull/read"
_SUFFIX = ".azurecr.io"


class Images:
    """Gets images from where the machines of a cluster would."""

    def __init__(
        self,
        cloud: Cloud,
        hosts: machines.Machines,
        ensure_backend: Callable[[], local_registry.LocalRegistry],
    ) -> None:
        """`ensure_backend` gives the registry that is behind all of the cloud's."""
        self._cloud = cloud
        self._machines = hosts
        self._ensure_backend = ensure_backend

    def get(self, workspace: Resource, reference: str, identity: Principal | None) -> str:
        """The id of an image in the daemon.

        A container registry of the cloud gives it to who has the role, on the way that the cluster's network has to it.
        One elsewhere, with an address of this machine, gives it for the password of the workspace's connection. What is
        called neither way is public, and there if the daemon has it: nothing is fetched from outside.

        Raises:
            JobFailure: It cannot be had.
        """
        server, repository, tag = split(reference)
        registry = self._find_registry(server)
        try:
            if registry is not None:
                if identity is None or not roles.may(self._cloud, identity.object_id, _PULL, registry.id):
                    raise failures.fail_pull(reference)
                backend = self._ensure_backend()
                login = {"username": local_registry.USER, "password": backend.password}
                return self._machines.pull(f"{backend.address}/{registry.name.lower()}/{repository}", tag, login)
            if server.endswith(_SUFFIX):
                raise failures.fail_pull(reference)
            if re.fullmatch(r"(localhost|127\.0\.0\.1):\d+", server):
                return self._machines.pull(f"{server}/{repository}", tag, self._find_login(workspace, server))
        except machines.ImageMissing as error:
            raise failures.fail_pull(reference) from error
        found = self._machines.find_image(reference)
        if found is None:
            raise failures.fail_pull(reference)
        return found

    def _find_registry(self, server: str) -> Resource | None:
        if server and server == self._cloud.registry_server:
            return next((each for each in self._cloud.resources if each.type == _REGISTRY), None)
        if server.endswith(_SUFFIX):
            return data_planes.find_by_name(self._cloud, _REGISTRY, server.removesuffix(_SUFFIX))
        return None

    def _find_login(self, workspace: Resource, server: str) -> dict[str, str] | None:
        """What a connection of the workspace says for a registry."""
        for each in self._cloud.resources.list_inside(workspace.id, _CONNECTION):
            target = str(each.properties["target"]).removeprefix("https://").rstrip("/")
            if each.properties["category"] == "ContainerRegistry" and target.lower() == server.lower():
                given = each.secrets["credentials"]
                return {"username": given["username"], "password": given["password"]}
        return None


def split(reference: str) -> tuple[str, str, str]:
    """Server, repository, and tag or digest of an image; the server is empty where none is named."""
    name, _, digest = reference.partition("@")
    server, _, rest = name.partition("/")
    if not rest or not ({".", ":"} & set(server) or server == "localhost"):
        server, rest = "", name
    repository, _, tag = rest.partition(":")
    return server, repository, digest or tag or "latest"
