from __future__ import annotations

import io
import pathlib
import tarfile
from collections.abc import Iterator

import docker.errors
import pytest
import requests

from tests.azure import directory, registries, server
from tests.azure.resources import Resource
from tests.docker_daemon import open_docker

REGISTRY = "/resourceGroups/pets/providers/Microsoft.ContainerRegistry/registries/pets"


@pytest.fixture
def azure(tmp_path: pathlib.Path) -> Iterator[server.Azure]:
    """A cloud with one registry, which Docker's daemon can reach."""
    with server.open_azure(tmp_path) as running:
        running.serve_docker()
        cloud = running.cloud
        resource_id = f"{cloud.subscription}{REGISTRY}"
        body = {"id": resource_id, "name": "pets", "type": registries.REGISTRY, "properties": {}}
        cloud.resources.put(Resource(id=resource_id, type=registries.REGISTRY, body=body))
        yield running


@pytest.fixture
def image(azure: server.Azure) -> Iterator[str]:
    """A tiny image, tagged for the registry."""
    client, repository = open_docker(), f"{azure.front.address}/app"
    with io.BytesIO() as archive:
        tarfile.open(fileobj=archive, mode="w").close()
        client.import_image_from_data(archive.getvalue(), repository=repository, tag="1")
    yield repository
    client.remove_image(f"{repository}:1", force=True)


def _log_in(azure: server.Azure, role: str) -> dict[str, str]:
    """The account of a new principal with one role, as Docker takes it."""
    principal, _ = azure.add_principal((role, f"{azure.cloud.subscription}{REGISTRY}"))
    address = azure.front.address
    with requests.Session() as session:
        session.trust_env = False
        token = azure.cloud.directory.issue(principal, directory.MANAGEMENT)
        answer = session.post(
            f"https://{address}/oauth2/exchange",
            data={"grant_type": "access_token", "service": address, "access_token": token},
            verify=azure.environment["REQUESTS_CA_BUNDLE"],
            timeout=30,
        )
    return {"username": registries.TOKEN_USER, "password": answer.json()["refresh_token"]}


def test_docker_pushes_by_role(azure: server.Azure, image: str) -> None:
    """The daemon itself goes through the token protocol, and what it pushed can be pulled with the other role."""
    client = open_docker()

    pushed = list(client.push(image, "1", auth_config=_log_in(azure, "AcrPush"), stream=True, decode=True))

    assert [line for line in pushed if "error" in line] == []
    client.remove_image(f"{image}:1", force=True)
    client.pull(image, "1", auth_config=_log_in(azure, "AcrPull"))


def test_docker_is_refused_without_the_role(azure: server.Azure, image: str) -> None:
    """Who may pull may not push."""
    pushed = list(open_docker().push(image, "1", auth_config=_log_in(azure, "AcrPull"), stream=True, decode=True))

    assert [line for line in pushed if "error" in line]


def test_docker_needs_a_login(azure: server.Azure, image: str) -> None:
    """Nobody pulls without one."""
    with pytest.raises(docker.errors.APIError, match="unauthorized"):
        open_docker().pull(image, "none")
