"""Settings that nothing is wrong with, for tests that make one of them bad."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

GUID = "12345678-1234-1234-1234-123456789abc"
KUBECONFIG = "current-context: team\ncontexts: [{name: team, context: {cluster: large, user: me}}]\n"
ACCOUNT = {"server": "ghcr.io/team", "username": "robot", "password": "sesame"}

IMAGE: dict[str, Any] = {"dockerfile": "Dockerfile"}
TRAIN: dict[str, Any] = {"source": "code", "command": ["true"]}
WORKSPACE: dict[str, Any] = {"location": "westeurope", "managed_network": "allow_only_approved_outbound"}
AZURE: dict[str, Any] = {
    "workspace": {
        **WORKSPACE,
        "contributors": {"me": {"object_id": GUID}},
        "outbound_rules": {"pypi": {"fqdn": "pypi.org"}},
    },
    "registry": {},
    "cluster": {},
    "image": IMAGE,
    "train": TRAIN,
}
LOCAL: dict[str, Any] = {
    "image": IMAGE,
    "compute": {},
    "train": {
        **TRAIN,
        "inputs": {"data": {"path": "code"}},
        "outputs": {"model": {}},
        "distribution": {"workers": 1},
    },
}
KUBERNETES: dict[str, Any] = {
    "kubernetes": {"kubeconfig": "kubeconfig", "tolerations": [{}]},
    "image": {**IMAGE, "registry": ACCOUNT},
    "train": TRAIN,
}
STACKS = {"local": LOCAL, "azure": AZURE, "kubernetes": KUBERNETES}


def write_files(folder: pathlib.Path) -> None:
    """Writes what the settings refer to."""
    (folder / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    (folder / "code").mkdir()
    (folder / "code" / "train.py").touch()
    (folder / "kubeconfig").write_text(
        KUBECONFIG + 'clusters: [{name: large, cluster: {server: "https://x"}}]\nusers: [{name: me, user: {}}]\n'
    )


def change(stack: str, place: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """The settings of a stack, with another value at a place."""
    settings = copy.deepcopy(STACKS[stack])
    inner: Any = settings
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return settings
