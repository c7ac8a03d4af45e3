"""Arguments of each public class that nothing is wrong with, for tests that make one of them bad."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import aml_infra
from aml_infra.components.external_registry import Account

GUID = "12345678-1234-1234-1234-123456789abc"
CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"
WORKSPACE = aml_infra.WorkspaceArgs(location="westeurope")

KUBECONFIG = """\
current-context: team
contexts: [{name: team, context: {cluster: large, user: me}}]
clusters: [{name: large, cluster: {server: "https://large.example.com"}}]
users: [{name: me, user: {token: sesame}}]
"""

CLASSES: tuple[Any, ...] = (
    aml_infra.TrainingJobArgs,
    aml_infra.TrainingImageArgs,
    aml_infra.LocalDockerArgs,
    aml_infra.WorkspaceArgs,
    aml_infra.RegistryArgs,
    aml_infra.GpuClusterArgs,
    aml_infra.AksClusterArgs,
    aml_infra.KubernetesClusterArgs,
    aml_infra.Toleration,
    aml_infra.KubernetesComputeArgs,
    aml_infra.InstanceType,
    aml_infra.OutboundRule,
    aml_infra.Principal,
    aml_infra.DataInput,
    aml_infra.DataOutput,
    aml_infra.Distribution,
    aml_infra.TrainingRunArgs,
    Account,
)
"""All classes whose fields a user gives values; what ``Registry.external`` is given is one, too."""


def write_files(folder: pathlib.Path) -> None:
    """Writes what ``build`` refers to."""
    (folder / "source").mkdir()
    (folder / "source" / "train.py").touch()
    (folder / "kubeconfig").write_text(KUBECONFIG)


def build(class_: Any, folder: pathlib.Path) -> Any:
    """Good arguments of a class; ``folder`` has the files."""
    source = str(folder / "source")
    given: dict[Any, dict[str, Any]] = {
        aml_infra.TrainingJobArgs: {
            "source": source,
            "command": ["true"],
            "image": "x:1",
            "compute": aml_infra.LocalDockerArgs(),
        },
        aml_infra.TrainingImageArgs: {"dockerfile": "FROM debian:bookworm-slim\n"},
        aml_infra.WorkspaceArgs: {"location": "westeurope"},
        aml_infra.RegistryArgs: {"workspace": WORKSPACE},
        aml_infra.GpuClusterArgs: {"workspace": WORKSPACE},
        aml_infra.AksClusterArgs: {"workspace": WORKSPACE},
        aml_infra.KubernetesClusterArgs: {"kubeconfig": str(folder / "kubeconfig")},
        aml_infra.KubernetesComputeArgs: {
            "workspace": WORKSPACE,
            "cluster": CLUSTER,
            "instance_types": {"small": aml_infra.InstanceType(cpus=4, memory_gb=16)},
        },
        aml_infra.InstanceType: {"cpus": 4, "memory_gb": 16},
        aml_infra.OutboundRule: {"fqdn": "pypi.org"},
        aml_infra.Principal: {"object_id": GUID},
        aml_infra.DataInput: {"path": source},
        aml_infra.Distribution: {"workers": 2},
        aml_infra.TrainingRunArgs: {"source": source, "command": ["true"], "image": "x:1"},
        Account: {"server": "ghcr.io/team", "username": "robot", "password": "sesame"},
    }
    return class_(**given.get(class_, {}))


def put_in_place(args: Any, folder: pathlib.Path) -> Any:
    """The arguments that ``args`` are a part of, as a program has them; itself, if they are no part."""
    job = build(aml_infra.TrainingJobArgs, folder)
    match args:
        case aml_infra.DataInput():
            return dataclasses.replace(job, inputs={"data": args})
        case aml_infra.DataOutput():
            return dataclasses.replace(job, outputs={"model": args})
        case aml_infra.Distribution():
            return dataclasses.replace(job, distribution=args)
        case aml_infra.Toleration():
            return dataclasses.replace(build(aml_infra.KubernetesClusterArgs, folder), tolerations=[args])
        case aml_infra.InstanceType():
            return dataclasses.replace(build(aml_infra.KubernetesComputeArgs, folder), instance_types={"small": args})
        case aml_infra.OutboundRule():
            return dataclasses.replace(
                WORKSPACE, managed_network="allow_only_approved_outbound", outbound_rules={"rule": args}
            )
        case aml_infra.Principal():
            return dataclasses.replace(WORKSPACE, contributors={"someone": args})
        case Account():
            given: Any = args
            registry = aml_infra.Registry.external(given.server, given.username, given.password)
            return dataclasses.replace(build(aml_infra.TrainingImageArgs, folder), registry=registry)
    return args
