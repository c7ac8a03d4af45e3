from __future__ import annotations

import pathlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pulumi
import pytest

from aml_infra import TrainingImageArgs
from aml_infra.components import image_build, registry_login
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


async def prepare(builder: ImageBuilder) -> str:
    """What the engine does before the image is made."""
    await builder.prepare(pulumi.ResourceHookArgs(urn="urn", id="", name="x", type="x"))
    return ""


def run(
    engine: Engine,
    buildx: pathlib.Path,
    hook: Callable[[ImageBuilder], Coroutine[Any, Any, str]] = prepare,
    *,
    refusals: int = 0,
    registry: type[ExternalRegistry] = ExternalRegistry,
) -> tuple[str, list[float]]:
    """Runs a hook for a registry that refuses some times; gives what it gives, and the seconds that were waited."""
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
        return {"done": hook(builder)}

    return engine.run(program)["done"], waited


def read_calls(buildx: pathlib.Path) -> list[str]:
    """What buildx was asked for."""
    calls = buildx.with_name(f"{buildx.name}.calls")
    return calls.read_text().split() if calls.exists() else []


def test_a_role_that_was_granted_now_is_waited_for(engine: Engine, buildx: pathlib.Path) -> None:
    """Azure may need minutes until it holds; nothing is built before."""
    _, waited = run(engine, buildx, refusals=2, registry=PatientRegistry)

    assert waited == [WAITING_STEP_SECONDS, WAITING_STEP_SECONDS]
    assert read_calls(buildx) == ["imagetools", "imagetools", "imagetools", "build"]


def test_it_is_not_waited_for_ever(engine: Engine, buildx: pathlib.Path) -> None:
    """Then the role is not there, and who gets it is said."""
    with pytest.raises(registry_login.RegistryRefuses) as caught:
        run(engine, buildx, refusals=9, registry=PatientRegistry)

    assert str(caught.value).endswith(
        "(401 Unauthorized); whoever is logged in to Azure needs the role AcrPush there; list them in the registry's "
        "pushers"
    )
    assert "build" not in read_calls(buildx)


def test_an_account_that_exists_is_refused_at_once(engine: Engine, buildx: pathlib.Path) -> None:
    """Nobody has granted it anything just now."""
    with pytest.raises(registry_login.RegistryRefuses):
        run(engine, buildx, refusals=1)

    assert read_calls(buildx) == ["imagetools"]


def repair(engine: Engine, buildx: pathlib.Path, operation: str, *errors: str) -> str:
    """What the hook on an error gives, where pulumi-docker-build has failed with these, newest first."""

    async def call(builder: ImageBuilder) -> str:
        hook = pulumi.ErrorHookArgs(
            urn="urn", id="", name="x", type="x", failed_operation=operation, errors=list(errors)
        )
        return str(await builder.repair(hook))

    return run(engine, buildx, call)[0]


@pytest.mark.parametrize(
    ("operation", "error"),
    [("create", "exit status 1"), ("update", "rpc error: code = Unknown desc = exit status 1")],
)
def test_a_failure_without_a_reason_is_built_again(
    engine: Engine, buildx: pathlib.Path, operation: str, error: str
) -> None:
    """Where the user sees it; then pulumi-docker-build may try again."""
    assert repair(engine, buildx, operation, error) == "True"
    assert read_calls(buildx) == ["imagetools", "build"]


@pytest.mark.parametrize(("operation", "error"), [("create", "no builder of that name"), ("delete", "exit status 1")])
def test_a_failure_that_has_been_told_is_left_at_that(
    engine: Engine, buildx: pathlib.Path, operation: str, error: str
) -> None:
    """Nothing is built for it."""
    assert repair(engine, buildx, operation, error) == "False"
    assert read_calls(buildx) == []


def test_a_second_failure_without_a_reason_is_explained(engine: Engine, buildx: pathlib.Path) -> None:
    """With what is likely, and the fix."""
    with pytest.raises(image_build.ImageNotBuilt, match=r"has failed twice .*: raise builder\.gc\."):
        repair(engine, buildx, "create", "exit status 1", "exit status 1")

    assert read_calls(buildx) == []
