"""Whose account a registry is asked with."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from aml_infra.errors import BackendUnavailable, RequestRefused

_AZURE = ".azurecr.io"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Login:
    """An account of a registry.

    Attributes:
        username: its name; empty where ``password`` is an identity token, as some registries give instead.
        password: or token.
        origin: where it was found, for messages.
    """

    username: str
    password: str = dataclasses.field(repr=False)
    origin: str


FindLogin = Callable[[str], "Login | None"]
"""Gives the account for a server; None where there is none, and it is asked as anybody."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Logins:
    """The accounts that there are.

    They are looked for in ``documents``, then in Docker's settings on this machine, which may name programs that keep
    them, then, for a registry of Azure, where Azure's own login is exchanged for one.

    Attributes:
        documents: texts such as a Secret of type ``kubernetes.io/dockerconfigjson`` holds, by what they are called.
    """

    documents: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def find(self, server: str) -> Login | None:
        """The account for ``server``; None where there is none.

        Raises:
            AccessDenied: Azure gives this account no token of the registry.
            BackendUnavailable: Azure or what keeps the account does not answer.
            RequestRefused: a document is not what it should be.
        """
        for name, text in self.documents.items():
            if login := _find_in_document(name, text, server):
                return login
        return _find_on_this_machine(server) or _find_in_azure(server)


def _find_in_document(name: str, text: str, server: str) -> Login | None:
    from docker import auth

    try:
        entries = {key: _complete(entry) for key, entry in (json.loads(text).get("auths") or {}).items()}
        found = auth.AuthConfig({"auths": auth.parse_auth(entries)}).resolve_authconfig(server)
    except (ValueError, AttributeError) as error:
        fix = "make it with `kubectl create secret docker-registry`"
        # The cause would show what is in it.
        raise RequestRefused(f"{name} holds no logins of registries ({type(error).__name__}); {fix}") from None
    return _read(found, name)


def _complete(entry: dict[str, str]) -> dict[str, str]:
    """Kubernetes takes name and password side by side, where Docker wants them as one."""
    if "auth" in entry or "identitytoken" in entry or not entry.get("password"):
        return entry
    return {"auth": base64.b64encode(f"{entry.get('username', '')}:{entry['password']}".encode()).decode()}


def _find_on_this_machine(server: str) -> Login | None:
    import docker.errors
    from docker import auth

    try:
        found = auth.load_config().resolve_authconfig(server)
    except (docker.errors.DockerException, ValueError) as error:
        # What a program that keeps logins has said may be one.
        raise BackendUnavailable(
            f"Docker's settings on this machine give no login for {server} ({type(error).__name__}); run "
            f"`docker login {server}`, which says why"
        ) from None
    return _read(found, "Docker's settings on this machine")


def _read(found: Mapping[str, Any] | None, origin: str) -> Login | None:
    # A file and a program that keeps logins write the same names in two ways.
    known = {key.lower(): value for key, value in (found or {}).items()}
    token = known.get("identitytoken")
    username, password = ("", token) if token else (known.get("username", ""), known.get("password", ""))
    return Login(username=username, password=password, origin=origin) if password else None


def is_azure(server: str) -> bool:
    """Whether a registry is one of Azure's container registries, by its host."""
    return server.endswith(_AZURE)


def _find_in_azure(server: str) -> Login | None:
    if not is_azure(server):
        return None
    from aml_infra import azure_client

    token = azure_client.open_client().get_registry_token(server)
    return Login(username=azure_client.REGISTRY_USERNAME, password=token, origin="the login to Azure")
