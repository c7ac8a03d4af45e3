"""A kubeconfig for a cluster of Azure Kubernetes Service, with no secret in it. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

CLUSTERS = "Microsoft.ContainerService/managedClusters"

EXEC_API = "client.authentication.k8s.io/v1"
"""How a kubeconfig's login is asked for a token; see
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins."""

LOGIN_MODULE = "aml_infra.aks_login"
"""What is run for a token, with the Python interpreter that has this package."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Access:
    """Where a cluster is; none of it is a secret.

    Attributes:
        server: address of its API server, with ``https://``.
        authority: who has signed the API server's certificate: certificates as a kubeconfig has them, in Base64.
    """

    server: str
    authority: str

    def build_kubeconfig(self, name: str, user: Mapping[str, Any]) -> dict[str, Any]:
        """A kubeconfig with one context, called ``name``, and this way to log in."""
        place = {"server": self.server, "certificate-authority-data": self.authority}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": place}],
            "users": [{"name": name, "user": dict(user)}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }


def build_user(python: str) -> dict[str, Any]:
    """The user of a kubeconfig who is whoever is logged in to Azure.

    Args:
        python: path of the Python interpreter that has this package.
    """
    login = {
        "apiVersion": EXEC_API,
        "command": python,
        "args": ["-m", LOGIN_MODULE],
        "interactiveMode": "Never",
    }
    return {"exec": login}
