"""The run spec: a frozen description of one training run. No I/O, no Pulumi; ``rules`` says what is allowed in it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from aml_infra import naming

FINGERPRINT_VERSION = 1

LARGEST_WHOLE = 2**53
"""The engine has no whole numbers: beyond this one it would round them."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_PLACEHOLDER = re.compile(r"\$\{\{\s*(inputs|outputs|parameters)\.([A-Za-z0-9_.-]+)\s*\}\}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resources:
    """What one worker of a run may use. None of it is part of the fingerprint.

    Attributes:
        cpus: processors, fractions allowed; None leaves the run unlimited.
        memory_gb: memory in GB (2**30 bytes); None leaves the run unlimited.
        gpus: number of GPUs; 0 for none.
    """

    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a machine has to give.

    Attributes:
        cpus: processors.
        memory_gb: memory in GB (2**30 bytes).
        gpus: whether a run can be given GPUs.
    """

    cpus: float
    memory_gb: float
    gpus: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunInput:
    """Data that a run reads.

    Attributes:
        path: an absolute path on this machine; or a URI, which only the run itself, or its service, can read.
        version: what the data is: the digest of its content where it is on this machine, else the user's word for it.
        type: of a URI, what is there: ``folder`` or ``file``.
        mode: how a service that does so brings the data to the run: ``mount``, or ``download`` before it starts.
    """

    path: str
    version: str
    type: str = "folder"
    mode: str = "mount"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return not is_uri(self.path)

    @property
    def identity(self) -> str:
        """What the fingerprint has of it: of local data only the content, wherever it lies and however it comes."""
        return self.version if self.is_local else f"{self.path} {self.version}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOutput:
    """A folder that a run writes to.

    Attributes:
        path: URI of the place that a service keeps it in; empty for one beside the run's other outputs.
        mode: how a service that does so brings it there: ``mount``, or ``upload`` when the command has ended.
    """

    path: str = ""
    mode: str = "mount"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demand:
    """What a run needs of the compute that it is to run on.

    Attributes:
        resources: of each worker.
        workers: how many there are.
        framework: by which they find one another.
        processes_per_worker: how many processes each of them is.
        inputs: the data that they read, by name.
        outputs: the folders that they write to, by name.
        identity: what they are to the services that they ask; see ``RunSpec``.
        instance_type: the one that they are to have, of a compute target that has several; empty for its default.
    """

    resources: Resources = Resources()
    workers: int = 1
    framework: str = "pytorch"
    processes_per_worker: int = 1
    inputs: Mapping[str, RunInput] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, RunOutput] = dataclasses.field(default_factory=dict)
    identity: str = ""
    instance_type: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What is to be run.

    Attributes:
        name: the user's name for the run; its slug starts the run id.
        source_digest: digest of the source snapshot (see ``aml_infra.source``).
        command: program and arguments, run in the source folder; see ``build_command`` for what is put into it.
        image: reference of the image to run, as the backend's service understands it.
        image_identity: what the image *is*: the digest of one used as it is, the build key of one built here.
        environment: environment variables, part of the fingerprint.
        secrets: secret environment variables; their names are part of the fingerprint, their values of nothing.
        parameters: the training's parameters, as the text that the command is given.
        inputs: data that it reads, by name.
        outputs: folders that it writes to, by name.
        workers: how many train together, each with ``resources`` of its own.
        framework: by whose variables they find one another; see ``build_worker_variables``.
        processes_per_worker: how many processes each of them is.
        triggers: free values whose change makes a new run.
        resources: processors, memory, GPUs.
        timeout_minutes: after so long the run is stopped and counts as timed out; None for no limit.
        experiment: MLflow experiment that the run is logged under.
        display_name: shown in place of the run id where a service can.
        tags: free text on the run.
        identity: what it is to Azure: ``managed``, ``user`` or a client id; empty for the service's own choice.
    """

    name: str
    source_digest: str
    command: tuple[str, ...]
    image: str
    image_identity: str
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, RunInput] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, RunOutput] = dataclasses.field(default_factory=dict)
    workers: int = 1
    framework: str = "pytorch"
    processes_per_worker: int = 1
    triggers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    resources: Resources = Resources()
    timeout_minutes: float | None = None
    experiment: str = "Default"
    display_name: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    identity: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, over the part of the spec that can change the result."""
        identity: dict[str, object] = {
            "version": FINGERPRINT_VERSION,
            "source": self.source_digest,
            "command": list(self.command),
            "image": self.image_identity,
            "environment": dict(self.environment),
            "triggers": dict(self.triggers),
        }
        # Only where they are used, so that a run that has none of them keeps the fingerprint that it always had.
        if self.secrets:
            identity["secrets"] = sorted(self.secrets)
        if self.parameters:
            identity["parameters"] = dict(self.parameters)
        if self.inputs:
            identity["inputs"] = {name: given.identity for name, given in self.inputs.items()}
        if self.outputs:
            identity["outputs"] = {name: asked.path for name, asked in self.outputs.items()}
        if self.workers > 1:
            identity["workers"] = self.workers
        if self.processes_per_worker > 1:
            identity["processes_per_worker"] = self.processes_per_worker
        if self.processes > 1 and self.framework != "pytorch":
            identity["framework"] = self.framework
        # Sorted keys, no spaces and no escapes: the same bytes from every Python.
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def processes(self) -> int:
        """How many processes train together; where it is one, there is nothing to distribute."""
        return self.workers * self.processes_per_worker

    @property
    def run_id(self) -> str:
        """The deterministic id of the run, the same for every attempt at it."""
        return naming.run_id(self.name, self.fingerprint)

    def describe(self) -> dict[str, object]:
        """The spec as JSON-ready data, for the run's record; of secrets only the names."""
        return {**dataclasses.asdict(self), "command": list(self.command), "secrets": sorted(self.secrets)}


