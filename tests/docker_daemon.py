"""The Docker daemon that the tests use."""

from __future__ import annotations

import functools

import docker
import docker.utils


@functools.cache
def open_docker() -> docker.APIClient:
    """One client for all tests, so that none leaves a connection open."""
    return docker.APIClient(version="auto", **docker.utils.kwargs_from_env())
