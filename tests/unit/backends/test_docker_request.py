from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
from typing import Any

import pytest

from aml_infra.backends import docker_request
from aml_infra.spec import Resources, RunInput, RunSpec

SPEC = RunSpec(
    name="train", source_digest="s", command=("python", "train.py"), image="image:1", image_identity="sha256:1"
)
READ_SECRETS = ["-c", '. "$0"; rm -f "$0"; exec "$@"', "/var/aml-infra/secrets"]


def build_spec(**changes: Any) -> RunSpec:
    """The smallest spec, with ``changes``."""
    return dataclasses.replace(SPEC, **changes)


def build_expected(spec: RunSpec, *, rank: int = 0, **changes: Any) -> dict[str, Any]:
    """The container of a run with nothing but what it must have; ``changes`` are laid over it, maps within too."""
    expected: dict[str, Any] = {
        "Image": "image:1",
        "Entrypoint": ["python"],
        "Cmd": ["train.py"],
        "WorkingDir": "/workspace",
        "Env": [
            "AML_INFRA_ATTEMPT=1",
            f"AML_INFRA_RUN_ID={spec.run_id}",
            "MLFLOW_ALLOW_FILE_STORE=true",
            "MLFLOW_EXPERIMENT_NAME=Default",
            "MLFLOW_TRACKING_URI=file:///var/aml-infra/mlruns",
            "PYTHONUNBUFFERED=1",
        ],
        "Labels": {
            "aml-infra.run": spec.run_id,
            "aml-infra.fingerprint": spec.fingerprint,
            "aml-infra.attempt": "1",
            "aml-infra.rank": str(rank),
            "aml-infra.workers": str(spec.workers),
            "aml-infra.spec": json.dumps(spec.describe(), sort_keys=True),
        },
        "HostConfig": {
            "Init": True,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1p", "max-file": "1", "compress": "false"}},
            "ShmSize": 2147483648,
        },
    }
    for key, value in changes.items():
        expected[key] = {**expected[key], **value} if isinstance(value, dict) else value
    return expected


def test_smallest_request() -> None:
    """The whole of it, for a run with nothing but what it must have."""
    assert docker_request.build_request(SPEC, 1) == {"has_network": False, "containers": [build_expected(SPEC)]}


def test_request_with_limits() -> None:
    """Time, processors, memory and GPUs; the user's variables and experiment; a second attempt."""
    spec = build_spec(
        environment={"LR": "0.1"},
        resources=Resources(cpus=1.5, memory_gb=2, gpus=1),
        timeout_minutes=1.5,
        experiment="pets",
    )

    assert docker_request.build_request(spec, 2)["containers"] == [
        build_expected(
            spec,
            Entrypoint=["timeout"],
            Cmd=["-k", "30", "90", "python", "train.py"],
            Env=[
                "AML_INFRA_ATTEMPT=2",
                f"AML_INFRA_RUN_ID={spec.run_id}",
                "LR=0.1",
                "MLFLOW_ALLOW_FILE_STORE=true",
                "MLFLOW_EXPERIMENT_NAME=pets",
                "MLFLOW_TRACKING_URI=file:///var/aml-infra/mlruns",
                "PYTHONUNBUFFERED=1",
            ],
            Labels={"aml-infra.attempt": "2", "aml-infra.timeout-seconds": "90"},
            HostConfig={
                "NanoCpus": 1500000000,
                "Memory": 2147483648,
                "DeviceRequests": [{"Driver": "", "Count": 1, "Capabilities": [["gpu"]]}],
            },
        )
    ]


def test_request_with_secrets() -> None:
    """They come in a file that is removed before the command starts; of the container's own, only the names."""
    spec = build_spec(secrets={"TOKEN": "hunter2"}, timeout_minutes=1)

    request = docker_request.build_request(spec, 1)

    assert request["containers"] == [
        build_expected(
            spec,
            Entrypoint=["timeout"],
            Cmd=["-k", "30", "60", "sh", *READ_SECRETS, "python", "train.py"],
            Labels={"aml-infra.timeout-seconds": "60"},
        )
    ]
    assert "TOKEN" in json.dumps(request)
    assert "hunter2" not in json.dumps(request)


def test_request_with_inputs_and_parameters() -> None:
    """Data of this machine is mounted read-only under its name, a URI is handed on; the command is told of both."""
    spec = build_spec(
        command=("python", "train.py", "${{inputs.pets}}", "${{inputs.labels}}"),
        parameters={"lr": "0.01"},
        inputs={
            "pets": RunInput(path="/data/pets", version="d"),
            "labels": RunInput(path="s3://bucket/labels.csv", version="3"),
        },
    )
    mount = {"Type": "bind", "Source": "/data/pets", "Target": "/inputs/pets/pets", "ReadOnly": True}

    assert docker_request.build_request(spec, 1)["containers"] == [
        build_expected(
            spec,
            Cmd=["train.py", "/inputs/pets/pets", "s3://bucket/labels.csv", "--lr=0.01"],
            Env=[
                "AML_INFRA_ATTEMPT=1",
                "AML_INFRA_INPUT_labels=s3://bucket/labels.csv",
                "AML_INFRA_INPUT_pets=/inputs/pets/pets",
                f"AML_INFRA_RUN_ID={spec.run_id}",
                "MLFLOW_ALLOW_FILE_STORE=true",
                "MLFLOW_EXPERIMENT_NAME=Default",
                "MLFLOW_TRACKING_URI=file:///var/aml-infra/mlruns",
                "PYTHONUNBUFFERED=1",
            ],
            HostConfig={"Mounts": [mount]},
        )
    ]


