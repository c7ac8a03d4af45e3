"""Images in a registry, on the real engine: pulumi-docker-build, BuildKit, the Docker daemon, a registry with accounts.

Only pulumi-docker is a stand-in, see ``tests/docker_plugin_stand_in.py``.
"""

from __future__ import annotations

import base64
import json
import pathlib
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docker_daemon import open_docker, remove_images
from tests.integration.projects import PROJECT, Project, interrupt, read_until
from tests.integration.test_training_image import PYTHON_IMAGE
from tests.local_registry import USER, LocalRegistry, open_registry
from tests.plugin_stand_ins import installation

PASSWORD = "sesame-open-4711"  # noqa: S105 - of a registry that lives as long as these tests

PROGRAM = """\
import json
import pulumi
import aml_infra

with open("args.json") as file:
    (name, given), = json.load(file).items()
registry = given.pop("registry")
password = pulumi.Config().require_secret("password")
image = aml_infra.TrainingImage(
    name,
    aml_infra.TrainingImageArgs(
        **given.pop("image"), registry=aml_infra.Registry.external(registry["server"], registry["username"], password)
    ),
)
job = aml_infra.TrainingJob(
    name, aml_infra.TrainingJobArgs(**given, image=image, compute=aml_infra.LocalDocker("docker"))
)
for output in ("build_key", "ref", "digest", "identity", "parts"):
    pulumi.export(output, getattr(image, output))
for output in ("run_id", "status", "image_digest"):
    pulumi.export(output, getattr(job, output))
"""


@pytest.fixture(scope="module")
def running_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """A registry that holds the base image ``base:1``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open_registry(tmp_path_factory.mktemp("registry"), PASSWORD, port) as registry:
        yield registry
        remove_images(registry.address)


@pytest.fixture
def registry(running_registry: LocalRegistry) -> Iterator[LocalRegistry]:
    """The registry, which runs again after each test."""
    yield running_registry
    running_registry.stop()
    running_registry.start()


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of the stand-in for pulumi-docker."""
    folder = tmp_path_factory.mktemp("plugin")
    installation.write_program("docker", "tests.docker_plugin_stand_in", folder)
    return folder


@pytest.fixture
def image_project(project: Project, registry: LocalRegistry, plugin: pathlib.Path) -> Iterator[Project]:
    """A project whose job runs in an image of the registry."""
    (project.folder / "Pulumi.yaml").write_text(f"{PROJECT}    - name: docker\n      path: {plugin}\n")
    (project.folder / "__main__.py").write_text(PROGRAM)
    project.pulumi("config", "set", "--secret", "password", PASSWORD)
    write_image(project, registry, dockerfile=f"{PYTHON_IMAGE}ENV PROJECT={project.name}\n")
    yield project
    client = open_docker()
    for container in project.containers():
        client.remove_container(container["Id"], force=True, v=True)
    remove_from_docker(project, registry)


def write_image(project: Project, registry: LocalRegistry, **image: Any) -> None:
    """Makes the job run in an image of the registry's namespace ``team``."""
    account = {"server": f"{registry.address}/team", "username": USER}
    project.write_args(image=image, registry=account)


def push_base(project: Project, registry: LocalRegistry, extra: str = "") -> str:
    """Builds the image ``base`` and pushes it under the project's own tag; gives its reference."""
    reference = f"{registry.address}/base:{project.name}"
    subprocess.run(
        ["docker", "buildx", "build", "--quiet", "--load", "--tag", reference, "-"],
        input=PYTHON_IMAGE + extra,
        text=True,
        check=True,
        capture_output=True,
    )
    client = open_docker()
    answer = client.push(reference, auth_config={"username": USER, "password": registry.password})
    assert "errorDetail" not in answer, answer
    client.remove_image(reference, force=True)
    return reference


def remove_from_docker(project: Project, registry: LocalRegistry) -> None:
    """Removes the project's images from the daemon."""
    client = open_docker()
    for container in project.containers():
        client.remove_container(container["Id"], force=True, v=True)
    for image in client.images(name=f"{registry.address}/team/{project.name}"):
        client.remove_image(image["Id"], force=True)


def read_everything(project: Project) -> str:
    """All files that Pulumi wrote."""
    return "".join(path.read_text() for path in (project.folder / "state").rglob("*") if path.is_file())


def test_an_image_is_pushed_and_run_by_its_digest(image_project: Project, registry: LocalRegistry) -> None:
    """Preview neither builds nor pushes and knows the run's id; `up` shows the push; the second one does nothing."""
    repository = f"team/{image_project.name}"
    preview = image_project.pulumi("preview", "--diff")
    pushed_by_preview = registry.list_tags(repository)
    first = image_project.up()
    outputs = image_project.outputs()
    second = image_project.up()

    assert pushed_by_preview == []
    assert outputs["run_id"] in preview
    assert "pushing" in first
    assert "line 1" in first
    assert registry.list_tags(repository) == [outputs["build_key"][:12]]
    assert registry.find_digest(repository, outputs["build_key"][:12]) == outputs["digest"]
    assert outputs["ref"] == f"{registry.address}/{repository}@{outputs['digest']}"
    assert outputs["identity"] == outputs["build_key"]
    assert "6 unchanged" in second


