"""Which azure-native plugin the engine uses in tests: the official one where it can be had, else the stand-in."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

from tests.azure_native_stand_in.servicer import VERSION

CHOICE = "AML_INFRA_AZURE_NATIVE"
"""Environment variable: ``stand-in`` does not look for the official plugin."""

_ROOT = pathlib.Path(__file__).parents[2]
_DOWNLOAD_SECONDS = 60
_PROGRAM = f"""\
#!{sys.executable}
import sys

sys.path.insert(0, {str(_ROOT)!r})
from tests.azure_native_stand_in import __main__

__main__.main()
"""


def find_plugin(folder: pathlib.Path) -> pathlib.Path:
    """The folder that has ``pulumi-resource-azure-native``, for ``plugins`` in ``Pulumi.yaml``; says which it is.

    Args:
        folder: Where the stand-in is put if it is needed; it is made.
    """
    official = None if os.environ.get(CHOICE) == "stand-in" else _find_official()
    if official is not None:
        sys.stdout.write(f"azure-native: the official plugin {VERSION} in {official}\n")
        return official
    program = folder / "pulumi-resource-azure-native"
    folder.mkdir(parents=True, exist_ok=True)
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    sys.stdout.write(f"azure-native: the stand-in of the tests in {folder}\n")
    return folder


def is_stand_in(folder: pathlib.Path) -> bool:
    """Whether what ``find_plugin`` gave is the stand-in, which is stricter than the official plugin."""
    return (folder / "pulumi-resource-azure-native").read_bytes().startswith(b"#!")


def _find_official() -> pathlib.Path | None:
    home = pathlib.Path(os.environ.get("PULUMI_HOME", pathlib.Path.home() / ".pulumi"))
    folder = home / "plugins" / f"resource-azure-native-v{VERSION}"
    if not (folder / "pulumi-resource-azure-native").is_file():
        command = ["pulumi", "plugin", "install", "resource", "azure-native", VERSION]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_DOWNLOAD_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
    return folder


def count_served() -> dict[str, int]:
    """How many resource types the stand-in serves and how many input properties of them, for the record."""
    from tests.azure_native_stand_in import resource_types

    kinds = resource_types.list_types().values()
    return {"resource types": len(kinds), "properties": sum(len(each.args.properties) for each in kinds)}


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(count_served())}\n")
