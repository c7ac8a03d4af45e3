from __future__ import annotations

import pathlib

import pytest

from tests.unit.tools import fakes


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> fakes.Machine:
    """A new machine, on which nothing is installed."""
    return fakes.Machine(tmp_path)