def format_parameter(value: str | float) -> str:
    """A parameter as its command is given it: ``true`` and ``false``, and numbers as short as they can be.

    The engine has no whole numbers, so that 1 and 1.0 are the same to it, and here.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_WHOLE:
        return str(int(value))
    return value if isinstance(value, str) else repr(value)


def is_uri(path: str) -> bool:
    """Whether ``path`` names something that is not a file of this machine; ``C:`` is a drive of Windows."""
    return _URI.match(path) is not None


def list_placeholders(word: str) -> list[tuple[str, str]]:
    """The placeholders in a word of a command, each as its kind (as in ``inputs``) and name."""
    return _PLACEHOLDER.findall(word)


def build_command(spec: RunSpec, input_paths: Mapping[str, str], output_paths: Mapping[str, str]) -> list[str]:
    """The command as it is run.

    ``${{inputs.name}}``, ``${{outputs.name}}`` and ``${{parameters.name}}`` are replaced, as Azure Machine Learning
    writes them; parameters that the command does not name so are appended, as ``--name=value``.

    Args:
        spec: what is run.
        input_paths: where the run finds each input.
        output_paths: where it writes each output.
    """
    values = {"inputs": input_paths, "outputs": output_paths, "parameters": spec.parameters}
    named = {name for word in spec.command for kind, name in list_placeholders(word) if kind == "parameters"}
    words = [_PLACEHOLDER.sub(lambda found: values[found[1]][found[2]], word) for word in spec.command]
    return words + [f"--{name}={value}" for name, value in sorted(spec.parameters.items()) if name not in named]


def build_variables(
    spec: RunSpec, attempt: int, input_paths: Mapping[str, str], output_paths: Mapping[str, str]
) -> dict[str, str]:
    """The environment variables that every backend gives a run, less its secrets; the user's own come last."""
    return {
        "PYTHONUNBUFFERED": "1",
        "AML_INFRA_RUN_ID": spec.run_id,
        "AML_INFRA_ATTEMPT": str(attempt),
        "MLFLOW_EXPERIMENT_NAME": spec.experiment,
        **{f"AML_INFRA_INPUT_{name}": path for name, path in input_paths.items()},
        **{f"AML_INFRA_OUTPUT_{name}": path for name, path in output_paths.items()},
        **spec.environment,
    }


def build_worker_variables(framework: str, rank: int, addresses: Sequence[str], port: int) -> dict[str, str]:
    """The environment variables by which several workers, each of one process, find one another.

    Args:
        framework: ``pytorch``, as ``torch.distributed`` reads them; or ``tensorflow``, as its ``ClusterResolver`` does.
        rank: which worker, counted from 0.
        addresses: host name of each worker, by rank.
        port: TCP port of each of them.
    """
    if framework == "tensorflow":
        cluster = {"worker": [f"{address}:{port}" for address in addresses]}
        task = {"type": "worker", "index": rank}
        return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task, "environment": "cloud"})}
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(len(addresses)),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "NODE_RANK": str(rank),
        "MASTER_ADDR": addresses[0],
        "MASTER_PORT": str(port),
    }
