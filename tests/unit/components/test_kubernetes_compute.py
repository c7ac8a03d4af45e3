from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from aml_infra import (
    AksCluster,
    AksClusterArgs,
    InstanceType,
    InvalidInput,
    KubernetesCompute,
    KubernetesComputeArgs,
    TrainingJob,
    TrainingJobArgs,
    Workspace,
    WorkspaceArgs,
)
from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION, build_group_id
from tests.unit.components.conftest import KUBECONFIG
from tests.unit.components.engine import RUN, Engine

COMPUTE = "azure-native:machinelearningservices:Compute"
EXTENSION = "azure-native:kubernetesconfiguration:Extension"
ROLE = "azure-native:authorization:RoleAssignment"
INSTANCE_TYPE = "kubernetes:amlarc.azureml.com/v1alpha1:InstanceType"
NAMESPACE = "kubernetes:core/v1:Namespace"
AKS = f"{build_group_id('rg-clusters')}/providers/Microsoft.ContainerService/managedClusters/aks"
ARC = f"{build_group_id('rg-clusters')}/providers/Microsoft.Kubernetes/connectedClusters/arc"
TYPES = {
    "small": InstanceType(cpus=0.5, memory_gb=2),
    "gpu": InstanceType(cpus=8, memory_gb=56.5, gpus=1, node_selector={"pool": "gpu"}),
}
SMALL = {"cpu": "500m", "memory": "2Gi"}
LARGE = {"cpu": "8", "memory": "57856Mi"}
DIGEST = "registry.example.com/team/fastai@sha256:" + "d" * 64


@pytest.fixture(autouse=True)
def service(engine: Engine) -> Engine:
    """An engine that knows an AKS cluster, and a workspace."""
    engine.clusters["aks"] = {"id": AKS, "name": "aks", "location": "northeurope", "disableLocalAccounts": False}
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE
    return engine


@pytest.fixture
def kubeconfig(tmp_path: pathlib.Path) -> pathlib.Path:
    """A login."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


def make_compute(**given: Any) -> KubernetesCompute:
    """A compute in a workspace that is made."""
    workspace = Workspace("pets", WorkspaceArgs(location="westeurope", public_network_access=True))
    args = {"workspace": workspace, "cluster": AKS, "instance_types": TYPES, **given}
    return KubernetesCompute("vision", KubernetesComputeArgs(**args))


def make(engine: Engine, **given: Any) -> dict[str, Any]:
    """Makes one; gives its outputs."""
    engine.resources.clear()
    return engine.run(lambda: list_outputs(make_compute(**given)))


def list_outputs(compute: KubernetesCompute) -> dict[str, Any]:
    """The outputs of a compute, and its options for the backend."""
    names = [name for name in KubernetesCompute.__annotations__ if name not in ("backend", "workspace")]
    return {**{name: getattr(compute, name) for name in names}, "options": dict(compute.backend_options)}


def list_made(engine: Engine, typ: str) -> list[dict[str, Any]]:
    """The inputs of what was made of a type."""
    return [dict(one.inputs) for one in engine.resources if one.typ == typ]


def test_the_whole_request(engine: Engine) -> None:
    """The cluster with the identity that computes have, and sizes in the service's words."""
    make(engine)

    made = engine.find(COMPUTE)
    named = {one.name: one for one in engine.resources}
    inputs = dict(made.inputs)
    workspace = named["pets-workspace"].inputs
    (identity,) = inputs["identity"]["userAssignedIdentities"]
    assert made.name == "vision-compute"
    assert inputs.pop("computeName").startswith("vision-aks-default-")
    assert identity.endswith(named["pets-compute-identity"].inputs["resourceName"])
    assert inputs.pop("identity")["type"] == "UserAssigned"
    assert inputs == {
        "location": "westeurope",
        "resourceGroupName": workspace["resourceGroupName"],
        "workspaceName": workspace["workspaceName"],
        "properties": {
            "computeType": "Kubernetes",
            "resourceId": AKS,
            "properties": {
                "defaultInstanceType": "small",
                "namespace": "default",
                "instanceTypes": {
                    "small": {"resources": {"requests": SMALL, "limits": SMALL}},
                    "gpu": {
                        "nodeSelector": {"pool": "gpu"},
                        "resources": {"requests": LARGE, "limits": {**LARGE, "nvidia.com/gpu": "1"}},
                    },
                },
            },
        },
        "tags": {},
    }


