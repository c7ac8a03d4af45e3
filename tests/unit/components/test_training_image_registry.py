"""Images that are pushed to a registry: what is asked of pulumi-docker, pulumi-docker-build, and Docker's programs."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from aml_infra import TrainingImage, TrainingImageArgs
from aml_infra.components import image_build
from aml_infra.components.base_image import pin
from aml_infra.components.registry import Registry
from aml_infra.components.training_image import name_tag, read_recipe
from aml_infra.errors import AmlInfraError
from tests.unit.components.engine import (
    BASE_DIGEST,
    BUILT_DIGEST,
    DOCKER_IMAGE,
    DOCKER_PROVIDER,
    GET_REGISTRY_IMAGE,
    Engine,
)

TEXT = "FROM debian:bookworm-slim\n"
SERVER = "registry.example.com/team"

# Keeps a line for each call. What a registry has are the images in the file beside it, to which a build adds those in
# another one.
BUILDX = """#!/bin/sh
echo "$@" >> "$0.calls"
case "$1" in
    imagetools)
        if [ -e "$0.refusal" ]; then cat "$0.refusal"; exit 1; fi
        grep -qxF "$4" "$0.has" && exit 0
        echo "ERROR: $4: not found"
        exit 1 ;;
esac
cat "$DOCKER_CONFIG/config.json" > "$0.config"
cat "$0.makes" >> "$0.has"
"""


def make_args(**others: Any) -> TrainingImageArgs:
    """Arguments with a registry."""
    registry = Registry.external(SERVER, "me", pulumi.Output.secret("sesame"))
    return TrainingImageArgs(registry=registry, **{"dockerfile": TEXT, **others})


def make(engine: Engine, **others: Any) -> dict[str, Any]:
    """Makes the image; returns its outputs."""

    def program() -> Mapping[str, Any]:
        image = TrainingImage("fastai", make_args(**others))
        names = ("ref", "digest", "identity", "build_key", "parts")
        return {name: getattr(image, name) for name in names}

    return engine.run(program)


def find_secret(value: Any) -> Any:
    """The value of an input that is a secret; anything else fails."""
    assert set(value) == {pulumi.runtime.rpc._special_sig_key, "value"}
    return value["value"]


class Programs:
    """What Docker's programs were asked, and what they answer."""

    def __init__(self, buildx: pathlib.Path) -> None:
        self._buildx = buildx
        buildx.write_text(BUILDX)
        for name in ("calls", "has", "makes"):
            self._find(name).touch()

    def _find(self, name: str) -> pathlib.Path:
        return self._buildx.with_name(f"{self._buildx.name}.{name}")

    def write(self, name: str, text: str) -> None:
        self._find(name).write_text(f"{text}\n")

    def read(self, name: str) -> str:
        return self._find(name).read_text()

    @property
    def calls(self) -> list[str]:
        """The first words of each call, with the image that it is about."""
        calls = []
        for line in self.read("calls").splitlines():
            words = line.split()
            outputs = [word for word in ("--push", "--load") if word in words]
            calls.append(" ".join([words[0], *outputs, words[words.index("--tag") + 1] if outputs else words[-1]]))
        return calls


@pytest.fixture
def programs(buildx: pathlib.Path) -> Programs:
    """A buildx that knows of a registry."""
    return Programs(buildx)


@pytest.fixture
def tag(programs: Programs) -> str:
    """The image's tag."""
    return name_tag("fastai", read_recipe(TrainingImageArgs(dockerfile=TEXT)).build_key, SERVER)


def run_hook(engine: Engine, name: str, inputs: Mapping[str, Any] | None = None) -> list[str]:
    """Makes the image, then runs its hook ``name``, as the engine does at update; returns what it failed with."""
    failures: list[str] = []

    def program() -> Mapping[str, Any]:
        image = TrainingImage("fastai", make_args())

        async def run() -> str:
            await image.digest.future()
            hook = pulumi.ResourceHookArgs(urn="urn", id="", name="x", type="x", new_inputs=dict(inputs or {}))
            result = engine.hooks[name](hook)
            assert result is not None
            try:
                await result
            except AmlInfraError as error:
                failures.append(str(error))
            return ""

        return {"done": run()}

    engine.run(program)
    return failures


