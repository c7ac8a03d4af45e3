from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from aml_infra import InvalidInput, TrainingJob, TrainingJobArgs, Workspace, WorkspaceArgs
from aml_infra.components.gpu_cluster import NOT_CHANGED_IN_PLACE, GpuCluster, GpuClusterArgs
from aml_infra.components.validation import Machine
from aml_infra.spec import Demand, Resources
from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION
from tests.unit.components.engine import Engine

COMPUTE = "azure-native:machinelearningservices:Compute"
SUBNET = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub/subnets/ml"
BY_HAND = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-pets/providers/Microsoft.MachineLearningServices/workspaces/pets"
    "/computes/by-hand"
)
DIGEST = "registry.example.com/team/fastai@sha256:" + "d" * 64


def make_workspace(**given: Any) -> Workspace:
    """A workspace that can be reached from the internet."""
    return Workspace("pets", WorkspaceArgs(**{"location": "westeurope", "public_network_access": True, **given}))


def make(engine: Engine, workspace: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """Makes a cluster; gives its outputs."""
    engine.resources.clear()

    def program() -> dict[str, Any]:
        cluster = GpuCluster("gpu-cluster", GpuClusterArgs(workspace=make_workspace(**(workspace or {})), **given))
        return list_outputs(cluster)

    return engine.run(program)


def list_outputs(cluster: GpuCluster) -> dict[str, Any]:
    """The outputs of a cluster, and its options for the backend."""
    names = [name for name in GpuCluster.__annotations__ if name not in ("backend", "workspace")]
    return {**{name: getattr(cluster, name) for name in names}, "options": dict(cluster.backend_options)}


def make_args(**given: Any) -> GpuClusterArgs:
    """Arguments while the program is only validated."""
    workspace = WorkspaceArgs(location="westeurope", **given.pop("workspace", {}))
    return GpuClusterArgs(workspace=workspace, **given)


def find(**given: Any) -> list[str]:
    """The problems of the arguments, in words."""
    return [str(problem) for problem in make_args(**given).find_problems(Machine())]


def test_the_whole_request(engine: Engine) -> None:
    """The how-to's cluster: up to four nodes, none while nothing runs; nobody can log in to them."""
    make(engine, max_nodes=4)

    made = engine.find(COMPUTE)
    named = {one.name: one for one in engine.resources}
    inputs = dict(made.inputs)
    workspace = named["pets-workspace"].inputs
    (identity,) = inputs["identity"]["userAssignedIdentities"]
    assert made.name == "gpu-cluster-cluster"
    assert inputs.pop("computeName").startswith("gpu-cluster-nc4as-")
    assert identity.endswith(named["pets-compute-identity"].inputs["resourceName"])
    assert inputs.pop("identity")["type"] == "UserAssigned"
    assert inputs == {
        "location": "westeurope",
        "resourceGroupName": workspace["resourceGroupName"],
        "workspaceName": workspace["workspaceName"],
        "properties": {
            "computeType": "AmlCompute",
            "disableLocalAuth": True,
            "properties": {
                "enableNodePublicIp": False,
                "osType": "Linux",
                "remoteLoginPortPublicAccess": "Disabled",
                "scaleSettings": {
                    "maxNodeCount": 4,
                    "minNodeCount": 0,
                    "nodeIdleTimeBeforeScaleDown": "PT120S",
                },
                "vmPriority": "Dedicated",
                "vmSize": "STANDARD_NC4AS_T4_V3",
            },
        },
        "tags": {},
    }


def test_other_choices(engine: Engine) -> None:
    """Each of them is sent, in the service's words."""
    make(
        engine,
        {"managed_network": "disabled"},
        vm_size="Standard_NC24ads_A100_v4",
        min_nodes=1,
        max_nodes=2,
        idle_seconds=600,
        low_priority=True,
        subnet_id=SUBNET,
        node_public_ip=True,
        tags={"team": "vision"},
    )

    inputs = engine.find(COMPUTE).inputs
    assert inputs["tags"] == {"team": "vision"}
    assert inputs["properties"]["properties"] == {
        "enableNodePublicIp": True,
        "osType": "Linux",
        "remoteLoginPortPublicAccess": "Disabled",
        "scaleSettings": {"maxNodeCount": 2, "minNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "PT600S"},
        "subnet": {"id": SUBNET},
        "vmPriority": "LowPriority",
        "vmSize": "STANDARD_NC24ADS_A100_V4",
    }


def test_states_and_node_counts_are_outputs(engine: Engine) -> None:
    """What the how-to prints with ``get_status()``."""
    outputs = make(engine)

    name = outputs["cluster_name"]
    assert outputs["id"].endswith(f"/computes/{name}")
    assert (outputs["provisioning_state"], outputs["allocation_state"]) == ("Succeeded", "Steady")
    assert (outputs["current_node_count"], outputs["target_node_count"]) == (0, 0)
    assert outputs["options"]["compute_name"] == name
    assert outputs["options"]["subscription_id"] == SUBSCRIPTION


@pytest.mark.parametrize(
    "changed",
    [
        {"vm_size": "Standard_NC8as_T4_v3"},
        {"low_priority": True},
        {"subnet_id": SUBNET},
        {"node_public_ip": False},
    ],
)
def test_what_azure_cannot_change_in_place_makes_another_name(engine: Engine, changed: dict[str, Any]) -> None:
    """A cluster that was made again under its name has kept its old size."""
    network = {"managed_network": "disabled"}

    before, after = make(engine, network), make(engine, network, **changed)

    assert before["cluster_name"] != after["cluster_name"]


@pytest.mark.parametrize(
    "changed",
    [
        {"vm_size": "standard_nc4as_t4_v3"},
        {"max_nodes": 9},
        {"min_nodes": 1},
        {"idle_seconds": 60},
        {"tags": {"a": "b"}},
    ],
)
def test_what_azure_changes_in_place_does_not(engine: Engine, changed: dict[str, Any]) -> None:
    """Neither does another case of the size."""
    assert make(engine)["cluster_name"] == make(engine, **changed)["cluster_name"]


def test_nodes_have_no_public_address_where_a_network_is_known(engine: Engine) -> None:
    """Without one, nothing else would lead to them."""
    found = []
    for workspace, given in (
        ({}, {}),
        ({"managed_network": "disabled"}, {}),
        ({"managed_network": "disabled"}, {"subnet_id": SUBNET}),
    ):
        make(engine, workspace, **given)
        found.append(engine.find(COMPUTE).inputs["properties"]["properties"]["enableNodePublicIp"])

    assert found == [False, True, False]


def test_the_quota_is_asked_before_the_cluster(engine: Engine) -> None:
    """In previews too, so that nobody waits for nodes that never come."""
    make(engine)

    hook = engine.hooks["quota of gpu-cluster"]
    assert hook.opts is not None
    assert hook.opts.on_dry_run


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program asked the engine for, by the type of the resource."""
    found: dict[str, Any] = {}
    register: Callable[..., Any] = mocks.MockMonitor.RegisterResource

    def record(monitor: mocks.MockMonitor, request: Any) -> Any:
        found[request.type] = request
        return register(monitor, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", record)
    return found


def test_a_cluster_made_by_hand_is_adopted_when_asked(engine: Engine, requests: dict[str, Any]) -> None:
    """With what cannot be changed as it is; its node counts are managed from then on."""
    outputs = make(engine, adopt=BY_HAND)

    request = requests[COMPUTE]
    assert outputs["cluster_name"] == "by-hand"
    assert (request.importId, list(request.ignoreChanges)) == (BY_HAND, list(NOT_CHANGED_IN_PLACE))
    assert not any("scaleSettings" in path for path in NOT_CHANGED_IN_PLACE)
    # Pulumi's SDK takes an identity that is given for one that Azure has, and fails where Azure has none.
    assert "identity" not in request.object


def test_a_new_cluster_is_not_imported(engine: Engine, requests: dict[str, Any]) -> None:
    """Nothing of it is left out of the diff."""
    make(engine)

    assert (requests[COMPUTE].importId, list(requests[COMPUTE].ignoreChanges)) == ("", [])
    assert list(requests[COMPUTE].hooks.before_create) == ["quota of gpu-cluster"]
    assert list(requests[COMPUTE].hooks.before_update) == ["quota of gpu-cluster"]


def attach(engine: Engine) -> dict[str, Any]:
    """Attaches to the cluster ``by-hand``; gives its outputs."""
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE

    def program() -> dict[str, Any]:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        return list_outputs(GpuCluster.get("mine", workspace=workspace, cluster_name="by-hand"))

    return engine.run(program)


def test_a_cluster_made_by_hand_is_attached_to(engine: Engine) -> None:
    """Nothing is made or changed."""
    nodes = {"allocationState": "Resizing", "currentNodeCount": 1, "targetNodeCount": 2}
    properties = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": nodes}
    engine.computes["by-hand"] = {"id": BY_HAND, "name": "by-hand", "properties": properties}

    outputs = attach(engine)

    assert outputs.pop("options")["compute_name"] == "by-hand"
    assert outputs == {
        "id": BY_HAND,
        "cluster_name": "by-hand",
        "provisioning_state": "Succeeded",
        "allocation_state": "Resizing",
        "current_node_count": 1,
        "target_node_count": 2,
    }
    assert [one.typ for one in engine.resources if one.typ.startswith("azure-native:")] == []


def test_another_kind_of_compute_is_no_cluster(engine: Engine) -> None:
    """A compute instance has a name there, too."""
    engine.computes["by-hand"] = {"id": BY_HAND, "name": "by-hand", "properties": {"computeType": "ComputeInstance"}}

    with pytest.raises(pulumi.RunError, match=r"mine\.cluster_name: is a compute of kind ComputeInstance, no cluster"):
        attach(engine)


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"min_nodes": -1}, ["min_nodes: is -1; allowed are whole numbers from 0 on"]),
        ({"max_nodes": 0}, ["max_nodes: is 0; allowed are whole numbers from 1 on"]),
        ({"min_nodes": 2}, ["min_nodes: is 2; allowed are at most the 1 of max_nodes"]),
        ({"idle_seconds": 0}, ["idle_seconds: is 0; allowed are whole numbers from 1 on"]),
        (
            {"subnet_id": SUBNET},
            [
                (
                    "subnet_id: is given, but the workspace has a managed network, which its clusters are in; leave it "
                    "out, or give the workspace managed_network='disabled'"
                )
            ],
        ),
        (
            {"adopt": "by-hand"},
            [
                (
                    "adopt: is 'by-hand', no resource id of a cluster; `az ml compute show --query id` shows it, as in "
                    "'/subscriptions/.../computes/gpu-cluster'"
                )
            ],
        ),
        ({"subnet_id": SUBNET, "workspace": {"managed_network": "disabled"}}, []),
    ],
)
def test_what_does_not_fit_is_told(given: dict[str, Any], problems: list[str]) -> None:
    """With the value, and the fix."""
    assert find(**given) == problems


def test_all_problems_are_told_at_once(engine: Engine) -> None:
    """The how-to's own size among them."""
    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: GpuCluster("gpu-cluster", make_args(vm_size="STANDARD_NC6", max_nodes=0)))

    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["gpu-cluster.vm_size", "gpu-cluster.max_nodes", "gpu-cluster.workspace"]
    assert engine.resources == []


def test_what_the_cluster_does_not_have_is_named() -> None:
    """A node for each worker."""
    demand = Demand(resources=Resources(gpus=2), workers=3)

    found = make_args(max_nodes=2).find_demand_problems(demand, Machine())

    assert [problem.path for problem in found] == ["gpus", "distribution.workers"]
    assert found[1].message == ("is 3; the cluster has at most 2 nodes, one for each worker; raise its max_nodes")


def test_args_stand_for_a_cluster_in_validation_only(engine: Engine, source_folder: Any) -> None:
    """As those of LocalDocker do."""
    args = TrainingJobArgs(source=source_folder, command=["python"], image=DIGEST, compute=make_args())

    assert args.find_problems(Machine()) == []
    with pytest.raises(InvalidInput, match="is a GpuClusterArgs; make a GpuCluster of it, and pass that"):
        engine.run(lambda: TrainingJob("train", args))
