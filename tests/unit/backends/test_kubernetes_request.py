"""What is asked of Kubernetes, compared whole."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import time
from typing import Any

import pytest

from aml_infra.backends import kubernetes_pods, kubernetes_request
from aml_infra.backends.kubernetes_layout import Place
from aml_infra.image_layers import Layered
from aml_infra.spec import Resources, RunInput, RunOutput, RunSpec

PLACE = Place(namespace="pets", claim="kept")
DIGEST = "ab" * 32
IMAGE = f"registry.example/pets/fastai@sha256:{DIGEST}"


def build_spec(**changes: Any) -> RunSpec:
    """A spec with these changes."""
    values: dict[str, Any] = {
        "name": "train",
        "source_digest": DIGEST,
        "command": ("python", "train.py"),
        "image": IMAGE,
        "image_identity": "key",
        **changes,
    }
    return RunSpec(**values)


def build_pod(place: Place = PLACE, **changes: Any) -> dict[str, Any]:
    """The specification of a worker's pod."""
    request = kubernetes_request.build_request(place, build_spec(**changes), 1)
    return dict(request["job"]["spec"]["template"]["spec"])


def read_environment(pod: dict[str, Any]) -> dict[str, str]:
    """The variables of a worker that are texts."""
    return {each["name"]: each["value"] for each in pod["containers"][0]["env"] if "value" in each}


def test_a_plain_run() -> None:
    """The whole request: the image, the Job, and the ConfigMap that is the run."""
    spec = build_spec(environment={"A": "1 $(B) $C"}, parameters={"lr": "0.01"}, tags={"team": "pets"})

    request = kubernetes_request.build_request(PLACE, spec, 2)

    name, labels = f"{spec.run_id}-2", {"aml-infra.run": spec.run_id, "aml-infra.attempt": "2"}
    script = request["job"]["spec"]["template"]["spec"]["containers"][0]["command"][2]
    assert request == {
        "image": {"base": IMAGE, "repository": "registry.example/pets/fastai", "source": DIGEST, "inputs": {}},
        "secrets": [],
        "service": None,
        "job": {
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "completionMode": "Indexed",
                "completions": 1,
                "parallelism": 1,
                "backoffLimit": 6,
                "ttlSecondsAfterFinished": 86400,
                "podFailurePolicy": {
                    "rules": [
                        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                        {
                            "action": "FailJob",
                            "onExitCodes": {"containerName": "train", "operator": "NotIn", "values": [0]},
                        },
                    ]
                },
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": False,
                        "enableServiceLinks": False,
                        "shareProcessNamespace": True,
                        "terminationGracePeriodSeconds": 30,
                        "securityContext": {
                            "runAsNonRoot": True,
                            "runAsUser": 1000,
                            "runAsGroup": 1000,
                            "fsGroup": 1000,
                            "fsGroupChangePolicy": "OnRootMismatch",
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": "train",
                                "command": ["sh", "-c", script, "sh", "python", "train.py", "--lr=0.01"],
                                "workingDir": "/workspace",
                                "env": [
                                    {
                                        "name": "AML_INFRA_RANK",
                                        "valueFrom": {
                                            "fieldRef": {
                                                "fieldPath": (
                                                    "metadata.annotations['batch.kubernetes.io/job-completion-index']"
                                                )
                                            }
                                        },
                                    },
                                    {"name": "A", "value": "1 $$(B) $$C"},
                                    {"name": "AML_INFRA_ATTEMPT", "value": "2"},
                                    {"name": "AML_INFRA_RUN_ID", "value": spec.run_id},
                                    {"name": "HOME", "value": "/tmp"},  # noqa: S108 (of a container)
                                    {"name": "MLFLOW_ALLOW_FILE_STORE", "value": "true"},
                                    {"name": "MLFLOW_EXPERIMENT_NAME", "value": "Default"},
                                    {"name": "MLFLOW_TRACKING_URI", "value": "file:///var/aml-infra/kept/mlruns"},
                                    {"name": "PYTHONUNBUFFERED", "value": "1"},
                                ],
                                "securityContext": {
                                    "allowPrivilegeEscalation": False,
                                    "capabilities": {"drop": ["ALL"]},
                                },
                                "volumeMounts": [
                                    {
                                        "name": "kept",
                                        "mountPath": "/workspace/outputs",
                                        "subPathExpr": f"runs/{name}/$(AML_INFRA_RANK)/outputs",
                                    },
                                    {
                                        "name": "kept",
                                        "mountPath": "/workspace/logs",
                                        "subPathExpr": f"runs/{name}/$(AML_INFRA_RANK)/logs",
                                    },
                                    {
                                        "name": "kept",
                                        "mountPath": "/var/aml-infra/kept",
                                        "subPathExpr": f"runs/{name}/$(AML_INFRA_RANK)/store",
                                    },
                                    {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 (of a container)
                                ],
                            }
                        ],
                        "volumes": [
                            {"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}},
                            {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2048Mi"}},
                        ],
                    },
                },
            },
        },
        "record": {
            "metadata": {"name": name, "labels": labels, "annotations": {"aml-infra.fingerprint": spec.fingerprint}},
            "data": {"spec": json.dumps(spec.describe(), sort_keys=True)},
        },
    }


