from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from aml_infra import TrainingImageArgs
from aml_infra.components import registry_login
from aml_infra.components.external_registry import ExternalRegistry
from aml_infra.components.image_builder import WAITING_STEP_SECONDS, ImageBuilder
from aml_infra.components.training_image import build_request, read_recipe
from aml_infra.components.training_image_packages import Packages
from tests.unit.components.engine import Engine

# Refuses as often as a file beside it has lines; then there is no such image yet, and a build succeeds.
BUILDX = """#!/bin/sh
echo "$1" >> "$0.calls"
[ "$1" = imagetools ] || exit 0
if [ -s "$0.refusals" ]; then
    sed -i 1d "$0.refusals"
    echo "ERROR: 401 Unauthorized"
else
    echo "ERROR: pets.azurecr.io/fastai:1: not found"
fi
exit 1
"""


class PatientRegistry(ExternalRegistry):
    """One whose roles hold after 25 seconds at the latest."""

    waiting_seconds = 25.0


def prepare(engine: Engine, buildx: pathlib.Path, refusals: int, *, registry: type[ExternalRegistry]) -> list[float]:
    """Builds for a registry that refuses some times; gives the seconds that were waited."""
    buildx.write_text(BUILDX)
    buildx.with_name(f"{buildx.name}.refusals").write_text("x\n" * refusals)
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    def program() -> Mapping[str, Any]:
        args = TrainingImageArgs(dockerfile="FROM debian:12\n")
        builder = ImageBuilder(
            pulumi.ComponentResource("aml-infra:index:TrainingImage", "fastai"),
            args,
            Packages(),
            pulumi.Output.from_input(build_request(args, read_recipe(args))),
            pulumi.Output.from_input("pets.azurecr.io/fastai:1"),
            registry(server="pets.azurecr.io", username=registry_login.TOKEN_USER, password="sesame"),  # noqa: S106
            sleep,
        )

        async def run() -> str:
            await builder.prepare(pulumi.ResourceHookArgs(urn="urn", id="", name="x", type="x"))
            return ""

        return {"done": run()}

    engine.run(program)
    return waited


def read_calls(buildx: pathlib.Path) -> list[str]:
    """What buildx was asked for."""
    return buildx.with_name(f"{buildx.name}.calls").read_text().split()


def test_a_role_that_was_granted_now_is_waited_for(engine: Engine, buildx: pathlib.Path) -> None:
    """Azure may need minutes until it holds; nothing is built before."""
    waited = prepare(engine, buildx, 2, registry=PatientRegistry)

    assert waited == [WAITING_STEP_SECONDS, WAITING_STEP_SECONDS]
    assert read_calls(buildx) == ["imagetools", "imagetools", "imagetools", "build"]


def test_it_is_not_waited_for_ever(engine: Engine, buildx: pathlib.Path) -> None:
    """Then the role is not there, and who gets it is said."""
    with pytest.raises(registry_login.RegistryRefuses) as caught:
        prepare(engine, buildx, 9, registry=PatientRegistry)

    assert str(caught.value).endswith(
        "(401 Unauthorized); whoever is logged in to Azure needs the role AcrPush there; list them in the registry's "
        "pushers"
    )
    assert "build" not in read_calls(buildx)


def test_an_account_that_exists_is_refused_at_once(engine: Engine, buildx: pathlib.Path) -> None:
    """Nobody has granted it anything just now."""
    with pytest.raises(registry_login.RegistryRefuses):
        prepare(engine, buildx, 1, registry=ExternalRegistry)

    assert read_calls(buildx) == ["imagetools"]
