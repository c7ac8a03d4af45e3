"""Machine-learning training as part of a Pulumi program.

A program declares what a training run needs and the run itself, so that ``pulumi up`` makes what is missing, trains
what has changed, and does nothing when nothing has changed. Start with ``TrainingJob``.

Names are loaded when they are first used, so that the import alone costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aml_infra.attached_clusters import InstanceType
    from aml_infra.components.aks_cluster import AksCluster
    from aml_infra.components.aks_cluster_args import AksClusterArgs
    from aml_infra.components.compute_target import ComputeTarget
    from aml_infra.components.container_registry import ContainerRegistry
    from aml_infra.components.gpu_cluster import GpuCluster, GpuClusterArgs
    from aml_infra.components.kubernetes_cluster import KubernetesCluster
    from aml_infra.components.kubernetes_cluster_args import KubernetesClusterArgs, Toleration
    from aml_infra.components.kubernetes_compute import KubernetesCompute
    from aml_infra.components.kubernetes_compute_args import KubernetesComputeArgs
    from aml_infra.components.local_docker import LocalDocker, LocalDockerArgs
    from aml_infra.components.registry import Registry, RegistryArgs
    from aml_infra.components.role_assignments import Principal
    from aml_infra.components.training_image import TrainingImage
    from aml_infra.components.training_image_args import TrainingImageArgs
    from aml_infra.components.training_job import TrainingJob, TrainingJobArgs
    from aml_infra.components.validation import Args, validate
    from aml_infra.components.workspace import Workspace
    from aml_infra.components.workspace_args import OutboundRule, WorkspaceArgs
    from aml_infra.errors import AmlInfraError, InvalidInput, Problem
    from aml_infra.training_run import DataInput, DataOutput, Distribution, TrainingRun, TrainingRunArgs

__all__ = [
    "AksCluster",
    "AksClusterArgs",
    "AmlInfraError",
    "Args",
    "ComputeTarget",
    "ContainerRegistry",
    "DataInput",
    "DataOutput",
    "Distribution",
    "GpuCluster",
    "GpuClusterArgs",
    "InstanceType",
    "InvalidInput",
    "KubernetesCluster",
    "KubernetesClusterArgs",
    "KubernetesCompute",
    "KubernetesComputeArgs",
    "LocalDocker",
    "LocalDockerArgs",
    "OutboundRule",
    "Principal",
    "Problem",
    "Registry",
    "RegistryArgs",
    "Toleration",
    "TrainingImage",
    "TrainingImageArgs",
    "TrainingJob",
    "TrainingJobArgs",
    "TrainingRun",
    "TrainingRunArgs",
    "Workspace",
    "WorkspaceArgs",
    "validate",
]

_MODULES = {
    "AksCluster": "aml_infra.components.aks_cluster",
    "AksClusterArgs": "aml_infra.components.aks_cluster_args",
    "AmlInfraError": "aml_infra.errors",
    "Args": "aml_infra.components.validation",
    "ComputeTarget": "aml_infra.components.compute_target",
    "ContainerRegistry": "aml_infra.components.container_registry",
    "DataInput": "aml_infra.training_run",
    "DataOutput": "aml_infra.training_run",
    "Distribution": "aml_infra.training_run",
    "GpuCluster": "aml_infra.components.gpu_cluster",
    "GpuClusterArgs": "aml_infra.components.gpu_cluster",
    "InstanceType": "aml_infra.attached_clusters",
    "InvalidInput": "aml_infra.errors",
    "KubernetesCluster": "aml_infra.components.kubernetes_cluster",
    "KubernetesClusterArgs": "aml_infra.components.kubernetes_cluster_args",
    "KubernetesCompute": "aml_infra.components.kubernetes_compute",
    "KubernetesComputeArgs": "aml_infra.components.kubernetes_compute_args",
    "LocalDocker": "aml_infra.components.local_docker",
    "LocalDockerArgs": "aml_infra.components.local_docker",
    "OutboundRule": "aml_infra.components.workspace_args",
    "Principal": "aml_infra.components.role_assignments",
    "Problem": "aml_infra.errors",
    "Registry": "aml_infra.components.registry",
    "RegistryArgs": "aml_infra.components.registry",
    "Toleration": "aml_infra.components.kubernetes_cluster_args",
    "TrainingImage": "aml_infra.components.training_image",
    "TrainingImageArgs": "aml_infra.components.training_image_args",
    "TrainingJob": "aml_infra.components.training_job",
    "TrainingJobArgs": "aml_infra.components.training_job",
    "TrainingRun": "aml_infra.training_run",
    "TrainingRunArgs": "aml_infra.training_run",
    "Workspace": "aml_infra.components.workspace",
    "WorkspaceArgs": "aml_infra.components.workspace_args",
    "validate": "aml_infra.components.validation",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
