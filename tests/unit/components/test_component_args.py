"""What is given in the place of a component's args."""

from __future__ import annotations

from typing import Any

import pytest

import aml_infra
from aml_infra.arguments import InvalidProgram

COMPONENTS: list[tuple[Any, str]] = [
    (aml_infra.AksCluster, "an AksClusterArgs"),
    (aml_infra.GpuCluster, "a GpuClusterArgs"),
    (aml_infra.KubernetesCluster, "a KubernetesClusterArgs"),
    (aml_infra.KubernetesCompute, "a KubernetesComputeArgs"),
    (aml_infra.LocalDocker, "a LocalDockerArgs"),
    (aml_infra.Registry, "a RegistryArgs"),
    (aml_infra.TrainingImage, "a TrainingImageArgs"),
    (aml_infra.TrainingJob, "a TrainingJobArgs"),
    (aml_infra.TrainingRun, "a TrainingRunArgs"),
    (aml_infra.Workspace, "a WorkspaceArgs"),
]
ODD: list[tuple[Any, str]] = [
    ({}, "a dict"),
    ({"password": "sesame-open-1"}, "a dict"),
    ("", "a str"),
    (0, "an int"),
    (aml_infra.DataInput("pets"), "a DataInput"),
    (object, "the class object"),
]


@pytest.mark.parametrize(("component", "allowed"), COMPONENTS)
@pytest.mark.parametrize(("given", "described"), ODD)
def test_args_of_another_class_are_refused(component: Any, allowed: str, given: Any, described: str) -> None:
    """With the class that is meant, and without what is in them."""
    with pytest.raises(InvalidProgram) as caught:
        component("pets", given)

    assert str(caught.value).endswith(f"pets: its args are {described}; allowed is {allowed}")


@pytest.mark.parametrize("component", [each for each, _ in COMPONENTS if each.__name__ != "TrainingRun"])
def test_every_public_component_is_looked_at(component: Any) -> None:
    """A new one needs a row."""
    public = {name for name in aml_infra.__all__ if hasattr(aml_infra, f"{name}Args")}

    assert component.__name__ in public
    assert public <= {each.__name__ for each, _ in COMPONENTS}
