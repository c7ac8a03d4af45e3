"""Images that are registered in a workspace: built here, used as they are, or built by the workspace."""

from __future__ import annotations

import hashlib
import pathlib
from typing import Any

import pulumi
import pytest

from aml_infra import (
    InvalidInput,
    LocalDocker,
    Registry,
    TrainingImage,
    TrainingImageArgs,
    TrainingJob,
    TrainingJobArgs,
    Workspace,
    WorkspaceArgs,
)
from aml_infra.components import image_build
from aml_infra.components.base_image import pin
from aml_infra.components.environment import name_version
from aml_infra.components.registry import RegistryArgs
from aml_infra.components.validation import Machine
from tests.unit.components.engine import (
    BASE_DIGEST,
    BUILT_DIGEST,
    DOCKER_IMAGE,
    DOCKER_PROVIDER,
    ENVIRONMENT,
    GET_REGISTRY_IMAGE,
    RUN,
    Engine,
)

TEXT = "FROM debian:bookworm-slim\n"
CONDA = "dependencies: [python=3.12]\n"
OUTPUTS = (
    "ref",
    "digest",
    "identity",
    "build_key",
    "environment_id",
    "environment_name",
    "environment_version",
)


def make_workspace() -> Workspace:
    """A workspace that can be reached from the internet."""
    return Workspace("pets", WorkspaceArgs(location="westeurope", public_network_access=True))


def make(engine: Engine, **given: Any) -> dict[str, Any]:
    """Makes an image in a workspace; gives its outputs."""
    engine.registry_images |= {"debian:12": BASE_DIGEST, "continuumio/miniconda3:24": BASE_DIGEST}

    def program() -> dict[str, Any]:
        image = TrainingImage("FastAI", TrainingImageArgs(workspace=make_workspace(), **given))
        return {name: getattr(image, name) for name in OUTPUTS}

    return engine.run(program)


def find(**given: Any) -> list[str]:
    """The problems of the arguments of an image in a workspace, in words."""
    args = TrainingImageArgs(workspace=WorkspaceArgs(location="westeurope"), **given)
    return [str(problem) for problem in args.find_problems(Machine())]


@pytest.fixture
def conda_file(tmp_path: pathlib.Path) -> pathlib.Path:
    """A Conda file."""
    path = tmp_path / "environment.yml"
    path.write_text(CONDA)
    return path


def test_a_pushed_image_is_registered_by_its_digest(engine: Engine) -> None:
    """Its version says what is in it, so that none is ever changed."""
    registry = Registry.external("ghcr.io/team", "me", "sesame")

    outputs = make(engine, dockerfile=TEXT, registry=registry)

    made = engine.find(ENVIRONMENT)
    ref = f"ghcr.io/team/fastai@{BUILT_DIGEST}"
    version = hashlib.sha256(f"{ref}\0".encode()).hexdigest()[:12]
    (workspace,) = [one.inputs for one in engine.resources if one.name == "pets-workspace"]
    assert made.name == "FastAI-environment"
    assert made.inputs == {
        "name": "fastai",
        "version": version,
        "resourceGroupName": workspace["resourceGroupName"],
        "workspaceName": workspace["workspaceName"],
        "properties": {
            "autoRebuild": "Disabled",
            "image": ref,
            "isAnonymous": False,
            "isArchived": False,
            "osType": "Linux",
        },
    }
    assert outputs["ref"] == ref
    assert outputs["environment_id"].endswith(f"/environments/fastai/versions/{version}")
    assert (outputs["environment_name"], outputs["environment_version"]) == ("fastai", version)


def test_it_is_built_for_the_workspace_s_nodes(engine: Engine) -> None:
    """A laptop with another processor would push what no node can run."""
    make(engine, dockerfile=TEXT, registry=Registry.external("ghcr.io/team", "me", "sesame"))

    assert engine.find(DOCKER_IMAGE).inputs["platforms"] == ["linux/amd64"]


