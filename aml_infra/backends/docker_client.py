"""A connection to a Docker daemon, and the small questions that are asked of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import docker.utils
import requests
from docker.context import ContextAPI

from aml_infra.backends.docker_retries import RetryingClient
from aml_infra.errors import BackendUnavailable

_LOCAL = ("unix:", "npipe:", "http+docker:")
_START_HINT = (
    "start Docker (Docker Desktop, or `sudo systemctl start docker`), "
    "or set DOCKER_HOST to the daemon that shall be used"
)


@contextlib.contextmanager
def connect() -> Iterator[docker.APIClient]:
    """A client of the daemon of ``DOCKER_HOST``, else of the context that ``docker context use`` chose.

    Raises:
        BackendUnavailable: the daemon does not answer, or answers that it cannot; nothing else is turned into it.
    """
    try:
        client = RetryingClient(version="auto", **_find_settings())
    except docker.errors.DockerException as error:
        raise BackendUnavailable(f"Docker does not answer ({error}); {_START_HINT}") from error
    try:
        yield client
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise BackendUnavailable(f"Docker does not answer ({error}); {_START_HINT}") from error
    except docker.errors.DockerException as error:
        raise BackendUnavailable(f"Docker answered with an error: {explain(error)}") from error
    finally:
        client.close()


def _find_settings() -> dict[str, Any]:
    settings: dict[str, Any] = {**docker.utils.kwargs_from_env()}
    context = ContextAPI.get_current_context() if "base_url" not in settings else None
    return settings if context is None else {"base_url": context.Host, "tls": context.TLSConfig}


def explain(error: docker.errors.DockerException) -> str:
    """The daemon's own words, where there are any; its client's else, as of a credential helper that is missing."""
    return str(getattr(error, "explanation", None) or error)


def inspect(client: docker.APIClient, name: str) -> dict[str, Any] | None:
    """What the daemon says of a container, or None if it says that there is none."""
    try:
        return dict(client.inspect_container(name))
    except docker.errors.NotFound:
        return None


def is_gone(client: docker.APIClient, container: str) -> bool:
    """Whether a container was removed, or is being removed."""
    found = inspect(client, container)
    return found is None or found["State"]["Status"] in ("removing", "dead")


def discard(client: docker.APIClient, container: str) -> None:
    """Removes a container, or lets another client that is already at it do so."""
    try:
        client.remove_container(container, force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (requests.codes.not_found, requests.codes.conflict):
            raise


def has_start_error(client: docker.APIClient, container: str) -> bool:
    """Whether a container could not be started."""
    found = inspect(client, container)
    return found is not None and bool(found["State"].get("Error"))


def is_on_this_machine() -> bool:
    """Whether the daemon in use sees this machine's files, as far as its address tells."""
    return str(_find_settings().get("base_url", "unix:")).startswith(_LOCAL)