def test_the_extension_is_installed_for_training(engine: Engine) -> None:
    """On the cluster, in the cluster's region, of the stable releases; nothing serves models there."""
    make(engine, extension_settings={"installVolcano": "False"})

    made = engine.find(EXTENSION)
    assert made.name == "vision-extension"
    assert made.inputs == {
        "clusterName": "aks",
        "clusterResourceName": "managedClusters",
        "clusterRp": "Microsoft.ContainerService",
        "resourceGroupName": "rg-clusters",
        "extensionName": "azureml",
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "autoUpgradeMinorVersion": True,
        "releaseTrain": "stable",
        "scope": {"cluster": {"releaseNamespace": "azureml"}},
        "configurationSettings": {
            "allowInsecureConnections": "False",
            "clusterId": AKS,
            "clusterPurpose": "DevTest",
            "cluster_name": AKS,
            "cluster_name_friendly": "aks",
            "domain": "northeurope.cloudapp.azure.com",
            "enableInference": "False",
            "enableTraining": "True",
            "inferenceRouterHA": "False",
            "installVolcano": "False",
            "jobSchedulerLocation": "northeurope",
            "location": "northeurope",
            "nginxIngress.enabled": "True",
            "prometheus.prometheusSpec.externalLabels.cluster_name": AKS,
            "relayserver.enabled": "False",
            "servicebus.enabled": "False",
        },
    }


def test_the_identity_of_the_workspace_has_its_roles_on_the_cluster(engine: Engine) -> None:
    """Those that Azure's documentation lists, and no other."""
    make(engine)

    principal = "principal of " + next(
        one.inputs["resourceName"] for one in engine.resources if one.name == "pets-identity"
    )
    found = [one for one in engine.resources if one.typ == ROLE and one.inputs["scope"] == AKS]
    assert {one.name for one in found} == {
        "vision-reader",
        "vision-kubernetes-extension-contributor",
        "vision-azure-kubernetes-service-cluster-admin-role",
    }
    assert {one.inputs["principalId"] for one in found} == {principal}


def test_instance_types_are_made_in_the_cluster_by_a_login(engine: Engine, kubeconfig: pathlib.Path) -> None:
    """With the namespace, where that is wanted."""
    make(engine, kubeconfig=kubeconfig, context="idle", namespace="team", create_namespace=True)

    assert list_made(engine, INSTANCE_TYPE) == [
        {
            "apiVersion": "amlarc.azureml.com/v1alpha1",
            "kind": "InstanceType",
            "metadata": {"name": "small"},
            "spec": {"resources": {"requests": SMALL, "limits": SMALL}},
        },
        {
            "apiVersion": "amlarc.azureml.com/v1alpha1",
            "kind": "InstanceType",
            "metadata": {"name": "gpu"},
            "spec": {
                "nodeSelector": {"pool": "gpu"},
                "resources": {"requests": LARGE, "limits": {**LARGE, "nvidia.com/gpu": 1}},
            },
        },
    ]
    (namespace,) = list_made(engine, NAMESPACE)
    assert namespace["metadata"]["name"] == "team"
    (provider,) = list_made(engine, "pulumi:providers:kubernetes")
    assert (provider["context"], provider["kubeconfig"]) == ("idle", str(kubeconfig))


def test_without_a_login_nothing_is_made_in_the_cluster(engine: Engine) -> None:
    """Not by chance in the one that kubectl takes."""
    make(engine)

    assert [one.typ for one in engine.resources if one.typ.startswith("kubernetes:")] == []


