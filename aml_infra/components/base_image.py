"""The digest of a base image, looked up by the engine, so that a moved tag shows in the diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi

from aml_infra.components import functions, registry_login
from aml_infra.components.container_registry import ContainerRegistry
from aml_infra.components.registry_login import Login

if TYPE_CHECKING:
    import pulumi_docker


def pin(image: str, digest: str) -> str:
    """``image`` by its digest alone: not all that pull images take a tag and a digest together."""
    path, slash, name = image.partition("@")[0].rpartition("/")
    return f"{path}{slash}{name.partition(':')[0]}@{digest}"


def find_local_digest(parent: pulumi.Resource, image: str) -> pulumi.Output[str]:
    """The digest that ``image`` has in Docker here, which is what a build without a registry starts from."""
    found = pulumi.runtime.invoke_output(
        functions.GET_IMAGE, {"image": image, "backend": "docker"}, pulumi.InvokeOptions(parent=parent)
    )
    return cast("pulumi.Output[str]", found.apply(lambda known: str(known["digest"])))


def find_digest(
    parent: pulumi.Resource, name: str, image: str, registry: ContainerRegistry | None
) -> pulumi.Output[str]:
    """The digest that ``image`` has in its registry: any machine that builds must get the same base.

    Without credentials, unless it is in ``registry``; then with those.

    Args:
        parent: the component that has the image.
        name: the component's name.
        image: reference of the image.
        registry: the registry that is pushed to, where there is one.
    """
    import pulumi_docker

    accounts = [] if registry is None or not registry.has_lasting_password else [_build_account(registry)]
    provider = pulumi_docker.Provider(
        name,
        disable_docker_daemon_check=True,
        registry_auth=accounts or None,
        opts=pulumi.ResourceOptions(parent=parent),
    )

    async def ask(_: object) -> str:
        asked = pulumi_docker.get_registry_image_output(
            name=image, opts=pulumi.InvokeOptions(parent=parent, provider=provider)
        )
        try:
            answer = await asked.future()
        except Exception as error:
            # A failed invoke is a bare Exception, the SDK has nothing narrower.
            if type(error) is not Exception:
                raise
            account = ", and the registry's username and password" if accounts else ""
            raise pulumi.RunError(
                f"{name}.base_image: the digest of {image!r} cannot be had from its registry "
                f"({functions.read_failure(str(error))}); check its name{account}; "
                "an image that is only in Docker here must be pushed first"
            ) from error
        return str(cast("Any", answer).sha256_digest)

    if registry is None:
        return pulumi.Output.from_input("").apply(ask)
    if registry.has_lasting_password:
        # Not before the credentials are known, which are secret, while the digest is not.
        return cast("pulumi.Output[str]", pulumi.Output.unsecret(registry.login.apply(ask)))

    async def ask_registry(login: Login) -> str:
        return await registry_login.find_digest(image, login)

    def choose(server: str) -> pulumi.Output[str]:
        if registry_login.find_image_host(image) != registry_login.find_host(server):
            return pulumi.Output.from_input(server).apply(ask)
        # With a token that is not an input of the provider, as it is another one each time.
        return cast("pulumi.Output[str]", pulumi.Output.unsecret(registry.login.apply(ask_registry)))

    return registry.server.apply(choose)


def _build_account(registry: ContainerRegistry) -> pulumi_docker.ProviderRegistryAuthArgsDict:
    return {
        "address": registry.server.apply(registry_login.find_address),
        "username": registry.username,
        "password": registry.password,
    }
