"""Clusters of AKS: what goes together, what stays as it is, who comes in."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from tests.azure import clusters
from tests.azure.arm_client import CONTRIBUTOR, READER, Client, log_in
from tests.azure.cloud import Cloud, Kubernetes
from tests.azure.clusters import build_cluster
from tests.azure.services import network

ENTRA = {"managed": True, "enableAzureRBAC": True}


@pytest.fixture
def path(group: str) -> str:
    """The id of a cluster that there is not yet."""
    return f"{group}/providers/{clusters.CLUSTERS}/pets"


def test_a_new_cluster_takes_time_and_is_completed(client: Client, path: str) -> None:
    """With names, a version, a group for its nodes and an identity for its kubelets."""
    answer = client.put(path, build_cluster(kubernetesVersion="1.34", oidcIssuerProfile={"enabled": True}))
    ended = client.follow(answer)

    made = client.get(path).properties
    assert (answer.status, ended.body["status"]) == (201, "Succeeded")
    assert (made["kubernetesVersion"], made["currentKubernetesVersion"]) == ("1.34", "1.34.4")
    assert made["fqdn"].startswith("pets-")
    assert made["oidcIssuerProfile"]["issuerURL"].startswith("https://westeurope.oic.prod-aks.azure.com/")
    assert made["nodeResourceGroup"] == "MC_rg-tests_pets_westeurope"
    assert client.get(made["identityProfile"]["kubeletidentity"]["resourceId"]).status == 200
    assert [(each["name"], each["count"]) for each in made["agentPoolProfiles"]] == [("system", 1)]


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"dnsPrefix": "-pets"}, "InvalidParameter"),
        ({"dnsPrefix": None, "fqdnSubdomain": None}, "InvalidParameter"),
        ({"agentPoolProfiles": []}, "InvalidParameter"),
        ({"kubernetesVersion": "1.20"}, "K8sVersionNotSupported"),
        ({"aadProfile": None, "disableLocalAccounts": True}, "InvalidParameter"),
        ({"securityProfile": {"workloadIdentity": {"enabled": True}}}, "InvalidParameter"),
        ({"networkProfile": {"networkPlugin": "azure", "networkPolicy": "cilium"}}, "InvalidNetworkPolicy"),
        ({"networkProfile": {"networkPlugin": "azure", "podCidr": "10.1.0.0/16"}}, "InvalidParameter"),
        (
            {"apiServerAccessProfile": {"enablePrivateCluster": True, "authorizedIPRanges": ["1.2.3.4/32"]}},
            "InvalidParameter",
        ),
        ({"apiServerAccessProfile": {"privateCluster": True}}, "InvalidRequestContent"),
    ],
)
def test_what_does_not_go_together_is_refused(client: Client, path: str, properties: dict[str, Any], code: str) -> None:
    """Before anything is made."""
    answer = client.put(path, build_cluster(**properties))

    assert (answer.status, answer.code) == (400, code)
    assert client.get(path).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"dnsPrefix": "others"},
        {"nodeResourceGroup": "others"},
        {"networkProfile": {"serviceCidr": "10.9.0.0/16"}},
        {"apiServerAccessProfile": {"enablePrivateCluster": True}},
    ],
)
def test_what_it_was_made_of_stays(client: Client, path: str, change: dict[str, Any]) -> None:
    """Names and networks."""
    client.make(path, build_cluster(apiServerAccessProfile={"enablePrivateCluster": False}))

    assert client.put(path, build_cluster(**change)).code == "PropertyChangeNotAllowed"
    assert client.make(path, build_cluster()).status == 200


def test_the_version_goes_up_one_step_at_a_time(client: Client, path: str) -> None:
    """Not back, and not two minor versions at once; the same minor version moves nothing."""
    client.make(path, build_cluster(kubernetesVersion="1.33.7"))

    assert client.put(path, build_cluster(kubernetesVersion="1.35")).code == "OperationNotAllowed"
    assert client.make(path, build_cluster(kubernetesVersion="1.33")).properties["currentKubernetesVersion"] == "1.33.7"
    assert client.make(path, build_cluster(kubernetesVersion="1.34")).properties["currentKubernetesVersion"] == "1.34.4"
    assert client.put(path, build_cluster(kubernetesVersion="1.33")).code == "OperationNotAllowed"


def test_only_tags_are_patched(client: Client, path: str) -> None:
    """The rest of the cluster is as it was."""
    client.make(path, build_cluster())

    assert client.patch(path, {"properties": {"dnsPrefix": "others"}}).code == "InvalidRequestContent"
    client.patch(path, {"tags": {"team": "pets"}})
    client.cloud.operations.end_all()

    assert client.get(path).body["tags"] == {"team": "pets"}
    assert client.get(path).properties["dnsPrefix"] == "pets"


def test_the_kubelets_identity_may_be_ones_own(client: Client, group: str, path: str) -> None:
    """Where the cluster's own identity is allowed to give it to them."""
    own, kubelet = (clusters.make_identity(client, group, name) for name in ("own", "kubelet"))
    profile = {"kubeletidentity": {"resourceId": kubelet}}

    assert client.put(path, build_cluster(identityProfile=profile)).code.startswith("CustomKubeletIdentityOnly")
    assert client.put(path, build_cluster(own, identityProfile=profile)).code.startswith("CustomKubeletIdentityMissing")
    clusters.assign(client, own, clusters.OPERATOR, kubelet)
    made = client.make(path, build_cluster(own, identityProfile=profile)).properties

    assert made["identityProfile"]["kubeletidentity"]["objectId"] == client.get(kubelet).properties["principalId"]


