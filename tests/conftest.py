"""What concerns all tests of a run, which pytest-xdist may have spread over processes."""

from __future__ import annotations

import gc
from typing import Any

import hypothesis
import pytest

from tests.azure import totals

WORKER_KEY = "azure_calls"

# Fixtures are made once for all examples of a test, which leave nothing in them; and no test has a time limit.
_ALWAYS: Any = {
    "database": None,
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
}
hypothesis.settings.register_profile("quick", max_examples=50, derandomize=True, **_ALWAYS)
hypothesis.settings.register_profile("thorough", max_examples=2000, print_blob=True, **_ALWAYS)
hypothesis.settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Keeps the modules of the SDKs out of garbage collection, which takes half of a short test's time else."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what its tests have asked of Azure."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[WORKER_KEY] = totals.calls


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes over from a worker; one that crashed has nothing to hand over."""
    totals.calls.extend(tuple(each) for each in getattr(node, "workeroutput", {}).get(WORKER_KEY, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much of Azure the official clients walked."""
    if totals.calls:
        terminalreporter.write_line(totals.build_line(totals.calls))
