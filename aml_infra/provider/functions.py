"""The functions that programs call through the engine: what the docker backend knows of this machine.

They are here so that components need neither a Docker client nor a backend of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aml_infra import backends
from aml_infra.errors import AmlInfraError


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


FUNCTIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "aml-infra:index:getImage": get_image,
    "aml-infra:index:getDockerDaemon": get_docker_daemon,
}


def call(token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Calls the function ``token``.

    Raises:
        AmlInfraError: there is no such function, or it failed.
    """
    if token not in FUNCTIONS:
        raise AmlInfraError(f"function {token!r} does not exist; there are {', '.join(FUNCTIONS)}")
    return FUNCTIONS[token](args)
