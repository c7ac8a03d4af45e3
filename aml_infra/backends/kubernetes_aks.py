"""How the API server of an AKS cluster is reached, with the login of Azure and without a kubeconfig."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING

from aml_infra import aks_access, azure_client
from aml_infra.aks_access import Login

if TYPE_CHECKING:
    from kubernetes.client import Configuration


def build_configuration(cluster_id: str) -> tuple[Configuration, str]:
    """The official client's configuration, and the cluster in words.

    Its tokens are renewed before they end: whoever follows a training for days asks with new ones.

    Raises:
        AccessDenied, BackendUnavailable, InvalidInput, RequestRefused: see ``aks_access.find_access``.
    """
    from kubernetes import config
    from kubernetes.client import Configuration

    client = azure_client.open_client()
    access = aks_access.find_access(client, cluster_id)
    name = cluster_id.rpartition("/")[2]
    configuration = Configuration()
    config.load_kube_config_from_dict(access.build_kubeconfig(name, {}), client_configuration=configuration)
    login = Login(lambda: client.get_token(aks_access.SCOPE))

    def renew(current: Configuration) -> None:
        current.api_key["BearerToken"] = f"Bearer {login.find_token().token}"

    # The client calls it before each request, but sends no login at all where there was none from the start.
    renew(configuration)
    configuration.refresh_api_key_hook = renew  # type: ignore[assignment]  # the client says only None
    host = urllib.parse.urlsplit(access.server).netloc
    return configuration, f"the AKS cluster {name!r} at {host}"
