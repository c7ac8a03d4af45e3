"""What the computes of an Azure Machine Learning workspace have in common, whatever their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi

from aml_infra.components.workspace import Workspace

if TYPE_CHECKING:
    from pulumi_azure_native import machinelearningservices

    from aml_infra.components.environment import CuratedImage
    from aml_infra.components.training_image import TrainingImage


def build_options(workspace: Workspace, compute_name: pulumi.Output[str]) -> dict[str, pulumi.Input[str]]:
    """Where the backend finds a compute."""
    return {
        "subscription_id": workspace.subscription_id,
        "resource_group": workspace.resource_group_name,
        "workspace_name": workspace.workspace_name,
        "compute_name": compute_name,
    }


def find_reference(image: TrainingImage | CuratedImage, workspace: Workspace) -> pulumi.Output[str]:
    """The environment that ``workspace`` has of an image; without one, the image's own reference."""
    if image.workspace is None or not workspace.is_same(image.workspace):
        return image.ref
    known = pulumi.Output.all(image.environment_name, image.environment_version)
    return known.apply(lambda found: f"azureml:{found[0]}:{found[1]}")


def find_compute(
    parent: pulumi.Resource, workspace: Workspace, compute_name: str
) -> pulumi.Output[machinelearningservices.GetComputeResult]:
    """A compute that exists."""
    from pulumi_azure_native import machinelearningservices

    return machinelearningservices.get_compute_output(
        compute_name=compute_name,
        resource_group_name=workspace.resource_group_name,
        workspace_name=workspace.workspace_name,
        opts=pulumi.InvokeOutputOptions(parent=parent),
    )


def check_kind(path: str, properties: Mapping[str, Any], kind: str, meaning: str) -> Mapping[str, Any]:
    """``properties``, if they are those of a compute of ``kind``.

    Raises:
        RunError: they are not.
    """
    found = properties["computeType"]
    if found != kind:
        raise pulumi.RunError(f"{path}: is a compute of kind {found}, no {meaning}; give the name of an {kind}")
    return properties


def read(known: Mapping[str, Any], name: str) -> Any:
    """``name`` of what the service answered; not known where it was not asked, as in a preview of a change."""
    if pulumi.runtime.is_dry_run() and name not in known:
        return pulumi.Output(set(), _resolve(None), _resolve(value=False))
    return known[name]


async def _resolve(value: Any) -> Any:
    return value
