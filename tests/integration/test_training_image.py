"""Images on the real engine: pulumi-docker-build, BuildKit and the Docker daemon."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest

from aml_infra.components import image_build
from tests.docker_daemon import open_docker
from tests.integration.projects import JOB_PROGRAM, TINY_IMAGE, Project

PYTHON_IMAGE = f"""\
FROM {TINY_IMAGE}
RUN apt-get update && apt-get install --yes --no-install-recommends python3-minimal && rm -rf /var/lib/apt/lists/*
"""

PIP_IMAGE = PYTHON_IMAGE.replace("python3-minimal", "python3-minimal python3-pip ca-certificates")

FORGETFUL_BUILDX = """\
#!/bin/sh
# As often as a file beside it has lines, the build of pulumi-docker-build finds nothing in the cache.
case "$*" in *--metadata-file*)
    if [ -s "$0.misses" ]; then
        sed -i 1d "$0.misses"
        exec {buildx} "$@" --no-cache
    fi ;;
esac
exec {buildx} "$@"
"""

CONDA_STAND_IN = r"""
RUN printf '%s\n' '#!/bin/sh' 'set -eu' 'case "$1 ${2-}" in' \
    '"--version ") echo conda 24.1.2 ;;' \
    '"env create") mkdir -p "$5/bin" && cp "$7" "$5/made-from" && ln -s /usr/bin/python3 "$5/bin/python" ;;' \
    '"clean --all") ;;' \
    '*) echo "this stand-in does not know: $*" >&2; exit 1 ;;' \
    'esac' > /usr/local/bin/conda && chmod +x /usr/local/bin/conda
"""
"""A stand-in for Conda, which no package registry has: it makes a folder of the file, as Conda makes an environment."""


@pytest.fixture
def image_project(job_project: Project) -> Project:
    """A project whose job runs in an image of its own."""
    write_dockerfile(job_project, PYTHON_IMAGE)
    return job_project


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


@pytest.fixture
def forgetful_buildx(tmp_path: pathlib.Path) -> pathlib.Path:
    """``FORGETFUL_BUILDX``, in a folder of Docker's configuration."""
    buildx = tmp_path / "docker" / "cli-plugins" / "docker-buildx"
    buildx.parent.mkdir(parents=True)
    buildx.write_text(FORGETFUL_BUILDX.format(buildx=image_build.find_buildx()))
    buildx.chmod(0o755)
    return buildx


def test_a_step_that_is_missed_in_the_cache_is_built_again(
    image_project: Project, forgetful_buildx: pathlib.Path
) -> None:
    """BuildKit does that now and then; the check of the contract, which needs a secret, fails then."""
    misses = forgetful_buildx.with_name(f"{forgetful_buildx.name}.misses")
    misses.write_text("x\n")

    output = image_project.up(environment={"DOCKER_CONFIG": str(forgetful_buildx.parents[1])})

    assert misses.read_text() == ""
    assert "retrying create" in output
    assert image_project.outputs()["status"] == "Completed"


def test_a_cache_that_keeps_nothing_is_told(image_project: Project, forgetful_buildx: pathlib.Path) -> None:
    """After the second time, with the fix; no training starts, and the next `up` goes on."""
    misses = forgetful_buildx.with_name(f"{forgetful_buildx.name}.misses")
    misses.write_text("x\nx\n")
    environment = {"DOCKER_CONFIG": str(forgetful_buildx.parents[1])}

    failed = image_project.up(fails=True, environment=environment)
    containers = image_project.containers()
    image_project.up(environment=environment)

    assert "raise builder.gc.defaultKeepStorage in Docker's daemon.json" in failed
    assert containers == []
    assert image_project.outputs()["status"] == "Completed"


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


def test_preview_names_what_is_wrong_with_an_image(image_project: Project) -> None:
    """With its path, and nothing is made."""
    image_project.write_args(image={"dockerfile": "no/such/Dockerfile"})

    output = image_project.pulumi("preview", fails=True)

    (line,) = [line for line in output.splitlines() if line.strip().startswith(f"- {image_project.name}")]
    assert "dockerfile" in line
    assert "Traceback" not in output


def test_every_problem_is_told_at_once(image_project: Project) -> None:
    """What Docker says of the base image, what this machine cannot build, and what is not in the files."""
    (image_project.folder / "requirements.txt").write_text("-r other.txt\n")
    image_project.write_args(
        image={
            "base_image": "NoSuch:Image:at-all",
            "pip_requirements": "requirements.txt",
            "platform": find_foreign_platform(),
            "cache_to": ["type=local,dest=cache"],
        }
    )

    output = image_project.pulumi("preview", fails=True)

    name = image_project.name
    assert f"{name}.base_image: is 'NoSuch:Image:at-all', which Docker refuses" in output
    assert f"{name}.pip_requirements: " in output
    assert f"{name}.platform: is '{find_foreign_platform()}', and Docker here runs builds for" in output
    assert f"{name}.cache_to[0]: is 'type=local,dest=cache', and Docker here can write type=inline only" in output


def find_foreign_platform() -> str:
    """A platform that this machine's Docker has no emulation for."""
    machine = open_docker().version()["Arch"]
    return "linux/arm64" if machine == "amd64" else "linux/amd64"


def build_base(project: Project, dockerfile: str) -> str:
    """Builds a base image that is only in Docker here; gives its tag."""
    tag = f"localhost/aml-infra/{project.name}:base"
    command = ["docker", "buildx", "build", "--quiet", "--load", "--tag", tag, "-"]
    subprocess.run(command, input=dockerfile, text=True, check=True, capture_output=True)
    return tag


def test_pip_requirements_are_installed_on_top_of_a_base(image_project: Project) -> None:
    """From PyPI; a changed file is another run, and the image holds neither the file nor the downloads."""
    requirements = image_project.folder / "requirements.txt"
    requirements.write_text("# what the training needs\niniconfig==2.0.0\n")
    version = 'import importlib.metadata as m; print("has", m.version("iniconfig"))'
    image_project.write_script(f"python3 -c '{version}'\n")
    image_project.write_args(
        image={
            "base_image": build_base(image_project, PIP_IMAGE),
            "pip_requirements": "requirements.txt",
            "host_ca_secret": "host_ca",
            "build_secrets": {"PIP_INDEX_URL": "https://pypi.org/simple"},
        }
    )
    first = image_project.up()
    before = image_project.outputs()
    unchanged = image_project.up()
    requirements.write_text("iniconfig==2.1.0\n")

    preview = image_project.pulumi("preview", "--diff")
    second = image_project.up()

    assert "has 2.0.0" in first
    assert "6 unchanged" in unchanged
    assert "imageIdentity" in preview
    assert "has 2.1.0" in second
    ref = image_project.outputs()["ref"]
    assert image_project.outputs()["run_id"] != before["run_id"]
    assert list_files(ref, "/etc/debian_version", "/run/secrets", "/var/cache/aml-infra") == ["/etc/debian_version"]
    assert "pypi.org" not in json.dumps([open_docker().history(ref), open_docker().inspect_image(ref)])


def list_files(image: str, *folders: str) -> list[str]:
    """The files of an image in ``folders``."""
    command = ["docker", "run", "--rm", image, "find", *folders, "-type", "f"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def test_a_failed_installation_shows_what_pip_said(image_project: Project) -> None:
    """The step's own words are in the error."""
    (image_project.folder / "requirements.txt").write_text("iniconfig==0.0.0.1\n")
    image_project.write_args(
        image={
            "base_image": build_base(image_project, PIP_IMAGE),
            "pip_requirements": "requirements.txt",
            "host_ca_secret": "host_ca",
        }
    )

    output = image_project.up(fails=True)

    assert "No matching distribution found for iniconfig==0.0.0.1" in output


def test_a_conda_file_makes_an_environment_that_comes_first(image_project: Project) -> None:
    """With a stand-in for Conda: it is called as it should be, and the environment's Python is the one on PATH."""
    (image_project.folder / "environment.yml").write_text("dependencies: [python=3.12]\n")
    image_project.write_script("command -v python; cat /opt/aml-infra/conda/made-from\n")
    image_project.write_args(
        image={
            "base_image": build_base(image_project, PYTHON_IMAGE + CONDA_STAND_IN),
            "conda_file": "environment.yml",
        }
    )

    output = image_project.up()

    assert "/opt/aml-infra/conda/bin/python" in output
    assert "dependencies: [python=3.12]" in output


def test_a_base_without_conda_is_told_in_the_contracts_words(image_project: Project) -> None:
    """Not as a command that the shell did not find."""
    (image_project.folder / "environment.yml").write_text("dependencies: [python=3.12]\n")
    image_project.write_args(
        image={"base_image": build_base(image_project, PYTHON_IMAGE), "conda_file": "environment.yml"}
    )

    output = image_project.up(fails=True)

    assert "Conda >= 4.5 is missing" in output


def test_the_parts_of_an_image_are_known_at_preview(image_project: Project) -> None:
    """For sentences that explain a change before anything is built."""
    (image_project.folder / "__main__.py").write_text(JOB_PROGRAM + 'pulumi.export("parts", image.parts)\n')
    (image_project.folder / "image" / "app.py").write_text("print(1)\n")

    preview = image_project.pulumi("preview", "--diff")

    assert "context/app.py" in preview
    assert "Dockerfile" in preview
