"""The state of a stack as Pulumi's file backend keeps it, in the folder ``state`` of a project.

It is read, and made, without ``pulumi stack``, which takes half a second each time, in a third of all tests.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

PASSPHRASE = "integration"  # noqa: S105 - of states that live as long as a test
STACK = "test"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key by which a value in a state is told to be more than JSON, such as a secret."""


@functools.cache
def _list_others() -> str:
    """The packages of this environment that can have no plugin."""
    names = {each.name for each in importlib.metadata.distributions()}
    return " ".join(sorted(name for name in names if not name.startswith("pulumi")))


def build_environment(state: pathlib.Path) -> dict[str, str]:
    """The variables of commands whose state is in a folder."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PULUMI_CONFIG_PASSPHRASE_FILE"},
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        # The engine has pip list the packages each time, which reads the descriptions of two hundred.
        "PIP_EXCLUDE": _list_others(),
    }


@functools.cache
def _read_new_stack(project: str) -> Mapping[str, bytes]:
    """The files of a stack that the engine has just made."""
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": project, "runtime": "python"}))
        environment = build_environment(folder / "state")
        command = ["pulumi", "stack", "init", STACK, "--no-select", "--non-interactive"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        files = [each for each in folder.rglob("*") if each.is_file() and each.name != "Pulumi.yaml"]
        return {str(each.relative_to(folder)): each.read_bytes() for each in files}


def make_stack(folder: pathlib.Path, project: str) -> None:
    """Makes the stack ``test`` of a project in a folder, with an empty state; a state that is there is lost."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    for name, content in _read_new_stack(project).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def read_deployment(state: pathlib.Path, project: str, stack: str) -> dict[str, Any]:
    """What ``pulumi stack export`` has as the deployment; there is none before the first step."""
    checkpoint = json.loads((state / ".pulumi" / "stacks" / project / f"{stack}.json").read_text())
    return dict(checkpoint["checkpoint"].get("latest") or {})


def read_outputs(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """What ``pulumi stack output --json`` prints."""
    (stack,) = [each for each in deployment.get("resources", ()) if each["type"] == "pulumi:pulumi:Stack"]
    return {name: _hide_secrets(value) for name, value in stack.get("outputs", {}).items()}


def _hide_secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [_hide_secrets(each) for each in value]
    if not isinstance(value, dict):
        return value
    if _SIGNATURE in value:
        return "[secret]"
    return {name: _hide_secrets(each) for name, each in value.items()}
