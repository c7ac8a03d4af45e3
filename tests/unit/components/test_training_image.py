from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from aml_infra import InvalidInput, Problem, TrainingImage, TrainingImageArgs
from aml_infra.components import image_build
from aml_infra.components.training_image import build_request, name_tag, read_recipe
from aml_infra.components.validation import Machine
from tests.event_loop import run_alone
from tests.unit.components.engine import BASE_DIGEST, BUILT_DIGEST, DOCKER_IMAGE, Engine

TEXT = "FROM debian:bookworm-slim\n"


def make(engine: Engine, args: TrainingImageArgs) -> dict[str, Any]:
    """Makes the image; returns its outputs."""

    def program() -> Mapping[str, Any]:
        image = TrainingImage("fastai", args)
        return {"ref": image.ref, "digest": image.digest, "identity": image.identity, "build_key": image.build_key}

    return engine.run(program)


def find(args: TrainingImageArgs) -> list[Problem]:
    """The problems of ``args``."""
    return args.find_problems(Machine())


def test_makes_one_image_of_the_same_name(engine: Engine) -> None:
    """The child's type and name are a contract: renaming it builds again."""
    make(engine, TrainingImageArgs(dockerfile=TEXT))

    assert [(resource.typ, resource.name) for resource in engine.resources] == [
        ("aml-infra:index:TrainingImage", "fastai"),
        (DOCKER_IMAGE, "fastai"),
    ]


def test_builds_into_the_daemon_and_never_at_preview(engine: Engine, recipe_folder: pathlib.Path) -> None:
    """The whole request to pulumi-docker-build, without any secret in it."""
    args = TrainingImageArgs(
        dockerfile=recipe_folder / "Dockerfile",
        build_args={"A": "1"},
        build_secrets={"token": pulumi.Output.secret("sesame")},
        host_ca_secret="host_ca",  # noqa: S106 - the id of one
        platform="linux/amd64",
    )

    outputs = make(engine, args)

    inputs = engine.find(DOCKER_IMAGE).inputs
    text = inputs.pop("dockerfile")["inline"]
    assert text.startswith("FROM debian:bookworm-slim\nCOPY . /x\nRUN --mount=type=secret,id=aml-infra-image-contract,")
    assert pathlib.Path(inputs.pop("context")["location"]).resolve() == recipe_folder.resolve()
    assert inputs == {
        "buildArgs": {"A": "1"},
        "buildOnPreview": False,
        "builder": {"name": "default"},
        "exec": True,
        "load": True,
        "network": "default",
        "platforms": ["linux/amd64"],
        "push": False,
        "tags": [outputs["ref"]],
    }


def test_a_built_image_is_identified_by_its_build_key(engine: Engine) -> None:
    """The identity is known before anything is built; the tag carries its start."""
    outputs = make(engine, TrainingImageArgs(dockerfile=TEXT))

    assert outputs["identity"] == outputs["build_key"] == read_recipe(TrainingImageArgs(dockerfile=TEXT)).build_key
    assert outputs["ref"] == f"localhost/aml-infra/fastai:{outputs['build_key'][:12]}"
    assert outputs["digest"] == BUILT_DIGEST


def test_a_base_image_is_identified_by_its_digest(engine: Engine) -> None:
    """An image that is used as it is has the identity of its base, and its digest is in the build's inputs."""
    outputs = make(engine, TrainingImageArgs(base_image="debian:bookworm-slim"))

    text = engine.find(DOCKER_IMAGE).inputs["dockerfile"]["inline"]
    assert outputs["identity"] == outputs["digest"] == BASE_DIGEST
    assert text.startswith(f"# debian:bookworm-slim is {BASE_DIGEST}\nFROM debian:bookworm-slim\nRUN ")


def test_a_moved_base_tag_is_another_tag(engine: Engine) -> None:
    """The digest of the base is part of the build key, so that a moved tag is verified again."""
    before = make(engine, TrainingImageArgs(base_image="debian:bookworm-slim"))
    engine.images["debian:bookworm-slim"] = "sha256:" + "c" * 64

    after = make(engine, TrainingImageArgs(base_image="debian:bookworm-slim"))

    assert before["ref"] != after["ref"]