def test_the_image_is_pushed_with_the_account(engine: Engine) -> None:
    """The whole request to pulumi-docker-build, in which the account is a secret."""
    outputs = make(engine, platform="linux/amd64", cache_from=["type=registry,ref=x"], cache_to=["type=inline"])

    inputs = engine.find(DOCKER_IMAGE).inputs
    account = {"address": "registry.example.com", "username": "me", "password": "sesame"}
    assert inputs.pop("dockerfile")["inline"].startswith(TEXT)
    assert pathlib.Path(inputs.pop("context")["location"]).name == "empty_context"
    assert find_secret(inputs.pop("registries")) == [account]
    assert inputs == {
        "buildOnPreview": False,
        "builder": {"name": "default"},
        "cacheFrom": [{"raw": "type=registry,ref=x"}],
        "cacheTo": [{"raw": "type=inline"}],
        "exec": True,
        "network": "default",
        "platforms": ["linux/amd64"],
        "push": True,
        "tags": [f"{SERVER}/fastai:{outputs['build_key'][:12]}"],
    }


def test_the_image_is_pulled_by_its_digest(engine: Engine) -> None:
    """Nobody else's push changes what is run."""
    outputs = make(engine)

    assert (outputs["ref"], outputs["digest"]) == (f"{SERVER}/fastai@{BUILT_DIGEST}", BUILT_DIGEST)


@pytest.mark.parametrize(("image_identity", "output"), [("build_key", "build_key"), ("digest", "digest")])
def test_the_identity_is_the_one_that_was_chosen(engine: Engine, image_identity: str, output: str) -> None:
    """By its recipe, or by what was built."""
    outputs = make(engine, image_identity=image_identity)

    assert outputs["identity"] == outputs[output]


def test_a_base_is_looked_up_in_its_registry_with_the_account(engine: Engine) -> None:
    """Any machine that builds must get the same one, and it may be in the registry that is pushed to."""
    engine.registry_images["debian:12"] = BASE_DIGEST

    outputs = make(engine, base_image="debian:12", dockerfile=None)

    provider = engine.find(DOCKER_PROVIDER)
    auth = '[{"address": "registry.example.com", "username": "me", "password": "sesame"}]'
    assert (provider.name, provider.inputs.pop("disableDockerDaemonCheck")) == ("fastai", "true")
    assert find_secret(provider.inputs.pop("registryAuth")) == auth
    assert provider.inputs == {}
    assert engine.calls.count(GET_REGISTRY_IMAGE) == 1
    assert engine.find(DOCKER_IMAGE).inputs["dockerfile"]["inline"].startswith(f"FROM debian:12@{BASE_DIGEST}\nRUN ")
    assert outputs["identity"] == BASE_DIGEST
    assert outputs["parts"]["base_image"] == "b" * 12


def test_a_dockerfile_asks_no_registry_for_its_base(engine: Engine) -> None:
    """Its FROM is the user's."""
    make(engine)

    assert GET_REGISTRY_IMAGE not in engine.calls
    assert [one.typ for one in engine.resources] == ["aml-infra:index:TrainingImage", DOCKER_IMAGE]


def test_a_base_that_no_registry_has_is_told(engine: Engine) -> None:
    """With what to do, and without the account."""
    with pytest.raises(pulumi.RunError) as caught:
        make(engine, base_image="nosuch:1", dockerfile=None)

    assert str(caught.value) == (
        "fastai.base_image: the digest of 'nosuch:1' cannot be had from its registry (registry has no nosuch:1); check "
        "its name, and the registry's username and password; an image that is only in Docker here must be pushed first"
    )


def test_packages_on_a_base_are_identified_by_the_build_key(engine: Engine, tmp_path: pathlib.Path) -> None:
    """The base is a part of it, and so is each file."""
    engine.registry_images["debian:12"] = BASE_DIGEST
    (tmp_path / "requirements.txt").write_text("fastai\n")

    outputs = make(engine, base_image="debian:12", dockerfile=None, pip_requirements=tmp_path / "requirements.txt")

    assert outputs["identity"] == outputs["build_key"]
    assert list(outputs["parts"]) == ["Dockerfile", "base_image", "pip_requirements"]


