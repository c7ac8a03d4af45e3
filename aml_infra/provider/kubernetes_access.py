"""Where an AKS cluster is, once whoever asks may do something in it: a role of Azure does not count at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aml_infra import aks_access, azure_client
from aml_infra.backends import kubernetes_api
from aml_infra.errors import AccessDenied, BackendUnavailable

POLL_SECONDS = 5.0
"""Between two looks; nobody tells when a role begins to count."""


def describe(
    cluster_id: str,
    wait_seconds: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The cluster's address and authority, and a note where this account still may make nothing after the wait.

    Raises:
        AccessDenied: this account may not know where the cluster is.
        BackendUnavailable: Azure, or the cluster, does not answer.
        InvalidInput, RequestRefused: see ``aks_access.find_access``.
    """
    access = aks_access.find_access(azure_client.open_client(), cluster_id)
    found = {"server": access.server, "certificateAuthority": access.authority, "note": ""}
    if wait_seconds <= 0:
        return found
    api = kubernetes_api.open_api({"aks_id": cluster_id, "namespace": "default"})
    deadline = now() + wait_seconds
    while True:
        try:
            problem = "" if api.may("create", "namespaces") else "it may not make namespaces there"
        except (AccessDenied, BackendUnavailable) as error:
            if isinstance(error, BackendUnavailable) and now() >= deadline:
                raise
            problem = str(error)
        if not problem:
            return found
        if now() >= deadline:
            text = f"this account cannot use the cluster after {wait_seconds:g} s ({problem})"
            return {**found, "note": f"{text}; list it in administrators of the AksCluster"}
        sleep(POLL_SECONDS)
