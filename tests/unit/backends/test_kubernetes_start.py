"""What is made of a run's ConfigMap, on a cluster that is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from aml_infra.backends import kubernetes, kubernetes_api, kubernetes_request
from aml_infra.backends.base import RunState, Status
from aml_infra.backends.kubernetes import KubernetesBackend
from aml_infra.backends.kubernetes_api import KubernetesApi
from aml_infra.backends.kubernetes_layout import Place
from aml_infra.errors import AccessDenied, RequestRefused
from aml_infra.image_layers import Layered
from aml_infra.spec import RunSpec

PLACE = Place(namespace="pets", claim="kept", runtime="torch-distributed")
POD = {"spec": {"containers": [{"name": "node"}]}}
RUNTIME = {"spec": {"template": {"spec": {"replicatedJobs": [{"template": {"spec": {"template": POD}}}]}}}}
UNSEEN = "not found: specified trainingRuntime must be created before the TrainJob is created"
RECORDS, TRAIN_JOBS = "v1/configmaps", "trainer.kubeflow.org/v1alpha1/trainjobs"


class FakeApi:
    """A namespace with one ConfigMap, whose webhook refuses TrainJobs with these words, one after the other."""

    namespace = "pets"

    def __init__(self, *refusals: str) -> None:
        spec = RunSpec(name="train", source_digest="s", command=("python",), image="i@sha256:1", image_identity="k")
        request = kubernetes_request.build_request(PLACE, spec, 1)
        record = kubernetes_request.complete(request, Layered(reference="i@sha256:2", base="sha256:1"), "t", RUNTIME)
        record["metadata"]["resourceVersion"] = "1"
        self.name = str(record["metadata"]["name"])
        self.objects: dict[tuple[str, str], dict[str, Any]] = {(RECORDS, self.name): record}
        self.refusals = list(refusals)
        self.made: list[str] = []

    def get(self, kind: str, name: str) -> Any:
        return self.objects.get((kind, name))

    def list(self, kind: str, _selector: str = "") -> Any:
        return [each for (known, _), each in self.objects.items() if known == kind]

    def create(self, kind: str, body: Mapping[str, Any]) -> Any:
        self.made.append(kind.rpartition("/")[2])
        if kind == TRAIN_JOBS and self.refusals:
            raise RequestRefused(self.refusals.pop(0))
        made = {**body, "metadata": {**body["metadata"], "uid": f"uid-{kind}"}, "status": {}}
        self.objects[kind, body["metadata"]["name"]] = made
        return made

    def patch(self, kind: str, name: str, body: Mapping[str, Any]) -> Any:
        known = self.objects[kind, name]
        for key in ("metadata", "data"):
            for field, value in body.get(key, {}).items():
                known[key][field] = {**known[key].get(field, {}), **value} if isinstance(value, dict) else value
        return known


def start(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> RunState:
    """Has the run started by somebody who finds that nobody has, and gives its state then."""
    monkeypatch.setattr(kubernetes, "PAUSE_SECONDS", 0.0)
    backend = KubernetesBackend(cast("KubernetesApi", api), PLACE)
    backend.tend(RunState(run_id=api.name, attempt=1, fingerprint="f", status=Status.QUEUED, spec={}))
    state = backend.describe(api.name)
    assert state is not None
    return state


def test_a_train_job_is_made_when_its_runtime_has_been_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator hears of it later than the API server; it belongs to the TrainJob then."""
    api = FakeApi(UNSEEN, UNSEEN)

    state = start(api, monkeypatch)

    assert state.status is Status.QUEUED
    assert api.made == ["trainingruntimes", "trainjobs", "trainjobs", "trainjobs"]
    runtime = api.objects["trainer.kubeflow.org/v1alpha1/trainingruntimes", f"w-{api.name}"]
    assert runtime["metadata"]["ownerReferences"][0]["kind"] == "TrainJob"


def test_a_train_job_that_is_refused_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the words of whoever has refused it."""
    api = FakeApi("must not have reserved envs")

    state = start(api, monkeypatch)

    assert (state.status, state.reason) == (Status.FAILED, "its TrainJob was refused: must not have reserved envs")
    assert json.loads(api.objects[RECORDS, api.name]["data"]["state"])["has_run"] is False


def test_what_a_policy_refuses_is_no_matter_of_rights() -> None:
    """Another object may be taken from the same account."""
    denied = 'admission webhook "validate.example" denied the request: no'

    errors = [kubernetes_api._explain(403, text, "POST /x") for text in (denied, 'User "jane" cannot create jobs')]

    assert [type(error) for error in errors] == [RequestRefused, AccessDenied]
