"""A short version of `make faults`: the same trials, a few on each backend."""

from __future__ import annotations

import pathlib

import pytest

from tests.faults import schedules
from tests.faults.__main__ import say
from tests.faults.campaign import Campaign
from tests.faults.grounds import open_grounds

SEEDS = {"docker": "18,48,108", "azureml": "4,34", "kubernetes": "23,77"}
"""Between them they kill each victim once at least, whatever is trained, which a test of schedules checks."""


@pytest.mark.parametrize("backend", schedules.BACKENDS)
def test_nothing_is_lost_or_trained_twice_whoever_is_killed(backend: str, tmp_path: pathlib.Path) -> None:
    """Updates that are killed at moments of all kinds, and started again, end as one that nobody disturbed."""
    drawn = [schedules.draw(seed) for seed in schedules.parse_seeds(SEEDS[backend])]

    with open_grounds(tmp_path) as grounds:
        report = Campaign(grounds, tmp_path, say).run(drawn, parallel=3)

    assert not report.failures, "\n\n".join(report.failures)