def test_request_for_two_workers_with_gpus() -> None:
    """A container each, told its rank and where to find the first, and with GPUs of its own."""
    spec = build_spec(workers=2, resources=Resources(gpus=2))

    assert docker_request.build_request(spec, 1) == {
        "has_network": True,
        "containers": [
            build_expected(
                spec,
                rank=rank,
                Env=[
                    "AML_INFRA_ATTEMPT=1",
                    f"AML_INFRA_RUN_ID={spec.run_id}",
                    "LOCAL_RANK=0",
                    "LOCAL_WORLD_SIZE=1",
                    "MASTER_ADDR=worker-0",
                    "MASTER_PORT=29500",
                    "MLFLOW_ALLOW_FILE_STORE=true",
                    "MLFLOW_EXPERIMENT_NAME=Default",
                    "MLFLOW_TRACKING_URI=file:///var/aml-infra/mlruns",
                    f"NODE_RANK={rank}",
                    "PYTHONUNBUFFERED=1",
                    f"RANK={rank}",
                    "WORLD_SIZE=2",
                ],
                HostConfig={
                    "DeviceRequests": [{"Driver": "", "Count": 0, "Capabilities": [["gpu"]], "DeviceIDs": devices}]
                },
            )
            for rank, devices in enumerate([["0", "1"], ["2", "3"]])
        ],
    }


def test_a_request_is_json() -> None:
    """Plain data, whatever is asked for, and the same from the same spec."""
    spec = build_spec(
        secrets={"TOKEN": "hunter2"},
        inputs={"pets": RunInput(path="/data/pets", version="d")},
        workers=3,
        resources=Resources(cpus=0.5, memory_gb=0.5, gpus=1),
    )

    request = docker_request.build_request(spec, 1)

    assert json.loads(json.dumps(request)) == request == docker_request.build_request(spec, 1)


def test_a_single_container_gets_its_label_and_no_network() -> None:
    """What one submit has made is known by it, also where it has made one thing only."""
    named = docker_request.name_group(docker_request.build_request(SPEC, 1), "group")

    assert named == {
        "network": None,
        "containers": [build_expected(SPEC, Labels={"aml-infra.group": "group"})],
    }


def test_workers_get_a_network_of_their_own() -> None:
    """They find one another by name in it; the request that was given is left as it was."""
    spec = build_spec(workers=2)
    request = docker_request.build_request(spec, 1)
    before = json.dumps(request)

    named = docker_request.name_group(request, "group")

    assert named["network"] == {
        "name": "group",
        "driver": "bridge",
        "labels": {"aml-infra.group": "group", "aml-infra.run": spec.run_id},
    }
    assert [
        (body["HostConfig"]["NetworkMode"], body["NetworkingConfig"], body["Labels"]["aml-infra.group"])
        for body in named["containers"]
    ] == [("group", {"EndpointsConfig": {"group": {"Aliases": [f"worker-{rank}"]}}}, "group") for rank in range(2)]
    assert json.dumps(request) == before


@pytest.mark.parametrize("minutes", [0.01, 1 / 3, 1440, 43200])
def test_a_time_limit_is_a_number_that_timeout_reads(minutes: float) -> None:
    """No exponent, and no digits that say nothing."""
    (container,) = docker_request.build_request(build_spec(timeout_minutes=minutes), 1)["containers"]

    seconds = container["Labels"]["aml-infra.timeout-seconds"]
    assert container["Cmd"][2] == seconds
    assert float(seconds) == pytest.approx(minutes * 60, abs=0.001)
    assert set(seconds) <= set("0123456789.")


def test_a_shell_reads_secrets_as_they_are(tmp_path: pathlib.Path) -> None:
    """Quotes, line ends, what a shell would replace, and letters of other languages arrive unchanged, in a real one."""
    secrets = {
        "QUOTES": 'it\'s "quoted" `date`',
        "LINES": "-----BEGIN KEY-----\nabc\\n\n-----END KEY-----\n",
        "DOLLAR": "$HOME ${PATH} $(date) $$",
        "SPACES": "  a  b\t ",
        "SIGNS": "!*?[a]{b,c}~;&|<>#=%\\",
        "LETTERS": "påssword-密码",
        "EMPTY": "",
    }
    file = tmp_path / "secrets"
    file.write_bytes(docker_request.build_secrets_file(secrets))
    (container,) = docker_request.build_request(build_spec(secrets=secrets, command=("env", "-0")), 1)["containers"]
    words = [*container["Entrypoint"], *container["Cmd"]]
    words[words.index(docker_request.SECRETS_FILE)] = str(file)

    printed = subprocess.run(words, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"}).stdout

    found = dict(item.split("=", 1) for item in printed.decode().rstrip("\0").split("\0"))
    assert {name: found[name] for name in secrets} == secrets
    assert not file.exists()


def test_the_command_takes_the_place_of_the_shell_that_read_secrets(tmp_path: pathlib.Path) -> None:
    """Its words stay as they are, and its exit code is the container's."""
    file = tmp_path / "secrets"
    file.write_bytes(docker_request.build_secrets_file({"A": "1"}))
    program = ["sh", *READ_SECRETS[:2], str(file), "sh", "-c", 'echo "$A $1"; exit 7', "x", 'two "words" $A']

    ended = subprocess.run(program, capture_output=True, check=False, text=True)

    assert (ended.returncode, ended.stdout) == (7, '1 two "words" $A\n')
