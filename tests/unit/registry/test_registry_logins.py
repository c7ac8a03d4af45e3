from __future__ import annotations

import base64
import json
import pathlib
from typing import Any

import pytest

from aml_infra import azure_client
from aml_infra.errors import BackendUnavailable, RequestRefused
from aml_infra.registry_logins import Login, Logins

PASSWORD = "sesame:open-2231"  # noqa: S105 (of nobody)
HELPER = '#!/bin/sh\nread server\nprintf \'{"ServerURL": "%s", "Username": "{user}", "Secret": "kept"}\' $server\n'


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """Docker's folder of this machine, with nothing in it."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def configure(folder: pathlib.Path, **content: Any) -> None:
    """Writes Docker's settings."""
    (folder / "config.json").write_text(json.dumps(content))


def encode(username: str) -> str:
    """A login as Docker writes it."""
    return base64.b64encode(f"{username}:{PASSWORD}".encode()).decode()


def write_document(server: str, entry: Any) -> str:
    """What a Secret has in it."""
    return json.dumps({"auths": {server: entry}})


def write_program(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Makes it the one that keeps logins, by the name ``tests``."""
    program = folder / "docker-credential-tests"
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.mark.parametrize(
    "entry",
    [{"auth": encode("ann")}, {"username": "ann", "password": PASSWORD}],
)
def test_a_pull_secret_is_read(entry: Any) -> None:
    """In both of the forms that Kubernetes takes."""
    logins = Logins(documents={"Secret 'pull'": write_document("https://ghcr.io/v2/", entry)})

    assert logins.find("ghcr.io") == Login(username="ann", password=PASSWORD, origin="Secret 'pull'")


def test_docker_hub_has_its_old_name_in_settings() -> None:
    """Which is what Docker writes."""
    logins = Logins(documents={"Secret 'pull'": write_document("https://index.docker.io/v1/", {"auth": encode("ann")})})

    assert logins.find("docker.io") == Login(username="ann", password=PASSWORD, origin="Secret 'pull'")


def test_a_pull_secret_comes_before_the_settings_of_this_machine(settings: pathlib.Path) -> None:
    """It is what pods pull with."""
    configure(settings, auths={"ghcr.io": {"auth": encode("bob")}})
    logins = Logins(documents={"Secret 'pull'": write_document("ghcr.io", {"auth": encode("ann")})})

    found = logins.find("ghcr.io")

    assert found is not None
    assert found.username == "ann"


@pytest.mark.parametrize("document", ["{}", '{"auths": null}', '{"auths": {}}', '{"auths": {"ghcr.io": {}}}'])
def test_the_settings_of_this_machine_follow(settings: pathlib.Path, document: str) -> None:
    """Where the Secret has no login for the server."""
    configure(settings, auths={"ghcr.io": {"auth": encode("bob")}})

    found = Logins(documents={"Secret 'pull'": document}).find("ghcr.io")

    assert found == Login(username="bob", password=PASSWORD, origin="Docker's settings on this machine")


def test_an_identity_token_is_no_password(settings: pathlib.Path) -> None:
    """`az acr login` writes one, beside a name that means nothing."""
    configure(settings, auths={"ghcr.io": {"auth": encode("0000"), "identitytoken": "t1"}})

    found = Logins().find("ghcr.io")

    assert found is not None
    assert (found.username, found.password) == ("", "t1")


@pytest.mark.parametrize(("user", "username"), [("ann", "ann"), ("<token>", "")])
def test_programs_that_keep_logins_are_asked(
    settings: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, user: str, username: str
) -> None:
    """As Docker asks them; they say in the name that it is a token."""
    write_program(tmp_path, monkeypatch, HELPER.replace("{user}", user))
    configure(settings, credHelpers={"ghcr.io": "tests"})

    found = Logins().find("ghcr.io")

    assert found == Login(username=username, password="kept", origin="Docker's settings on this machine")  # noqa: S106


@pytest.mark.filterwarnings("ignore:docker-credential-nowhere not installed")
@pytest.mark.parametrize("program", ["tests", "nowhere"])
def test_a_program_that_fails_is_told(
    settings: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, program: str
) -> None:
    """With what shows why, and without what it has said."""
    write_program(tmp_path, monkeypatch, f"#!/bin/sh\necho {PASSWORD}\nexit 1\n")
    configure(settings, credHelpers={"ghcr.io": program})

    with pytest.raises(BackendUnavailable) as caught:
        Logins().find("ghcr.io")

    assert str(caught.value) == (
        "Docker's settings on this machine give no login for ghcr.io (DockerException); run `docker login ghcr.io`, "
        "which says why"
    )
    assert caught.value.__suppress_context__


def test_nobody_is_anybody(settings: pathlib.Path) -> None:
    """Public images need no login."""
    assert Logins().find("ghcr.io") is None


@pytest.mark.parametrize(
    "document",
    ["no json", "[]", '{"auths": {"ghcr.io": {"auth": "!"}}}', '{"auths": {"ghcr.io": {"auth": "c2VzYW1l"}}}'],
)
def test_a_secret_that_holds_no_logins_is_told(document: str) -> None:
    """Without what is in it."""
    with pytest.raises(RequestRefused) as caught:
        Logins(documents={"Secret 'pull'": document}).find("ghcr.io")

    assert "Secret 'pull' holds no logins of registries" in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_registry_of_azure_is_asked_with_its_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no other."""

    class Client:
        def get_registry_token(self, server: str) -> str:
            assert server == "contoso.azurecr.io"
            return "t1"

    monkeypatch.setattr(azure_client, "open_client", Client)

    found = Logins().find("contoso.azurecr.io")

    assert found is not None
    assert (found.username, found.password) == (azure_client.REGISTRY_USERNAME, "t1")
    assert found.origin == "the login to Azure"


def test_passwords_are_not_shown() -> None:
    """Neither in a message nor in a traceback's values."""
    logins = Logins(documents={"Secret 'pull'": write_document("ghcr.io", {"auth": encode("ann")})})

    assert PASSWORD not in repr(logins.find("ghcr.io"))
    assert encode("ann") not in repr(logins)
