"""The way to a cluster of Azure Kubernetes Service: its address from Resource Manager, its login from Entra ID.

Local accounts of the cluster are not used: whoever is logged in to Azure (see ``azure_login``) gets a token that AKS
takes, good for about an hour, and what it may do is said by the roles of Azure. Nothing of it is kept anywhere.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import yaml

from aml_infra.aks_kubeconfig import Access
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

    from aml_infra.azure_client import AzureClient

API = "2025-09-01"

SCOPE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
"""The application that AKS is in Entra ID, the same for all clusters: see
https://learn.microsoft.com/azure/aks/kubelogin-authentication."""

RENEW_SECONDS = 300.0
"""A token is renewed so long before it ends."""

_CLUSTER_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ContainerService/managedClusters/[^/]+",
    re.IGNORECASE,
)


def find_access(client: AzureClient, cluster_id: str) -> Access:
    """Where the cluster with this resource id is.

    Raises:
        AccessDenied: this account may not know; it needs, for one, Azure Kubernetes Service Cluster User Role.
        BackendUnavailable: Azure does not answer, or there is no such cluster.
        InvalidInput: that is no resource id of a cluster.
        RequestRefused: Azure refuses the request.
    """
    if not _CLUSTER_ID.fullmatch(cluster_id):
        shown = "`az aks show --query id` shows it"
        raise InvalidInput([Problem("aks_id", f"is {cluster_id!r}, no resource id of an AKS cluster; {shown}")])
    found = client.post(f"{cluster_id}/listClusterUserCredential", API)
    name = cluster_id.rpartition("/")[2]
    if found is None:
        raise BackendUnavailable(
            f"there is no AKS cluster {name!r} ({cluster_id}); if it was deleted, refresh the stack"
        )
    try:
        content = yaml.safe_load(base64.b64decode(found["kubeconfigs"][0]["value"]))
        place = content["clusters"][0]["cluster"]
        return Access(server=str(place["server"]), authority=str(place["certificate-authority-data"]))
    except (LookupError, TypeError, ValueError, yaml.YAMLError) as error:
        # Not quoted: of a cluster with local accounts, there is a secret in it.
        raise BackendUnavailable(f"Azure does not say where the AKS cluster {name!r} is; try again later") from error


class Login:
    """Tokens for AKS, each used until shortly before it ends; threads may share one.

    Args:
        ask: gives a new token.
        now: tells the time, in seconds since 1970.
    """

    def __init__(self, ask: Callable[[], AccessToken], now: Callable[[], float] = time.time) -> None:
        self._ask, self._now = ask, now
        self._lock = threading.Lock()
        self._token: AccessToken | None = None

    def find_token(self) -> AccessToken:
        """A token that is good for a while; what ``ask`` raises."""
        with self._lock:
            if self._token is None or self._token.expires_on - self._now() < RENEW_SECONDS:
                self._token = self._ask()
            return self._token
