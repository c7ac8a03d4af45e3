"""Which plugin the engine uses in tests: the official one where it can be had, else the stand-in."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[2]
_DOWNLOAD_SECONDS = 60


def find_plugin(name: str, version: str, module: str, folder: pathlib.Path) -> pathlib.Path:
    """The folder that has ``pulumi-resource-<name>``, for ``plugins`` in ``Pulumi.yaml``; says which it is.

    The environment variable ``AML_INFRA_<NAME>`` with the value ``stand-in`` does not look for the official plugin.

    Args:
        name: The plugin's name.
        version: The version of the official plugin.
        module: The stand-in's module, which has ``main``.
        folder: Where the stand-in is put if it is needed; it is made.
    """
    choice = f"AML_INFRA_{name.replace('-', '_').upper()}"
    official = None if os.environ.get(choice) == "stand-in" else _find_official(name, version)
    if official is not None:
        sys.stdout.write(f"{name}: the official plugin {version} in {official}\n")
        return official
    write_program(name, module, folder)
    sys.stdout.write(f"{name}: the stand-in of the tests in {folder}\n")
    return folder


def write_program(name: str, module: str, folder: pathlib.Path) -> None:
    """Makes ``folder`` have ``pulumi-resource-<name>``, which runs ``main`` of a module of ours."""
    program = folder / f"pulumi-resource-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    program.write_text(
        f"#!{sys.executable}\nimport sys\n\nsys.path.insert(0, {str(_ROOT)!r})\nimport {module}\n\n{module}.main()\n"
    )
    program.chmod(0o755)


def is_stand_in(name: str, folder: pathlib.Path) -> bool:
    """Whether what ``find_plugin`` gave is the stand-in, which is stricter than the official plugin."""
    return (folder / f"pulumi-resource-{name}").read_bytes().startswith(b"#!")


def _find_official(name: str, version: str) -> pathlib.Path | None:
    home = pathlib.Path(os.environ.get("PULUMI_HOME", pathlib.Path.home() / ".pulumi"))
    folder = home / "plugins" / f"resource-{name}-v{version}"
    if not (folder / f"pulumi-resource-{name}").is_file():
        command = ["pulumi", "plugin", "install", "resource", name, version]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_DOWNLOAD_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
    return folder
