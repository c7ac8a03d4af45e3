"""``TrainingImage``: the image that trainings run in, built here and checked before anything runs in it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi
import pulumi_docker_build as docker_build

from aml_infra import image_recipe, naming
from aml_infra.components import functions, image_build, registry, validation
from aml_infra.components.registry import Login, Registry
from aml_infra.components.training_image_args import TrainingImageArgs, find_context, find_dockerfile, read_packages
from aml_infra.components.training_image_packages import Packages
from aml_infra.components.validation import Machine
from aml_infra.image_recipe import ImageRecipe

CONTRACT_ID = "aml-infra-image-contract"
"""Id of the build secret that brings the contract's script into the build, so that it leaves nothing in the image."""

LOCAL_SERVER = "localhost/aml-infra"
"""``localhost`` is a registry that nobody else can push to: an image that is only in this machine's daemon must not be
taken for one of the same name that a public registry may have."""

_FOLDER = pathlib.Path(__file__).parent
_CONTRACT = _FOLDER / "image_contract.sh"
_EMPTY_CONTEXT = _FOLDER / "empty_context"


class TrainingImage(pulumi.ComponentResource):
    """An image that is built with this machine's Docker, and that is known to be able to run a training.

    It is in Docker's own store; with a ``registry`` it is pushed there, too. Each build ends with a check of the image
    contract: Ubuntu >= 16.04 or Debian >= 9, Python >= 3.5, a shell and coreutils, and Conda >= 4.5 where Conda is
    used. An image that breaks it fails the build, with everything that is missing, and is not pushed. A ``base_image``
    is checked in the same way, and again when its tag has moved.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    build_key: pulumi.Output[str]
    """SHA-256 over everything that decides what the build makes, secrets excepted; known at preview."""

    parts: pulumi.Output[Mapping[str, str]]
    """What the build key is made of, for sentences that explain a change: a short digest for each part, such as
    ``Dockerfile``, ``context/app.py``, ``build_args.VERSION``, ``base_image``; known at preview."""

    ref: pulumi.Output[str]
    """What the image is pulled by: the digest in the registry, if there is one, else the tag in this machine's Docker.
    Whoever uses it waits for the build."""

    digest: pulumi.Output[str]
    """Digest of the built image, in the registry if there is one; without one, of a ``base_image`` used as it is."""

    identity: pulumi.Output[str]
    """What the image is, for a run's fingerprint; see ``image_identity``. Of a ``base_image`` with nothing on top it is
    the digest of the base."""

    restore_hook: pulumi.ResourceHook
    """For what runs the image: builds it again, or pulls it, if it was removed in the meantime."""

    def __init__(self, name: str, args: TrainingImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validation.raise_for(problem.under(name) for problem in args.find_problems(Machine()))
        super().__init__("aml-infra:index:TrainingImage", name, None, opts)
        packages = read_packages(args)
        base = _find_base_digest(self, name, args)
        recipe = base.apply(lambda digest: read_recipe(args, digest, packages))
        self.build_key = recipe.apply(lambda known: known.build_key)
        self.parts = recipe.apply(lambda known: known.summarize())
        tag = pulumi.Output.all(_find_server(args.registry), self.build_key).apply(
            lambda known: name_tag(name, known[1], known[0])
        )
        request = recipe.apply(lambda known: build_request(args, known))
        builder = _Builder(self, args, packages, request, tag)
        build = pulumi.ResourceHook(f"build of {name}", builder.prepare)
        clear = pulumi.ResourceHook(f"clearing after {name}", _clear_credentials)
        image = docker_build.Image(
            name,
            **_read_image_inputs(args, request, tag),
            opts=pulumi.ResourceOptions(
                parent=self,
                hooks=pulumi.ResourceHookBinding(
                    before_create=[build],
                    before_update=[build],
                    after_create=[clear],
                    after_update=[clear],
                    on_error=[pulumi.ErrorHook(f"clearing after failed {name}", _clear_after_failure)],
                ),
                # What is in a registry may be in use by other stacks, which have pushed the same.
                retain_on_delete=args.registry is not None,
            ),
        )
        is_base = args.base_image is not None and not packages.digests
        if args.registry is None:
            # The URN is known at preview, and only once the image has been built at update.
            self.ref = pulumi.Output.all(tag, image.urn).apply(lambda known: str(known[0]))
            self.digest = base if is_base else image.digest
        else:
            self.ref = pulumi.Output.all(tag, image.digest).apply(lambda known: pin(*known))
            self.digest = image.digest
        if args.image_identity == "digest":
            self.identity = self.digest
        else:
            self.identity = base if is_base else self.build_key
        builder.ref, builder.urn = self.ref, image.urn
        self.restore_hook = pulumi.ResourceHook(f"restoring of {name}", builder.restore)
        self.register_outputs(
            {"buildKey": self.build_key, "ref": self.ref, "digest": self.digest, "identity": self.identity}
        )


def read_recipe(args: TrainingImageArgs, base_digest: str = "", packages: Packages | None = None) -> ImageRecipe:
    """The recipe that ``args`` describe, with the files read."""
    packages = packages or Packages()
    if args.base_image:
        return ImageRecipe(
            dockerfile=_write_dockerfile(args, args.base_image, base_digest, packages, packages.digests),
            template=_write_dockerfile(args, "", "", packages, {}),
            ingredients={"base_image": base_digest, **packages.digests},
            build_args=args.build_args,
            platform=args.platform,
        )
    path = find_dockerfile(args)
    text = str(args.dockerfile) if path is None else path.read_text(encoding="utf-8-sig")
    return ImageRecipe(dockerfile=text, context=find_context(args), build_args=args.build_args, platform=args.platform)


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
    version = hashlib.sha256(_CONTRACT.read_bytes()).hexdigest()[:8]
    check = (
        f"RUN --mount=type=secret,id={CONTRACT_ID},required=true,mode=0444 "
        f'["/bin/sh", "/run/secrets/{CONTRACT_ID}", "{dependencies}", "{version}"]'
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


def pin(tag: str, digest: str) -> str:
    """The image ``tag`` by its digest alone: not all that pull images take a tag and a digest together."""
    return f"{tag.rpartition(':')[0]}@{digest}"


def _find_server(to: Registry | None) -> pulumi.Input[str]:
    return LOCAL_SERVER if to is None else to.server


def _find_base_digest(image: pulumi.Resource, name: str, args: TrainingImageArgs) -> pulumi.Output[str]:
    """The digest of ``base_image``, looked up by the engine so that it is an input; empty without a ``base_image``.

    With a registry, what counts is what registries have: any machine that builds must get the same base. Without one it
    is what Docker here has, as that is what the build starts from.
    """
    if not args.base_image:
        return pulumi.Output.from_input("")
    if args.registry is None:
        found = pulumi.runtime.invoke_output(
            functions.GET_IMAGE, {"image": args.base_image, "backend": "docker"}, pulumi.InvokeOptions(parent=image)
        )
        return cast("pulumi.Output[str]", found.apply(lambda known: str(known["digest"])))
    import pulumi_docker

    provider = pulumi_docker.Provider(
        name,
        disable_docker_daemon_check=True,
        registry_auth=[
            {
                "address": args.registry.server.apply(registry.find_address),
                "username": args.registry.username,
                "password": args.registry.password,
            }
        ],
        opts=pulumi.ResourceOptions(parent=image),
    )

    async def ask(_: Login) -> str:
        asked = pulumi_docker.get_registry_image_output(
            name=args.base_image, opts=pulumi.InvokeOptions(parent=image, provider=provider)
        )
        try:
            answer = await asked.future()
        except Exception as error:
            # A failed invoke is a bare Exception, the SDK has nothing narrower.
            if type(error) is not Exception:
                raise
            raise pulumi.RunError(
                f"{name}.base_image: the digest of {args.base_image!r} cannot be had from its registry "
                f"({functions.read_failure(str(error))}); check its name, and the registry's username and password; "
                "an image that is only in Docker here must be pushed first"
            ) from error
        return str(cast("Any", answer).sha256_digest)

    # Not before the credentials are known, which are secret, while the digest is not.
    return cast("pulumi.Output[str]", pulumi.Output.unsecret(args.registry.login.apply(ask)))


def _read_image_inputs(
    args: TrainingImageArgs, request: pulumi.Output[image_build.BuildRequest], tag: pulumi.Output[str]
) -> dict[str, Any]:
    return {
        "dockerfile": {"inline": request.apply(lambda known: known.dockerfile)},
        "context": {"location": request.apply(lambda known: known.context)},
        "build_args": dict(args.build_args) or None,
        "platforms": [args.platform] if args.platform else None,
        "builder": {"name": image_build.find_builder()},
        "cache_from": [{"raw": spec} for spec in args.cache_from] or None,
        "cache_to": [{"raw": spec} for spec in args.cache_to] or None,
        "tags": [tag],
        "exec_": True,
        "build_on_preview": False,
        **_read_output_inputs(args.registry),
    }


def _read_output_inputs(to: Registry | None) -> dict[str, Any]:
    if to is None:
        return {"load": True, "push": False}
    account = {
        "address": to.server.apply(registry.find_host),
        "username": to.username,
        "password": to.password,
    }
    # The daemon pushes what it has, so that the image is in Docker here, too.
    return {"push": True, "registries": [account]}


def _clear_credentials(_: pulumi.ResourceHookArgs) -> None:
    image_build.clear_credentials()


async def _clear_after_failure(_: pulumi.ErrorHookArgs) -> bool:
    # What was written just now might be of another image, whose build is about to start.
    await asyncio.sleep(2 * image_build.STARTING_SECONDS)
    image_build.clear_credentials()
    return False


class _Builder:
    """Builds the image from hooks, where the user can see it."""

    ref: pulumi.Output[str]
    urn: pulumi.Output[str]

    def __init__(
        self,
        component: pulumi.Resource,
        args: TrainingImageArgs,
        packages: Packages,
        request: pulumi.Output[image_build.BuildRequest],
        tag: pulumi.Output[str],
    ) -> None:
        self._component = component
        self._args = args
        self._files = packages.files
        self._request = request
        self._tag = tag
        self._secrets = cast("pulumi.Output[Mapping[str, str]]", pulumi.Output.from_input(args.build_secrets))

    async def prepare(self, _: pulumi.ResourceHookArgs) -> None:
        """Before pulumi-docker-build makes the image: it finds all done."""
        # Of a program that was killed.
        image_build.clear_credentials()
        tag, login = await self._tag.future(), await self._find_login()
        if login is None:
            await self._build(image_build.CACHE_ONLY)
        elif tag is not None:
            # A registry that does not answer is told before minutes of building.
            await registry.has_manifest(tag, login)
            await self._build(image_build.push_as(tag), login)

    async def restore(self, hook: pulumi.ResourceHookArgs) -> None:
        """Before a run: an image that was removed is not missed by pulumi-docker-build, which compares inputs only."""
        tag, ref, login = await self._tag.future(), await self.ref.future(), await self._find_login()
        if tag is None or ref is None:
            return
        if login is None:
            if not await functions.has_image(tag):
                await self._build(image_build.load_as(tag))
            return
        is_local = (hook.new_inputs or {}).get("backend", "docker") == "docker"
        if await (self._is_in_docker(ref, login) if is_local else registry.has_manifest(ref, login)):
            return
        await self._build(image_build.push_as(tag), login)
        if not await registry.has_manifest(ref, login):
            raise image_build.ImageNotBuilt(
                f"{ref} was removed from its registry, and the same recipe makes another digest today; run "
                f"`pulumi up --replace '{await self.urn.future()}'`, which takes the new one"
            )

    async def _is_in_docker(self, ref: str, login: Login) -> bool:
        return await functions.has_image(ref) or await registry.pull(ref, login, self._say)

    async def _find_login(self) -> Login | None:
        if self._args.registry is None:
            return None
        login = await self._args.registry.login.future()
        if login is None:
            raise image_build.ImageNotBuilt("the registry's account is not known, as what makes it has failed")
        return login

    async def _build(self, output: Sequence[str], login: Login | None = None) -> None:
        request, secrets = await self._request.future(), await self._secrets.future()
        if request is None or secrets is None:
            raise image_build.ImageNotBuilt("a build secret is not known, as what makes it has failed")
        files = {CONTRACT_ID: str(_CONTRACT)}
        host_ca = image_build.find_host_ca() if self._args.host_ca_secret else None
        if self._args.host_ca_secret and host_ca is not None:
            files[self._args.host_ca_secret] = str(host_ca)
        with contextlib.nullcontext() if login is None else registry.open_environment(login) as environment:
            await image_build.run_build(
                request,
                secrets={**secrets, **self._files},
                secret_files=files,
                say=self._say,
                output=output,
                environment=environment,
            )

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