def test_a_public_base_is_used_as_it_is(engine: Engine, buildx: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built, and no Docker is needed; the workspace pulls it by its digest."""
    monkeypatch.setattr(image_build, "SYSTEM_PLUGIN_FOLDERS", ())
    buildx.unlink()

    outputs = make(engine, base_image="debian:12")

    ref = f"debian@{BASE_DIGEST}"
    assert engine.find(ENVIRONMENT).inputs["properties"]["image"] == ref
    assert (outputs["ref"], outputs["digest"], outputs["identity"]) == (ref, BASE_DIGEST, BASE_DIGEST)
    assert engine.find(DOCKER_PROVIDER).inputs == {"disableDockerDaemonCheck": "true"}
    assert engine.calls.count(GET_REGISTRY_IMAGE) == 1
    assert "aml-infra:index:getDockerDaemon" not in engine.calls
    assert [one.typ for one in engine.resources if one.typ == DOCKER_IMAGE] == []


def test_a_moved_tag_is_another_version(engine: Engine) -> None:
    """So it shows in the diff, and trains again."""
    before = make(engine, base_image="debian:12")
    engine.resources.clear()
    moved = "sha256:" + "c" * 64

    def program() -> dict[str, Any]:
        engine.registry_images["debian:12"] = moved
        image = TrainingImage("FastAI", TrainingImageArgs(workspace=make_workspace(), base_image="debian:12"))
        return {"identity": image.identity, "environment_version": image.environment_version}

    after = engine.run(program)

    assert after["identity"] == moved
    assert after["environment_version"] != before["environment_version"]


def test_the_workspace_builds_a_conda_file_on_top(engine: Engine, conda_file: pathlib.Path) -> None:
    """Without a registry and without Docker here; the environment is what a job refers to."""
    outputs = make(engine, base_image="continuumio/miniconda3:24", conda_file=conda_file)

    properties = engine.find(ENVIRONMENT).inputs["properties"]
    base = f"continuumio/miniconda3@{BASE_DIGEST}"
    version = name_version(base, CONDA)
    assert (properties["image"], properties["condaFile"]) == (base, CONDA)
    assert outputs["ref"] == f"azureml:fastai:{version}"
    assert outputs["identity"] == outputs["build_key"]
    assert outputs["environment_version"] == version
    assert [one.typ for one in engine.resources if one.typ == DOCKER_IMAGE] == []


def test_another_conda_file_is_another_version(engine: Engine, conda_file: pathlib.Path) -> None:
    """And another identity."""
    before = make(engine, base_image="continuumio/miniconda3:24", conda_file=conda_file)
    conda_file.write_text("dependencies: [python=3.13]\n")

    after = make(engine, base_image="continuumio/miniconda3:24", conda_file=conda_file)

    changed = {name for name in OUTPUTS if before[name] != after[name]}
    assert changed == {"ref", "identity", "build_key", "environment_id", "environment_version"}


def test_with_a_registry_it_is_built_here(engine: Engine, conda_file: pathlib.Path) -> None:
    """So that the contract is checked before a GPU is paid for; the workspace builds nothing then."""
    registry = Registry.external("ghcr.io/team", "me", "sesame")

    make(engine, base_image="continuumio/miniconda3:24", conda_file=conda_file, registry=registry)

    assert "condaFile" not in engine.find(ENVIRONMENT).inputs["properties"]
    assert engine.find(DOCKER_IMAGE).inputs["push"]


def test_without_a_workspace_there_is_no_environment(engine: Engine) -> None:
    """As it was."""

    def program() -> dict[str, Any]:
        image = TrainingImage("fastai", TrainingImageArgs(dockerfile=TEXT))
        return {name: getattr(image, name) for name in OUTPUTS if name.startswith("environment")}

    assert set(engine.run(program).values()) == {None}


NO_USE = "is of no use without a registry, as nothing is built here; leave it out"


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        (
            {"dockerfile": TEXT},
            ["dockerfile: needs a registry that the workspace can pull from, as it is built here; give one"],
        ),
        (
            {"base_image": "debian:12", "user_managed_dependencies": False},
            [
                (
                    "user_managed_dependencies: is false, but there is no conda_file to build on top; give one, or "
                    "leave it out"
                )
            ],
        ),
        (
            {
                "base_image": "debian:12",
                "platform": "linux/arm64",
                "build_secrets": {"A": "b"},
                "cache_to": ["type=inline"],
            },
            [
                "platform: is 'linux/arm64', and the nodes of the workspace are linux/amd64; leave it out",
                f"build_secrets: {NO_USE}",
                f"cache_to: {NO_USE}",
            ],
        ),
        ({"base_image": "debian:12"}, []),
    ],
)
def test_what_does_not_fit_is_told(given: dict[str, Any], problems: list[str]) -> None:
    """All at once, and without asking Docker."""
    assert find(**given) == problems


def test_packages_of_pip_are_not_for_the_workspace(tmp_path: pathlib.Path) -> None:
    """It takes a Conda file only, which may have them."""
    (tmp_path / "requirements.txt").write_text("fastai\n")

    (problem,) = find(base_image="debian:12", pip_requirements=tmp_path / "requirements.txt")

    assert problem.startswith("pip_requirements: needs a registry")
    assert problem.endswith("or list the packages in a conda_file")


def test_the_digest_of_what_the_workspace_builds_is_not_known(conda_file: pathlib.Path) -> None:
    """Nobody could say what it is."""
    (problem,) = find(base_image="debian:12", conda_file=conda_file, image_identity="digest")

    assert problem.startswith("image_identity: is 'digest', which nobody knows")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"dockerfile": TEXT, "registry": "127.0.0.1:5000/team"}, ["fastai.registry"]),
        ({"base_image": "localhost:5000/base:1"}, ["fastai.base_image"]),
        ({"base_image": "localhost:5000/base:1", "registry": "ghcr.io/team"}, []),
        ({"base_image": "debian:12"}, []),
    ],
)
def test_what_only_this_machine_can_pull_is_warned_of(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], told: list[str]
) -> None:
    """No node could pull it; but tests of a program have a registry on their machine, which is as good as another."""
    engine.registry_images |= {"debian:12": BASE_DIGEST, "localhost:5000/base:1": BASE_DIGEST}
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, _: warnings.append(text))

    def program() -> None:
        pushed = {"registry": Registry.external(given["registry"], "me", "sesame")} if "registry" in given else {}
        TrainingImage("fastai", TrainingImageArgs(**{**given, **pushed}, workspace=make_workspace()))

    engine.run(program)

    assert [warning.partition(": is on this machine, and the workspace's jobs")[0] for warning in warnings] == told
    assert engine.find(ENVIRONMENT)


def test_args_stand_for_others_in_validation_only(engine: Engine) -> None:
    """Both of them are told."""
    workspace = WorkspaceArgs(location="westeurope")
    args = TrainingImageArgs(dockerfile=TEXT, workspace=workspace, registry=RegistryArgs(workspace=workspace))

    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: TrainingImage("fastai", args))

    assert [problem.path for problem in caught.value.problems] == ["fastai.workspace", "fastai.registry"]


def test_what_the_workspace_builds_runs_nowhere_else(
    engine: Engine, conda_file: pathlib.Path, source_folder: pathlib.Path
) -> None:
    """Docker here does not have it."""
    engine.registry_images["continuumio/miniconda3:24"] = BASE_DIGEST

    def program() -> None:
        image = TrainingImage(
            "fastai",
            TrainingImageArgs(
                workspace=make_workspace(), base_image="continuumio/miniconda3:24", conda_file=conda_file
            ),
        )
        args = TrainingJobArgs(source=source_folder, command=["python"], image=image, compute=LocalDocker("docker"))
        TrainingJob("train", args)

    with pytest.raises(InvalidInput) as caught:
        engine.run(program)

    assert [problem.path for problem in caught.value.problems] == ["train.image"]


def test_what_is_used_as_it_is_runs_here_too(engine: Engine, source_folder: pathlib.Path) -> None:
    """Docker pulls it by the same digest; there is nothing to restore."""
    engine.registry_images["debian:12"] = BASE_DIGEST

    def program() -> None:
        image = TrainingImage("fastai", TrainingImageArgs(workspace=make_workspace(), base_image="debian:12"))
        args = TrainingJobArgs(source=source_folder, command=["python"], image=image, compute=LocalDocker("docker"))
        TrainingJob("train", args)

    engine.run(program)

    assert engine.find(RUN).inputs["image"] == f"debian@{BASE_DIGEST}"


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("debian", "debian@sha256:1"),
        ("debian:12", "debian@sha256:1"),
        ("debian:12@sha256:0", "debian@sha256:1"),
        ("localhost:5000/base", "localhost:5000/base@sha256:1"),
        ("example.com:5000/a/base:1.0", "example.com:5000/a/base@sha256:1"),
    ],
)
def test_an_image_by_its_digest(image: str, pinned: str) -> None:
    """Without a tag; a port is none."""
    assert pin(image, "sha256:1") == pinned


def adopt(engine: Engine, **props: Any) -> tuple[str | None, list[str]]:
    """What the engine is told of an environment version that is to be made: what to import, and to ignore."""
    given = {
        "name": "fastai",
        "version": "1a2b",
        "resourceGroupName": "rg",
        "workspaceName": "pets",
        "properties": {"image": "x"},
    }
    args = pulumi.ResourceTransformArgs(
        custom=True, type_=ENVIRONMENT, name="x", props={**given, **props}, opts=pulumi.ResourceOptions()
    )
    found: list[Any] = []

    def program() -> dict[str, Any]:
        image = TrainingImage("FastAI", TrainingImageArgs(workspace=make_workspace(), base_image="debian:12"))

        async def run() -> str:
            await image.environment_id.future()
            (transform,) = engine.transforms
            result: Any = transform(args)
            found.append(await result)
            return ""

        return {"done": run()}

    engine.registry_images["debian:12"] = BASE_DIGEST
    engine.run(program)
    (result,) = found
    if result is None:
        return None, []
    return result.opts.import_, list(result.opts.ignore_changes)


def test_a_version_that_is_there_is_taken_over(engine: Engine) -> None:
    """From a former update, as versions stay; the plugin would refuse to create it."""
    engine.environments["fastai:1a2b"] = {"id": "/environments/fastai/versions/1a2b", "properties": {}}

    assert adopt(engine) == ("/environments/fastai/versions/1a2b", ["properties"])


def test_a_version_that_is_not_there_is_made(engine: Engine) -> None:
    """That is the usual case."""
    assert adopt(engine) == (None, [])


def test_what_is_not_known_yet_is_not_looked_for(engine: Engine) -> None:
    """At preview, where the image is to be built."""
    assert adopt(engine, version=None) == (None, [])
    assert "azure-native:machinelearningservices:getEnvironmentVersion" not in engine.calls


def test_a_service_that_does_not_answer_is_told(engine: Engine) -> None:
    """It is no word on the version."""
    engine.environments["fastai:1a2b"] = {"failure": "Status=500"}

    with pytest.raises(pulumi.RunError, match=r"FastAI: environment 'fastai' cannot be looked up \(Status=500\)"):
        adopt(engine)