def test_what_pods_are_given() -> None:
    """Whatever the place says, and what the run asks for: as much as it may have is what it asks for."""
    place = Place(
        namespace="pets",
        claim="kept",
        service_account="trainer",
        pull_secret="login",  # noqa: S106 (a name)
        queue="gpus",
        node_selector={"pool": "gpu"},
        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}],
        priority_class="high",
        shared_memory_gb=0.5,
    )
    changes = {"resources": Resources(cpus=1.5, memory_gb=4, gpus=2), "timeout_minutes": 0.51}
    request = kubernetes_request.build_request(place, build_spec(**changes), 1)

    pod = build_pod(place, **changes)

    assert request["job"]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "kueue.x-k8s.io/queue-name" not in request["job"]["spec"]["template"]["metadata"]["labels"]
    assert {key: pod[key] for key in ("serviceAccountName", "imagePullSecrets", "priorityClassName")} == {
        "serviceAccountName": "trainer",
        "imagePullSecrets": [{"name": "login"}],
        "priorityClassName": "high",
    }
    assert (pod["nodeSelector"], pod["tolerations"]) == ({"pool": "gpu"}, list(place.tolerations))
    assert pod["activeDeadlineSeconds"] == 31
    amounts = {"cpu": "1500m", "memory": "4096Mi", "nvidia.com/gpu": "2"}
    assert pod["containers"][0]["resources"] == {"requests": amounts, "limits": amounts}
    assert pod["volumes"][1]["emptyDir"]["sizeLimit"] == "512Mi"


def test_several_workers_find_one_another() -> None:
    """By names that a Service gives them; one that is lost ends them all."""
    spec = build_spec(workers=2)

    request = kubernetes_request.build_request(PLACE, spec, 1)

    job, pod = request["job"]["spec"], build_pod(workers=2)
    variables = read_environment(pod)
    assert (job["completions"], job["parallelism"], pod["subdomain"]) == (2, 2, f"w-{spec.run_id}")
    assert job["podFailurePolicy"]["rules"][0]["action"] == "FailJob"
    assert request["service"] == {
        "metadata": {"name": f"w-{spec.run_id}", "labels": job["template"]["metadata"]["labels"]},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"aml-infra.run": spec.run_id, "aml-infra.attempt": "1"},
        },
    }
    assert variables["MASTER_ADDR"] == f"{spec.run_id}-0.w-{spec.run_id}"
    assert (variables["RANK"], variables["NODE_RANK"], variables["WORLD_SIZE"]) == (
        "$(AML_INFRA_RANK)",
        "$(AML_INFRA_RANK)",
        "2",
    )


def test_tensorflow_is_told_its_index_as_a_number() -> None:
    """When the pod has put its own in."""
    config = read_environment(build_pod(workers=2, framework="tensorflow"))["TF_CONFIG"]

    told = json.loads(config.replace("$(AML_INFRA_RANK)", "1"))

    assert told["task"] == {"type": "worker", "index": 1}
    assert len(told["cluster"]["worker"]) == 2


def test_data_is_in_the_image_or_mounted_or_handed_on() -> None:
    """Of this machine, of a claim, and of what only the command can read."""
    inputs = {
        "images": RunInput(path="/data/images", version="cd" * 32),
        "model": RunInput(path="pvc://kept/runs/x/0/outputs", version="1"),
        "all": RunInput(path="pvc://lake", version="1"),
        "far": RunInput(path="s3://bucket/x", version="1"),
    }
    spec = build_spec(inputs=inputs, command=("train", *(f"${{{{inputs.{name}}}}}" for name in inputs)))

    request = kubernetes_request.build_request(PLACE, spec, 1)
    pod = request["job"]["spec"]["template"]["spec"]

    assert request["image"]["inputs"] == {"images": "cd" * 32}
    assert pod["containers"][0]["command"][4:] == [
        "train",
        "/inputs/images/images",
        "/inputs/model",
        "/inputs/all",
        "s3://bucket/x",
    ]
    assert pod["containers"][0]["volumeMounts"][4:] == [
        {"name": "input-1", "mountPath": "/inputs/all", "readOnly": True},
        {"name": "kept", "mountPath": "/inputs/model", "readOnly": True, "subPath": "runs/x/0/outputs"},
    ]
    assert pod["volumes"][2:] == [
        {"name": "input-1", "persistentVolumeClaim": {"claimName": "lake", "readOnly": True}},
    ]