def test_the_password_is_nowhere(image_project: Project, registry: LocalRegistry) -> None:
    """Not in plain text in the state, in what is printed, left behind or in the image; the user's own login stays."""
    own = pathlib.Path.home() / ".docker" / "config.json"
    before = own.read_bytes() if own.exists() else None

    temporary = image_project.folder / "tmp"
    temporary.mkdir()
    printed = image_project.up(environment={"TMPDIR": str(temporary)})
    printed += image_project.pulumi("preview", "--diff") + image_project.pulumi("stack", "export")
    outputs = image_project.outputs()

    token = subprocess.run(["base64"], input=f"{USER}:{PASSWORD}", capture_output=True, text=True, check=True).stdout
    everything = printed + read_everything(image_project)
    everything += "".join(path.read_text() for path in temporary.rglob("*") if path.is_file())
    everything += registry.read_config(f"team/{image_project.name}", outputs["digest"])
    assert PASSWORD not in everything
    assert token.strip() not in everything
    assert (own.read_bytes() if own.exists() else None) == before


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupted_build_leaves_no_secret(image_project: Project, registry: LocalRegistry, times: int) -> None:
    """After Ctrl-C, once or twice, no login is in any file."""
    wait = f"RUN sleep 6 # {image_project.name}\n"
    write_image(image_project, registry, dockerfile=f"{PYTHON_IMAGE}{wait}")
    temporary = image_project.folder / "tmp"
    temporary.mkdir()
    process = image_project.start("up", "--yes", "--skip-preview", environment={"TMPDIR": str(temporary)})
    read_until(process, "RUN sleep")

    for _ in range(times):
        time.sleep(1)
        interrupt(process)
    process.communicate(timeout=120)

    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    left = "".join(path.read_text() for path in temporary.rglob("*") if path.is_file())
    assert process.returncode
    assert token not in left


def test_what_breaks_the_contract_is_not_pushed(image_project: Project, registry: LocalRegistry) -> None:
    """The check comes before the push."""
    write_image(image_project, registry, dockerfile=f"{PYTHON_IMAGE}RUN rm -f /usr/bin/timeout\n")

    output = image_project.up(fails=True)

    assert "the command timeout is missing" in output
    assert registry.list_tags(f"team/{image_project.name}") == []


def test_a_wrong_password_is_told(image_project: Project, registry: LocalRegistry) -> None:
    """Before anything is built, with the fix; the right one goes on."""
    image_project.pulumi("config", "set", "--secret", "password", "wrong")

    refused = image_project.up(fails=True)
    image_project.pulumi("config", "set", "--secret", "password", PASSWORD)
    image_project.up()

    assert f"registry '{registry.address}' refuses user '{USER}'" in refused
    assert "[1/" not in refused
    assert image_project.outputs()["status"] == "Completed"


def test_a_registry_that_does_not_answer_is_told(image_project: Project, registry: LocalRegistry) -> None:
    """Its name and the reason are in the error; nothing is trained."""
    registry.stop()

    output = image_project.up(fails=True)

    assert f"registry '{registry.address}' does not answer" in output
    assert "connection refused" in output
    assert image_project.containers() == []


def test_an_image_that_docker_lost_is_pulled(image_project: Project, registry: LocalRegistry) -> None:
    """As on another machine: with the registry's account, and by the same digest."""
    image_project.up()
    before = image_project.outputs()
    remove_from_docker(image_project, registry)
    image_project.write_script("echo line 3\n")

    output = image_project.up()

    after = image_project.outputs()
    assert "line 3" in output
    assert "Downloaded newer image" in output
    assert after["ref"] == before["ref"]
    assert after["image_digest"] == before["image_digest"]


def test_an_image_that_everyone_lost_is_made_again(image_project: Project, registry: LocalRegistry) -> None:
    """Removed from Docker and from the registry behind the state's back: a new run finds it in both."""
    image_project.up()
    before = image_project.outputs()
    remove_from_docker(image_project, registry)
    registry.remove(f"team/{image_project.name}", before["digest"])
    image_project.write_script("echo line 3\n")

    output = image_project.up()

    assert "line 3" in output
    assert registry.find_digest(f"team/{image_project.name}", before["digest"]) == before["digest"]


def test_an_image_can_be_pushed_again_on_purpose(image_project: Project, registry: LocalRegistry) -> None:
    """`up --replace` of the image makes it anew, and trains nothing again."""
    image_project.up()
    before = image_project.outputs()
    registry.remove(f"team/{image_project.name}", before["digest"])

    resources = image_project.read_resources()
    (urn,) = [each["urn"] for each in resources if each["type"] == "docker-build:index:Image"]
    image_project.pulumi("up", "--yes", "--skip-preview", "--replace", urn)

    after = image_project.outputs()
    assert after["run_id"] == before["run_id"]
    assert registry.find_digest(f"team/{image_project.name}", after["digest"]) == after["digest"]


