from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from aml_infra.components import aks_cluster, azure_functions
from aml_infra.components.aks_cluster import AksCluster
from aml_infra.components.aks_cluster_args import AksClusterArgs
from aml_infra.components.kubernetes_cluster import KubernetesCluster
from aml_infra.components.kubernetes_cluster_args import KubernetesClusterArgs, Toleration
from aml_infra.components.registry import Registry, RegistryArgs
from aml_infra.components.role_assignments import ROLES, Principal
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import WorkspaceArgs
from aml_infra.errors import InvalidInput
from aml_infra.spec import Demand, Resources
from tests.event_loop import run_alone
from tests.unit.components.azure_resources import USER
from tests.unit.components.engine import KUBERNETES_PROVIDER, Engine

CHILDREN = (
    "deployer-admin",
    "diagnostics",
    "identity",
    "kubelet-identity",
    "kubelet-operator",
    "cluster",
    "pool",
)
CLUSTER, POOL = "azure-native:containerservice:ManagedCluster", "azure-native:containerservice:AgentPool"
SUBNET = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub/subnets/nodes"


def make_workspace(**given: Any) -> Workspace:
    """A workspace that can be reached from the internet."""
    return Workspace("pets", WorkspaceArgs(**{"location": "westeurope", "public_network_access": True, **given}))


def make(engine: Engine, **given: Any) -> dict[str, Any]:
    """Makes a cluster called ``gpu`` in a workspace; gives its outputs."""

    def program() -> dict[str, Any]:
        cluster = AksCluster("gpu", AksClusterArgs(workspace=make_workspace(), **given))
        return {
            "id": cluster.id,
            "name": cluster.cluster_name,
            "kubeconfig": cluster.kubeconfig,
            "issuer": cluster.oidc_issuer_url,
            "kubelet": cluster.kubelet_principal_id,
            "resource_id": cluster.resource_id,
        }

    return engine.run(program)


def find_children(engine: Engine) -> dict[str, dict[str, Any]]:
    """The inputs of the cluster's children, by their names without its own."""
    return {each.name.removeprefix("gpu-"): each.inputs for each in engine.resources if each.name.startswith("gpu-")}


def test_the_names_of_its_children_are_pinned(engine: Engine) -> None:
    """Another name is another resource."""
    make(engine)

    assert sorted(find_children(engine)) == sorted(CHILDREN)


def test_it_is_where_the_workspace_is(engine: Engine) -> None:
    """In its resource group and region, with its tags, under names of its own."""
    outputs = make(engine)

    cluster = engine.find(CLUSTER).inputs
    assert cluster["resourceGroupName"].startswith("pets-test-")
    assert (cluster["location"], cluster["resourceName"]) == ("westeurope", outputs["name"])
    assert cluster["nodeResourceGroup"] == f"{outputs['name']}-nodes"
    assert len(cluster["nodeResourceGroup"]) <= 80
    assert outputs["id"] == outputs["resource_id"]


def test_runs_have_a_pool_that_grows_from_nothing(engine: Engine) -> None:
    """With the taint that keeps other pods away."""
    make(engine, max_nodes=4)

    pool = engine.find(POOL).inputs
    assert (pool["agentPoolName"], pool["vmSize"], pool["mode"]) == ("training", "STANDARD_NC4AS_T4_V3", "User")
    assert (pool["enableAutoScaling"], pool["minCount"], pool["maxCount"]) == (True, 0, 4)
    assert pool["nodeTaints"] == ["nvidia.com/gpu=present:NoSchedule"]
    assert "scaleSetPriority" not in pool
    assert "count" not in pool


def test_spot_nodes_are_asked_for(engine: Engine) -> None:
    """With the taint that AKS puts on them itself, so that nothing differs afterwards."""
    make(engine, low_priority=True, taints=[])

    pool = engine.find(POOL).inputs
    assert (pool["scaleSetPriority"], pool["scaleSetEvictionPolicy"], pool["spotMaxPrice"]) == ("Spot", "Delete", -1)
    assert pool["nodeTaints"] == ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"]


