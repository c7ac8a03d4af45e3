"""Fixtures of the tests on the real engine."""

from __future__ import annotations

import pathlib
import socket
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.azure import server
from tests.docker_daemon import open_docker, remove_images
from tests.integration import clones
from tests.integration.projects import JOB_PROGRAM, Project
from tests.local_registry import LocalRegistry, open_registry

PASSWORD = "sesame-open-4712"  # noqa: S105 - of a registry that lives as long as a test


@pytest.fixture
def make_project(tmp_path: pathlib.Path) -> Iterator[Callable[[], Project]]:
    """Makes projects that share a data folder and the name of their run, each with a stack; cleans up after them."""
    name = f"t{uuid.uuid4().hex[:8]}"
    projects: list[Project] = []

    def make() -> Project:
        project = Project(tmp_path / f"project{len(projects)}", name, tmp_path / "data")
        project.write_script("echo line 1\necho line 2\n")
        project.write_args()
        project.make_stack()
        projects.append(project)
        return project

    yield make
    client = open_docker()
    for container in projects[0].containers() if projects else []:
        client.remove_container(container["Id"], force=True, v=True)
    for network in client.networks(filters={"label": "aml-infra.run"}):
        if network["Labels"]["aml-infra.run"].startswith(f"{name}-"):
            client.remove_network(network["Id"])


@pytest.fixture
def project(make_project: Callable[[], Project]) -> Project:
    """A project with a stack, whose run prints two lines."""
    return make_project()


@pytest.fixture
def job_project(project: Project) -> Iterator[Project]:
    """A project whose job runs in an image of its own; the image is removed afterwards."""
    (project.folder / "__main__.py").write_text(JOB_PROGRAM)
    yield project
    client = open_docker()
    for container in project.containers():
        client.remove_container(container["Id"], force=True, v=True)
    name = f"localhost/aml-infra/{project.name}"
    for image in client.images(name=name):
        # By its own names: the same image may have others, and run elsewhere, in a test beside this one.
        for tag in image["RepoTags"] or ():
            if tag.startswith(f"{name}:"):
                client.remove_image(tag, force=True)


@pytest.fixture(scope="session")
def azure_plugins(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder with azure-native, the official one or the stand-in, and the stand-in for docker."""
    return clones.make_plugins(tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Azure]:
    """An Azure with an empty subscription, whose faults are gone after each module."""
    with server.open_azure(tmp_path_factory.mktemp("azure")) as running:
        clones.prepare(running)
        yield running


@pytest.fixture
def registry(tmp_path: pathlib.Path) -> Iterator[LocalRegistry]:
    """A registry with accounts on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "registry").mkdir()
    with open_registry(tmp_path / "registry", PASSWORD, port) as running:
        yield running
        remove_images(running.address)
