"""Images on the real engine: pulumi-docker-build, BuildKit and the Docker daemon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker_daemon import open_docker
from tests.integration.projects import JOB_PROGRAM, TINY_IMAGE, Project

PYTHON_IMAGE = f"""\
FROM {TINY_IMAGE}
RUN apt-get update && apt-get install --yes --no-install-recommends python3-minimal && rm -rf /var/lib/apt/lists/*
"""


@pytest.fixture
def image_project(project: Project) -> Iterator[Project]:
    """A project whose job runs in an image of its own; the image is removed afterwards."""
    (project.folder / "__main__.py").write_text(JOB_PROGRAM)
    write_dockerfile(project, PYTHON_IMAGE)
    yield project
    client = open_docker()
    for container in project.containers():
        client.remove_container(container["Id"], force=True, v=True)
    for image in client.images(name=f"localhost/aml-infra/{project.name}"):
        client.remove_image(image["Id"], force=True)


def write_dockerfile(project: Project, text: str) -> None:
    """Makes ``text`` the Dockerfile of the job's image."""
    (project.folder / "image").mkdir(exist_ok=True)
    (project.folder / "image" / "Dockerfile").write_text(text)
    project.write_args(image={"dockerfile": str(project.folder / "image" / "Dockerfile")})


def test_an_image_is_built_once_and_its_run_is_known_at_preview(image_project: Project) -> None:
    """Preview builds nothing and knows the run's id; `up` shows the build; the second one does nothing."""
    preview = image_project.pulumi("preview", "--diff")
    built_by_preview = open_docker().images(name=f"localhost/aml-infra/{image_project.name}")
    first = image_project.up()
    outputs = image_project.outputs()
    second = image_project.up()

    assert built_by_preview == []
    assert outputs["run_id"] in preview
    assert "apt-get install" in first
    assert "line 1" in first
    assert outputs["image_digest"] == open_docker().inspect_image(outputs["ref"])["Id"]
    assert "6 unchanged" in second


def test_a_changed_recipe_trains_again_and_preview_says_so(image_project: Project) -> None:
    """The image's identity is in the diff."""
    image_project.up()
    before = image_project.outputs()
    write_dockerfile(image_project, PYTHON_IMAGE + "ENV CHANGED=1\n")

    preview = image_project.pulumi("preview", "--diff")
    image_project.up()

    assert "imageIdentity" in preview
    assert image_project.outputs()["run_id"] != before["run_id"]


def test_an_image_that_breaks_the_contract_fails_its_build(image_project: Project) -> None:
    """What is missing is named with the fix, and no training starts; a mended image trains."""
    write_dockerfile(image_project, f"FROM {TINY_IMAGE}\nRUN rm -f /usr/bin/timeout\n")

    broken = image_project.up(fails=True)
    containers = image_project.containers()
    write_dockerfile(image_project, PYTHON_IMAGE)
    image_project.up()

    assert "Python >= 3.5 is missing" in broken
    assert "the command timeout is missing" in broken
    assert containers == []
    assert image_project.outputs()["status"] == "Completed"


def test_a_base_image_is_identified_by_its_digest(image_project: Project) -> None:
    """Another image under the same tag makes another run; the same image does not."""
    client = open_docker()
    tag = f"localhost/aml-infra/{image_project.name}:base"
    write_dockerfile(image_project, PYTHON_IMAGE)
    image_project.up()
    client.tag(image_project.outputs()["ref"], f"localhost/aml-infra/{image_project.name}", "base")
    image_project.write_args(image={"base_image": tag})
    image_project.up()
    first = image_project.outputs()

    unchanged = image_project.up()
    container = client.create_container(tag, ["true"])
    client.commit(container["Id"], f"localhost/aml-infra/{image_project.name}", "base", changes=["ENV MOVED=1"])
    client.remove_container(container["Id"])
    image_project.up()

    assert "6 unchanged" in unchanged
    assert first["digest"].startswith("sha256:")
    assert image_project.outputs()["digest"] != first["digest"]
    assert image_project.outputs()["run_id"] != first["run_id"]


def test_an_image_removed_behind_the_states_back_is_built_again(image_project: Project) -> None:
    """A new run of an image that was pruned does not fail for it."""
    image_project.up()
    client = open_docker()
    for container in image_project.containers():
        client.remove_container(container["Id"])
    client.remove_image(image_project.outputs()["ref"], force=True)
    image_project.write_script("echo line 3\n")

    output = image_project.up()

    assert "line 3" in output
    assert image_project.outputs()["status"] == "Completed"


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ({}, "base_image"),
        ({"base_image": TINY_IMAGE, "dockerfile": "FROM x\n"}, "base_image"),
        ({"dockerfile": "no/such/Dockerfile"}, "dockerfile"),
        ({"dockerfile": "RUN true\nRUN true\n"}, "dockerfile"),
    ],
)
def test_preview_names_what_is_wrong_with_an_image(image_project: Project, image: dict[str, str], problem: str) -> None:
    """Neither, both, missing, or without FROM: with its path, and nothing is made."""
    image_project.write_args(image=image)

    output = image_project.pulumi("preview", fails=True)

    (line,) = [line for line in output.splitlines() if line.strip().startswith(f"- {image_project.name}")]
    assert problem in line
    assert "Traceback" not in output