def test_what_is_there_is_left_alone(engine: Engine) -> None:
    """A cluster on Azure Arc with its extension, and roles that somebody has given."""
    make(engine, cluster=ARC, create_extension=False, grant_roles=False)

    assert engine.find(COMPUTE).inputs["properties"]["resourceId"] == ARC
    assert list_made(engine, EXTENSION) == []
    assert [one for one in list_made(engine, ROLE) if one["scope"] == ARC] == []


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program asked the engine for, by the name of the resource."""
    found: dict[str, Any] = {}
    register: Callable[..., Any] = mocks.MockMonitor.RegisterResource

    def record(monitor: mocks.MockMonitor, request: Any) -> Any:
        found[request.name] = request
        return register(monitor, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", record)
    return found


def test_the_cluster_is_attached_when_all_is_there(
    engine: Engine, requests: dict[str, Any], kubeconfig: pathlib.Path
) -> None:
    """Azure takes over the instance types that there are then; and it is detached before any of it goes."""
    make(engine, kubeconfig=kubeconfig)

    def list_needs(name: str) -> set[str]:
        return {urn.rpartition("::")[2] for urn in requests[name].dependencies}

    roles = {
        "vision-reader",
        "vision-kubernetes-extension-contributor",
        "vision-azure-kubernetes-service-cluster-admin-role",
    }
    assert roles <= list_needs("vision-extension")
    assert {"vision-extension", *roles} <= list_needs("vision-gpu")
    assert {"vision-small", "vision-gpu", "vision-extension", *roles} <= list_needs("vision-compute")


def test_outputs_and_options(engine: Engine) -> None:
    """Jobs that name no instance type have the default."""
    outputs = make(engine, default_instance_type="gpu")

    name = outputs["compute_name"]
    assert outputs["id"].endswith(f"/computes/{name}")
    assert (outputs["provisioning_state"], outputs["cluster_id"]) == ("Succeeded", AKS)
    assert outputs["options"]["compute_name"] == name
    assert outputs["options"]["subscription_id"] == SUBSCRIPTION
    assert outputs["options"]["instance_type"] == "gpu"


@pytest.mark.parametrize(
    "changed",
    [{"namespace": "team"}, {"cluster": AKS.replace("/aks", "/other")}, {"cluster": AKS.replace("rg-c", "rg-d")}],
)
def test_what_azure_cannot_change_in_place_makes_another_name(engine: Engine, changed: dict[str, Any]) -> None:
    """Under the old one it would stay as it was."""
    engine.clusters["other"] = engine.clusters["aks"]

    assert make(engine)["compute_name"] != make(engine, **changed)["compute_name"]


@pytest.mark.parametrize(
    "changed",
    [
        {"cluster": AKS.lower().replace(SUBSCRIPTION.lower(), SUBSCRIPTION)},
        {"default_instance_type": "gpu"},
        {"tags": {}},
    ],
)
def test_what_azure_changes_in_place_does_not(engine: Engine, changed: dict[str, Any]) -> None:
    """Neither does another case of the id."""
    assert make(engine)["compute_name"] == make(engine, **changed)["compute_name"]


def test_a_cluster_of_another_subscription_is_refused(engine: Engine) -> None:
    """Azure attaches none."""
    with pytest.raises(
        InvalidInput, match=r"vision\.cluster: is in subscription 'another'; Azure attaches clusters of"
    ):
        make(engine, cluster=AKS.replace(SUBSCRIPTION, "another"))


def test_an_output_that_is_no_cluster_is_refused_when_it_is_known(engine: Engine) -> None:
    """By the same rules."""

    def program() -> dict[str, Any]:
        return list_outputs(make_compute(cluster=pulumi.Output.from_input("vision")))

    with pytest.raises(InvalidInput, match=r"vision\.cluster: is 'vision', no resource id of a cluster"):
        engine.run(program)


def test_a_cluster_without_local_accounts_is_refused(engine: Engine) -> None:
    """Azure would fail to attach it, and not say why."""
    engine.clusters["aks"]["disableLocalAccounts"] = True

    with pytest.raises(pulumi.RunError, match=r"vision\.cluster: 'aks' has no local accounts, and Azure Machine"):
        make(engine)


def attach(engine: Engine, kind: str) -> dict[str, Any]:
    """Attaches to a compute that exists; gives its outputs."""
    properties = {"computeType": kind, "provisioningState": "Succeeded", "resourceId": AKS, "properties": {}}
    engine.computes["theirs"] = {"id": "/computes/theirs", "name": "theirs", "properties": properties}

    def program() -> dict[str, Any]:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        return list_outputs(KubernetesCompute.get("mine", workspace=workspace, compute_name="theirs"))

    return engine.run(program)


def test_a_compute_that_exists_is_taken_as_it_is(engine: Engine) -> None:
    """Nothing is made or changed; which instance types it has, the plugin asks."""
    outputs = attach(engine, "Kubernetes")

    options = outputs.pop("options")
    assert outputs == {
        "id": "/computes/theirs",
        "compute_name": "theirs",
        "provisioning_state": "Succeeded",
        "cluster_id": AKS,
    }
    assert (options["compute_name"], "instance_type" in options) == ("theirs", False)
    assert [one.typ for one in engine.resources if one.typ.startswith("azure-native:")] == []


def test_another_kind_of_compute_is_no_attached_cluster(engine: Engine) -> None:
    """A cluster of machines has a name there, too."""
    with pytest.raises(pulumi.RunError, match=r"mine\.compute_name: is a compute of kind AmlCompute, no attached"):
        attach(engine, "AmlCompute")


def test_all_problems_are_told_at_once(engine: Engine) -> None:
    """Before anything is made."""
    args = KubernetesComputeArgs(
        workspace=WorkspaceArgs(location="westeurope"), cluster="vision", instance_types={}, namespace="Team"
    )

    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: KubernetesCompute("vision", args))

    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["vision.cluster", "vision.instance_types", "vision.namespace", "vision.workspace"]
    assert engine.resources == []


def run_job(engine: Engine, source: pathlib.Path, **job: Any) -> dict[str, Any]:
    """Runs a job on a compute; gives the inputs of its run."""

    def program() -> None:
        args = {"source": source, "command": ["python"], "image": DIGEST, "compute": make_compute(), **job}
        TrainingJob("train", TrainingJobArgs(**args))

    engine.run(program)
    return dict(engine.find(RUN).inputs)


def test_a_job_names_its_instance_type(engine: Engine, source_folder: pathlib.Path) -> None:
    """It is one of the backend's options; without a name it is the default."""
    named = run_job(engine, source_folder, instance_type="gpu", gpus=1)
    engine.resources.clear()
    other = run_job(engine, source_folder)

    assert (named["backend"], named["backendOptions"]["instance_type"]) == ("azureml", "gpu")
    assert other["backendOptions"]["instance_type"] == "small"