def test_a_registry_is_asked_before_the_build(engine: Engine, programs: Programs, tag: str) -> None:
    """One that does not answer is told before minutes of building; then the build pushes."""
    assert run_hook(engine, "build of fastai") == []
    assert programs.calls == [f"imagetools {tag}", f"build --push {tag}"]
    assert '"registry.example.com": {"auth": "bWU6c2VzYW1l"}' in programs.read("config")
    assert "sesame" not in programs.read("calls")


def test_nothing_is_built_for_a_registry_that_refuses(engine: Engine, programs: Programs, tag: str) -> None:
    """The account is named, the password is not."""
    programs.write("refusal", "ERROR: 401 Unauthorized")

    (failure,) = run_hook(engine, "build of fastai")

    assert failure == (
        "registry 'registry.example.com' refuses user 'me' (401 Unauthorized); give the username and the password, or "
        "token, of an account that may push and pull there"
    )
    assert programs.calls == [f"imagetools {tag}"]


def test_an_image_in_docker_is_enough_for_a_run_here(engine: Engine, programs: Programs, tag: str) -> None:
    """No registry is asked."""
    ref = pin(tag, BUILT_DIGEST)
    engine.images[ref] = BUILT_DIGEST

    assert run_hook(engine, "restoring of fastai", {"backend": "docker"}) == []
    assert programs.calls == []


def test_an_image_in_the_registry_is_pulled_for_a_run_here(
    engine: Engine, programs: Programs, tag: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building again would make another digest, perhaps."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "$@" > "$0.args"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")

    assert run_hook(engine, "restoring of fastai", {"backend": "docker"}) == []
    assert docker.with_name("docker.args").read_text() == f"pull {pin(tag, BUILT_DIGEST)}\n"
    assert programs.calls == []


def test_a_run_elsewhere_needs_the_image_in_the_registry_only(engine: Engine, programs: Programs, tag: str) -> None:
    """What Docker has here is of no use there."""
    ref = pin(tag, BUILT_DIGEST)
    programs.write("has", ref)

    assert run_hook(engine, "restoring of fastai", {"backend": "azureml"}) == []
    assert programs.calls == [f"imagetools {ref}"]


def test_an_image_that_was_removed_from_the_registry_is_pushed_again(
    engine: Engine, programs: Programs, tag: str
) -> None:
    """Nobody else would miss it; what was built must be what is asked for."""
    ref = pin(tag, BUILT_DIGEST)
    programs.write("makes", ref)

    assert run_hook(engine, "restoring of fastai", {"backend": "azureml"}) == []
    assert programs.calls == [f"imagetools {ref}", f"build --push {tag}", f"imagetools {ref}"]


def test_another_digest_is_not_taken_for_the_one_that_was_removed(engine: Engine, programs: Programs, tag: str) -> None:
    """The user is told how to take the new one."""
    programs.write("makes", pin(tag, BASE_DIGEST))

    (failure,) = run_hook(engine, "restoring of fastai", {"backend": "azureml"})

    assert failure == (
        f"{pin(tag, BUILT_DIGEST)} was removed from its registry, and the same recipe makes another digest today; run "
        "`pulumi up --replace 'urn:pulumi:stack::project::aml-infra:index:TrainingImage$docker-build:index:Image::"
        "fastai'`, which takes the new one"
    )


def test_an_account_that_is_not_known_builds_nothing(engine: Engine, programs: Programs) -> None:
    """What makes it has failed, which Pulumi tells by itself."""
    failures: list[str] = []

    def program() -> Mapping[str, Any]:
        unknown = pulumi.Output[str](set(), _resolve(None), _resolve(value=False))
        args = TrainingImageArgs(dockerfile=TEXT, build_secrets={"A": unknown})
        image = TrainingImage("fastai", args)

        async def run() -> str:
            await image.urn.future()
            result = engine.hooks["build of fastai"](pulumi.ResourceHookArgs(urn="u", id="", name="x", type="x"))
            assert result is not None
            try:
                await result
            except image_build.ImageNotBuilt as error:
                failures.append(str(error))
            return ""

        return {"done": run()}

    engine.run(program)

    assert failures == ["a build secret is not known, as what makes it has failed"]
    assert programs.calls == []


async def _resolve(value: Any) -> Any:
    return value