def test_a_subnet_is_for_all_nodes_and_for_the_clusters_identity(engine: Engine) -> None:
    """Which may put load balancers into it."""
    make(engine, subnet_id=SUBNET)

    (system,) = engine.find(CLUSTER).inputs["agentPoolProfiles"]
    granted = find_children(engine)["subnet-network"]
    assert (system["vnetSubnetID"], engine.find(POOL).inputs["vnetSubnetID"]) == (SUBNET, SUBNET)
    assert (granted["scope"], granted["principalId"].startswith("principal of gpu-test-")) == (SUBNET, True)
    assert granted["roleDefinitionId"].endswith(ROLES["Network Contributor"])


def test_nodes_pull_from_the_registry_as_themselves(engine: Engine) -> None:
    """With no other right."""

    def program() -> None:
        workspace = make_workspace()
        registry = Registry("images", RegistryArgs(workspace=workspace))
        AksCluster("gpu", AksClusterArgs(workspace=workspace, registry=registry))

    engine.run(program)

    granted = find_children(engine)["kubelet-pull"]
    assert granted["roleDefinitionId"].endswith(ROLES["AcrPull"])
    assert granted["scope"].rpartition("/")[0].endswith("Microsoft.ContainerRegistry/registries")
    assert granted["principalId"].startswith("principal of gpu-kubelet-test-")


