"""Secrets through the whole of a program, on each backend: they are where they are needed, and nowhere else.

A registry's password, a build secret and secret variables are looked for in all that is printed, written, sent or built
on the way. Pulumi says of its own log at ``-v=9`` that it may hold secrets: what it logs there of properties is left
out, and nothing else, be it a plugin's, the program's or the engine's.
"""

from __future__ import annotations

import base64
import pathlib
from collections.abc import Iterator

import pytest

from tests.azure import server
from tests.contract import kubernetes_place
from tests.docker_daemon import open_docker
from tests.integration import clones, secret_places
from tests.integration.secret_places import Markers, WatchedRegistry
from tests.integration.secret_projects import AzureProject, KubernetesProject, SecretProject
from tests.kubernetes_stand_in import installation as kubernetes_installation


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRegistry]:
    """A registry whose password is a secret that can be told from everything else."""
    with secret_places.open_watched_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def on_docker(tmp_path: pathlib.Path, watched: WatchedRegistry, azure_plugins: pathlib.Path) -> Iterator[SecretProject]:
    """A project whose job runs in Docker here."""
    project = SecretProject(tmp_path / "project", watched, {"docker": azure_plugins})
    yield project
    for container in project.containers():
        open_docker().remove_container(container["Id"], force=True, v=True)


@pytest.fixture
def on_kubernetes(
    tmp_path: pathlib.Path, watched: WatchedRegistry, azure_plugins: pathlib.Path
) -> Iterator[SecretProject]:
    """A project whose job runs in a namespace that it makes."""
    plugin = kubernetes_installation.find_plugin(tmp_path / "plugin")
    with kubernetes_place.open_place(tmp_path / "place") as place:
        yield KubernetesProject(tmp_path / "project", watched, {"docker": azure_plugins, "kubernetes": plugin}, place)


@pytest.fixture
def on_azureml(
    tmp_path: pathlib.Path, watched: WatchedRegistry, azure_plugins: pathlib.Path
) -> Iterator[SecretProject]:
    """A project whose job runs in a workspace that it makes."""
    home = tmp_path / "azure"
    home.mkdir()
    with server.open_azure(home) as azure:
        clones.prepare(azure)
        plugins = {"docker": azure_plugins, "azure-native": azure_plugins}
        yield AzureProject(tmp_path / "project", watched, plugins, azure, home)


@pytest.mark.parametrize("before", ["", "1", "12"])
def test_a_marker_is_found_in_base64(before: str) -> None:
    """Wherever it begins there."""
    markers = Markers()
    value = markers.plant("name")

    coded = base64.b64encode(f"{before}{value}".encode())

    assert markers.find({"here": [coded, value.encode()], "there": [b"planted"]}) == [
        f"here: {coded!r}",
        f"here: {value.encode()!r}",
    ]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["docker", pytest.param("kubernetes", marks=pytest.mark.long), "azureml"])
def test_no_secret_is_left_anywhere(kind: str, request: pytest.FixtureRequest) -> None:
    """After up, preview, a failed up, refresh and destroy; a value does not count, and a variable's presence does."""
    project: SecretProject = request.getfixturevalue(f"on_{kind}")
    found = {}
    project.give("TOKEN")
    project.declare("TOKEN")
    trained, found["up goes on"] = project.train()
    first = project.export_run()
    found["up"] = project.search()

    project.give("TOKEN", "OTHER")
    unchanged = project.ask("up", "--yes", "--skip-preview", "--expect-no-changes")
    project.declare("TOKEN", "OTHER")
    previewed = project.ask("preview", "--diff")
    found["preview"] = project.search()
    project.declare("OTHER", code=3)
    failed, found["up that fails goes on"] = project.train()
    found["up that fails"] = project.search()
    project.ask("refresh", "--yes", "--skip-preview")
    last = project.export_run()
    found["refresh"] = project.search()
    project.ask("destroy", "--yes", "--skip-preview")
    found["destroy"] = project.search()
    found["images"] = project.registry.markers.find({"registry": project.registry.read()})

    leaks = [f"{after}: {leak}" for after, each in found.items() for leak in each]
    assert not leaks, "\n".join(leaks)
    assert "begun, TOKEN has 38 letters" in trained
    assert (first["status"], first["attempt"]) == ("Completed", 1)
    assert "train: submitting" not in unchanged
    assert "train: variable OTHER added; " in previewed
    assert "train.sh changed; variable OTHER added; variable TOKEN removed; submitting run" in failed
    assert "ended as Failed, exit code 3" in failed
    assert (last["status"], last["attempt"]) == ("Failed", 1)
    # They were there to be found: what Pulumi logs of properties has those that go to a plugin.
    assert all(f"-{name}-" in project.logged for name in ("password", "TOKEN", "OTHER"))
    assert any(b"id=TOKEN,src=" in line for line in project.registry.command_lines)
