"""The Docker daemon that the tests use."""

from __future__ import annotations

import functools
import os

import docker
import docker.utils


@functools.cache
def open_docker() -> docker.APIClient:
    """One client for all tests, so that none leaves a connection open."""
    return docker.APIClient(version="auto", **docker.utils.kwargs_from_env())


def find_socket() -> str:
    """The path of the socket that the daemon listens on."""
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


def remove_images(start: str) -> None:
    """Removes the images whose names begin so; one that has other names as well keeps those."""
    client = open_docker()
    for image in client.images():
        for tag in image["RepoTags"] or ():
            if tag.startswith(start):
                client.remove_image(tag, force=True)
