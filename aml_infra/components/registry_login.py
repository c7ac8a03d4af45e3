"""Credentials of container registries, and what is done with them outside of any resource.

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

from aml_infra.components import image_build
from aml_infra.errors import BackendUnavailable

DOCKER_HUB = "https://index.docker.io/v1/"
"""What Docker Hub is called in Docker's configuration."""

TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 (a name)
"""What Azure container registries call whoever logs in with a token of Entra ID."""

UNREACHABLE = "is on this machine, and the workspace's jobs cannot pull from it"
"""Of a registry that is only called so here."""

_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3})(:\d+)?")
_NOT_FOUND = re.compile(r": not found$|manifest unknown|name unknown|repository does not exist or may require")
"""The last is Docker Hub's word on a repository that nothing was pushed to yet; a wrong password it tells in others."""


class RegistryRefuses(BackendUnavailable):
    """The registry answers, but does not take the account."""


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
    return f"http://{host}" if is_on_this_machine(server) else host


def is_on_this_machine(server: str) -> bool:
    """Whether ``server`` is an address of this machine, which nobody else reaches under that name."""
    return _LOOPBACK.fullmatch(find_host(server)) is not None


def find_image_host(image: str) -> str:
    """The host of the registry that an image's reference names; Docker Hub's if it names none."""
    first, slash, _ = image.partition("/")
    # As Docker reads it: what has neither a period nor a port is a namespace of Docker Hub.
    return first if slash and (first == "localhost" or re.search(r"[.:]", first)) else "docker.io"


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
    auths = build_auths(login)
    # An empty helper makes Docker read this one host's login from the file, whatever keeps the user's others.
    return {
        **own,
        "auths": {**_read_object(own, "auths"), **auths},
        "credHelpers": {**_read_object(own, "credHelpers"), **dict.fromkeys(auths, "")},
    }


def build_auths(login: Login) -> dict[str, object]:
    """``login`` as Docker's ``config.json`` has it under ``auths``."""
    key = DOCKER_HUB if login.host in ("docker.io", "index.docker.io") else login.host
    token = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    return {key: {"auth": token}}


def _read_object(config: Mapping[str, object], name: str) -> dict[str, object]:
    value = config.get(name)
    return dict(value) if isinstance(value, dict) else {}


async def has_manifest(reference: str, login: Login) -> bool:
    """Whether the registry has ``reference``.

    Raises:
        RegistryRefuses: the account may not pull.
        BackendUnavailable: it does not answer; the message says what to do.
    """
    code, _ = await _inspect(login, "--raw", reference)
    return not code


async def find_digest(reference: str, login: Login) -> str:
    """The digest that ``reference`` has in its registry.

    Raises:
        RegistryRefuses: the account may not pull.
        BackendUnavailable: it does not answer, or has no such image; the message says what to do.
    """
    code, lines = await _inspect(login, "--format", "{{.Manifest.Digest}}", reference)
    if code:
        raise BackendUnavailable(f"registry {login.host!r} has no {reference!r}; check its name, or push it first")
    return lines[-1].strip()


async def _inspect(login: Login, *arguments: str) -> tuple[int, list[str]]:
    """The exit code and the lines of buildx; not zero only where the registry has no such image."""
    buildx = image_build.find_buildx()
    if buildx is None:
        raise image_build.ImageNotBuilt(f"Docker's buildx {image_build.MISSING_BUILDX}")
    with open_environment(login) as environment:
        command = [str(buildx), "imagetools", "inspect", *arguments]
        code, lines = await image_build.run(command, environment=environment)
    if code and not any(_NOT_FOUND.search(line) for line in lines):
        raise build_failure(login, lines)
    return code, lines


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
        raise build_failure(login, lines)
    return not code


def build_failure(login: Login, lines: Sequence[str]) -> BackendUnavailable:
    """What to raise where a registry gave nothing, with the words of the program that asked it."""
    is_refused = any(image_build.REFUSED.search(line) for line in lines[-1:])
    return (RegistryRefuses if is_refused else BackendUnavailable)(explain_failure(login.host, login.username, lines))


def explain_failure(host: str, username: str, lines: Sequence[str]) -> str:
    """Why a registry gave nothing, from the words of the program that asked it; and what to do."""
    said = next((line for line in reversed(lines) if line.strip()), "no reason given").removeprefix("ERROR: ")
    if image_build.REFUSED.search(said):
        fix = "give the username and the password, or token, of an account that may push and pull there"
        if username == TOKEN_USER:
            fix = "whoever is logged in to Azure needs the role AcrPush there; list them in the registry's pushers"
        return f"registry {host!r} refuses user {username!r} ({said}); {fix}"
    return f"registry {host!r} does not answer as it should ({said}); check its name and the network, then try again"
