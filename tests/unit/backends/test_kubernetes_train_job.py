"""A run as a TrainJob of Kubeflow Trainer, compared whole."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from aml_infra.backends import kubernetes_request, kubernetes_state, kubernetes_train_job, kubernetes_workload
from aml_infra.backends.base import Status
from aml_infra.backends.kubernetes_layout import Place
from aml_infra.image_layers import Layered
from aml_infra.spec import Resources, RunSpec

PLACE = Place(namespace="pets", claim="kept", runtime="torch-distributed", queue="gpus")
IMAGE = "registry.example/pets/fastai@sha256:" + "ab" * 32
LAYERED = Layered(reference="registry.example/pets/fastai@sha256:" + "cd" * 32, base="sha256:" + "ab" * 32)
END = "2026-01-01T00:00:09Z"
CONTAINER = {"name": "node", "image": "theirs", "command": ["true"], "args": ["--x"]}


def build_asked(pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A runtime as the cluster has it, with this in its pods and its specification."""
    template = {"spec": {"containers": [copy.deepcopy(CONTAINER)], **(pod or {})}}
    job = {"name": "node", "template": {"spec": {"template": template}}}
    return {"spec": {"mlPolicy": {"torch": {}}, "template": {"spec": {"replicatedJobs": [job]}}, **spec}}


def build_spec(**changes: Any) -> RunSpec:
    """A spec with these changes."""
    values: dict[str, Any] = {"name": "train", "source_digest": "s", "command": ("python",), "image": IMAGE}
    return RunSpec(**{**values, "image_identity": "key", **changes})


def build_record(asked: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The ConfigMap of a run."""
    request = kubernetes_request.build_request(PLACE, build_spec(**changes), 1)
    return kubernetes_request.complete(request, LAYERED, "t", asked or build_asked())


def read_objects(record: dict[str, Any]) -> dict[str, Any]:
    """What is made of a ConfigMap."""
    return dict(json.loads(record["data"]["request"]))


def read_pod(record: dict[str, Any]) -> dict[str, Any]:
    """What the run's own runtime says of its pods."""
    (job,) = read_objects(record)["runtime"]["spec"]["template"]["spec"]["replicatedJobs"]
    return dict(job["template"]["spec"]["template"]["spec"])


def test_a_train_job_takes_the_place_of_the_job() -> None:
    """It says what runs, and its own runtime how; both are in the ConfigMap, and no Service of ours."""
    spec = build_spec(workers=2, resources=Resources(gpus=1))
    name, labels = f"w-{spec.run_id}", {"aml-infra.run": spec.run_id, "aml-infra.attempt": "1"}
    asked = build_asked(podGroupPolicy={"coscheduling": {}})

    objects = read_objects(build_record(asked, workers=2, resources=Resources(gpus=1)))

    trainer = objects["train_job"]["spec"].pop("trainer")
    (job,) = objects["runtime"]["spec"]["template"]["spec"].pop("replicatedJobs")
    inner = job["template"]["spec"]
    del inner["template"]
    assert objects == {
        "base": LAYERED.base,
        "service": None,
        "train_job": {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": name, "labels": {**labels, "kueue.x-k8s.io/queue-name": "gpus"}},
            "spec": {"runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": name}},
        },
        "runtime": {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainingRuntime",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "mlPolicy": {"torch": {}, "numNodes": 2},
                "podGroupPolicy": {"coscheduling": {}},
                "template": {"spec": {}},
            },
        },
    }
    variables = {each["name"]: each.get("value") for each in trainer.pop("env")}
    assert trainer.pop("command")[3:] == ["sh", "python"]
    amounts = {"nvidia.com/gpu": "1"}
    assert trainer == {
        "image": LAYERED.reference,
        "numNodes": 2,
        "resourcesPerNode": {"requests": amounts, "limits": amounts},
    }
    assert (variables["MASTER_ADDR"], variables["RANK"]) == (f"{name}-node-0-0.{name}", "$(AML_INFRA_RANK)")
    assert job["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer", **labels}
    assert inner == {
        "backoffLimit": 6,
        "completionMode": "Indexed",
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {"action": "FailJob", "onExitCodes": {"containerName": "node", "operator": "NotIn", "values": [0]}},
            ]
        },
        "ttlSecondsAfterFinished": 86400,
    }


def test_pods_are_those_of_a_job() -> None:
    """Whatever runs them: the volume, the user, the secrets; what the TrainJob says is not said twice."""
    changes: dict[str, Any] = {"secrets": {"TOKEN": "planted-marker"}, "timeout_minutes": 1}
    record, spec = build_record(**changes), build_spec(**changes)
    request = kubernetes_request.build_request(Place(namespace="pets", claim="kept"), spec, 1)
    plain = request["job"]["spec"]["template"]["spec"]

    pod = read_pod(record)

    (container,), (known,) = pod.pop("containers"), plain.pop("containers")
    assert pod == plain
    assert container == {
        "name": "node",
        "image": "theirs",
        "envFrom": [{"secretRef": {"name": f"{spec.run_id}-t"}}],
        **{key: known[key] for key in ("workingDir", "securityContext", "volumeMounts")},
    }
    assert "planted-marker" not in json.dumps(record)


