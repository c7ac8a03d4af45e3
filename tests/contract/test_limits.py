"""What a run may take at the most, on each service, and how it ends there: by that it is repeated, or not."""

from __future__ import annotations

import pytest

from aml_infra.backends.base import Status
from aml_infra.spec import Resources
from tests.contract.conftest import Stage


def test_a_run_that_takes_too_long_is_timed_out(service_stage: Stage) -> None:
    """By its service, also where nobody watches; its log is whole, and its limit is named."""
    scene = service_stage(lasting=True, timeout_minutes=0.02)

    lines = scene.run_to_end()
    state = scene.describe()

    assert lines[:2] == ["one", "two"]
    assert state.status is Status.TIMED_OUT
    assert "minutes" in state.reason
    assert service_stage.count_runs(scene, going=True) == 0


@pytest.mark.parametrize("service", ["docker", "kubernetes"])
def test_too_much_memory_is_said_to_be_it(service: str, request: pytest.FixtureRequest) -> None:
    """Not a failure of a machine: another attempt would fail likewise. On Azure nothing but the machine is a limit."""
    stage: Stage = request.getfixturevalue(f"{service}_stage")
    scene = stage(resources=Resources(memory_gb=0.05))
    scene.write_script("tail /dev/zero\n")

    scene.run_to_end()
    state = scene.describe()

    assert (state.status, "ran out of memory" in state.reason) == (Status.FAILED, True)
