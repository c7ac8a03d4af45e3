from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

import pulumi
import pytest
from pulumi.runtime import settings

from aml_infra.components import azure_functions
from aml_infra.components.azure_functions import Demand
from aml_infra.errors import BackendUnavailable
from tests.unit.components.engine import Engine

DEMAND = Demand(subscription_id="s", location="westeurope", vm_size="x", nodes=2, low_priority=False)
ASKED = {
    "subscriptionId": "s",
    "location": "westeurope",
    "vmSize": "x",
    "nodes": 2,
    "lowPriority": False,
    "service": "learning",
}
LOGIN = {"username": "0000", "password": "sesame"}


@dataclasses.dataclass
class AzureEngine(Engine):
    """An engine whose plugin knows Azure."""

    problem: str = ""
    note: str = ""
    asked: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.asked.append(dict(args.args))
        if self.failure is not None:
            return {}, [("", self.failure)]
        if args.token == azure_functions.GET_QUOTA:
            return {"problem": self.problem, "note": self.note}
        if args.token == azure_functions.GET_REGISTRY_TOKEN:
            return LOGIN
        raise NotImplementedError(args.token)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> AzureEngine:
    """A fresh engine."""
    engine = AzureEngine()
    pulumi.runtime.set_mocks(engine, project="aml-infra", stack="test")
    monkeypatch.setattr(settings.SETTINGS, "callbacks", engine, raising=False)
    return engine


def run(engine: Engine, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What ``ask`` returns, or the error that it raises, in a program."""
    results: list[Any] = []

    async def run_it() -> str:
        try:
            results.append(await ask())
        except (BackendUnavailable, pulumi.RunError) as error:
            results.append(error)
        return ""

    engine.run(lambda: {"done": run_it()})
    return results[0]


def run_hook(engine: Engine, demand: Demand = DEMAND, *, old_inputs: dict[str, Any] | None = None) -> Any:
    """The text that the hook fails with, or None."""

    async def check() -> None:
        hook = azure_functions.build_quota_hook("gpu", demand)
        assert hook.opts is not None
        assert hook.opts.on_dry_run
        result = hook(pulumi.ResourceHookArgs(urn="urn", id="", name="gpu", type="x", old_inputs=old_inputs))
        assert result is not None
        await result

    result = run(engine, check)
    return None if result is None else str(result)


def test_a_registrys_login_is_a_secret(engine: AzureEngine) -> None:
    """All of it, as it comes in one answer."""
    secret: list[bool] = []

    def program() -> dict[str, Any]:
        token = azure_functions.get_registry_token(pulumi.Output.from_input("contoso.azurecr.io"))

        async def see() -> str:
            secret.append(await token.is_secret())
            return ""

        return {"username": token.apply(lambda known: known.username), "seen": see()}

    assert engine.run(program)["username"] == "0000"
    assert secret == [True]
    assert engine.asked == [{"server": "contoso.azurecr.io"}]


def test_a_registrys_login_can_be_asked_for_in_a_hook(engine: AzureEngine) -> None:
    """Its password is not in its text."""
    token = run(engine, lambda: azure_functions.ask_registry_token("contoso.azurecr.io"))

    assert (token.username, token.password) == ("0000", "sesame")
    assert "sesame" not in repr(token)


def test_a_login_that_azure_does_not_give_is_told(engine: AzureEngine) -> None:
    """In the plugin's words."""
    engine.failure = "Azure gives no token; log in with `az login`"

    error = run(engine, lambda: azure_functions.ask_registry_token("contoso.azurecr.io"))

    assert str(error) == engine.failure


def test_a_quota_that_is_enough_lets_a_cluster_be_made(engine: AzureEngine) -> None:
    """All of the demand is asked about, and whether the cluster is there."""
    assert run_hook(engine) is None
    assert run_hook(engine, old_inputs={}) is None
    assert engine.asked == [{**ASKED, "exists": False}, {**ASKED, "exists": True}]


def test_a_quota_that_is_short_is_told_with_the_property(engine: AzureEngine) -> None:
    """In the plugin's words."""
    engine.problem = "needs 24 cores of x in westeurope; 6 of 12 are free"

    assert run_hook(engine) == "gpu.vm_size: needs 24 cores of x in westeurope; 6 of 12 are free"


def test_a_demand_that_is_not_known_asks_nobody(engine: AzureEngine) -> None:
    """As at the preview of a workspace that is yet to be made."""

    async def check() -> Any:
        nothing: asyncio.Future[Any] = asyncio.Future()
        nothing.set_result(None)
        unknown: asyncio.Future[bool] = asyncio.Future()
        unknown.set_result(False)
        demand = dataclasses.replace(DEMAND, location=pulumi.Output(set(), nothing, unknown))
        hook = azure_functions.build_quota_hook("gpu", demand)
        result = hook(pulumi.ResourceHookArgs(urn="urn", id="", name="gpu", type="x"))
        assert result is not None
        await result

    assert run(engine, check) is None
    assert engine.asked == []


def test_a_quota_that_is_not_listed_is_a_warning(engine: AzureEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster is made all the same."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    engine.note = "Azure lists no quota of x"

    assert run_hook(engine) is None
    assert warnings == ["gpu.vm_size: Azure lists no quota of x"]


def test_an_azure_that_does_not_answer_fails_the_hook(engine: AzureEngine) -> None:
    """The cluster could not be made either."""
    engine.failure = "Azure does not answer"

    assert run_hook(engine) == engine.failure