def test_what_a_runtime_gives_to_its_pods_is_kept() -> None:
    """Ours is on top: of two of one name, it is ours, and no variable comes before those that it is made of."""
    mounts = [{"name": "scratch", "mountPath": "/scratch"}, {"name": "logs", "mountPath": "/workspace/logs"}]
    env = [{"name": "NCCL_DEBUG", "value": "INFO"}, {"name": "HOME", "value": "/root"}]
    pod = {
        "schedulerName": "volcano",
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"runAsUser": 0, "supplementalGroups": [7]},
        "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "kept", "emptyDir": {}}],
        "containers": [
            {**CONTAINER, "env": env, "envFrom": [{"secretRef": {"name": "theirs"}}], "volumeMounts": mounts}
        ],
    }

    record = build_record(build_asked(pod), secrets={"TOKEN": "x"})

    made = read_pod(record)
    (container,) = made["containers"]
    assert (made["schedulerName"], made["nodeSelector"], made["tolerations"]) == (
        "volcano",
        {"pool": "gpu"},
        [{"operator": "Exists"}],
    )
    assert (made["securityContext"]["runAsUser"], made["securityContext"]["supplementalGroups"]) == (1000, [7])
    assert [each["name"] for each in made["volumes"]] == ["scratch", "kept", "shared-memory"]
    assert made["volumes"][1] == {"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}
    assert [each["name"] for each in container["volumeMounts"]] == ["scratch", "kept", "kept", "kept", "shared-memory"]
    assert container["env"] == [{"name": "NCCL_DEBUG", "value": "INFO"}]
    assert not {"command", "args"} & container.keys()
    assert kubernetes_workload.find_workload(record).secrets == [f"{record['metadata']['name']}-t"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"mlPolicy": {"mpi": {}, "numNodes": 1}}, "its policy is mpi, and runs can have torch or none"),
        ({"template": {"spec": {"replicatedJobs": []}}}, "its jobs are none, and runs have one, node"),
        (
            {"template": {"spec": {"replicatedJobs": [{"name": "dataset-initializer"}, {"name": "node"}]}}},
            "its jobs are dataset-initializer, node, and runs have one, node",
        ),
    ],
)
def test_a_runtime_that_runs_cannot_use_is_told(spec: dict[str, Any], told: str) -> None:
    """With the fix; one of which nothing is wrong gives no problem."""
    (problem,) = kubernetes_train_job.find_problems("theirs", build_asked(**spec))

    assert str(problem) == (
        f"compute.runtime: is 'theirs', which runs cannot use: {told}; choose another runtime, such as "
        "torch-distributed, or leave it out"
    )
    assert kubernetes_train_job.find_problems("theirs", build_asked()) == []


def test_a_runtime_with_more_containers_is_told() -> None:
    """A log is read in the one that there is."""
    pod = {"containers": [CONTAINER, {"name": "sidecar"}]}

    (problem,) = kubernetes_train_job.find_problems("theirs", build_asked(pod))

    assert "its containers are node, sidecar, and runs have one, node" in problem.message


def test_workers_that_come_and_go_are_none() -> None:
    """The number of workers is part of what a run is."""
    asked = build_asked(mlPolicy={"torch": {"numProcPerNode": 2, "elasticPolicy": {"maxNodes": 4}}})

    policy = read_objects(build_record(asked, workers=2))["runtime"]["spec"]["mlPolicy"]

    assert policy == {"torch": {"numProcPerNode": 2}, "numNodes": 2}


def test_how_a_train_job_ended_is_read_from_its_conditions_and_its_pods() -> None:
    """Of the Job that it became is known which worker it was; that alone is not the end yet."""
    record = build_record(workers=2)
    workload = kubernetes_workload.find_workload(record)
    failed = {"type": "Failed", "status": "True", "lastTransitionTime": END, "reason": "FailedJobs"}
    train_job = {**workload.body, "status": {"conditions": []}}
    inner = {
        "metadata": {"name": workload.job, "uid": "1"},
        "status": {"conditions": [{**failed, "message": f"Container node for pod pets/{workload.job}-1 failed"}]},
    }
    pods = [
        {
            "metadata": {
                "name": f"{workload.job}-{rank}",
                "uid": str(rank),
                "creationTimestamp": END,
                "annotations": {"batch.kubernetes.io/job-completion-index": str(rank)},
                "ownerReferences": [{"uid": "1"}],
            },
            "status": {
                "phase": "Failed",
                "containerStatuses": [{"name": "node", "state": {"terminated": {"exitCode": code, "startedAt": END}}}],
            },
        }
        for rank, code in enumerate((143, 3))
    ]

    going = kubernetes_state.read_state(kubernetes_state.gather(record, train_job, pods, inner))
    train_job["status"] = {"conditions": [{**failed, "message": "jobset failed"}]}
    state = kubernetes_state.read_state(kubernetes_state.gather(record, train_job, pods, inner))

    assert going.status is Status.RUNNING
    assert (state.status, state.exit_code, state.reason) == (Status.FAILED, 3, "worker 1 failed first")


def test_a_train_job_that_is_suspended_waits() -> None:
    """As Kueue does with it, until there is room."""
    record = build_record()
    body = kubernetes_workload.find_workload(record).body
    seen = kubernetes_state.gather(record, {**body, "spec": {**body["spec"], "suspend": True}}, [])

    assert kubernetes_state.read_state(seen).status is Status.QUEUED
    assert kubernetes_state.explain_wait(seen) == "it is suspended, and waits in queue gpus"


def test_what_goes_with_a_train_job_is_owned_by_it() -> None:
    """Its runtime, and the Secrets of the run."""
    workload = kubernetes_workload.find_workload(build_record())

    assert workload.build_owner({"metadata": {"uid": "7"}}) == {
        "metadata": {
            "ownerReferences": [
                {
                    "apiVersion": "trainer.kubeflow.org/v1alpha1",
                    "kind": "TrainJob",
                    "name": f"w-{build_spec().run_id}",
                    "uid": "7",
                }
            ]
        }
    }
