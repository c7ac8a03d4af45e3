"""What concerns all tests of a run, which pytest-xdist may have spread over processes."""

from __future__ import annotations

import fcntl
import gc
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest
from xdist import scheduler  # type: ignore[import-untyped]

from tests.azure import totals

WORKER_KEY = "azure_calls"
TOGETHER = ("tests/contract/",)
"""Folders whose files go to one process, as they share what takes long to start."""

# Fixtures are made once for all examples of a test, which leave nothing in them; and no test has a time limit.
_ALWAYS: Any = {
    "database": None,
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
}
hypothesis.settings.register_profile("quick", max_examples=50, derandomize=True, **_ALWAYS)
hypothesis.settings.register_profile("thorough", max_examples=2000, print_blob=True, **_ALWAYS)
hypothesis.settings.load_profile("quick")


class Scheduling(scheduler.LoadFileScheduling):  # type: ignore[misc]
    """Gives each file, or folder of ``TOGETHER``, to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """See ``Scheduling``."""
    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Lets one process of several import all tests first: each would else compile the same bytecode, for a minute."""
    if not hasattr(session.config, "workerinput"):
        return (yield)
    folder = session.config.rootpath / ".pytest_cache"
    folder.mkdir(exist_ok=True)
    with (folder / "collection.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
        return (yield)


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
