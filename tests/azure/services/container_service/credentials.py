"""How clients come to a cluster: the kubeconfigs that the service gives out.

Where a test has said which Kubernetes a cluster really is (``Cloud.kubernetes``), they name its address and authority.
"""

from __future__ import annotations

import base64
from typing import Any

import yaml

from tests.azure.directory import KUBERNETES
from tests.azure.resource_types import Answer, Request
from tests.azure.resources import Resource
from tests.azure.services.container_service.shared import refuse

CLIENT_APPLICATION = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
_UNREACHABLE = base64.b64encode(b"no authority: nothing answers there").decode()


def find_principal(cluster: Resource) -> str:
    """The object id of the identity that a cluster acts as."""
    identity = cluster.body["identity"]
    assigned = list((identity.get("userAssignedIdentities") or {}).values())
    return str(assigned[0]["principalId"] if assigned else identity["principalId"])


def list_user(request: Request) -> Answer:
    """A kubeconfig without a secret where Entra ID signs users in: its login is a program's, kubelogin's."""
    cluster = request.old
    assert cluster is not None
    if not cluster.properties.get("aadProfile"):
        raise refuse("Only clusters with managed AAD are served here.", code="NotSupported")
    login = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": [
            "get-token", "--environment", "AzurePublicCloud", "--server-id", KUBERNETES,
            "--client-id", CLIENT_APPLICATION, "--tenant-id", request.cloud.tenant_id, "--login", "devicecode",
        ],
        "env": None,
        "provideClusterInfo": False,
    }  # fmt: skip
    user = f"clusterUser_{request.path.resource_group}_{cluster.name}"
    return Answer({"kubeconfigs": [_build("clusterUser", request, cluster, user, {"exec": login})]})


def list_admin(request: Request) -> Answer:
    """Whoever has it is an administrator for ever; not where local accounts are off."""
    cluster = request.old
    assert cluster is not None
    if cluster.properties["disableLocalAccounts"]:
        text = "Getting static credential is not allowed because this cluster is set to disable local accounts."
        raise refuse(text)
    user = f"clusterAdmin_{request.path.resource_group}_{cluster.name}"
    secret = cluster.secrets.setdefault("token", base64.b64encode(cluster.id.encode()).decode())
    return Answer({"kubeconfigs": [_build("clusterAdmin", request, cluster, user, {"token": secret})]})


def _build(name: str, request: Request, cluster: Resource, user: str, login: dict[str, Any]) -> dict[str, str]:
    properties, real = cluster.properties, request.cloud.kubernetes
    host = properties.get("privateFQDN") or properties["fqdn"]
    place = {"certificate-authority-data": _UNREACHABLE, "server": f"https://{host}:443"}
    if real is not None:
        place = {"certificate-authority-data": base64.b64encode(real.authority).decode(), "server": real.server}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster.name, "cluster": place}],
        "contexts": [{"name": cluster.name, "context": {"cluster": cluster.name, "user": user}}],
        "current-context": cluster.name,
        "users": [{"name": user, "user": login}],
    }
    return {"name": name, "value": base64.b64encode(yaml.safe_dump(config).encode()).decode()}
