"""Which kubernetes plugin the engine uses in tests: the official one where it can be had, else the stand-in."""

from __future__ import annotations

import pathlib

from tests.kubernetes_stand_in.servicer import VERSION
from tests.plugin_stand_ins import installation

_NAME = "kubernetes"


def find_plugin(folder: pathlib.Path) -> pathlib.Path:
    """The folder that has the plugin; ``folder``, which is made, if the stand-in is needed."""
    return installation.find_plugin(_NAME, VERSION, "tests.kubernetes_stand_in.__main__", folder)


def is_stand_in(folder: pathlib.Path) -> bool:
    """Whether what ``find_plugin`` gave is the stand-in, which is stricter than the official plugin."""
    return installation.is_stand_in(_NAME, folder)
