"""Which runtime of Kubeflow Trainer is meant, and what is told where there is none."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aml_infra.backends import kubernetes_workload
from aml_infra.backends.kubernetes_api import KubernetesApi
from aml_infra.backends.kubernetes_runtimes import Runtimes
from aml_infra.errors import InvalidInput

API = "/apis/trainer.kubeflow.org/v1alpha1"


class FakeApi:
    """A cluster that has these objects by their paths, and nothing else."""

    namespace = "pets"
    place = "the Kubernetes cluster of context 'team' at api.example"

    def __init__(self, *names: str, own: str = "", has_trainer: bool = True) -> None:
        self.found: dict[str, Any] = {API: {}} if has_trainer else {}
        self.found |= {f"{API}/clustertrainingruntimes/{name}": build_runtime(name) for name in names}
        self.found[f"{API}/clustertrainingruntimes"] = {"items": [build_runtime(name) for name in names]}
        self.own = [build_runtime(own)] if own else []

    def get(self, kind: str, name: str) -> Any:
        assert kind == kubernetes_workload.RUNTIMES
        return next((each for each in self.own if each["metadata"]["name"] == name), None)

    def list(self, kind: str) -> Any:
        assert kind == kubernetes_workload.RUNTIMES
        return self.own

    def list_at(self, path: str) -> Any:
        return self.found.get(path)


def build_runtime(name: str, container: str = "node") -> dict[str, Any]:
    """A runtime of which nothing is wrong."""
    pod = {"spec": {"containers": [{"name": container}]}}
    jobs = [{"name": "node", "template": {"spec": {"template": pod}}}]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"replicatedJobs": jobs}}}}


def open_runtimes(api: FakeApi) -> Runtimes:
    """Those of this cluster."""
    return Runtimes(cast("KubernetesApi", api))


def test_one_of_the_namespace_comes_before_one_of_the_cluster() -> None:
    """As somebody has made it for this namespace."""
    api = FakeApi("torch", "jax", own="torch")
    api.own[0]["metadata"]["namespace"] = "pets"

    assert open_runtimes(api).find("torch")["metadata"] == {"name": "torch", "namespace": "pets"}
    assert open_runtimes(api).find("jax")["metadata"] == {"name": "jax"}
    assert open_runtimes(api).find_problems("jax") == []


def test_an_operator_that_is_missing_is_told() -> None:
    """With the cluster, and how it is got."""
    (problem,) = open_runtimes(FakeApi(has_trainer=False)).find_problems("torch")

    assert str(problem) == (
        "compute.runtime: is 'torch', and the Kubernetes cluster of context 'team' at api.example does not have "
        "Kubeflow Trainer (trainer.kubeflow.org/v1alpha1); install it "
        "(https://www.kubeflow.org/docs/components/trainer/operator-guides/installation/), or leave runtime out, which "
        "makes plain Jobs"
    )


@pytest.mark.parametrize(
    ("api", "there"),
    [(FakeApi("jax", own="ours"), "there are jax, ours; choose one"), (FakeApi(), "there are none; choose one")],
)
def test_a_runtime_that_is_missing_is_told_with_those_that_there_are(api: FakeApi, there: str) -> None:
    """Of the namespace and of the cluster."""
    with pytest.raises(InvalidInput) as caught:
        open_runtimes(api).find("torch")

    (problem,) = caught.value.problems
    assert "neither namespace 'pets' nor the cluster has such a runtime" in problem.message
    assert there in problem.message


def test_a_runtime_that_cannot_be_used_is_told() -> None:
    """Before anything is submitted."""
    api = FakeApi()
    api.own = [build_runtime("torch", "trainer")]

    (problem,) = open_runtimes(api).find_problems("torch")

    assert "its containers are trainer, and runs have one, node" in problem.message