def run_hook(engine: Engine, args: TrainingImageArgs, name: str, images: Mapping[str, str]) -> None:
    """Makes the image, then runs its hook ``name`` with ``images`` in the daemon, as the engine does at update."""

    def program() -> Mapping[str, Any]:
        image = TrainingImage("fastai", args)

        async def run() -> str:
            ref = await image.ref.future()
            engine.images.update({str(ref): digest for digest in images.values()})
            result = engine.hooks[name](pulumi.ResourceHookArgs(urn="urn", id="", name="fastai", type=DOCKER_IMAGE))
            assert result is not None
            await result
            return str(ref)

        return {"ref": run()}

    engine.run(program)


def test_the_build_runs_before_the_image_and_gets_the_secrets(engine: Engine, buildx: pathlib.Path) -> None:
    """The hook hands secrets to buildx as files, and the Dockerfile as its input."""
    args = TrainingImageArgs(dockerfile=TEXT, build_secrets={"token": pulumi.Output.secret("sesame")})

    run_hook(engine, args, "build of fastai", {})

    called = buildx.with_name("docker-buildx.args").read_text()
    assert "--output type=cacheonly" in called
    assert "--secret id=aml-infra-image-contract,src=" in called
    assert "--secret id=token,src=" in called
    assert "sesame" not in called
    assert buildx.with_name("docker-buildx.stdin").read_text().startswith(TEXT)


def test_an_image_that_was_removed_is_restored_before_a_run(engine: Engine, buildx: pathlib.Path) -> None:
    """Nobody else would miss it: pulumi-docker-build compares inputs only."""
    run_hook(engine, TrainingImageArgs(dockerfile=TEXT), "restoring of fastai", {})

    called = buildx.with_name("docker-buildx.args").read_text()
    assert f"--load --tag {name_tag('fastai', read_recipe(TrainingImageArgs(dockerfile=TEXT)).build_key)}" in called


def test_an_image_that_is_there_is_not_built_before_a_run(engine: Engine, buildx: pathlib.Path) -> None:
    """Asking is cheap, building may not be."""
    run_hook(engine, TrainingImageArgs(dockerfile=TEXT), "restoring of fastai", {"ref": BUILT_DIGEST})

    assert not buildx.with_name("docker-buildx.args").exists()


def test_the_contract_asks_for_conda_where_packages_are_built_on_top() -> None:
    """user_managed_dependencies chooses what the last step checks."""
    own = build_request(TrainingImageArgs(dockerfile=TEXT), read_recipe(TrainingImageArgs(dockerfile=TEXT)))
    args = TrainingImageArgs(dockerfile=TEXT, user_managed_dependencies=False)
    conda = build_request(args, read_recipe(args))

    assert '"user-managed"' in own.dockerfile
    assert '"conda"' in conda.dockerfile


def test_the_contract_is_not_part_of_the_build_key() -> None:
    """A stricter check must not make every model train again."""
    strict = TrainingImageArgs(dockerfile=TEXT, user_managed_dependencies=False)

    assert read_recipe(strict).build_key == read_recipe(TrainingImageArgs(dockerfile=TEXT)).build_key


def test_a_text_has_an_empty_context() -> None:
    """Nothing of the working folder is sent to the builder for a Dockerfile given as text."""
    args = TrainingImageArgs(dockerfile=TEXT)

    context = pathlib.Path(build_request(args, read_recipe(args)).context)

    assert [path.name for path in context.iterdir()] == [".dockerignore"]
    assert (context / ".dockerignore").read_text() == "*\n"


def test_tags_are_valid_for_any_name() -> None:
    """The resource's name becomes what Docker allows in a tag."""
    assert name_tag("My Image!", "0123456789abcdef") == "localhost/aml-infra/my-image:0123456789ab"


def test_problems_are_told_before_anything_is_registered(engine: Engine) -> None:
    """The constructor raises all problems at once, with the component's name in front."""
    with pytest.raises(InvalidInput) as caught:
        make(engine, TrainingImageArgs(dockerfile="nope", platform="windows/arm"))

    assert [problem.path for problem in caught.value.problems] == ["fastai.dockerfile", "fastai.platform"]
    assert isinstance(caught.value, pulumi.RunError)
    assert engine.resources == []


