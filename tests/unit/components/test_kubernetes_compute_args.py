from __future__ import annotations

import pathlib
from typing import Any

import pulumi
import pytest

from aml_infra import InstanceType, KubernetesComputeArgs, WorkspaceArgs
from aml_infra.components.kubernetes_compute_args import ClusterId, find_cluster_id
from aml_infra.components.validation import Machine
from aml_infra.spec import Demand, Resources
from tests.unit.components.conftest import KUBECONFIG

AKS = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/vision"
ARC = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/vision"
TYPES = {"small": InstanceType(cpus=4, memory_gb=16), "large": InstanceType(cpus=8, memory_gb=64, gpus=2)}


def make_args(**given: Any) -> KubernetesComputeArgs:
    """Arguments while the program is only validated."""
    workspace = WorkspaceArgs(location="westeurope")
    return KubernetesComputeArgs(**{"workspace": workspace, "cluster": AKS, "instance_types": TYPES, **given})


def find(**given: Any) -> list[str]:
    """The problems of the arguments, in words."""
    return [str(problem) for problem in make_args(**given).find_problems(Machine())]


@pytest.mark.parametrize(
    ("given", "kind"),
    [(AKS, "managedClusters"), (AKS.lower(), "managedClusters"), (ARC, "connectedClusters")],
)
def test_ids_of_clusters(given: str, kind: str) -> None:
    """Azure minds no case in them."""
    assert find_cluster_id(given) == ClusterId(subscription_id="s", group="rg", kind=kind, name="vision")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"namespace": "team", "create_extension": False},
        {"cluster": ARC, "create_extension": False},
        {"default_instance_type": "large"},
    ],
)
def test_what_fits_is_taken(given: dict[str, Any]) -> None:
    """With and without the extension."""
    assert find(**given) == []


def test_an_output_is_checked_when_it_is_known() -> None:
    """As of a cluster that the same program makes."""
    assert find(cluster=pulumi.Output.from_input("anything")) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"cluster": "vision"},
            (
                "cluster: is 'vision', no resource id of a cluster; `az aks show --query id`, or `az connectedk8s show "
                "--query id`, shows it, as in "
                "'/subscriptions/.../resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/vision'"
            ),
        ),
        (
            {"cluster": ARC},
            (
                "create_extension: is True, and the extension of a cluster on Azure Arc needs an Azure Relay, which "
                "Azure's own tool makes with it; install it by `az k8s-extension create --extension-type "
                "Microsoft.AzureML.Kubernetes`, and set this to False"
            ),
        ),
        (
            {"instance_types": {}},
            (
                "instance_types: is empty; give the sizes that jobs can have, as in "
                "{'small': InstanceType(cpus=4, memory_gb=16)}"
            ),
        ),
        (
            {"default_instance_type": "huge"},
            "default_instance_type: is 'huge', none of instance_types; there are small, large",
        ),
        (
            {"instance_types": {"Large": InstanceType(cpus=1, memory_gb=1)}},
            (
                "instance_types['Large']: is 'Large'; allowed are up to 253 characters: lower-case letters, digits, "
                "'-' and '.', with a letter or a digit at each end"
            ),
        ),
        (
            {"instance_types": {"a": InstanceType(cpus=0, memory_gb=1)}},
            "instance_types['a'].cpus: is 0; allowed is 0.001 to 1024 processors",
        ),
        (
            {"instance_types": {"a": InstanceType(cpus=1, memory_gb=1e9)}},
            "instance_types['a'].memory_gb: is 1e+09; allowed is 0.001 to 24576 GB",
        ),
        (
            {"instance_types": {"a": InstanceType(cpus=1, memory_gb=1, gpus=-1)}},
            "instance_types['a'].gpus: is -1; allowed are whole numbers from 0 to 64",
        ),
        (
            {"instance_types": {"a": InstanceType(cpus=1, memory_gb=1, node_selector={"pool": "a b"})}},
            (
                "instance_types['a'].node_selector['pool']: is 'a b', no value of a label; allowed are up to 63 "
                "characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end"
            ),
        ),
        (
            {"namespace": "Team"},
            (
                "namespace: is 'Team'; allowed are up to 63 characters: lower-case letters, digits and '-', with a "
                "letter or a digit at each end"
            ),
        ),
        (
            {"namespace": "team", "create_namespace": True},
            (
                "create_namespace: is True, and there is no login to the cluster; give kubeconfig or context, or make "
                "the namespace by `kubectl create namespace`"
            ),
        ),
        (
            {"extension_settings": {"installVolcano": "False"}, "create_extension": False},
            "extension_settings: are given, and create_extension is False; leave one of them out",
        ),
        (
            {"extension_settings": {"installVolcano": "no"}},
            "extension_settings['installVolcano']: is 'no'; allowed are True, False",
        ),
    ],
)
def test_what_does_not_fit_is_told(given: dict[str, Any], problem: str) -> None:
    """With the value, what is allowed, and the fix."""
    assert find(**given) == [problem]


def test_the_login_is_looked_for(tmp_path: pathlib.Path) -> None:
    """A namespace that each cluster has cannot be made by it."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)

    (context,) = find(kubeconfig=path, context="large")
    (namespace,) = find(kubeconfig=path, create_namespace=True)

    assert context.startswith("context: is 'large', which")
    assert namespace.startswith("namespace: is 'default', which each cluster has already; ")


def test_a_job_has_what_its_instance_type_has() -> None:
    """The one that it names, else the default."""
    args = make_args(default_instance_type="large")

    def ask(**demand: Any) -> list[str]:
        return [problem.path for problem in args.find_demand_problems(Demand(**demand), Machine())]

    assert ask(resources=Resources(gpus=2)) == []
    assert ask(resources=Resources(gpus=2), instance_type="small") == ["gpus"]
    assert ask(instance_type="huge") == ["instance_type"]
    assert ask(resources=Resources(gpus=1000)) == []
    assert make_args().chosen_default == "small"
