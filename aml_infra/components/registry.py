"""``Registry``: a container registry, and what is done with its credentials outside of any resource.

Docker's programs read credentials from a configuration folder. They are given one of their own, which is the user's
with one login more and is gone afterwards: nothing is added to the user's, and nothing secret is an argument.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

import pulumi

from aml_infra.components import image_build
from aml_infra.errors import BackendUnavailable, Problem

DOCKER_HUB = "https://index.docker.io/v1/"
"""What Docker Hub is called in Docker's configuration."""

_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3})(:\d+)?")
_NOT_FOUND = re.compile(r": not found$|manifest unknown|name unknown|repository does not exist or may require")
"""The last is Docker Hub's word on a repository that nothing was pushed to yet; a wrong password it tells in others."""


class Registry:
    """A container registry that images are pushed to, and the account that may push.

    Made by ``Registry.external``.
    """

    server: pulumi.Output[str]
    """Host, with port and namespace where there are any: ``registry.example.com``, ``ghcr.io/team``."""

    username: pulumi.Output[str]
    """The account."""

    password: pulumi.Output[str]
    """Its password or token; always a Pulumi secret."""

    def __init__(self, *, server: pulumi.Input[str], username: pulumi.Input[str], password: pulumi.Input[str]) -> None:
        self._given = {"server": server, "username": username, "password": password}
        self.server = pulumi.Output.from_input(server)
        self.username = pulumi.Output.from_input(username)
        self.password = pulumi.Output.secret(password)

    @classmethod
    def external(cls, server: str, username: pulumi.Input[str], password: pulumi.Input[str]) -> Registry:
        """A registry that exists already, whoever runs it.

        Args:
            server: host, with port and namespace where there are any; no ``https://``. Docker speaks HTTPS to it,
                except on this machine (``localhost``, ``127.0.0.0/8``).
            username: an account that may push and pull.
            password: its password or token; made a Pulumi secret if it is none.
        """
        return cls(server=server, username=username, password=password)

    def find_problems(self) -> list[Problem]:
        """What is wrong with the values that are known already; the registry itself is not asked."""
        problems = [
            Problem(name, "is empty; give the account that may push and pull")
            for name in ("username", "password")
            if self._given[name] in ("", None)
        ]
        server = self._given["server"]
        if isinstance(server, str) and not _SERVER.fullmatch(server):
            allowed = "give its host, with port and namespace where there are any, as in 'ghcr.io/team'"
            problems.append(Problem("server", f"is {server!r}, no registry's name; {allowed}"))
        return problems

    @property
    def login(self) -> pulumi.Output[Login]:
        """The resolved credentials; a secret."""
        return pulumi.Output.all(self.server, self.username, self.password).apply(lambda known: Login(*known))


@dataclasses.dataclass(frozen=True)
class Login:
    """The credentials of a registry, resolved."""

    server: str
    username: str
    password: str = dataclasses.field(repr=False)

    @property
    def host(self) -> str:
        """The server without its namespace."""
        return find_host(self.server)


def find_host(server: str) -> str:
    """``server`` without its namespace."""
    return server.partition("/")[0]


def find_address(server: str) -> str:
    """The host of ``server`` as pulumi-docker wants it: with the scheme where Docker does not speak HTTPS."""
    host = find_host(server)
    return f"http://{host}" if _LOOPBACK.fullmatch(host) else host


@contextlib.contextmanager
def open_environment(login: Login) -> Iterator[dict[str, str]]:
    """The environment in which Docker's programs use ``login``, and all that the user has configured besides."""
    own = image_build.find_docker_config()
    content = json.dumps(build_docker_config(image_build.read_docker_config(), login))
    with (
        tempfile.TemporaryDirectory(prefix="aml-infra-") as folder,
        image_build.open_secrets({"config.json": content}) as files,
    ):
        config = pathlib.Path(folder)
        (config / "config.json").symlink_to(files["config.json"])
        if (own / "contexts").is_dir():
            (config / "contexts").symlink_to(own / "contexts", target_is_directory=True)
        builders = os.environ.get("BUILDX_CONFIG") or str(own / "buildx")
        yield {**os.environ, "DOCKER_CONFIG": folder, "BUILDX_CONFIG": builders}


def build_docker_config(own: Mapping[str, object], login: Login) -> dict[str, object]:
    """The content of Docker's ``config.json`` ``own``, with ``login`` in place of what it has for the same host."""
    key = DOCKER_HUB if login.host in ("docker.io", "index.docker.io") else login.host
    token = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    # An empty helper makes Docker read this one host's login from the file, whatever keeps the user's others.
    return {
        **own,
        "auths": {**_read_object(own, "auths"), key: {"auth": token}},
        "credHelpers": {**_read_object(own, "credHelpers"), key: ""},
    }


def _read_object(config: Mapping[str, object], name: str) -> dict[str, object]:
    value = config.get(name)
    return dict(value) if isinstance(value, dict) else {}


async def has_manifest(reference: str, login: Login) -> bool:
    """Whether the registry has ``reference``.

    Raises:
        BackendUnavailable: it does not answer, or refuses the credentials; the message says what to do.
    """
    buildx = image_build.find_buildx()
    if buildx is None:
        raise image_build.ImageNotBuilt(f"Docker's buildx {image_build.MISSING_BUILDX}")
    with open_environment(login) as environment:
        command = [str(buildx), "imagetools", "inspect", "--raw", reference]
        code, lines = await image_build.run(command, environment=environment)
    if code and not any(_NOT_FOUND.search(line) for line in lines):
        raise BackendUnavailable(explain_failure(login.host, login.username, lines))
    return not code


async def pull(reference: str, login: Login, say: Callable[[str], None]) -> bool:
    """Loads ``reference`` into the Docker daemon; False if the registry does not have it.

    Raises:
        BackendUnavailable: the registry does not answer, or refuses the credentials.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise image_build.ImageNotBuilt("there is no docker command on PATH to pull the image with; install it")
    with open_environment(login) as environment:
        code, lines = await image_build.run([docker, "pull", reference], environment=environment, say=say)
    if code and not any(_NOT_FOUND.search(line) for line in lines):
        raise BackendUnavailable(explain_failure(login.host, login.username, lines))
    return not code


def explain_failure(host: str, username: str, lines: Sequence[str]) -> str:
    """Why a registry gave nothing, from the words of the program that asked it; and what to do."""
    said = next((line for line in reversed(lines) if line.strip()), "no reason given").removeprefix("ERROR: ")
    if image_build.REFUSED.search(said):
        fix = "give the username and the password, or token, of an account that may push and pull there"
        return f"registry {host!r} refuses user {username!r} ({said}); {fix}"
    return f"registry {host!r} does not answer as it should ({said}); check its name and the network, then try again"
