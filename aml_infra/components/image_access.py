"""Which images a compute target can run: where an image is, and who gets it from there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from aml_infra.components.environment import CuratedImage
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.errors import Problem

if TYPE_CHECKING:
    from aml_infra.components.training_image import TrainingImage
    from aml_infra.components.training_image_args import TrainingImageArgs

JobImage: TypeAlias = "TrainingImage | CuratedImage | TrainingImageArgs | str"
"""What a job can be given as its image; a text is the reference of one."""

_BY_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}|azureml:.+|/subscriptions/.+", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"azureml:.*|/subscriptions/.*", re.IGNORECASE)
_LOCAL = "is only in this machine's Docker, which no cluster can pull from"
_BUILT_ELSEWHERE = Problem(
    "image",
    "is built by its workspace, so that nothing else can run it; run it on a GpuCluster of that workspace, or give the "
    "image a registry",
)


def find_docker_problems(image: JobImage) -> list[Problem]:
    """Why this machine's Docker cannot run ``image``: what it does not have, it pulls."""
    return [] if isinstance(image, str) or not image.is_built_by_service else [_BUILT_ELSEWHERE]


def find_workspace_problems(image: JobImage, workspace: Workspace | WorkspaceArgs) -> list[Problem]:
    """Why no cluster of ``workspace`` can run ``image``."""
    if isinstance(image, str):
        return _find_reference_problems(image)
    if image.is_local:
        fix = "give it a registry, or, if it is a base_image that anybody may pull, a workspace"
        return [Problem("image", f"{_LOCAL}; {fix}")]
    is_elsewhere = not _is_same(workspace, image.workspace)
    if is_elsewhere and isinstance(image, CuratedImage):
        return [Problem("image", "is an environment of another workspace; look it up in the one of the cluster")]
    return [_BUILT_ELSEWHERE] if is_elsewhere and image.is_built_by_service else []


def find_registry_problems(image: JobImage) -> list[Problem]:
    """Why ``image`` cannot be run by whoever has nothing but registries to pull from."""
    if isinstance(image, str):
        if not _ENVIRONMENT.fullmatch(image):
            return []
        fix = "run it on a GpuCluster, or give the reference of an image in a registry"
        return [Problem("image", f"is {image!r}, an environment that only Azure Machine Learning can run; {fix}")]
    if image.is_local:
        return [Problem("image", f"{_LOCAL}; give it a registry")]
    return find_docker_problems(image)


def _find_reference_problems(image: str) -> list[Problem]:
    if not image or _BY_DIGEST.fullmatch(image):
        return []
    fix = "give it by its digest, as in 'server/name@sha256:...', as a TrainingImage, or as 'azureml:name:version'"
    return [Problem("image", f"is {image!r}, and what that is only its registry could say; {fix}")]


def _is_same(own: Workspace | WorkspaceArgs, other: Workspace | WorkspaceArgs | None) -> bool:
    """Whether both can be one workspace, for which args may stand that are not told apart."""
    return not isinstance(own, Workspace) or not isinstance(other, Workspace) or own.is_same(other)
