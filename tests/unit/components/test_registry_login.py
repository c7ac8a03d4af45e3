"""What a registry's answers mean, with a program in the place of buildx."""

from __future__ import annotations

import base64
import json
import os
import pathlib

import pytest

from aml_infra.components import image_build, registry_login
from aml_infra.components.registry_login import (
    Login,
    build_docker_config,
    explain_failure,
    find_address,
    find_host,
    open_environment,
)
from aml_infra.errors import BackendUnavailable
from tests.event_loop import run_alone

LOGIN = registry_login.Login("docker.io/me", "me", "pass")


def answer(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Makes buildx fail with ``said``."""
    program = folder / "docker-buildx"
    program.write_text(f"#!/bin/sh\necho 'ERROR: {said}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(image_build, "find_buildx", lambda: program)


@pytest.mark.parametrize(
    "said",
    [
        "docker.io/me/x:1: not found",
        "pull access denied, repository does not exist or may require authorization: server message: denied",
    ],
)
def test_a_repository_that_is_new_is_no_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Docker Hub does not let anybody pull from a repository that nothing was pushed to yet."""
    answer(tmp_path, monkeypatch, said)

    assert not run_alone(registry_login.has_manifest("docker.io/me/x:1", LOGIN))


def test_a_wrong_password_is_an_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is built."""
    answer(tmp_path, monkeypatch, "failed to authorize: failed to fetch oauth token: 401 Unauthorized")

    with pytest.raises(BackendUnavailable, match="refuses user 'me'"):
        run_alone(registry_login.has_manifest("docker.io/me/x:1", LOGIN))


def test_a_registry_that_does_not_answer_is_an_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no word on the image."""
    answer(tmp_path, monkeypatch, "dial tcp 127.0.0.1:5000: connect: connection refused")

    with pytest.raises(BackendUnavailable, match="check its name and the network"):
        run_alone(registry_login.has_manifest("docker.io/me/x:1", LOGIN))


def test_an_image_is_asked_for_with_the_account(buildx: pathlib.Path) -> None:
    """By its manifest alone, so that nothing is pulled; the account is in a file."""
    buildx.write_text('#!/bin/sh\necho "$@" > "$0.args"\ncat "$DOCKER_CONFIG/config.json" > "$0.config"\n')

    assert run_alone(registry_login.has_manifest("docker.io/me/x:1", LOGIN))
    assert buildx.with_name("docker-buildx.args").read_text() == "imagetools inspect --raw docker.io/me/x:1\n"
    assert json.loads(buildx.with_name("docker-buildx.config").read_text()) == build_docker_config({}, LOGIN)


def test_without_buildx_no_registry_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setattr(image_build, "find_buildx", lambda: None)

    with pytest.raises(image_build.ImageNotBuilt, match="Docker's buildx is not installed"):
        run_alone(registry_login.has_manifest("docker.io/me/x:1", LOGIN))


def make_docker(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A command docker that runs ``script``, and none besides."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder / "none"))


def test_a_pull_is_shown_as_it_goes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take minutes."""
    make_docker(tmp_path, monkeypatch, 'echo "$@"; echo done')
    said: list[str] = []

    assert run_alone(registry_login.pull("docker.io/me/x:1", LOGIN, said.append))
    assert said == ["pull docker.io/me/x:1", "done"]


def test_a_pull_of_what_is_not_there_is_no_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image is built again then."""
    make_docker(tmp_path, monkeypatch, "echo 'Error response from daemon: manifest unknown'; exit 1")

    assert not run_alone(registry_login.pull("docker.io/me/x:1", LOGIN, lambda _: None))


def test_a_pull_that_is_refused_is_an_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build could not be pushed either."""
    make_docker(tmp_path, monkeypatch, "echo 'Error response from daemon: unauthorized: incorrect password'; exit 1")

    with pytest.raises(BackendUnavailable, match="refuses user 'me'"):
        run_alone(registry_login.pull("docker.io/me/x:1", LOGIN, lambda _: None))


def test_a_pull_needs_docker_s_command(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds do without it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(image_build.ImageNotBuilt, match="there is no docker command on PATH"):
        run_alone(registry_login.pull("docker.io/me/x:1", LOGIN, lambda _: None))


def test_a_login_does_not_show_its_password() -> None:
    """Whoever prints it."""
    assert repr(LOGIN) == "Login(server='docker.io/me', username='me')"


@pytest.mark.parametrize(
    ("server", "host", "address"),
    [
        ("ghcr.io/team/x", "ghcr.io", "ghcr.io"),
        ("example.com:5000", "example.com:5000", "example.com:5000"),
        ("localhost:5000/x", "localhost:5000", "http://localhost:5000"),
        ("localhost", "localhost", "http://localhost"),
        ("127.1.2.3:80", "127.1.2.3:80", "http://127.1.2.3:80"),
        ("localhost.example.com", "localhost.example.com", "localhost.example.com"),
        ("127.0.0.1.example.com", "127.0.0.1.example.com", "127.0.0.1.example.com"),
    ],
)
def test_the_host_and_its_address(server: str, host: str, address: str) -> None:
    """Docker speaks plain HTTP to this machine only."""
    assert (find_host(server), Login(server, "me", "x").host, find_address(server)) == (host, host, address)


TOKEN = base64.b64encode(b"me:p:\xc3\xa4ss").decode()


@pytest.mark.parametrize(
    ("server", "key"),
    [
        ("ghcr.io/team", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
        ("docker.io/me", "https://index.docker.io/v1/"),
        ("index.docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_docker_finds_the_login_by_the_host(server: str, key: str) -> None:
    """Docker Hub has a key of its own."""
    assert build_docker_config({}, Login(server, "me", "p:äss")) == {
        "auths": {key: {"auth": TOKEN}},
        "credHelpers": {key: ""},
    }


def test_what_the_user_has_configured_stays() -> None:
    """Other logins and helpers are used for caches and bases; only those of the same host are replaced."""
    own = {
        "auths": {"ghcr.io": {"auth": "b2xk"}, "quay.io": {"auth": "cXVheQ=="}},
        "credHelpers": {"ghcr.io": "osxkeychain", "gcr.io": "gcloud"},
        "credsStore": "desktop",
        "proxies": {"default": {"httpProxy": "http://proxy"}},
    }

    assert build_docker_config(own, Login("ghcr.io/team", "me", "p:äss")) == {
        **own,
        "auths": {"ghcr.io": {"auth": TOKEN}, "quay.io": {"auth": "cXVheQ=="}},
        "credHelpers": {"ghcr.io": "", "gcr.io": "gcloud"},
    }
    assert own["auths"]["ghcr.io"] == {"auth": "b2xk"}  # type: ignore[index]


def test_nonsense_in_the_users_configuration_is_passed_over() -> None:
    """Docker's programs complain of it themselves."""
    assert build_docker_config({"auths": None, "credHelpers": []}, Login("x.io", "me", "p:äss")) == {
        "auths": {"x.io": {"auth": TOKEN}},
        "credHelpers": {"x.io": ""},
    }


@pytest.fixture
def own(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The user's configuration of Docker, with a context."""
    folder = tmp_path / "docker"
    (folder / "contexts" / "meta").mkdir(parents=True)
    (folder / "config.json").write_text('{"currentContext": "colima"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.delenv("BUILDX_CONFIG", raising=False)
    return folder


def test_docker_s_programs_get_a_configuration_of_their_own(own: pathlib.Path) -> None:
    """With the login, and with the user's contexts and builders; nothing is added to the user's."""
    with open_environment(LOGIN) as environment:
        folder = pathlib.Path(environment["DOCKER_CONFIG"])
        content = json.loads((folder / "config.json").read_text())
        links = {path.name: os.path.realpath(path) for path in folder.iterdir() if path.name != "config.json"}

    assert content == build_docker_config({"currentContext": "colima"}, LOGIN)
    assert links == {"contexts": str((own / "contexts").resolve())}
    assert environment == {**os.environ, "DOCKER_CONFIG": str(folder), "BUILDX_CONFIG": str(own / "buildx")}
    assert (own / "config.json").read_text() == '{"currentContext": "colima"}'


def test_nothing_is_left_of_it(own: pathlib.Path) -> None:
    """Whether the program succeeds or fails; the contexts behind the link stay."""
    with pytest.raises(RuntimeError), open_environment(LOGIN) as environment:
        raise RuntimeError

    assert not pathlib.Path(environment["DOCKER_CONFIG"]).exists()
    assert (own / "contexts" / "meta").is_dir()


def test_builders_stay_where_the_user_has_them(own: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BUILDX_CONFIG names another place; without contexts there is no link to them."""
    monkeypatch.setenv("BUILDX_CONFIG", "/builders")
    (own / "contexts" / "meta").rmdir()
    (own / "contexts").rmdir()

    with open_environment(LOGIN) as environment:
        names = [path.name for path in pathlib.Path(environment["DOCKER_CONFIG"]).iterdir()]

    assert (names, environment["BUILDX_CONFIG"]) == (["config.json"], "/builders")


@pytest.mark.parametrize(
    "said",
    [
        "unexpected status from HEAD request to https://ghcr.io/v2/x/manifests/1: 403 Forbidden",
        "failed to authorize: 401 Unauthorized",
        "unauthorized: incorrect username or password",
        "denied: requested access to the resource is denied",
        "no basic auth credentials",
        "authentication required",
    ],
)
def test_a_refused_account_is_told_as_such(said: str) -> None:
    """In whatever words; the registry's own are in the message."""
    assert explain_failure("ghcr.io", "me", ["a", f"ERROR: {said}", " "]) == (
        f"registry 'ghcr.io' refuses user 'me' ({said}); give the username and the password, or token, of an account "
        "that may push and pull there"
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ERROR: connection refused"], "connection refused"),
        (["dial tcp 10.0.40.3:443: i/o timeout"], "dial tcp 10.0.40.3:443: i/o timeout"),
        ([], "no reason given"),
    ],
)
def test_other_failures_do_not_blame_the_account(lines: list[str], said: str) -> None:
    """The name may be wrong, or the network down."""
    assert explain_failure("ghcr.io", "me", lines) == (
        f"registry 'ghcr.io' does not answer as it should ({said}); check its name and the network, then try again"
    )
