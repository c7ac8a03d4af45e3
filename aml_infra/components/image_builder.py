"""Builds a ``TrainingImage`` from hooks, where the user can see it; and restores one that is gone."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

import pulumi

from aml_infra.components import functions, image_build, registry_login
from aml_infra.components.container_registry import ContainerRegistry
from aml_infra.components.registry_login import Login
from aml_infra.components.training_image_args import TrainingImageArgs
from aml_infra.components.training_image_packages import Packages

CONTRACT_ID = "aml-infra-image-contract"
"""Id of the build secret that brings the contract's script into the build, so that it leaves nothing in the image."""

CONTRACT = pathlib.Path(__file__).parent / "image_contract.sh"
"""The script."""

WAITING_STEP_SECONDS = 10.0
"""Time between two questions whether the registry takes the account."""

_SILENT = re.compile(r"\bexit status \d+\s*$")
"""What pulumi-docker-build says where buildx has said why it failed."""


def clear_credentials(_: pulumi.ResourceHookArgs) -> None:
    """After pulumi-docker-build has made the image."""
    image_build.clear_credentials()


class ImageBuilder:
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
        registry: ContainerRegistry | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._component = component
        self._args = args
        self._registry = registry
        self._files = packages.files
        self._request = request
        self._tag = tag
        self._sleep = sleep
        self._secrets = cast("pulumi.Output[Mapping[str, str]]", pulumi.Output.from_input(args.build_secrets))

    async def prepare(self, _: pulumi.ResourceHookArgs) -> None:
        """Before pulumi-docker-build makes the image: it finds all done."""
        # Of a program that was killed.
        image_build.clear_credentials()
        await self._build_ahead()

    async def repair(self, hook: pulumi.ErrorHookArgs) -> bool:
        """After pulumi-docker-build has failed without a reason: builds all again, and lets it try once more.

        BuildKit may miss a step in its cache that it has built a moment ago. What pulumi-docker-build builds then has
        no secrets, and fails. Whatever else it was, the build that is seen tells it.

        Raises:
            ImageNotBuilt: that build has failed, or it has not helped.
        """
        # What was written just now might be of another image, whose build is about to start.
        await self._sleep(2 * image_build.STARTING_SECONDS)
        image_build.clear_credentials()
        if hook.failed_operation == "delete" or not _SILENT.search(hook.errors[0]):
            return False
        if len(hook.errors) > 1:
            raise image_build.ImageNotBuilt(
                f"pulumi-docker-build has failed twice without a reason ({hook.errors[0]}), though the same build had "
                "succeeded just before; most likely BuildKit does not keep what it has built: raise "
                "builder.gc.defaultKeepStorage in Docker's daemon.json (`docker buildx du` shows what is kept), and "
                "run `pulumi up` again"
            )
        await self._build_ahead()
        return True

    async def _build_ahead(self) -> None:
        tag, login = await self._tag.future(), await self._find_login()
        if login is None:
            await self._build(image_build.CACHE_ONLY)
        elif tag is not None:
            # A registry that does not answer is told before minutes of building.
            await self._wait_for_role(tag, login)
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
        if await (self._is_in_docker(ref, login) if is_local else registry_login.has_manifest(ref, login)):
            return
        await self._build(image_build.push_as(tag), login)
        if not await registry_login.has_manifest(ref, login):
            raise image_build.ImageNotBuilt(
                f"{ref} was removed from its registry, and the same recipe makes another digest today; run "
                f"`pulumi up --replace '{await self.urn.future()}'`, which takes the new one"
            )

    async def _wait_for_role(self, tag: str, login: Login) -> None:
        """Until the registry takes the account: after the role was granted, that may last minutes."""
        registry = self._registry
        patience = 0.0 if registry is None else registry.waiting_seconds
        while True:
            try:
                await registry_login.has_manifest(tag, login)
                return
            except registry_login.RegistryRefuses:
                if patience <= 0:
                    raise
            self._say(f"{login.host} does not take the account yet; waiting until the role that was granted holds")
            await self._sleep(WAITING_STEP_SECONDS)
            patience -= WAITING_STEP_SECONDS

    async def _is_in_docker(self, ref: str, login: Login) -> bool:
        return await functions.has_image(ref) or await registry_login.pull(ref, login, self._say)

    async def _find_login(self) -> Login | None:
        if self._registry is None:
            return None
        login = await self._registry.login.future()
        if login is None:
            raise image_build.ImageNotBuilt("the registry's account is not known, as what makes it has failed")
        return login

    async def _build(self, output: Sequence[str], login: Login | None = None) -> None:
        request, secrets = await self._request.future(), await self._secrets.future()
        if request is None or secrets is None:
            raise image_build.ImageNotBuilt("a build secret is not known, as what makes it has failed")
        files = {CONTRACT_ID: str(CONTRACT)}
        host_ca = image_build.find_host_ca() if self._args.host_ca_secret else None
        if self._args.host_ca_secret and host_ca is not None:
            files[self._args.host_ca_secret] = str(host_ca)
        with contextlib.nullcontext() if login is None else registry_login.open_environment(login) as environment:
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
