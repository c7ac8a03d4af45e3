from __future__ import annotations

import pathlib
import re

import pytest

from tools.bootstrap import versions

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
MODULES = CHECKOUT / "tools" / "bootstrap" / "go"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("v3.259.0", (3, 259, 0)), ("20.10.24+dfsg1", (20, 10, 24)), ("go1.26.8", (1, 26, 8)), ("dev", ())],
)
def test_versions_are_numbers(text: str, numbers: tuple[int, ...]) -> None:
    """Each tool's way of writing its version can be compared."""
    assert versions.parse_version(text) == numbers


@pytest.mark.parametrize(
    ("module", "dependency", "version"),
    [
        ("pulumi", "github.com/pulumi/pulumi/pkg/v3", versions.PULUMI),
        ("language-python", "github.com/pulumi/pulumi/sdk/v3", versions.LANGUAGE_HOST),
        ("docker-build", "github.com/pulumi/pulumi-docker-build", versions.DOCKER_BUILD),
        ("docker-build", "github.com/docker/buildx", versions.BUILDX),
        ("kubernetes", "k8s.io/kubernetes", versions.KUBERNETES),
        ("kubernetes", "github.com/coredns/coredns", versions.COREDNS),
        ("kwok", "sigs.k8s.io/kwok", versions.KWOK),
        ("trainer", "github.com/kubeflow/trainer/v2", versions.TRAINER),
        ("trainer", "sigs.k8s.io/jobset", versions.JOBSET),
    ],
)
def test_the_modules_build_what_the_pins_say(module: str, dependency: str, version: str) -> None:
    """A pin that is raised must be raised in the Go module, too."""
    assert re.search(rf"{re.escape(dependency)} v{re.escape(version)}\n", (MODULES / module / "go.mod").read_text())


@pytest.mark.parametrize(
    ("package", "version"), [("pulumi", versions.PULUMI), ("pulumi-docker-build", versions.DOCKER_BUILD)]
)
def test_the_lock_has_the_same_versions(package: str, version: str) -> None:
    """The Python packages are those of the engine and of the plugin."""
    lock = (CHECKOUT / "uv.lock").read_text()

    assert f'name = "{package}"\nversion = "{version}"\n' in lock


def test_every_target_is_explained() -> None:
    """`make help` shows each public target."""
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))

    assert targets == set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert {"help", "up", "preview", "output", "down", "test", "lint", "doctor", "ui"} <= targets