def test_identities_and_subnets_are_not_everybodys(cloud: Cloud, client: Client, group: str, path: str) -> None:
    """Whoever makes the cluster must be allowed to use them, and the cluster to join the subnet."""
    own = clusters.make_identity(client, group, "own")
    subnet = f"{network.add_network(cloud, group, 'vnet', 'nodes')}/subnets/nodes"
    pool = {"name": "system", **clusters.build_pool("System", vnetSubnetID=subnet)}
    role = "Azure Kubernetes Service Contributor Role"

    assert clusters.log_in(cloud, role, group).put(path, build_cluster(own)).code == "LinkedAuthorizationFailed"
    answer = client.put(path, build_cluster(own, agentPoolProfiles=[pool]))
    assert client.follow(answer).body["error"]["code"] == "LinkedAuthorizationFailed"
    assert client.get(path).properties["provisioningState"] == "Failed"
    clusters.assign(client, own, "4d97b98b-1d4f-4787-a291-c67834d212e7", subnet)

    assert (
        client.make(path, build_cluster(own, agentPoolProfiles=[pool])).properties["provisioningState"] == "Succeeded"
    )


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("Azure Kubernetes Service Cluster User Role", 200),
        ("Azure Kubernetes Service RBAC Cluster Admin", 200),
        ("Azure Kubernetes Service Contributor Role", 200),
        ("Reader", 403),
    ],
)
def test_a_kubeconfig_is_for_who_may_have_it(cloud: Cloud, client: Client, path: str, role: str, status: int) -> None:
    """It holds no secret; reading the cluster is not enough."""
    client.make(path, build_cluster(aadProfile=ENTRA))

    answer = clusters.log_in(cloud, role, path).post(f"{path}/listClusterUserCredential")

    assert answer.status == status


def test_a_kubeconfig_names_the_place_and_no_secret(cloud: Cloud, client: Client, path: str) -> None:
    """Its login is a program's; the place is the Kubernetes that the test has."""
    client.make(path, build_cluster(aadProfile=ENTRA))
    cloud.kubernetes = Kubernetes(server="https://127.0.0.1:6443", authority=b"PEM")

    (found,) = client.post(f"{path}/listClusterUserCredential").body["kubeconfigs"]

    config = yaml.safe_load(base64.b64decode(found["value"]))
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:6443",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    assert list(config["users"][0]["user"]) == ["exec"]


def test_local_accounts_are_given_out_where_they_are_on(cloud: Cloud, client: Client, path: str, group: str) -> None:
    """And only to who may have them."""
    client.make(path, build_cluster())

    assert log_in(cloud, READER, group).post(f"{path}/listClusterAdminCredential").status == 403
    assert log_in(cloud, CONTRIBUTOR, group).post(f"{path}/listClusterAdminCredential").status == 200
    client.make(path, build_cluster(disableLocalAccounts=True))
    assert "disable local accounts" in client.post(f"{path}/listClusterAdminCredential").message


def test_a_deleted_cluster_takes_its_nodes_along(cloud: Cloud, client: Client, path: str) -> None:
    """Its pools, the group of its nodes, and the identities that were made for it."""
    made = client.make(path, build_cluster())
    kubelet = made.properties["identityProfile"]["kubeletidentity"]["objectId"]

    answer = client.delete(path)
    client.follow(answer)

    assert answer.status == 202
    assert [client.get(each).status for each in (path, f"{path}/agentPools/system")] == [404, 404]
    assert client.get(f"{cloud.subscription}/resourceGroups/{made.properties['nodeResourceGroup']}").status == 404
    assert cloud.directory.find_principal(kubelet) is None
    assert cloud.directory.find_principal(made.body["identity"]["principalId"]) is None
