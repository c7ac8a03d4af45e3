"""The functions that programs call through the engine: what the docker backend knows of this machine, and Azure.

They are here so that components need neither a client of a service nor a backend of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aml_infra import backends
from aml_infra.errors import AmlInfraError
from aml_infra.provider import wire


def get_image(args: Mapping[str, Any]) -> dict[str, Any]:
    """``aml-infra:index:getImage``: the digest of ``image``, as ``backend`` (default ``docker``) finds it."""
    backend = backends.open_backend(args.get("backend", "docker"), args.get("backendOptions") or {})
    return {"digest": backend.identify_image(args["image"])}


def get_docker_daemon(args: Mapping[str, Any]) -> dict[str, Any]:
    """``aml-infra:index:getDockerDaemon``: version, ``cpus``, ``memoryGb`` and ``gpus`` of the Docker daemon."""
    from aml_infra.backends import docker

    daemon = docker.open_backend(args).describe_daemon()
    return {
        "version": daemon.version,
        "cpus": daemon.capacity.cpus,
        "memoryGb": daemon.capacity.memory_gb,
        "gpus": daemon.capacity.gpus,
    }


def get_registry_token(args: Mapping[str, Any]) -> dict[str, Any]:
    """``aml-infra:index:getRegistryToken``: a login of the Azure registry ``server``; see ``azure_client``."""
    from aml_infra import azure_client

    token = azure_client.open_client().get_registry_token(args["server"])
    return {"username": azure_client.REGISTRY_USERNAME, "password": wire.Secret(token)}


def get_quota(args: Mapping[str, Any]) -> dict[str, Any]:
    """``aml-infra:index:getQuota``: whether the quota is enough for a cluster; see ``quota``."""
    from aml_infra import azure_client
    from aml_infra.provider import quota

    return quota.describe(azure_client.open_client(), quota.read_demand(args))


def get_kubernetes_access(args: Mapping[str, Any]) -> dict[str, Any]:
    """``aml-infra:index:getKubernetesAccess``: where an AKS cluster is; see ``kubernetes_access``."""
    from aml_infra.provider import kubernetes_access

    return kubernetes_access.describe(args["clusterId"], float(args.get("waitSeconds") or 0))


FUNCTIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "aml-infra:index:getImage": get_image,
    "aml-infra:index:getDockerDaemon": get_docker_daemon,
    "aml-infra:index:getRegistryToken": get_registry_token,
    "aml-infra:index:getQuota": get_quota,
    "aml-infra:index:getKubernetesAccess": get_kubernetes_access,
}


def call(token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Calls the function ``token``.

    Raises:
        AmlInfraError: there is no such function, or it failed.
    """
    if token not in FUNCTIONS:
        raise AmlInfraError(f"function {token!r} does not exist; there are {', '.join(FUNCTIONS)}")
    return FUNCTIONS[token](args)
