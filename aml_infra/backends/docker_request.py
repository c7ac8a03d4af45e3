"""What the docker backend asks of the Docker Engine. Pure: no connection, no clock, no chance.

Follows the Docker Engine API (``POST /containers/create``).
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Mapping
from typing import Any

from aml_infra import spec as specs
from aml_infra.spec import RunSpec

WORKSPACE = "/workspace"
"""Where the source is copied to, and the command's working folder."""

OUTPUTS = f"{WORKSPACE}/outputs"
"""What is kept of the working folder; each output that has a name is a folder in it."""

STORE = "/var/aml-infra"
"""What the backend keeps inside the container."""

TRACKING_STORE = f"{STORE}/mlruns"
CANCELED_MARK = f"{STORE}/canceled"
"""A file that is put into a container before it is stopped, so that every client sees why it ended."""

SECRETS_FILE = f"{STORE}/secrets"
"""Secret environment variables as shell text; removed before the command starts."""

INPUTS = "/inputs"
"""Where data of this machine is mounted."""

RUN_LABEL = "aml-infra.run"
FINGERPRINT_LABEL = "aml-infra.fingerprint"
ATTEMPT_LABEL = "aml-infra.attempt"
TIMEOUT_LABEL = "aml-infra.timeout-seconds"
SPEC_LABEL = "aml-infra.spec"
RANK_LABEL = "aml-infra.rank"
WORKERS_LABEL = "aml-infra.workers"
GROUP_LABEL = "aml-infra.group"
"""The same on all that one submit has made, and on nothing else."""

SHARED_MEMORY_BYTES = 2 * 1024**3
"""PyTorch's data loaders pass batches through /dev/shm, of which Docker gives 64 MB unless asked."""

STOP_GRACE_SECONDS = 30
MASTER_PORT = 29500
"""The port that PyTorch's own launcher takes; each run has a network of its own."""

_BYTES_PER_GB = 1024**3
_READ_SECRETS = '. "$0"; rm -f "$0"; exec "$@"'


def build_request(spec: RunSpec, attempt: int) -> dict[str, Any]:
    """What one attempt at ``spec`` needs: a body of ``POST /containers/create`` for each worker, by rank.

    What one submit has of its own is added by ``name_group``.
    """
    return {
        "has_network": spec.workers > 1,
        "containers": [_build_container(spec, attempt, rank) for rank in range(spec.workers)],
    }


def _build_container(spec: RunSpec, attempt: int, rank: int) -> dict[str, Any]:
    input_paths = locate_inputs(spec)
    output_paths = {name: f"{OUTPUTS}/{name}" for name in spec.outputs}
    command = specs.build_command(spec, input_paths, output_paths)
    labels = {
        RUN_LABEL: spec.run_id,
        FINGERPRINT_LABEL: spec.fingerprint,
        ATTEMPT_LABEL: str(attempt),
        RANK_LABEL: str(rank),
        WORKERS_LABEL: str(spec.workers),
        SPEC_LABEL: json.dumps(spec.describe(), sort_keys=True),
    }
    if spec.secrets:
        # Not in the container's configuration, which lasts as long as the container and is shown to whoever asks.
        command = ["sh", "-c", _READ_SECRETS, SECRETS_FILE, *command]
    if spec.timeout_minutes is not None:
        seconds = f"{spec.timeout_minutes * 60:.3f}".rstrip("0").rstrip(".")
        labels[TIMEOUT_LABEL] = seconds
        # Inside the container, so that the limit holds also when no client is there to watch.
        # The short form, as BusyBox, which Alpine's images have, knows no other.
        command = ["timeout", "-k", str(STOP_GRACE_SECONDS), seconds, *command]
    environment = {
        "MLFLOW_TRACKING_URI": f"file://{TRACKING_STORE}",
        # MLflow 3 asks to be told that its file store is wanted.
        "MLFLOW_ALLOW_FILE_STORE": "true",
        **specs.build_variables(spec, attempt, input_paths, output_paths),
    }
    if spec.workers > 1:
        addresses = [name_worker(each) for each in range(spec.workers)]
        environment |= specs.build_worker_variables(spec.framework, rank, addresses, MASTER_PORT)
    return {
        "Image": spec.image,
        # As the entry point, so that the image's own is not put in front of the user's command.
        "Entrypoint": command[:1],
        "Cmd": command[1:],
        "WorkingDir": WORKSPACE,
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "Labels": labels,
        "HostConfig": _build_host_config(spec, rank, input_paths),
    }


def _build_host_config(spec: RunSpec, rank: int, input_paths: Mapping[str, str]) -> dict[str, Any]:
    resources = spec.resources
    host: dict[str, Any] = {
        # A process with id 1 ignores signals that it does not handle: without an init, Python could only be killed.
        "Init": True,
        # The one driver whose log can be read again from the start. Its options are given too, as those of the daemon
        # would hold where they are not, and may throw away the start of a long log.
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1p", "max-file": "1", "compress": "false"}},
        "ShmSize": SHARED_MEMORY_BYTES,
    }
    if resources.cpus is not None:
        host["NanoCpus"] = round(resources.cpus * 1_000_000_000)
    if resources.memory_gb is not None:
        host["Memory"] = round(resources.memory_gb * _BYTES_PER_GB)
    if resources.gpus:
        request: dict[str, Any] = {"Driver": "", "Count": resources.gpus, "Capabilities": [["gpu"]]}
        if spec.workers > 1:
            # By a count, each worker would be given the same ones.
            first = rank * resources.gpus
            request = {**request, "Count": 0, "DeviceIDs": [str(first + index) for index in range(resources.gpus)]}
        host["DeviceRequests"] = [request]
    local = {name: given.path for name, given in spec.inputs.items() if given.is_local}
    if local:
        # As mounts and not as binds, which would make a folder where there is none.
        host["Mounts"] = [
            {"Type": "bind", "Source": path, "Target": input_paths[name], "ReadOnly": True}
            for name, path in sorted(local.items())
        ]
    return host


def locate_inputs(spec: RunSpec) -> dict[str, str]:
    """Where a run finds each input: data of this machine is mounted, under its own name; a URI is handed on."""
    return {
        name: f"{INPUTS}/{name}/{posixpath.basename(given.path)}" if given.is_local else given.path
        for name, given in spec.inputs.items()
    }


def name_worker(rank: int) -> str:
    """The host name of a worker in its run's network."""
    return f"worker-{rank}"


def name_group(request: Mapping[str, Any], group: str) -> dict[str, Any]:
    """``request`` with what one submit has of its own: a label, and a network where there are several workers.

    Args:
        request: what ``build_request`` gave.
        group: a name that nothing else has; it becomes that of the network.
    """
    labels = {GROUP_LABEL: group, RUN_LABEL: request["containers"][0]["Labels"][RUN_LABEL]}
    containers = []
    for rank, body in enumerate(request["containers"]):
        own = {**body, "Labels": {**body["Labels"], **labels}}
        if request["has_network"]:
            own["HostConfig"] = {**body["HostConfig"], "NetworkMode": group}
            own["NetworkingConfig"] = {"EndpointsConfig": {group: {"Aliases": [name_worker(rank)]}}}
        containers.append(own)
    network = {"name": group, "driver": "bridge", "labels": labels} if request["has_network"] else None
    return {"network": network, "containers": containers}


def build_secrets_file(secrets: Mapping[str, str]) -> bytes:
    """Secret environment variables as text that a shell reads."""
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in sorted(secrets.items()))
    return "".join(lines).encode("utf-8", "surrogateescape")