def test_a_job_that_asks_for_more_is_refused(engine: Engine, source_folder: pathlib.Path) -> None:
    """With the property's path, and what would do."""
    with pytest.raises(InvalidInput) as caught:
        run_job(engine, source_folder, gpus=1, memory_gb=100)

    assert [str(problem) for problem in caught.value.problems] == [
        (
            "train.memory_gb: is 100; instance type 'small' has 2; the most that any has is 56.5; ask for at most "
            "that, or add a larger one"
        ),
        ("train.gpus: is 1; instance type 'small' has 0; no instance type has all that is asked for; add one that has"),
    ]


def make_on_aks(engine: Engine, **given: Any) -> None:
    """Attaches a cluster that the same program makes."""

    def make_cluster() -> tuple[Workspace, AksCluster]:
        workspace = Workspace("pets", WorkspaceArgs(location="westeurope", public_network_access=True))
        return workspace, AksCluster("gpu", AksClusterArgs(workspace=workspace, **given))

    def program() -> None:
        workspace, cluster = make_cluster()
        args = KubernetesComputeArgs(workspace=workspace, cluster=cluster, instance_types=TYPES)
        KubernetesCompute("vision", args)

    name = engine.run(lambda: {"name": make_cluster()[1].cluster_name})["name"]
    engine.clusters[name] = {"id": f"/{name}", "name": name, "location": "westeurope"}
    engine.resources.clear()
    engine.run(program)


def test_a_cluster_of_the_same_program_needs_no_login(engine: Engine, requests: dict[str, Any]) -> None:
    """By Azure's login instance types are made in it; what is attached is that cluster."""
    make_on_aks(engine, local_accounts=True, taints=())

    made = engine.find("azure-native:containerservice:ManagedCluster")
    (provider,) = list_made(engine, "pulumi:providers:kubernetes")
    assert made.inputs["disableLocalAccounts"] is False
    assert provider["context"] == made.inputs["resourceName"]
    assert len(list_made(engine, INSTANCE_TYPE)) == 2
    assert engine.find(COMPUTE).inputs["properties"]["resourceId"].endswith(f"/{made.inputs['resourceName']}")
    needed = {urn.rpartition("::")[2] for urn in requests["vision-extension"].dependencies}
    assert "vision-reader" in needed
