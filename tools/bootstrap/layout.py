"""Where things are: in the checkout, in the cache, in the user's home."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import pwd
from collections.abc import Mapping

from tools.bootstrap import errors, versions

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """The folders of one checkout and one cache, and the platform's name in release files."""

    checkout: pathlib.Path
    cache: pathlib.Path
    home: pathlib.Path
    pulumi_home: pathlib.Path
    docker_home: pathlib.Path
    system: str = "linux"
    machine: str = "amd64"

    @property
    def venv(self) -> pathlib.Path:
        return self.checkout / ".venv"

    @property
    def private(self) -> pathlib.Path:
        """State of stack `local`; git ignores it."""
        return self.checkout / ".pulumi"

    @property
    def stack_config(self) -> pathlib.Path:
        """The folder that Pulumi.yaml names as `stackConfigDir`."""
        return self.checkout / "stacks" / "config"

    @property
    def uv(self) -> pathlib.Path:
        return self.cache / f"uv-{versions.UV}"

    @property
    def go(self) -> pathlib.Path:
        return self.cache / f"go-{versions.GO}"

    @property
    def engine(self) -> pathlib.Path:
        return self.cache / f"pulumi-{versions.PULUMI}"

    @property
    def language(self) -> pathlib.Path:
        """Beside the engine: there the engine expects its language hosts, and does not warn about them."""
        return self.engine

    @property
    def docker_build(self) -> pathlib.Path:
        return self.cache / f"docker-build-{versions.DOCKER_BUILD}"

    @property
    def buildx(self) -> pathlib.Path:
        return self.cache / f"buildx-{versions.BUILDX}"

    @property
    def registry(self) -> pathlib.Path:
        return self.cache / f"registry-{versions.REGISTRY}"

    @property
    def azurite(self) -> pathlib.Path:
        return self.cache / f"azurite-{versions.AZURITE}-node-{versions.NODE}"

    @property
    def cluster(self) -> pathlib.Path:
        versioned = f"kubernetes-{versions.KUBERNETES}-coredns-{versions.COREDNS}-kwok-{versions.KWOK}"
        return self.cache / versioned

    @property
    def cluster_packages(self) -> pathlib.Path:
        """Debian's packages that the cluster's nodes need, unpacked."""
        return self.cluster / "debian"

    @property
    def cluster_folders(self) -> list[pathlib.Path]:
        """Where the cluster's programs are."""
        return [self.cluster / "bin", *(self.cluster_packages / name for name in ("bin", "usr/bin", "usr/sbin"))]

    @property
    def cluster_network(self) -> pathlib.Path:
        """Plugins of the nodes' container runtime; their names are those of other programs, too."""
        return self.cluster_packages / "usr/lib/cni"

    @property
    def trainer(self) -> pathlib.Path:
        return self.cache / f"trainer-{versions.TRAINER}-jobset-{versions.JOBSET}"

    @property
    def plugin(self) -> pathlib.Path:
        """Where the engine looks for the docker-build plugin; one that is merely on PATH makes it warn each time."""
        return self.pulumi_home / "plugins" / f"resource-docker-build-v{versions.DOCKER_BUILD}"

    @property
    def type_checks(self) -> pathlib.Path:
        """Of mypy, which goes by the files' content, so that one is right for all checkouts."""
        return self.cache / "mypy"

    @property
    def work(self) -> pathlib.Path:
        """Half-made things, on the same file system as what they will be."""
        return self.cache / "work"

    @property
    def logs(self) -> pathlib.Path:
        return self.cache / "logs"


def build_layout(checkout: pathlib.Path, env: Mapping[str, str]) -> Layout:
    """The layout that the environment asks for.

    The cache is $AML_INFRA_CACHE, else `aml-infra` in $XDG_CACHE_HOME, else in ~/.cache.

    Raises:
        BootstrapError: the platform is not supported, or there is no home folder.
    """
    home = env.get("HOME", "")
    if not home:
        raise errors.BootstrapError("HOME is not set; set it to a folder that you may write to")
    system = platform.system().lower()
    machine = _MACHINES.get(platform.machine().lower(), "")
    if system not in {"linux", "darwin"} or not machine:
        raise errors.BootstrapError(
            f"{platform.system()} on {platform.machine()} is not supported; Linux and macOS on amd64 and arm64 are"
        )
    cache = env.get("AML_INFRA_CACHE") or os.path.join(env.get("XDG_CACHE_HOME") or f"{home}/.cache", "aml-infra")
    return Layout(
        checkout=checkout,
        cache=pathlib.Path(cache).absolute(),
        home=pathlib.Path(home),
        # As the engine does it, which goes by the user's entry in the system and not by HOME.
        pulumi_home=pathlib.Path(env.get("PULUMI_HOME") or pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir, ".pulumi")),
        docker_home=pathlib.Path(env.get("DOCKER_CONFIG") or f"{home}/.docker"),
        system=system,
        machine=machine,
    )
