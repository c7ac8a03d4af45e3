"""``TrainingImage``: the image that trainings run in, built here and checked before anything runs in it."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_docker_build as docker_build

from aml_infra import image_recipe, naming
from aml_infra.components import functions, image_build, validation
from aml_infra.components.training_image_args import TrainingImageArgs, find_context, find_dockerfile
from aml_infra.components.validation import Machine
from aml_infra.image_recipe import ImageRecipe

CONTRACT_ID = "aml-infra-image-contract"
"""Id of the build secret that brings the contract's script into the build, so that it leaves nothing in the image."""

_FOLDER = pathlib.Path(__file__).parent
_CONTRACT = _FOLDER / "image_contract.sh"
_EMPTY_CONTEXT = _FOLDER / "empty_context"


class TrainingImage(pulumi.ComponentResource):
    """An image that is built into this machine's Docker daemon, and that is known to be able to run a training.

    Each build ends with a check of the image contract: Ubuntu >= 16.04 or Debian >= 9, Python >= 3.5, a shell and
    coreutils, and Conda >= 4.5 where ``user_managed_dependencies`` is false. An image that breaks it fails the build,
    with everything that is missing. A ``base_image`` is checked in the same way, and again when its tag has moved.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    build_key: pulumi.Output[str]
    """SHA-256 over everything that decides what the build makes, secrets excepted; known at preview."""

    ref: pulumi.Output[str]
    """The image's tag, with the start of the build key; whoever uses it waits for the build."""

    digest: pulumi.Output[str]
    """Digest of the built image; of the base for a ``base_image``."""

    identity: pulumi.Output[str]
    """What the image is, for a run's fingerprint: the digest of a ``base_image``, else the build key."""

    restore_hook: pulumi.ResourceHook
    """For what runs the image: builds it again if it was removed from the Docker daemon in the meantime."""

    def __init__(self, name: str, args: TrainingImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validation.raise_for(problem.under(name) for problem in args.find_problems(Machine()))
        super().__init__("aml-infra:index:TrainingImage", name, None, opts)
        # A base image is looked up as an output, so that the look-up is one of the engine's and its digest an input.
        base = args.base_image and pulumi.runtime.invoke_output(
            functions.GET_IMAGE, {"image": args.base_image, "backend": "docker"}, pulumi.InvokeOptions(parent=self)
        ).apply(lambda found: str(found["digest"]))
        recipe = pulumi.Output.from_input(base or "").apply(lambda digest: read_recipe(args, digest))
        self.build_key = recipe.apply(lambda known: known.build_key)
        tag = self.build_key.apply(lambda key: name_tag(name, key))
        request = recipe.apply(lambda known: build_request(args, known))
        builder = _Builder(self, args, request, tag)
        build = pulumi.ResourceHook(f"build of {name}", builder.fill_cache)
        image = docker_build.Image(
            name,
            **_read_image_inputs(args, request, tag),
            opts=pulumi.ResourceOptions(
                parent=self, hooks=pulumi.ResourceHookBinding(before_create=[build], before_update=[build])
            ),
        )
        self.restore_hook = pulumi.ResourceHook(f"restoring of {name}", builder.restore)
        # The URN is known at preview, and only once the image has been built at update.
        self.ref = pulumi.Output.all(tag, image.urn).apply(lambda known: str(known[0]))
        self.digest = base or image.digest
        self.identity = base or self.build_key
        self.register_outputs(
            {"buildKey": self.build_key, "ref": self.ref, "digest": self.digest, "identity": self.identity}
        )


def read_recipe(args: TrainingImageArgs, base_digest: str = "") -> ImageRecipe:
    """The recipe that ``args`` describe, with the files read."""
    if args.base_image:
        # The digest is part of the text, so that a moved tag shows in the diff and is checked again.
        text = f"# {args.base_image} is {base_digest}\nFROM {args.base_image}\n"
        return ImageRecipe(dockerfile=text, build_args=args.build_args, platform=args.platform)
    path = find_dockerfile(args)
    text = str(args.dockerfile) if path is None else path.read_text(encoding="utf-8-sig")
    return ImageRecipe(dockerfile=text, context=find_context(args), build_args=args.build_args, platform=args.platform)


def build_request(args: TrainingImageArgs, recipe: ImageRecipe) -> image_build.BuildRequest:
    """The build of ``recipe``, with the check of the contract as its last step."""
    dependencies = "user-managed" if args.user_managed_dependencies else "conda"
    # The version is an argument, so that a contract that has changed is not taken from the build cache.
    version = hashlib.sha256(_CONTRACT.read_bytes()).hexdigest()[:8]
    check = (
        f"RUN --mount=type=secret,id={CONTRACT_ID},required=true,mode=0444 "
        f'["/bin/sh", "/run/secrets/{CONTRACT_ID}", "{dependencies}", "{version}"]'
    )
    return image_build.BuildRequest(
        dockerfile=image_recipe.append_instruction(recipe.dockerfile, check),
        context=_make_relative(recipe.context or _EMPTY_CONTEXT),
        build_args=dict(recipe.build_args),
        platform=recipe.platform,
        builder=image_build.find_builder(),
    )


def name_tag(name: str, build_key: str) -> str:
    """The tag of the image called ``name``.

    ``localhost`` is a registry that nobody else can push to: an image that is only in this machine's daemon must not be
    taken for one of the same name that a public registry may have.
    """
    return f"localhost/aml-infra/{naming.slugify(name)}:{build_key[: image_recipe.KEY_PREFIX]}"


def _read_image_inputs(
    args: TrainingImageArgs, request: pulumi.Output[image_build.BuildRequest], tag: pulumi.Output[str]
) -> dict[str, Any]:
    return {
        "dockerfile": {"inline": request.apply(lambda known: known.dockerfile)},
        "context": {"location": request.apply(lambda known: known.context)},
        "build_args": dict(args.build_args) or None,
        "platforms": [args.platform] if args.platform else None,
        "builder": {"name": image_build.find_builder()},
        "tags": [tag],
        "exec_": True,
        "load": True,
        "push": False,
        "build_on_preview": False,
    }


class _Builder:
    """Builds the image from hooks, where the user can see it."""

    def __init__(
        self,
        component: pulumi.Resource,
        args: TrainingImageArgs,
        request: pulumi.Output[image_build.BuildRequest],
        tag: pulumi.Output[str],
    ) -> None:
        self._component = component
        self._args = args
        self._request = request
        self._tag = tag
        self._secrets = cast("pulumi.Output[Mapping[str, str]]", pulumi.Output.from_input(args.build_secrets))

    async def fill_cache(self, _: pulumi.ResourceHookArgs) -> None:
        """Before pulumi-docker-build makes the image."""
        await self._build(None)

    async def restore(self, _: pulumi.ResourceHookArgs) -> None:
        """Before a run: an image that was removed from the daemon is not missed by pulumi-docker-build."""
        tag = await self._tag.future()
        if tag is not None and not await functions.has_image(tag):
            await self._build(tag)

    async def _build(self, tag: str | None) -> None:
        request, secrets = await self._request.future(), await self._secrets.future()
        if request is None or secrets is None:
            raise image_build.ImageNotBuilt("a build secret is not known, as what makes it has failed")
        files = {CONTRACT_ID: str(_CONTRACT)}
        host_ca = image_build.find_host_ca() if self._args.host_ca_secret else None
        if self._args.host_ca_secret and host_ca is not None:
            files[self._args.host_ca_secret] = str(host_ca)
        await image_build.run_build(request, secrets=secrets, secret_files=files, say=self._say, tag=tag)

    def _say(self, line: str) -> None:
        # Not of the image but of its component: a message waits until the URN of its resource is known.
        pulumi.log.info(line, resource=self._component, ephemeral=True)


def _make_relative(folder: pathlib.Path) -> str:
    """``folder`` from the working folder, so that a clone elsewhere makes the same inputs."""
    try:
        return pathlib.Path(os.path.relpath(folder)).as_posix()
    except ValueError:
        # Another drive of Windows.
        return str(folder)
