"""Simulated nodes, on which pods run that are no processes: Jobs for thousands of GPUs within seconds."""

from __future__ import annotations

import pathlib

import yaml

from tests.kubernetes import components, objects, supervisor

ANNOTATION = ("kwok.x-k8s.io/node", "fake")
"""What kwok knows its nodes by; as a taint it keeps pods away that are not meant to be simulated."""
TOLERATION = {"key": ANNOTATION[0], "operator": "Exists", "effect": "NoSchedule"}
NODE_SELECTOR = {"type": "kwok"}
GPUS = 8
_PORT = 10247
_LOG = "2026-01-01T00:00:00.000000000Z stdout F simulated\n"
_KWOK = "kwok.x-k8s.io/v1alpha1"


def write_configuration(folder: pathlib.Path) -> None:
    """Writes what kwok does when it is asked for the logs of a pod, or to run a program in one that only reads.

    Such a program runs beside kwok itself, where there is nothing to be read, as simulated pods write nothing.
    """
    (folder / "simulated.log").write_text(_LOG)
    log = {"logsFile": f"{supervisor.FOLDER}/configuration/simulated.log"}
    logs = {
        "apiVersion": _KWOK,
        "kind": "ClusterLogs",
        "metadata": {"name": "all"},
        "spec": {"selector": {}, "logs": [log]},
    }
    execution = {
        "apiVersion": _KWOK,
        "kind": "ClusterExec",
        "metadata": {"name": "all"},
        "spec": {"selector": {}, "execs": [{"containers": ["read"], "local": {}}]},
    }
    (folder / "kwok.yaml").write_text(yaml.safe_dump_all([logs, execution]))


def build_kwok(address: str) -> list[str]:
    """The program that simulates; it answers for the kubelets of its nodes, at `address`."""
    keys = components.CREDENTIALS
    return [
        "kwok", f"--kubeconfig={keys}/simulation.kubeconfig", "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={'='.join(ANNOTATION)}",
        f"--config={supervisor.FOLDER}/configuration/kwok.yaml",
        f"--node-ip={address}", f"--node-port={_PORT}", f"--server-address={address}:{_PORT}",
        f"--tls-cert-file={keys}/simulation.crt", f"--tls-private-key-file={keys}/simulation.key",
    ]  # fmt: skip


def build_node(place: int) -> objects.Object:
    """A node with 96 cores, 1 TiB and 8 GPUs."""
    name = f"simulated{place}"
    resources = {"cpu": "96", "memory": "1Ti", "pods": "110", "nvidia.com/gpu": str(GPUS)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": dict([ANNOTATION]),
            "labels": {"kubernetes.io/hostname": name, **NODE_SELECTOR},
        },
        "spec": {"taints": [{"key": ANNOTATION[0], "value": ANNOTATION[1], "effect": "NoSchedule"}]},
        "status": {"capacity": resources, "allocatable": resources},
    }
