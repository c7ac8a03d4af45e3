from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from aml_infra import KubernetesClusterArgs, Registry, Toleration
from aml_infra.components.validation import Machine
from aml_infra.spec import Demand, Resources, RunInput

pytestmark = pytest.mark.usefixtures("kubeconfig")

NAME = "lower-case letters, digits, '-' and '.', with a letter or a digit at each end"


def find(**given: Any) -> list[str]:
    """The problems of the arguments, in words."""
    return [str(problem) for problem in KubernetesClusterArgs(**given).find_problems(Machine())]


def find_demand(demand: Demand, **given: Any) -> list[str]:
    """What a cluster with these arguments cannot give, in words."""
    return [str(problem) for problem in KubernetesClusterArgs(**given).find_demand_problems(demand, Machine())]


def test_all_defaults_are_good() -> None:
    """Where kubectl works, nothing has to be given."""
    assert find() == []


def test_each_argument_can_be_good() -> None:
    """All at once."""
    given = {
        "context": "idle",
        "namespace": "team-vision",
        "registry": Registry.external("ghcr.io/team", "me", "sesame"),
        "gpu_quota": 0,
        "cpu_quota": 0.5,
        "memory_quota_gb": 64,
        "default_cpus": 1,
        "default_memory_gb": 0.5,
        "storage_class": "azurefile-csi",
        "storage_gb": 1024,
        "shared_storage": False,
        "queue": "vision",
        "node_selector": {"nvidia.com/gpu.product": "A100", "pool": ""},
        "tolerations": [Toleration(key="sku", value="gpu", effect="NoSchedule"), Toleration()],
        "autoscaling": True,
        "priority_class": "low",
        "shared_memory_gb": 16,
        "egress_cidrs": ["10.0.0.0/8", "fd00::/8", "192.0.2.1"],
        "device_plugin": True,
        "pending_minutes": 0.5,
        "runtime": "torch-distributed",
    }
    assert set(given) | {"kubeconfig", "cluster", "create_namespace", "outputs_claim"} == {
        field.name for field in dataclasses.fields(KubernetesClusterArgs)
    }
    assert find(**given) == []
    assert find(namespace="team", create_namespace=False, outputs_claim="vision.outputs") == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"namespace": "Team"}, "namespace: is 'Team'; allowed are up to 63 characters: "),
        ({"namespace": "a.b"}, "namespace: is 'a.b'; allowed are up to 63 characters: "),
        (
            {"namespace": "kube-system"},
            "namespace: is 'kube-system', which each cluster has already; give another name, or create_namespace=False",
        ),
        ({"namespace": "default"}, "namespace: is 'default', which each cluster has already"),
        (
            {"create_namespace": False},
            "namespace: is missing; create_namespace is False, so name the one that exists",
        ),
        (
            {"namespace": "team", "create_namespace": False, "gpu_quota": 8},
            (
                "gpu_quota: is of a namespace that is made, and create_namespace is False; leave it out, and ask "
                "whoever owns the namespace"
            ),
        ),
        ({"gpu_quota": 100001}, "gpu_quota: is 100001; allowed are whole numbers from 0 to 100000"),
        ({"gpu_quota": -1}, "gpu_quota: is -1; allowed are whole numbers from 0 to 100000"),
        ({"cpu_quota": 0}, "cpu_quota: is 0; allowed is 0.001 to 1e+06 processors"),
        ({"memory_quota_gb": float("nan")}, "memory_quota_gb: is nan; allowed is 0.001 to 1e+06 GB"),
        ({"default_cpus": 0}, "default_cpus: is 0; allowed is 0.001 to 1024 processors"),
        ({"default_memory_gb": -1}, "default_memory_gb: is -1; allowed is 0.001 to 24576 GB"),
        ({"storage_gb": float("inf")}, "storage_gb: is inf; allowed is 0.001 to 1e+06 GB"),
        ({"shared_memory_gb": 0}, "shared_memory_gb: is 0; allowed is 0.001 to 24576 GB"),
        ({"pending_minutes": 0}, "pending_minutes: is 0; allowed is 0.01 to 43200 minutes"),
        ({"outputs_claim": "a_b"}, f"outputs_claim: is 'a_b'; allowed are up to 253 characters: {NAME}"),
        ({"storage_class": ""}, f"storage_class: is ''; allowed are up to 253 characters: {NAME}"),
        ({"priority_class": "High"}, f"priority_class: is 'High'; allowed are up to 253 characters: {NAME}"),
        ({"runtime": "Torch"}, f"runtime: is 'Torch'; allowed are up to 253 characters: {NAME}"),
        ({"queue": "a.b"}, "queue: is 'a.b'; allowed are up to 63 characters: "),
        (
            {"outputs_claim": "kept", "storage_class": "fast"},
            (
                "storage_class: is of a claim that is made, and outputs_claim names one that exists; leave one of them "
                "out"
            ),
        ),
        ({"outputs_claim": "kept", "shared_storage": False}, "shared_storage: is of a claim that is made"),
        ({"node_selector": {"a b": "x"}}, "node_selector['a b']: is 'a b', no key of a label; allowed are"),
        ({"node_selector": {"pool": "a b"}}, "node_selector['pool']: is 'a b', no value of a label; allowed are"),
        ({"tolerations": [Toleration(), Toleration(key="-")]}, "tolerations[1].key: is '-', no key of a label"),
        (
            {"egress_cidrs": ["10.0.0.1/8"]},
            "egress_cidrs[0]: is '10.0.0.1/8', no range of addresses (10.0.0.1/8 has host bits set); give one as in",
        ),
        ({"egress_cidrs": ["example.com"]}, "egress_cidrs[0]: is 'example.com', no range of addresses ("),
        ({"context": "prod"}, "context: is 'prod', which "),
        ({"kubeconfig": "nowhere"}, "kubeconfig: '"),
    ],
)
def test_each_bad_argument_is_named(given: dict[str, Any], told: str) -> None:
    """With its value, what is allowed, and the fix; once."""
    (problem,) = find(**given)

    assert problem.startswith(told)


