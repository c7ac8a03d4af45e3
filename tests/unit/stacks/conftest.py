from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import sys
import types
from collections.abc import Iterator

import pytest

from tests.unit.components.conftest import buildx, engine, kubeconfig

__all__ = ["buildx", "engine", "kubeconfig", "sections", "secure_values", "settings", "stacks_folder"]


@pytest.fixture(scope="session")
def stacks_folder() -> pathlib.Path:
    """The folder of the program."""
    return pathlib.Path(__file__).parents[3] / "stacks"


@pytest.fixture
def secure_values(stacks_folder: pathlib.Path) -> Iterator[types.ModuleType]:
    """The module ``secure_values``, which is no part of a package, loaded as the program loads it."""
    yield from load(stacks_folder, "secure_values")


@pytest.fixture
def sections(stacks_folder: pathlib.Path) -> Iterator[types.ModuleType]:
    """The module ``sections``, as above."""
    yield from load(stacks_folder, "sections")


@pytest.fixture
def settings(
    stacks_folder: pathlib.Path, secure_values: types.ModuleType, sections: types.ModuleType
) -> Iterator[types.ModuleType]:
    """The module ``settings``, as above, with those that it loads."""
    with contextlib.ExitStack() as stack:
        for name in ("paths", "azure_settings"):
            stack.enter_context(contextlib.contextmanager(load)(stacks_folder, name))
        yield from load(stacks_folder, "settings")


def load(folder: pathlib.Path, name: str) -> Iterator[types.ModuleType]:
    """Loads a module, and forgets it again."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop(name, None)
