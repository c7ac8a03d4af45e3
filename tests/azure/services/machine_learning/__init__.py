"""Azure Machine Learning, as far as Resource Manager serves it.

See https://learn.microsoft.com/rest/api/azureml. All API versions are checked against the models of 2025-12-01, which
is what azure-ai-ml has; the older ones among those that it sends know a little less.
"""

from __future__ import annotations

from tests.azure.services.machine_learning import (
    assets,
    computes,
    connections,
    datastores,
    jobs,
    networks,
    quotas,
    workspaces,
)

TYPES = (
    *workspaces.TYPES,
    *computes.TYPES,
    *assets.TYPES,
    *connections.TYPES,
    *datastores.TYPES,
    *networks.TYPES,
    *jobs.TYPES,
)

FUNCTIONS = quotas.FUNCTIONS
