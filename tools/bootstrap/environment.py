"""The environment in which the project's commands run."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import shlex
import tempfile
import urllib.parse
from collections.abc import Mapping

from tools.bootstrap import errors, layout, steps, venv

LOCAL_STACK = "local"
"""The one stack that has a backend of the project's own; the others use the user's Pulumi login."""


def uses_own_backend(stack: str, env: Mapping[str, str]) -> bool:
    """Whether the state of `stack` is in the checkout: for stack `local`, unless the user named a backend."""
    return stack == LOCAL_STACK and not env.get("PULUMI_BACKEND_URL")


def find_state_folder(places: layout.Layout) -> pathlib.Path:
    """The folder of our own backend; the engine makes a `.pulumi` in it."""
    return places.private / "state"


def build_changes(places: layout.Layout, made: steps.Steps, env: Mapping[str, str], stack: str) -> dict[str, str]:
    """The variables that differ from the user's environment.

    PULUMI_BACKEND_URL and the passphrase are set for our own backend only, and never where the user has set them.
    """
    path = env.get("PATH", os.defpath).split(os.pathsep)
    front: list[str] = [str(places.venv / "bin")]
    engine = made.pulumi.locate()
    if engine and str(engine.parent) not in path:
        front.append(str(engine.parent))
    front.extend(str(folder) for folder in _find_own_folders(places) if folder.is_dir())
    changes = {
        "PATH": os.pathsep.join(dict.fromkeys([*front, *path])),
        "VIRTUAL_ENV": str(places.venv),
        "PULUMI_SKIP_UPDATE_CHECK": env.get("PULUMI_SKIP_UPDATE_CHECK", "true"),
        "MYPY_CACHE_DIR": env.get("MYPY_CACHE_DIR") or str(places.type_checks),
        **venv.build_uv_environment(made.uv.tools.commands),
    }
    if uses_own_backend(stack, env):
        changes["PULUMI_BACKEND_URL"] = "file://" + urllib.parse.quote(str(find_state_folder(places)))
        if not _has_passphrase(env):
            changes["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_find_passphrase_file(places))
    # The engine would download the plugin of each installed pulumi-* package, hundreds of megabytes that stack `local`
    # does not use; the one that it does use is made ready here.
    if stack == LOCAL_STACK:
        variable = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
        changes[variable] = env.get(variable, "true")
    return changes


def _find_own_folders(places: layout.Layout) -> list[pathlib.Path]:
    own = [places.engine / "bin", places.uv / "bin", places.registry / "usr" / "bin", places.azurite / "bin"]
    return [*own, *places.cluster_folders, places.trainer / "bin"]


def prepare(places: layout.Layout, env: Mapping[str, str], stack: str) -> None:
    """Makes what the environment names: the folder of our own backend, and its passphrase.

    Raises:
        BootstrapError: the passphrase is gone, while there is a state that was encrypted with it.
    """
    if not uses_own_backend(stack, env):
        return
    state = find_state_folder(places)
    state.mkdir(parents=True, exist_ok=True)
    file = _find_passphrase_file(places)
    if _has_passphrase(env) or file.exists():
        return
    if any(state.glob(".pulumi/stacks/*/*.json")):
        raise errors.BootstrapError(
            f"the passphrase of the stack's state is gone: put {file} back, or remove {places.private}, which "
            "forgets the state (finished runs are found again)"
        )
    _write_passphrase(file)


def build_exports(changes: Mapping[str, str]) -> str:
    """The changes as lines for a shell to evaluate."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in changes.items())


def _has_passphrase(env: Mapping[str, str]) -> bool:
    return "PULUMI_CONFIG_PASSPHRASE" in env or bool(env.get("PULUMI_CONFIG_PASSPHRASE_FILE"))


def _find_passphrase_file(places: layout.Layout) -> pathlib.Path:
    return places.private / "passphrase"


def _write_passphrase(file: pathlib.Path) -> None:
    """Writes a new passphrase, readable by its owner only; if another process was first, its passphrase stays."""
    handle, draft = tempfile.mkstemp(dir=file.parent)  # has mode 600
    try:
        with os.fdopen(handle, "w") as sink:
            sink.write(secrets.token_urlsafe(32) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        os.unlink(draft)
