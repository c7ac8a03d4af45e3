from __future__ import annotations

import importlib.util
import pathlib
import sys
import types
from collections.abc import Iterator

import pytest

from tests.unit.components.conftest import buildx, engine

__all__ = ["buildx", "engine", "settings", "stacks_folder"]


@pytest.fixture(scope="session")
def stacks_folder() -> pathlib.Path:
    """The folder of the program."""
    return pathlib.Path(__file__).parents[3] / "stacks"


@pytest.fixture
def settings(stacks_folder: pathlib.Path) -> Iterator[types.ModuleType]:
    """The module ``settings``, which is no part of a package, loaded as the program loads it."""
    spec = importlib.util.spec_from_file_location("settings", stacks_folder / "settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["settings"] = module
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("settings", None)
