"""What is wrong with the arguments that say how, and onto what, an image is built."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from aml_infra import TrainingImageArgs
from aml_infra.components.registry import Registry
from aml_infra.components.validation import Machine
from tests.unit.components.engine import BASE_DIGEST, Engine

TEXT = "FROM debian:bookworm-slim\n"
BASE = "debian:bookworm-slim"


def find(engine: Engine, **given: Any) -> list[str]:
    """The problems of the arguments, as texts."""
    found: list[str] = []
    engine.run(lambda: found.extend(map(str, TrainingImageArgs(**given).find_problems(Machine()))))
    return found


def describe(buildx: pathlib.Path, platforms: str, cache_export: str) -> None:
    """Makes buildx say of its builder what it can do."""
    buildx.write_text(f"#!/bin/sh\necho 'Platforms: {platforms}'\necho '  Cache export:  {cache_export}'\n")


ON_TOP = "is installed on top of a base_image only; install its packages in the dockerfile"
SOURCES = "allowed are type=registry,ref=..., type=local,src=..."
TARGETS = "allowed are type=registry,ref=..., type=local,dest=..., type=inline"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"platform": "linux/386"},
            "platform: is 'linux/386'; allowed are linux/amd64, linux/arm64, or leave it out for the daemon's own",
        ),
        (
            {"platform": ""},
            "platform: is ''; allowed are linux/amd64, linux/arm64, or leave it out for the daemon's own",
        ),
        (
            {"image_identity": "tag"},
            "image_identity: is 'tag'; allowed are build_key, digest (build_key by default)",
        ),
        (
            {"cache_from": "type=inline"},
            "cache_from: is 'type=inline', a str; allowed is a list of texts, as in ['type=inline']",
        ),
        (
            {"cache_to": "type=inline"},
            "cache_to: is 'type=inline', a str; allowed is a list of texts, as in ['type=inline']",
        ),
        ({"cache_from": ["type=inline"]}, f"cache_from[0]: is 'type=inline'; {SOURCES}"),
        ({"cache_from": ["x.io/cache"]}, f"cache_from[0]: is 'x.io/cache'; {SOURCES}"),
        ({"cache_from": ["type=registry"]}, f"cache_from[0]: is 'type=registry'; {SOURCES}"),
        ({"cache_from": ["type=registry,ref="]}, f"cache_from[0]: is 'type=registry,ref='; {SOURCES}"),
        ({"cache_from": ["type=local,src=a", ""]}, f"cache_from[1]: is ''; {SOURCES}"),
        ({"cache_from": ["type=local,dest=a"]}, f"cache_from[0]: is 'type=local,dest=a'; {SOURCES}"),
        ({"cache_to": ["type=local,src=a"]}, f"cache_to[0]: is 'type=local,src=a'; {TARGETS}"),
        ({"cache_to": ["type=inline", "type=gha"]}, f"cache_to[1]: is 'type=gha'; {TARGETS}"),
        ({"cache_to": ["type=registry,mode=max"]}, f"cache_to[0]: is 'type=registry,mode=max'; {TARGETS}"),
    ],
)
def test_each_bad_choice_is_named(engine: Engine, given: dict[str, Any], problem: str) -> None:
    """With what it is, and what is allowed."""
    assert find(engine, dockerfile=TEXT, **given) == [problem]


@pytest.mark.parametrize(
    "given",
    [
        {"platform": "linux/amd64"},
        {"platform": "linux/arm64"},
        {"image_identity": "digest"},
        {"cache_from": ["type=registry,ref=x.io/c", "ref=x,type=registry", "type=local,src=/c,tag=v1"]},
        {"cache_to": ["type=inline", "type=registry,ref=x.io/c,mode=max", "type=local,dest=/c"]},
        {"user_managed_dependencies": False},
    ],
)
def test_each_good_choice(engine: Engine, given: dict[str, Any]) -> None:
    """On a builder that does not say what it cannot do."""
    assert find(engine, dockerfile=TEXT, **given) == []


@pytest.mark.parametrize("name", ["conda_file", "pip_requirements"])
def test_packages_need_a_base(engine: Engine, tmp_path: pathlib.Path, name: str) -> None:
    """A Dockerfile installs its own."""
    (tmp_path / "x").write_text("dependencies: [python]" if name == "conda_file" else "fastai")

    assert find(engine, dockerfile=TEXT, **{name: tmp_path / "x"}) == [f"{name}: {ON_TOP}"]


@pytest.mark.parametrize("name", ["conda_file", "pip_requirements"])
def test_a_file_of_packages_must_be_there(engine: Engine, tmp_path: pathlib.Path, name: str) -> None:
    """It is read before anything is made."""
    path = tmp_path / "nowhere"

    assert find(engine, base_image=BASE, **{name: path}) == [
        f"{name}: {str(path)!r} does not exist; give the path of the file"
    ]


@pytest.mark.parametrize(("managed", "is_wrong"), [(None, False), (False, False), (True, True)])
def test_an_image_with_a_conda_file_does_not_bring_all(
    engine: Engine, tmp_path: pathlib.Path, managed: bool | None, *, is_wrong: bool
) -> None:
    """To say so contradicts the file."""
    (tmp_path / "conda.yml").write_text("dependencies: [python]")

    problems = find(engine, base_image=BASE, conda_file=tmp_path / "conda.yml", user_managed_dependencies=managed)

    what = "is true, which says that the image brings all packages, but conda_file adds some; leave one out"
    assert problems == [f"user_managed_dependencies: {what}"] * is_wrong


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        ({}, False),
        ({"user_managed_dependencies": True}, False),
        ({"user_managed_dependencies": False}, True),
        ({"conda_file": "x"}, True),
        ({"pip_requirements": "x"}, False),
    ],
)
def test_conda_is_needed_for_environments(given: dict[str, Any], *, needs: bool) -> None:
    """Those that are made here, and those that are made on top later."""
    assert TrainingImageArgs(base_image=BASE, **given).needs_conda is needs


def test_a_base_and_a_dockerfile_exclude_each_other(engine: Engine, tmp_path: pathlib.Path) -> None:
    """What else is wrong is told beside it, once."""
    (tmp_path / "pip.txt").write_text("-r x.txt")

    problems = find(engine, base_image="a b", dockerfile="RUN x\n", context=".", pip_requirements=tmp_path / "pip.txt")

    assert [problem.partition(";")[0] for problem in problems] == [
        "base_image: is given together with dockerfile",
        f"pip_requirements: {ON_TOP.partition(';')[0]}",
        (
            f"pip_requirements: {str(tmp_path / 'pip.txt')!r} names another file in line 1, '-r x.txt', "
            "which the build does not have"
        ),
    ]


def test_a_context_alone_makes_no_image(engine: Engine) -> None:
    """What is missing is told, and what is wrong with the context."""
    assert find(engine, context="nowhere-at-all") == [
        "dockerfile: is missing, and so is base_image; give one: base_image, if it is used as it is",
        (
            f"context: {str(pathlib.Path('nowhere-at-all').resolve())!r} does not exist; give the folder whose files "
            "the Dockerfile copies"
        ),
    ]


def test_an_ignore_file_that_docker_does_not_take_is_told(engine: Engine, recipe_folder: pathlib.Path) -> None:
    """With the pattern."""
    (recipe_folder / ".dockerignore").write_text("a\n[\n")

    assert find(engine, dockerfile=recipe_folder / "Dockerfile") == [
        f"context: {str(recipe_folder / '.dockerignore')!r} has the pattern '[', which Docker does not take; correct it"
    ]


def test_a_dockerfile_that_is_no_text_is_told(engine: Engine, recipe_folder: pathlib.Path) -> None:
    """With the reason."""
    (recipe_folder / "Dockerfile").write_bytes(b"FROM \xff")

    (problem,) = find(engine, dockerfile=recipe_folder / "Dockerfile")

    assert problem.startswith(f"dockerfile: {str(recipe_folder / 'Dockerfile')!r} cannot be read (")


def test_problems_of_the_registry_are_among_them(engine: Engine) -> None:
    """With their path; the password is not shown."""
    problems: list[str] = []

    def program() -> None:
        args = TrainingImageArgs(dockerfile=TEXT, registry=Registry.external("https://ghcr.io", "", "sesame"))
        problems.extend(map(str, args.find_problems(Machine())))

    engine.run(program)

    assert problems == [
        "registry.username: is empty; give the account that may push and pull",
        (
            "registry.server: is 'https://ghcr.io', no registry's name; give its host, with port and namespace where "
            "there are any, as in 'ghcr.io/team'"
        ),
    ]


def test_a_base_is_looked_up_here_without_a_registry_only(engine: Engine) -> None:
    """With one, what counts is what registries have, which only the engine can ask."""
    problems: list[str] = []

    def program() -> None:
        args = TrainingImageArgs(base_image="ghcr.io/team/x", registry=Registry.external("ghcr.io", "me", "sesame"))
        problems.extend(map(str, args.find_problems(Machine())))

    engine.run(program)

    assert problems == []
    assert "aml-infra:index:getImage" not in engine.calls
    assert engine.images == {BASE: BASE_DIGEST}


def test_a_platform_that_docker_cannot_run_is_told(engine: Engine, buildx: pathlib.Path) -> None:
    """It would fail in the first RUN, with `exec format error`."""
    describe(buildx, "linux/amd64, linux/386", "true")

    assert find(engine, dockerfile=TEXT, platform="linux/amd64") == []
    assert find(engine, dockerfile=TEXT, platform="linux/arm64") == [
        (
            "platform: is 'linux/arm64', and Docker here runs builds for linux/amd64, linux/386 only; build on such a "
            "machine, or install its emulation, see https://docs.docker.com/go/build-multi-platform/"
        )
    ]


def test_a_cache_that_docker_cannot_write_is_told(engine: Engine, buildx: pathlib.Path) -> None:
    """It would fail at the end of the build."""
    describe(buildx, "linux/amd64", "false")

    assert find(engine, dockerfile=TEXT, cache_to=["type=inline", "type=local,dest=a"]) == [
        (
            "cache_to[1]: is 'type=local,dest=a', and Docker here can write type=inline only; write that, or turn on "
            "Docker's containerd image store, see https://docs.docker.com/engine/storage/containerd/"
        )
    ]


@pytest.mark.parametrize("given", [{}, {"cache_to": ["type=inline"]}, {"cache_from": ["type=local,src=a"]}])
def test_a_builder_is_not_asked_without_need(engine: Engine, buildx: pathlib.Path, given: dict[str, Any]) -> None:
    """That takes time in each preview."""
    assert find(engine, dockerfile=TEXT, **given) == []
    assert not buildx.with_name("docker-buildx.args").exists()