def test_destroy_leaves_the_image_to_others(image_project: Project, registry: LocalRegistry) -> None:
    """Another stack may have pushed the same image, and run it."""
    image_project.up()
    digest = image_project.outputs()["digest"]

    image_project.pulumi("destroy", "--yes", "--skip-preview")

    assert registry.find_digest(f"team/{image_project.name}", digest) == digest


def test_a_base_is_pinned_and_a_moved_tag_shows_in_the_preview(
    image_project: Project, registry: LocalRegistry, tmp_path: pathlib.Path
) -> None:
    """The build starts from the digest that the base's registry has; another one is another run."""
    base = push_base(image_project, registry, f"ENV PROJECT={image_project.name}\n")
    write_image(image_project, registry, base_image=base)
    image_project.up()
    first = image_project.outputs()
    pinned = registry.find_digest("base", image_project.name)
    push_base(image_project, registry, f"ENV PROJECT={image_project.name} MOVED=1\n")

    preview = image_project.pulumi("preview", "--diff")
    image_project.up()

    moved = image_project.outputs()
    assert first["identity"] == pinned
    assert f"FROM {registry.address}/base:{image_project.name}@{pinned}" in read_everything(image_project)
    assert "imageIdentity" in preview
    assert f"FROM {registry.address}/base:{image_project.name}@{moved['identity']}" in preview
    assert moved["run_id"] != first["run_id"]
    assert first["parts"]["base_image"] == str(pinned).removeprefix("sha256:")[:12]


def test_a_base_that_no_registry_has_is_told_at_preview(image_project: Project, registry: LocalRegistry) -> None:
    """With its property path and the fix, and without a traceback."""
    write_image(image_project, registry, base_image=f"{registry.address}/nosuch:1")

    output = image_project.pulumi("preview", fails=True)

    assert f"{image_project.name}.base_image: the digest of '{registry.address}/nosuch:1' cannot be had" in output
    assert "must be pushed first" in output
    assert "Traceback" not in output


def test_the_strict_identity_is_the_digest(image_project: Project, registry: LocalRegistry) -> None:
    """With image_identity="digest", what was built decides; an unchanged image does not train again."""
    dockerfile = f"{PYTHON_IMAGE}ENV PROJECT={image_project.name}\n"
    write_image(image_project, registry, dockerfile=dockerfile, image_identity="digest")
    image_project.pulumi("preview")
    image_project.up()
    outputs = image_project.outputs()

    second = image_project.up()

    assert outputs["identity"] == outputs["digest"] != outputs["build_key"]
    assert "6 unchanged" in second


def test_a_cache_in_the_registry_is_read(image_project: Project, registry: LocalRegistry) -> None:
    """``type=inline`` is written with the image, and another build takes its steps from there."""
    cache = f"{registry.address}/team/{image_project.name}"
    dockerfile = f"{PYTHON_IMAGE}RUN echo {image_project.name} > /made && date >> /made\n"
    write_image(image_project, registry, dockerfile=dockerfile, cache_to=["type=inline"])
    image_project.up()
    key = image_project.outputs()["build_key"]
    tagged = f"type=registry,ref={cache}:{key[:12]}"
    write_image(image_project, registry, dockerfile=dockerfile, cache_from=[tagged], cache_to=["type=inline"])

    output = image_project.up()

    assert f"importing cache manifest from {cache}:{key[:12]}" in output
    assert image_project.outputs()["build_key"] == key
    config = json.loads(registry.read_config(f"team/{image_project.name}", key[:12]))[1]
    assert "moby.buildkit.cache.v0" in config


TOKENS = """\
from aml_infra.components.external_registry import ExternalRegistry
from aml_infra.components.registry_login import Login


class Tokens(ExternalRegistry):
    has_lasting_password = False

    @property
    def password(self):
        return pulumi.Output.secret("") if pulumi.runtime.is_dry_run() else self._token

    @password.setter
    def password(self, value):
        self._token = value

    @property
    def login(self):
        return pulumi.Output.all(self.server, self.username, self._token).apply(lambda known: Login(*known))


def external(server, username, password):
    return Tokens(server=server, username=username, password=password)


"""
"""A registry like those of Azure: at preview it has no password, as nothing is pushed, and later one that is new."""


def test_a_token_is_no_change(image_project: Project, registry: LocalRegistry) -> None:
    """An image is pushed with it, and looked up, and neither shows in the next preview."""
    program = PROGRAM.replace("aml_infra.Registry.external", "external").replace("with open", f"{TOKENS}with open", 1)
    (image_project.folder / "__main__.py").write_text(program)
    base = push_base(image_project, registry, f"ENV PROJECT={image_project.name}\n")
    write_image(image_project, registry, base_image=base)

    image_project.up()
    outputs = image_project.outputs()
    preview = image_project.pulumi("preview", "--diff", "--expect-no-changes")
    second = image_project.up()

    assert outputs["identity"] == registry.find_digest("base", image_project.name)
    assert outputs["status"] == "Completed"
    assert "7 unchanged" in preview
    assert "7 unchanged" in second
