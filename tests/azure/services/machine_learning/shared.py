"""What the modules of the service share."""

from __future__ import annotations

from tests.azure import arm_ids
from tests.azure.resource_types import Request
from tests.azure.resources import Resource
from tests.azure.sdk_models import MACHINE_LEARNING

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"

VERSIONS = (
    "2022-02-01-preview",
    "2022-05-01",
    "2022-10-01",
    "2022-10-01-preview",
    "2023-02-01-preview",
    "2023-04-01",
    "2023-04-01-preview",
    "2023-06-01-preview",
    "2023-08-01-preview",
    "2023-10-01",
    "2024-01-01-preview",
    "2024-04-01-preview",
    "2024-10-01-preview",
    "2025-01-01-preview",
    "2025-12-01",
)
"""Those that azure-ai-ml, azure-mgmt-machinelearningservices and pulumi-azure-native send."""


def map_models(model: str) -> dict[str, str]:
    """The same model for all versions."""
    return dict.fromkeys(VERSIONS, f"{MACHINE_LEARNING}:{model}" if model else "")


def find_workspace(request: Request) -> Resource:
    """The workspace that a resource is in."""
    parts = arm_ids.parse(request.path.text)
    found = request.cloud.resources.get(f"{parts.scope}/providers/{WORKSPACES}/{parts.names[0]}")
    assert found is not None
    return found