def test_outputs_are_folders_that_are_there() -> None:
    """Before the command starts."""
    pod = build_pod(outputs={"model": RunOutput()}, command=("train", "${{outputs.model}}"))

    command = pod["containers"][0]["command"]
    assert command[2].startswith("mkdir -p /workspace/outputs/model || exit 1\n")
    assert command[4:] == ["train", "/workspace/outputs/model"]
    assert read_environment(pod)["AML_INFRA_OUTPUT_model"] == "/workspace/outputs/model"


def test_whoever_only_reads_takes_no_node_with_gpus() -> None:
    """Nor a place that is for trainings; it runs where the image does, and ends by itself."""
    place = Place(
        namespace="pets",
        claim="kept",
        node_selector={"pool": "gpu", "kubernetes.io/arch": "arm64"},
        priority_class="high",
        tolerations=[{"operator": "Exists"}],
    )

    pod = kubernetes_pods.build_reader(place, "reader", "image", 300)["spec"]

    assert pod["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert "priorityClassName" not in pod
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["activeDeadlineSeconds"] == 300
    assert pod["volumes"] == [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept", "readOnly": True}}]


def test_a_submit_has_something_of_its_own() -> None:
    """The image that it made, and the Secret that it put there; no value of it is in the run."""
    spec = build_spec(secrets={"TOKEN": "planted-marker"})
    request = kubernetes_request.build_request(PLACE, spec, 1)

    record = kubernetes_request.complete(
        request, Layered(reference="registry.example/x@sha256:1", base="sha256:2"), "t1"
    )
    secret = kubernetes_request.build_secret(request, "t1", spec.secrets)

    objects = json.loads(record["data"]["request"])
    (container,) = objects["job"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/x@sha256:1"
    assert container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
    assert (secret["metadata"]["name"], secret["stringData"]) == (f"{spec.run_id}-t1", {"TOKEN": "planted-marker"})
    assert record["metadata"]["annotations"]["aml-infra.submission"] == "t1"
    assert objects["base"] == "sha256:2"
    assert "planted-marker" not in json.dumps([request, record])


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("debian:bookworm-slim", "debian"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b"),
        (f"localhost:5000/a/b@sha256:{DIGEST}", "localhost:5000/a/b"),
        ("server/a:1@sha256:2", "server/a"),
    ],
)
def test_an_image_is_in_a_repository(reference: str, repository: str) -> None:
    """A port is no tag."""
    assert kubernetes_request.cut_repository(reference) == repository


class Supervised:
    """The script that looks after a command, run on this machine."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.kept = folder / "kept"
        self.kept.mkdir()
        script = kubernetes_pods.build_command(build_spec())[2]
        self.script = script.replace("/var/aml-infra", str(folder))

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Runs a command in it."""
        argv = ["sh", "-c", self.script, "sh", "sh", "-c", command]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def read(self, name: str) -> str:
        """What is kept under a name."""
        return (self.kept / name).read_text()


@pytest.fixture
def supervised(tmp_path: pathlib.Path) -> Supervised:
    """The script, in a folder of its own."""
    return Supervised(tmp_path)


def test_what_a_command_prints_is_shown_and_kept(supervised: Supervised) -> None:
    """With its exit code; what it has left running is not waited for."""
    process = supervised.start("echo one; echo two >&2; sleep 600 >/dev/null 2>&1 & exit 3")

    said, _ = process.communicate(timeout=30)

    assert process.returncode == 3
    assert said.decode().splitlines() == ["one", "two"]
    assert supervised.read("std_log.txt") == "one\ntwo\n"
    assert supervised.read("exit_code") == "3\n"
    os.killpg(process.pid, signal.SIGKILL)


def test_a_command_that_has_ended_is_not_run_again(supervised: Supervised, tmp_path: pathlib.Path) -> None:
    """In a pod that takes the place of another."""
    (supervised.kept / "exit_code").write_text("0\n")

    process = supervised.start(f"touch {tmp_path}/run")
    process.communicate(timeout=30)

    assert process.returncode == 0
    assert not (tmp_path / "run").exists()


def test_a_command_is_asked_to_end_and_its_end_is_not_its_own(supervised: Supervised, tmp_path: pathlib.Path) -> None:
    """It can save what it has, and may run again elsewhere."""
    saving = f"trap 'echo saving; exit 0' TERM; echo go; touch {tmp_path}/go; while :; do sleep 0.05; done"
    process = supervised.start(saving)
    until = time.monotonic() + 30
    while not (tmp_path / "go").exists():
        assert time.monotonic() < until
        time.sleep(0.01)

    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)

    assert said.decode().splitlines() == ["go", "saving"]
    assert process.returncode == 0
    assert not (supervised.kept / "exit_code").exists()