def test_the_quota_is_asked_for_before_nodes_are_made(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of virtual machines, for all nodes that there may be."""
    asked: list[tuple[str, dict[str, Any]]] = []

    async def ask(token: str, args: dict[str, Any]) -> dict[str, Any]:
        asked.append((token, args))
        return {"problem": "is too much", "note": ""}

    monkeypatch.setattr(azure_functions, "_ask", ask)
    make(engine, max_nodes=3, low_priority=True)
    hook = engine.hooks["quota of gpu"]

    with pytest.raises(pulumi.RunError, match=r"gpu\.vm_size: is too much"):
        run_alone(hook.callback(pulumi.ResourceHookArgs(urn="", id="", name="", type="")))  # type: ignore[arg-type]

    ((token, args),) = asked
    assert token == azure_functions.GET_QUOTA
    assert (args["service"], args["nodes"], args["lowPriority"], args["exists"]) == ("compute", 3, True, False)


def test_the_kubeconfig_has_the_place_and_no_secret(engine: Engine) -> None:
    """Its login is a program of ours."""
    outputs = make(engine)

    content = json.loads(outputs["kubeconfig"])
    assert content["clusters"][0]["cluster"] == {
        "server": "https://pets.azmk8s.io:443",
        "certificate-authority-data": "Q0E=",
    }
    assert content["current-context"] == outputs["name"]
    assert content["users"][0]["user"] == {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-m", "aml_infra.aks_login"],
            "interactiveMode": "Never",
        }
    }


def test_whoever_deploys_is_the_administrator_and_waits_for_the_role(engine: Engine) -> None:
    """With others in the list, nobody waits: what rights there are is theirs to know."""
    make(engine)
    granted = find_children(engine)["deployer-admin"]
    assert (granted["principalId"], granted["principalType"]) == (USER, "User")
    assert engine.waits == [aks_cluster.ROLE_SECONDS]
    engine.waits.clear()
    engine.resources.clear()

    make(engine, administrators={"team": Principal(object_id="aaaaaaaa-0000-0000-0000-000000000002", type="Group")})

    assert find_children(engine)["team-admin"]["principalType"] == "Group"
    assert "deployer-admin" not in find_children(engine)
    assert engine.waits == [0]


def test_a_login_without_an_object_id_must_name_administrators(engine: Engine) -> None:
    """Else nobody could use the cluster."""
    engine.client["objectId"] = ""

    def program() -> None:
        AksCluster("gpu", AksClusterArgs(workspace=make_workspace(contributors={})))

    with pytest.raises(InvalidInput, match=r"gpu\.administrators: is missing, and the login has no object id"):
        engine.run(program)


def test_wrong_arguments_make_nothing(engine: Engine) -> None:
    """Each with its path; args of a workspace stand for none here."""
    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: AksCluster("gpu", AksClusterArgs(workspace=WorkspaceArgs(location="x"), max_nodes=0)))

    assert [problem.path for problem in caught.value.problems] == ["gpu.max_nodes", "gpu.workspace"]
    assert engine.resources == []


def make_target(engine: Engine, pool: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """Makes a cluster and a compute target on it; gives the backend's options."""

    def program() -> dict[str, Any]:
        cluster = AksCluster("gpu", AksClusterArgs(workspace=make_workspace(), **(pool or {})))
        target = KubernetesCluster("runs", KubernetesClusterArgs(cluster=cluster, **given))
        return {"options": pulumi.Output.from_input(dict(target.backend_options)), "id": cluster.id}

    outputs = engine.run(program)
    return {**outputs["options"], "cluster": outputs["id"]}


def test_a_compute_target_needs_no_kubeconfig_on_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor has the state one with a login; the cluster is told by its resource id."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    options = make_target(engine)

    provider = engine.find(KUBERNETES_PROVIDER).inputs
    assert options["aks_id"] == options["cluster"] == provider["clusterIdentifier"]
    assert not {"kubeconfig", "context"} & set(options)
    assert json.loads(provider["kubeconfig"])["current-context"] == provider["context"]


def test_runs_are_on_the_pool(engine: Engine) -> None:
    """Its nodes are selected, their taints tolerated, and they come when they are needed."""
    options = make_target(
        engine, {"low_priority": True}, node_selector={"zone": "1"}, tolerations=[Toleration(key="team")]
    )

    assert options["autoscaling"] == "true"
    assert json.loads(options["node_selector"]) == {"kubernetes.azure.com/agentpool": "training", "zone": "1"}
    assert [each["key"] for each in json.loads(options["tolerations"])] == [
        "nvidia.com/gpu",
        "kubernetes.azure.com/scalesetpriority",
        "team",
    ]


def test_storage_and_the_device_plugin_are_those_of_aks(engine: Engine) -> None:
    """Unless it is said otherwise."""
    make_target(engine)
    claim = engine.find("kubernetes:core/v1:PersistentVolumeClaim").inputs["spec"]
    plugin = engine.find("kubernetes:apps/v1:DaemonSet").inputs["spec"]["template"]["spec"]
    engine.resources.clear()
    make_target(engine, device_plugin=False, storage_class="fast", autoscaling=False)
    other = engine.find("kubernetes:core/v1:PersistentVolumeClaim").inputs["spec"]

    assert claim["storageClassName"] == "azurefile-csi"
    assert plugin["nodeSelector"] == {"kubernetes.azure.com/agentpool": "training"}
    assert other["storageClassName"] == "fast"
    assert [each for each in engine.resources if each.typ.endswith("DaemonSet")] == []


@pytest.mark.parametrize("change", [{"kubeconfig": "k"}, {"context": "c"}])
def test_there_is_one_cluster(engine: Engine, change: dict[str, Any]) -> None:
    """A kubeconfig besides is one too many."""
    with pytest.raises(InvalidInput, match="is given, and cluster says which one it is"):
        make_target(engine, **change)


def test_args_stand_for_a_cluster_while_a_program_is_validated(engine: Engine) -> None:
    """And for none where objects are made."""
    aks = AksClusterArgs(workspace=WorkspaceArgs(location="westeurope"))
    args = KubernetesClusterArgs(cluster=aks)

    assert args.find_problems(Machine()) == []
    with pytest.raises(InvalidInput, match="is an AksClusterArgs; make an AksCluster of it"):
        engine.run(lambda: KubernetesCluster("runs", args))


def test_more_than_a_node_has_is_told(engine: Engine) -> None:
    """Of sizes whose content is known."""
    aks = AksClusterArgs(workspace=WorkspaceArgs(location="westeurope"))
    demand = Demand(resources=Resources(gpus=2), workers=1)

    (problem,) = KubernetesClusterArgs(cluster=aks).find_demand_problems(demand, Machine())

    assert problem.path == "gpus"
    assert "a node of size STANDARD_NC4AS_T4_V3 has 1" in problem.message


def test_what_cannot_be_done_after_the_wait_is_a_warning(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be done there Kubernetes says itself."""
    engine.note = "this account cannot use the cluster"
    warned: list[str] = []
    warn: Callable[..., None] = lambda message, *_: warned.append(message)  # noqa: E731
    monkeypatch.setattr(pulumi.log, "warn", warn)

    make(engine)

    assert "gpu: this account cannot use the cluster" in warned
