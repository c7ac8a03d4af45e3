from __future__ import annotations

import subprocess
import sys

import aml_infra


def test_the_public_names_are_pinned() -> None:
    """Whoever adds or removes a public name does it knowingly."""
    assert aml_infra.__all__ == [
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
    assert aml_infra.__all__ == sorted(aml_infra.__all__)


def test_every_public_name_can_be_loaded() -> None:
    """The table of lazy names has no mistake in it."""
    assert dir(aml_infra) == aml_infra.__all__
    for name in aml_infra.__all__:
        assert getattr(aml_infra, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    """As with any module."""
    assert not hasattr(aml_infra, "nonsense")


def test_the_import_is_light() -> None:
    """Provider SDKs and clients are loaded where they are used."""
    program = "import sys, aml_infra; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    heavy = {"pulumi", "pulumi_azure_native", "pulumi_docker_build", "docker", "mlflow", "requests", "pydantic"}
    assert heavy & set(modules) == set()
