"""Which azure-native plugin the engine uses in tests: the official one where it can be had, else the stand-in."""

from __future__ import annotations

import json
import pathlib
import sys

from tests.azure_native_stand_in.servicer import VERSION
from tests.plugin_stand_ins import installation

_NAME = "azure-native"


def find_plugin(folder: pathlib.Path) -> pathlib.Path:
    """The folder that has the plugin; ``folder``, which is made, if the stand-in is needed."""
    return installation.find_plugin(_NAME, VERSION, "tests.azure_native_stand_in.__main__", folder)


def is_stand_in(folder: pathlib.Path) -> bool:
    """Whether what ``find_plugin`` gave is the stand-in, which is stricter than the official plugin."""
    return installation.is_stand_in(_NAME, folder)


def count_served() -> dict[str, int]:
    """How many resource types the stand-in serves and how many input properties of them, for the record."""
    from tests.azure_native_stand_in import resource_types

    kinds = resource_types.list_types().values()
    return {"resource types": len(kinds), "properties": sum(len(each.args.properties) for each in kinds)}


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(count_served())}\n")
