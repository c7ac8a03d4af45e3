"""Runs as TrainJobs: the operators of Kubeflow Trainer and JobSet are the real ones, and so are the pods."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from aml_infra.backends import kubernetes_workload
from aml_infra.backends.base import Status
from aml_infra.backends.kubernetes import KubernetesBackend
from aml_infra.errors import InvalidInput
from aml_infra.spec import Demand
from tests.contract.conftest import Scene, Stage
from tests.contract.kubernetes_place import NAMESPACE
from tests.contract.test_kubernetes import LASTING, find_pods, let_go

pytestmark = pytest.mark.trainer

VERSION = "trainer.kubeflow.org/v1alpha1"
JOBSETS = "jobset.x-k8s.io/v1alpha2"


def read(scene: Scene, version: str, kind: str) -> dict[str, Any] | None:
    """The TrainJob of a run, or its JobSet, or its runtime."""
    assert scene.cluster is not None
    return scene.cluster.cluster.objects.read(version, kind, f"w-{scene.spec.run_id}", NAMESPACE)


def delete(scene: Scene, version: str, kind: str) -> None:
    """Deletes one of them, as a person does, and waits until it is gone."""
    assert scene.cluster is not None
    objects, name = scene.cluster.cluster.objects, f"w-{scene.spec.run_id}"
    objects.delete(version, kind, name, NAMESPACE)
    objects.wait_gone(version, kind, name, namespace=NAMESPACE)


def test_a_run_is_a_train_job_with_the_runtime_that_was_asked_for(trainer_stage: Stage) -> None:
    """Its log, its outputs and its secrets are as those of a Job; what the runtime gives it has, too."""
    scene = trainer_stage(secrets={"TOKEN": "planted-marker"})
    scene.write_script('echo "$PET_NNODES $RANK- ${#TOKEN}"\necho content > outputs/result.txt\n')
    assert scene.cluster is not None

    lines = scene.run_to_end()
    train_job = read(scene, VERSION, "TrainJob")
    held = scene.cluster.open_api().list("v1/secrets", f"aml-infra.run={scene.spec.run_id}")
    record = scene.backend.collect(scene.describe())

    assert lines == [f"1 - {len('planted-marker')}"]
    assert train_job is not None
    assert [each["type"] for each in train_job["status"]["conditions"]] == ["Complete"]
    assert held[0]["metadata"]["ownerReferences"][0]["kind"] == "TrainJob"
    assert (scene.read_log(record), scene.read_output(record, "result.txt")) == (f"{lines[0]}\n", "content\n")
    assert (record.state.status, record.state.exit_code) == (Status.COMPLETED, 0)


def test_workers_of_a_train_job_find_one_another(trainer_stage: Stage) -> None:
    """By the names that its JobSet gives them, which torchrun is told as well."""
    scene = trainer_stage(workers=2)
    scene.write_script(
        'until getent hosts "$MASTER_ADDR" >/dev/null; do sleep 0.2; done\n'
        '[ "$MASTER_ADDR" = "$PET_MASTER_ADDR" ] && echo "$RANK $PET_NODE_RANK of $WORLD_SIZE $PET_NNODES"\n'
    )

    assert sorted(scene.run_to_end()) == ["[0] 0 0 of 2 2", "[1] 1 1 of 2 2"]


def test_a_train_job_that_fails_has_its_exit_code(trainer_stage: Stage) -> None:
    """Of the worker that failed first; nothing is tried again but by whoever submits."""
    scene = trainer_stage(workers=2)
    scene.write_script('echo here\n[ "$RANK" = 1 ] && exit 3\nwhile :; do sleep 0.1; done\n')

    lines = scene.run_to_end()
    state = scene.describe()

    assert sorted(lines) == ["[0] here", "[1] here"]
    assert (state.status, state.exit_code, state.reason) == (Status.FAILED, 3, "worker 1 failed first")
    assert list(scene.backend.read_tail(scene.backend.collect(state), 5)) == list(b"here\n")


def test_an_evicted_pod_of_a_train_job_is_replaced(trainer_stage: Stage) -> None:
    """The rule of the Job is that of the Job which it becomes."""
    scene = trainer_stage()
    assert scene.cluster is not None
    scene.write_script(LASTING)
    lines = scene.backend.follow(scene.submit())
    first = next(lines)
    (pod,) = find_pods(scene)

    scene.cluster.cluster.evict(NAMESPACE, pod["metadata"]["name"])
    second = next(lines)
    let_go(scene)

    assert (first, second, list(lines)) == ("here", "here", ["gone"])
    assert scene.describe().status is Status.COMPLETED


def test_a_train_job_that_is_canceled_leaves_nothing_that_runs(trainer_stage: Stage) -> None:
    """The operator makes nothing anew of it; its runtime goes, too."""
    scene = trainer_stage(lasting=True)
    assert scene.cluster is not None
    lines = scene.backend.follow(scene.submit())
    next(lines)

    scene.backend.cancel(scene.spec.run_id)

    assert list(lines) == ["two"]
    assert scene.describe().status is Status.CANCELED
    assert find_pods(scene) == []
    assert read(scene, VERSION, "TrainJob") is None
    objects = scene.cluster.cluster.objects
    objects.wait_gone(VERSION, "TrainingRuntime", f"w-{scene.spec.run_id}", namespace=NAMESPACE)


def test_a_train_job_that_is_deleted_after_its_end_is_not_trained_again(trainer_stage: Stage) -> None:
    """Before anybody has looked it is known to have completed, and is collected whole."""
    scene = trainer_stage()
    scene.run_to_end()

    delete(scene, VERSION, "TrainJob")
    again = scene.open_another()
    state = again.describe(scene.spec.run_id)

    assert state is not None
    assert (state.status, state.exit_code) == (Status.COMPLETED, 0)
    record = again.collect(state)
    assert scene.read_log(record) == "one\ntwo\n"
    assert list(again.follow(state)) == ["one", "two"]
    assert read(scene, VERSION, "TrainJob") is None


def test_a_job_set_that_is_deleted_after_its_end_is_not_trained_again(trainer_stage: Stage) -> None:
    """Whatever the operator makes of that, the command is not run once more."""
    scene = trainer_stage()
    scene.run_to_end()

    delete(scene, JOBSETS, "JobSet")
    record = scene.backend.collect(scene.describe())

    assert record.state.status is Status.COMPLETED
    assert scene.read_log(record) == "one\ntwo\n"
    assert find_pods(scene) == []


def test_a_train_job_that_is_deleted_while_it_runs_ends_the_run(trainer_stage: Stage) -> None:
    """Whoever did that meant it."""
    scene = trainer_stage(lasting=True)
    lines = scene.backend.follow(scene.submit())
    next(lines)

    delete(scene, VERSION, "TrainJob")

    assert list(lines) == ["two"]
    state = scene.describe()
    assert (state.status, state.reason) == (Status.CANCELED, "its TrainJob was deleted before it had ended")


def test_a_train_job_that_is_suspended_waits_and_is_told(trainer_stage: Stage) -> None:
    """As a queue does with it; when it goes on, it runs."""
    scene = trainer_stage()
    assert scene.cluster is not None
    api, name = scene.cluster.open_api(), f"w-{scene.spec.run_id}"
    told: list[str] = []

    def go_on(text: str) -> None:
        told.append(text)
        if "it is suspended" in text:
            api.patch(kubernetes_workload.TRAIN_JOBS, name, {"spec": {"suspend": False}})

    state = scene.submit()
    api.patch(kubernetes_workload.TRAIN_JOBS, name, {"spec": {"suspend": True}})

    assert list(scene.backend.follow(state, go_on))[-2:] == ["one", "two"]
    assert [each for each in told if "it is suspended" in each]
    assert scene.describe().status is Status.COMPLETED


def test_a_runtime_that_is_not_there_is_told(trainer_stage: Stage) -> None:
    """At preview, with those that there are; nothing is submitted."""
    scene = trainer_stage()
    assert scene.cluster is not None
    place = dataclasses.replace(scene.cluster.place, runtime="torch-distribute")
    backend = KubernetesBackend(scene.cluster.open_api(), place)

    (problem,) = backend.find_problems(Demand())
    with pytest.raises(InvalidInput, match="torch-distribute"):
        scene.submit_through(backend)

    assert str(problem).startswith(
        "compute.runtime: is 'torch-distribute', and neither namespace 'runs' nor the cluster has such a runtime ("
    )
    assert "there are torch-distributed; choose one" in problem.message
    assert backend.describe(scene.spec.run_id) is None


def test_a_finished_job_and_a_train_job_are_the_same_run(trainer_stage: Stage) -> None:
    """Whoever asks for a runtime later adopts what was trained without one, and the other way round."""
    scene = trainer_stage()
    assert scene.cluster is not None
    scene.run_to_end()
    plain = KubernetesBackend(scene.cluster.open_api(), dataclasses.replace(scene.cluster.place, runtime=""))

    state = plain.describe(scene.spec.run_id)

    assert state is not None
    assert list(plain.follow(state)) == ["one", "two"]
    assert plain.collect(state).state.status is Status.COMPLETED
    plain.remove(scene.spec.run_id)
    assert read(scene, VERSION, "TrainJob") is None