def test_the_account_of_the_registry_is_checked() -> None:
    """Its server is of no use if it is none."""
    (problem,) = find(registry=Registry.external("https://ghcr.io", "me", "sesame"))

    assert problem.startswith("registry.server: is 'https://ghcr.io', no registry's name")


def test_everything_is_told_at_once(tmp_path: pathlib.Path) -> None:
    """Of all kinds of problems."""
    problems = find(
        kubeconfig=tmp_path / "x",
        namespace="Team",
        gpu_quota=-1,
        queue="A",
        pending_minutes=0,
        tolerations=[Toleration(effect="Never")],
        egress_cidrs=["x"],
    )

    assert [problem.partition(": ")[0] for problem in problems] == [
        "kubeconfig",
        "namespace",
        "queue",
        "gpu_quota",
        "pending_minutes",
        "tolerations[0].effect",
        "egress_cidrs[0]",
    ]


@pytest.mark.parametrize(
    ("toleration", "written"),
    [
        (Toleration(), {"operator": "Exists"}),
        (Toleration(key="nvidia.com/gpu"), {"key": "nvidia.com/gpu", "operator": "Exists"}),
        (Toleration(key="sku", value="gpu"), {"key": "sku", "operator": "Equal", "value": "gpu"}),
        (Toleration(key="sku", operator="Equal"), {"key": "sku", "operator": "Equal"}),
        (
            Toleration(key="spot", effect="NoExecute", seconds=0),
            {"key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0},
        ),
    ],
)
def test_a_toleration_is_written_as_the_api_has_it(toleration: Toleration, written: dict[str, Any]) -> None:
    """The operator follows from whether there is a value."""
    assert toleration.find_problems() == []
    assert toleration.describe() == written


@pytest.mark.parametrize(
    ("toleration", "told"),
    [
        (Toleration(key="a b"), "key: is 'a b', no key of a label"),
        (Toleration(value="gpu"), "key: is missing; only the operator 'Exists' needs none"),
        (Toleration(key="a", value="a b"), "value: is 'a b', no value of a label"),
        (
            Toleration(key="a", operator="Exists", value="b"),
            "value: is 'b', and 'Exists' asks for none; leave one of them out",
        ),
        (Toleration(key="a", operator="In"), "operator: is 'In'; allowed are Exists, Equal"),
        (Toleration(effect="Never"), "effect: is 'Never'; allowed are NoSchedule, PreferNoSchedule, NoExecute"),
        (Toleration(seconds=3), "seconds: is 3, and only the effect 'NoExecute' has a time"),
        (Toleration(effect="NoExecute", seconds=-1), "seconds: is -1; allowed are whole numbers from 0 on"),
    ],
)
def test_each_bad_part_of_a_toleration_is_named(toleration: Toleration, told: str) -> None:
    """As the API server would refuse the Job, and only then."""
    (problem,) = toleration.find_problems()

    assert str(problem).startswith(told)


def test_what_is_above_a_quota_is_told() -> None:
    """Of all workers together, as such a run would wait for ever."""
    resources = Resources(cpus=4, memory_gb=32, gpus=8)
    quotas = {"gpu_quota": 8, "cpu_quota": 4, "memory_quota_gb": 32}

    assert find_demand(Demand(resources=resources), **quotas) == []
    assert find_demand(Demand(resources=resources)) == []
    assert find_demand(Demand(resources=resources, workers=2), **quotas) == [
        "gpus: is 8 for each of 2 workers; gpu_quota is 8; ask for at most that together, or raise it",
        "cpus: is 4 for each of 2 workers; cpu_quota is 4; ask for at most that together, or raise it",
        "memory_gb: is 32 for each of 2 workers; memory_quota_gb is 32; ask for at most that together, or raise it",
    ]
    assert find_demand(Demand(resources=Resources(gpus=1)), gpu_quota=0) == [
        "gpus: is 1; gpu_quota is 0; ask for at most that together, or raise it"
    ]


def test_what_is_out_of_any_range_is_told_elsewhere() -> None:
    """Once, by the rules that all compute targets have."""
    assert find_demand(Demand(resources=Resources(cpus=float("inf"), gpus=100)), gpu_quota=1, cpu_quota=1) == []


def test_what_only_azure_can_do_is_told() -> None:
    """In Kubernetes' name."""
    inputs = {"pets": RunInput(path="azureml:pets:1", version="1")}

    (mounted, identity) = find_demand(Demand(inputs=inputs, identity="managed"))

    assert mounted.startswith("inputs['pets']: is 'azureml:pets:1', which only Azure Machine Learning can mount")
    assert identity.startswith("identity: is 'managed', and Kubernetes gives a run none of Azure's")