@pytest.mark.parametrize(
    ("args", "path", "message"),
    [
        (TrainingImageArgs(), "dockerfile", "is missing, and so is base_image"),
        (TrainingImageArgs(base_image="x", dockerfile=TEXT), "base_image", "is given together with dockerfile"),
        (TrainingImageArgs(dockerfile="nowhere/Dockerfile"), "dockerfile", "does not exist"),
        (TrainingImageArgs(dockerfile="."), "dockerfile", "is a folder"),
        (TrainingImageArgs(dockerfile="RUN true\n"), "dockerfile", "has no FROM line"),
        (TrainingImageArgs(dockerfile="\n\n"), "dockerfile", "is empty"),
        (TrainingImageArgs(dockerfile="# FROM x\nRUN true\n"), "dockerfile", "has no FROM line"),
        (TrainingImageArgs(dockerfile=TEXT, context="nowhere"), "context", "does not exist"),
        (TrainingImageArgs(dockerfile=TEXT, context=__file__), "context", "is a file"),
        (TrainingImageArgs(dockerfile=TEXT, platform="amd64"), "platform", "allowed are linux/amd64, linux/arm64"),
        (TrainingImageArgs(dockerfile=TEXT, build_args={"a-b": ""}), "build_args['a-b']", "is not a name for ARG"),
        (TrainingImageArgs(dockerfile=TEXT, build_secrets={"a,b": ""}), "build_secrets['a,b']", "is not an id"),
        (TrainingImageArgs(dockerfile=TEXT, host_ca_secret="a b"), "host_ca_secret", "no id for"),  # noqa: S106
        (
            TrainingImageArgs(dockerfile=TEXT, host_ca_secret="a", build_secrets={"a": ""}),  # noqa: S106
            "host_ca_secret",
            "which build_secrets has too",
        ),
        (TrainingImageArgs(base_image="a b"), "base_image", "write it as in"),
        (TrainingImageArgs(base_image="nosuch:image"), "base_image", "'nosuch:image' is not in Docker here"),
        (TrainingImageArgs(base_image="debian:bookworm-slim", context="."), "context", "is of no use with base_image"),
    ],
)
def test_each_bad_argument_is_named(engine: Engine, args: TrainingImageArgs, path: str, message: str) -> None:
    """Every mistake has its own property path, and says what is wrong."""
    found: list[Problem] = []

    engine.run(lambda: found.extend(find(args)))

    (problem,) = found
    assert problem.path == path
    assert message in problem.message


def test_an_ignore_file_that_would_not_be_read_is_refused(engine: Engine, recipe_folder: pathlib.Path) -> None:
    """The Dockerfile is passed as text, so that an ignore file of its own would be passed over silently."""
    (recipe_folder / "Dockerfile.dockerignore").write_text("*\n")
    found: list[Problem] = []

    engine.run(lambda: found.extend(find(TrainingImageArgs(dockerfile=recipe_folder / "Dockerfile"))))

    assert "move its lines to .dockerignore" in found[0].message


def test_a_machine_without_buildx_is_told_what_to_install(
    engine: Engine, buildx: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be built without it, which pulumi-docker-build would only say in the middle of an update."""
    monkeypatch.setattr(image_build, "SYSTEM_PLUGIN_FOLDERS", ())
    buildx.unlink()
    found: list[Problem] = []

    engine.run(lambda: found.extend(find(TrainingImageArgs(dockerfile=TEXT))))

    assert [str(problem) for problem in found if "docker-buildx-plugin" in problem.message]


def test_a_failed_build_fails_the_hook(buildx: pathlib.Path) -> None:
    """What buildx printed is in the error."""
    buildx.write_text("#!/bin/sh\necho '#5 [2/3] RUN false'\necho '#5 0.1 oh'\necho '#5 ERROR: exit code: 1'\nexit 1\n")
    args = TrainingImageArgs(dockerfile=TEXT)
    request = build_request(args, read_recipe(args))
    said: list[str] = []

    with pytest.raises(image_build.ImageNotBuilt, match=r"step \[2/3\] RUN false\n  oh"):
        run_alone(image_build.run_build(request, secrets={}, secret_files={}, say=said.append))

    assert said[0] == "#5 [2/3] RUN false"
