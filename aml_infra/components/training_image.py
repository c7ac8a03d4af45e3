"""``TrainingImage``: the image that trainings run in, built here and checked before anything runs in it."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker_build as docker_build

from aml_infra import arguments, image_recipe, naming
from aml_infra.components import base_image, environment, image_build, image_builder, registry_login
from aml_infra.components import workspace as workspaces
from aml_infra.components.container_registry import ContainerRegistry
from aml_infra.components.environment import CuratedImage
from aml_infra.components.image_builder import ImageBuilder
from aml_infra.components.registry import RegistryArgs
from aml_infra.components.training_image_args import (
    TrainingImageArgs,
    find_context,
    find_dockerfile,
    find_unreachable,
    read_packages,
)
from aml_infra.components.training_image_packages import Packages
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.errors import Problem
from aml_infra.image_recipe import ImageRecipe

LOCAL_SERVER = "localhost/aml-infra"
"""``localhost`` is a registry that nobody else can push to: an image that is only in this machine's daemon must not be
taken for one of the same name that a public registry may have."""

_EMPTY_CONTEXT = pathlib.Path(__file__).parent / "empty_context"


class TrainingImage(pulumi.ComponentResource):
    """An image that is known to be able to run a training.

    It is built with this machine's Docker, and in Docker's own store; with a ``registry`` it is pushed there, too. Each
    build ends with a check of the image contract: Ubuntu >= 16.04 or Debian >= 9, Python >= 3.5, a shell and coreutils,
    and Conda >= 4.5 where Conda is used. An image that breaks it fails the build, with everything that is missing, and
    is not pushed. A ``base_image`` is checked in the same way, and again when its tag has moved.

    With a ``workspace`` it is registered there as an environment version. Without a ``registry``, nothing is built here
    then: the workspace pulls the ``base_image`` by its digest, and builds on top what a ``conda_file`` adds.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    build_key: pulumi.Output[str]
    """SHA-256 over everything that decides what the build makes, secrets excepted; known at preview."""

    parts: pulumi.Output[Mapping[str, str]]
    """What the build key is made of, for sentences that explain a change: a short digest for each part, such as
    ``Dockerfile``, ``context/app.py``, ``build_args.VERSION``, ``base_image``; known at preview."""

    ref: pulumi.Output[str]
    """What the image is pulled by: the digest in its registry, if there is one, else the tag in this machine's Docker;
    of an image that the workspace builds, the environment, as in ``azureml:name:version``. Whoever uses it waits for
    the build."""

    digest: pulumi.Output[str]
    """Digest of the built image, in the registry if there is one; without one, of a ``base_image`` used as it is; of an
    image that the workspace builds, of its ``base_image``."""

    identity: pulumi.Output[str]
    """What the image is, for a run's fingerprint; see ``image_identity``. Of a ``base_image`` with nothing on top it is
    the digest of the base."""

    environment_id: pulumi.Output[str | None]
    """With a ``workspace``: resource id of the environment version."""

    environment_name: pulumi.Output[str | None]
    """With a ``workspace``: name of the environment."""

    environment_version: pulumi.Output[str | None]
    """With a ``workspace``: the version, which is made of what is in it."""

    workspace: Workspace | None
    """The workspace that it is registered in, if there is one."""

    is_built_by_service: bool
    """Whether its workspace builds it, so that only the workspace can run it."""

    is_local: bool
    """Whether it is nowhere but in this machine's Docker."""

    restore_hook: pulumi.ResourceHook | None
    """For what runs the image: builds it again, or pulls it, if it was removed in the meantime; None where nothing is
    built here."""

    def __init__(self, name: str, args: TrainingImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        arguments.require(name, args, TrainingImageArgs)
        arguments.raise_for(problem.under(name) for problem in [*_find_stand_ins(args), *args.find_problems(Machine())])
        super().__init__("aml-infra:index:TrainingImage", name, None, opts)
        registry, workspace = args.registry, args.workspace
        if isinstance(registry, RegistryArgs) or isinstance(workspace, WorkspaceArgs):
            raise TypeError("args stand for a registry or a workspace")
        for warning in find_unreachable(args):
            pulumi.log.warn(f"{name}.{warning.path}: {warning.message}", self)
        self.workspace, self.is_local = workspace, args.is_local
        self.is_built_by_service = args.is_built_by_service
        packages = read_packages(args)
        base = self._find_base_digest(name, args, registry)
        recipe = base.apply(lambda digest: read_recipe(args, digest, packages))
        self.build_key = recipe.apply(lambda known: known.build_key)
        self.parts = recipe.apply(lambda known: known.summarize())
        is_base = args.base_image is not None and not packages.digests
        if args.is_built_here:
            image = self._build(name, args, packages, recipe, registry)
            self.digest = base if is_base and registry is None else image.digest
        else:
            self.ref = base.apply(lambda digest: base_image.pin(args.base_image or "", digest))
            self.digest = base
            self.restore_hook = None
        if args.image_identity == "digest":
            self.identity = self.digest
        else:
            self.identity = base if is_base else self.build_key
        self._register(name, args, packages, workspace)
        self.register_outputs(
            {"buildKey": self.build_key, "ref": self.ref, "digest": self.digest, "identity": self.identity}
        )

    @staticmethod
    def curated(name: str, version: str | None = None, *, workspace: Workspace) -> CuratedImage:
        """An environment that exists in a workspace already: a curated one of Azure's, or somebody else's.

        Args:
            name: name of the environment.
            version: its version; by default the latest, so that a newer one trains again.
            workspace: where it is looked up.
        """
        return CuratedImage(name=name, version=version, workspace=workspace)

    def _find_base_digest(
        self, name: str, args: TrainingImageArgs, registry: ContainerRegistry | None
    ) -> pulumi.Output[str]:
        if not args.base_image:
            return pulumi.Output.from_input("")
        if args.is_built_here and registry is None:
            return base_image.find_local_digest(self, args.base_image)
        return base_image.find_digest(self, name, args.base_image, registry)

    def _build(
        self,
        name: str,
        args: TrainingImageArgs,
        packages: Packages,
        recipe: pulumi.Output[ImageRecipe],
        registry: ContainerRegistry | None,
    ) -> docker_build.Image:
        tag = pulumi.Output.all(_find_server(registry), self.build_key).apply(
            lambda known: name_tag(name, known[1], known[0])
        )
        request = recipe.apply(lambda known: build_request(args, known))
        builder = ImageBuilder(self, args, packages, request, tag, registry)
        build = pulumi.ResourceHook(f"build of {name}", builder.prepare)
        clear = pulumi.ResourceHook(f"clearing after {name}", image_builder.clear_credentials)
        failed = pulumi.ErrorHook(f"repair of {name}", builder.repair)
        image = docker_build.Image(
            name,
            **_read_image_inputs(args, request, tag, registry),
            opts=pulumi.ResourceOptions(
                parent=self,
                hooks=pulumi.ResourceHookBinding(
                    before_create=[build],
                    before_update=[build],
                    after_create=[clear],
                    after_update=[clear],
                    on_error=[failed],
                ),
                # What is in a registry may be in use by other stacks, which have pushed the same.
                retain_on_delete=registry is not None,
            ),
        )
        if registry is None:
            # The URN is known at preview, and only once the image has been built at update.
            self.ref = pulumi.Output.all(tag, image.urn).apply(lambda known: str(known[0]))
        else:
            self.ref = pulumi.Output.all(tag, image.digest).apply(lambda known: base_image.pin(*known))
        builder.ref, builder.urn = self.ref, image.urn
        self.restore_hook = pulumi.ResourceHook(f"restoring of {name}", builder.restore)
        return image

    def _register(self, name: str, args: TrainingImageArgs, packages: Packages, workspace: Workspace | None) -> None:
        if workspace is None:
            nothing: pulumi.Output[str | None] = pulumi.Output.from_input(None)
            self.environment_id = self.environment_name = self.environment_version = nothing
            return
        conda_file = packages.conda if args.is_built_by_service else None
        made = environment.register(self, name, workspace, image=self.ref, conda_file=conda_file)
        self.environment_id = made.id.apply(_find_optional)
        self.environment_name = made.name.apply(_find_optional)
        self.environment_version = made.version.apply(_find_optional)
        if args.is_built_by_service:
            self.ref = pulumi.Output.concat("azureml:", made.name, ":", made.version)


def _find_stand_ins(args: TrainingImageArgs) -> list[Problem]:
    problems = workspaces.find_stand_in_problems(args.workspace)
    if isinstance(args.registry, RegistryArgs):
        problems.append(Problem("registry", "is a RegistryArgs; make a Registry of it, and pass that"))
    return problems


def _find_optional(known: str) -> str | None:
    return known


def read_recipe(args: TrainingImageArgs, base_digest: str = "", packages: Packages | None = None) -> ImageRecipe:
    """The recipe that ``args`` describe, with the files read."""
    packages = packages or Packages()
    if args.base_image:
        return ImageRecipe(
            dockerfile=_write_dockerfile(args, args.base_image, base_digest, packages, packages.digests),
            template=_write_dockerfile(args, "", "", packages, {}),
            ingredients={"base_image": base_digest, **packages.digests},
            build_args=args.build_args,
            platform=args.built_platform,
        )
    path = find_dockerfile(args)
    text = str(args.dockerfile) if path is None else path.read_text(encoding="utf-8-sig")
    return ImageRecipe(
        dockerfile=text, context=find_context(args), build_args=args.build_args, platform=args.built_platform
    )


def _write_dockerfile(
    args: TrainingImageArgs, base: str, base_digest: str, packages: Packages, digests: Mapping[str, str]
) -> str:
    if args.registry is None:
        # An image that is only in Docker has no digest to pull by. It is in the text all the same, so that a moved tag
        # shows in the diff and is checked again.
        first = f"# {base} is {base_digest}\nFROM {base}"
    else:
        first = f"FROM {base.partition('@')[0]}@{base_digest}"
    return "\n".join([first, *packages.build_instructions(digests), ""])


def build_request(args: TrainingImageArgs, recipe: ImageRecipe) -> image_build.BuildRequest:
    """The build of ``recipe``, with the check of the contract as its last step."""
    dependencies = "conda" if args.needs_conda else "user-managed"
    # The version is an argument, so that a contract that has changed is not taken from the build cache.
    version = hashlib.sha256(image_builder.CONTRACT.read_bytes()).hexdigest()[:8]
    check = (
        f"RUN --mount=type=secret,id={image_builder.CONTRACT_ID},required=true,mode=0444 "
        f'["/bin/sh", "/run/secrets/{image_builder.CONTRACT_ID}", "{dependencies}", "{version}"]'
    )
    text = recipe.dockerfile
    if args.conda_file is not None:
        # Before Conda is called, too: a base without it is told in the contract's words.
        first = text.index("\nRUN ")
        text = f"{text[:first]}\n{check}{text[first:]}"
    return image_build.BuildRequest(
        dockerfile=image_recipe.append_instruction(text, check),
        context=_make_relative(recipe.context or _EMPTY_CONTEXT),
        build_args=dict(recipe.build_args),
        platform=recipe.platform,
        builder=image_build.find_builder(),
        cache_from=args.cache_from,
        cache_to=args.cache_to,
    )


def name_tag(name: str, build_key: str, server: str = LOCAL_SERVER) -> str:
    """The tag of the image called ``name``, on ``server``."""
    return f"{server}/{naming.slugify(name)}:{build_key[: image_recipe.KEY_PREFIX]}"


def _find_server(to: ContainerRegistry | None) -> pulumi.Input[str]:
    return LOCAL_SERVER if to is None else to.server


def _read_image_inputs(
    args: TrainingImageArgs,
    request: pulumi.Output[image_build.BuildRequest],
    tag: pulumi.Output[str],
    registry: ContainerRegistry | None,
) -> dict[str, Any]:
    return {
        "dockerfile": {"inline": request.apply(lambda known: known.dockerfile)},
        "context": {"location": request.apply(lambda known: known.context)},
        "build_args": dict(args.build_args) or None,
        "platforms": [args.built_platform] if args.built_platform else None,
        "builder": {"name": image_build.find_builder()},
        "cache_from": [{"raw": spec} for spec in args.cache_from] or None,
        "cache_to": [{"raw": spec} for spec in args.cache_to] or None,
        "tags": [tag],
        "exec_": True,
        "build_on_preview": False,
        **_read_output_inputs(registry),
    }


def _read_output_inputs(to: ContainerRegistry | None) -> dict[str, Any]:
    if to is None:
        return {"load": True, "push": False}
    account = {
        "address": to.server.apply(registry_login.find_host),
        "username": to.username,
        "password": to.password,
    }
    # The daemon pushes what it has, so that the image is in Docker here, too.
    return {"push": True, "registries": [account]}


def _make_relative(folder: pathlib.Path) -> str:
    """``folder`` from the working folder, so that a clone elsewhere makes the same inputs."""
    try:
        return pathlib.Path(os.path.relpath(folder)).as_posix()
    except ValueError:
        # Another drive of Windows.
        return str(folder)
