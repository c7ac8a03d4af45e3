"""Azure Kubernetes Service: https://learn.microsoft.com/rest/api/aks. What runs in a cluster is not here."""

from __future__ import annotations

from tests.azure.services.container_service import clusters, pools, quotas

TYPES = (*clusters.TYPES, *pools.TYPES)

FUNCTIONS = quotas.FUNCTIONS
