"""The user's side of the custom resource ``aml-infra:index:TrainingRun``: one submitted job.

Most programs use ``TrainingJob``, which takes the image and the compute target as objects and makes one of these.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi

from aml_infra import arguments, naming, spec

_OUTPUTS = (
    "runId",
    "status",
    "attempt",
    "exitCode",
    "fingerprint",
    "metrics",
    "portalUrl",
    "outputsPath",
    "outputPaths",
    "logPath",
    "imageRef",
    "imageDigest",
    "startedAt",
    "finishedAt",
    "durationSeconds",
    "nodeCount",
)


@dataclasses.dataclass(frozen=True)
class DataInput:
    """Data that a run reads.

    Attributes:
        path: a folder or a file of this machine (a relative path is taken from the program's working folder), which is
            mounted read-only and counts by its content; or a URI. Azure Machine Learning mounts what it can: datastores
            and data assets (``azureml:...``) and Azure's storage; any other URI is handed to the command as it is.
        version: of a URI: what tells one content from another, such as a date or an ETag. Not given for a path.
        type: of a URI, what is there: ``folder`` (default) or ``file``. Not given for a path.
        mode: how Azure Machine Learning brings it to the run: ``mount`` (default), where files come as they are read,
            or ``download``, before the run starts. It is no part of the fingerprint, and neither is the type.
    """

    path: pulumi.Input[str | os.PathLike[str]]
    version: pulumi.Input[str] | None = None
    type: pulumi.Input[str] = "folder"
    mode: pulumi.Input[str] = "mount"


@dataclasses.dataclass(frozen=True)
class DataOutput:
    """A folder that a run writes to.

    Attributes:
        path: URI of the folder that Azure Machine Learning keeps it in, of a datastore (``azureml://datastores/...``)
            or of Azure's storage; by default one that each attempt has for itself. Part of the fingerprint.
        mode: how it is brought there: ``mount`` (default), where files go as they are written, or ``upload``, when the
            command has ended. No part of the fingerprint.
    """

    path: pulumi.Input[str] | None = None
    mode: pulumi.Input[str] = "mount"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distribution:
    """Several workers that train together, each with the resources of the run for itself.

    Attributes:
        workers: how many there are; on a cluster, each has a node of its own.
        framework: by what they find one another: ``pytorch`` (default) by ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR`` and
            ``MASTER_PORT``, as ``torch.distributed`` reads them; ``tensorflow`` by ``TF_CONFIG``; ``mpi`` by Open MPI,
            which the image must have, on Azure Machine Learning only.
        processes_per_worker: how many times the command is started on each node, such as once for each of its GPUs; 1
            by default. On Azure Machine Learning only, with ``pytorch`` and ``mpi``.
    """

    workers: pulumi.Input[int]
    framework: pulumi.Input[str] = "pytorch"
    processes_per_worker: pulumi.Input[int] = 1


@dataclasses.dataclass()
class TrainingRunArgs:
    """What to run, on what.

    Attributes:
        source: folder with the training code; a relative path is taken from the program's working folder.
        command: program and arguments, run in a copy of the source folder. ``${{inputs.name}}``,
            ``${{outputs.name}}`` and ``${{parameters.name}}`` in it are replaced.
        image: reference of the image to run.
        image_identity: what the image is, for the fingerprint; by default the digest that ``image`` has now.
        image_parts: short hashes of what the image is made of, by which a change is explained.
        backend: ``docker``, ``azureml``, ``kubernetes`` or ``fake``.
        backend_options: see the backend's module.
        environment_variables: part of the fingerprint; of those that are secrets only the names.
        parameters: of the training: text, numbers, True and False. Those that the command does not name are appended
            to it as ``--name=value``; all are logged to MLflow.
        inputs: data that it reads, by name: ``DataInput``, or only its path. The command finds each at
            ``${{inputs.name}}`` and in ``AML_INFRA_INPUT_name``.
        outputs: folders that it writes to, by name. The command finds each at ``${{outputs.name}}`` and in
            ``AML_INFRA_OUTPUT_name``.
        distribution: several workers that train together; one by default.
        triggers: free values whose change makes a new run.
        cpus: processors; by default all there are.
        memory_gb: memory in GB; by default all there is.
        gpus: number of GPUs; 0 by default.
        timeout_minutes: the run is stopped after so long; no limit by default.
        experiment: MLflow experiment; ``Default`` by default.
        display_name: shown where the service can; the resource's name by default.
        tags: free text on the run.
        identity: what the run is to Azure, as in ``TrainingJobArgs``.
        allow_secrets: gitignore patterns of files that look like secrets and shall be shipped all the same.
        require_metrics: what the metrics of a completed run must be for the update to succeed, as in
            ``accuracy >= 0.9``. The run is kept either way.
        retries: how many more attempts are made where the machine failed, and not the command; 0 by default.
        retry_on: after which ends that is so: ``NotResponding``, which is the default; ``Failed``, as by an exit code
            or for want of memory; ``TimedOut``.
        wait: False lets ``pulumi up`` end when the run is submitted; a later one, or a refresh, sees its end.
        on_interrupt: ``detach`` (default) leaves the run going after Ctrl-C, ``cancel`` stops it.
        on_destroy: ``cancel`` (default) stops a run that has not ended when the resource is deleted, ``retain``
            leaves it. Records of runs that ended are always kept.
    """

    source: pulumi.Input[str | os.PathLike[str]]
    command: pulumi.Input[Sequence[pulumi.Input[str]]]
    image: pulumi.Input[str]
    image_identity: pulumi.Input[str] | None = None
    image_parts: pulumi.Input[Mapping[str, str]] | None = None
    backend: pulumi.Input[str] = "docker"
    backend_options: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    environment_variables: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    parameters: Mapping[str, pulumi.Input[str | float | bool]] | None = None
    inputs: Mapping[str, DataInput | pulumi.Input[str | os.PathLike[str]]] | None = None
    outputs: Mapping[str, DataOutput] | None = None
    distribution: Distribution | None = None
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    cpus: pulumi.Input[float] | None = None
    memory_gb: pulumi.Input[float] | None = None
    gpus: pulumi.Input[int] | None = None
    timeout_minutes: pulumi.Input[float] | None = None
    experiment: pulumi.Input[str] | None = None
    display_name: pulumi.Input[str] | None = None
    tags: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    identity: pulumi.Input[str] | None = None
    allow_secrets: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    require_metrics: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    retries: pulumi.Input[int] | None = None
    retry_on: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    wait: pulumi.Input[bool] | None = None
    on_interrupt: pulumi.Input[str] | None = None
    on_destroy: pulumi.Input[str] | None = None


class TrainingRun(pulumi.CustomResource):
    """One training run: adopted, joined or submitted; its log streams into ``pulumi up``.

    A run that ends in anything but success fails the update, and the next ``pulumi up`` makes a new attempt.

    Raises:
        InvalidInput: arguments are of the wrong type; whatever else is wrong, the plugin tells.
    """

    status: pulumi.Output[str]
    """``Completed``, ``Failed``, ``Canceled``, ``NotResponding``, ``TimedOut``, ``Running`` or ``Queued``."""

    attempt: pulumi.Output[int]
    """Counted from 1."""

    fingerprint: pulumi.Output[str]
    """SHA-256, in hexadecimal, over what can change the result."""

    metrics: pulumi.Output[Mapping[str, float]]
    """Last value of each metric that the run logged with MLflow."""

    def __init__(self, name: str, args: TrainingRunArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        arguments.require(name, args, TrainingRunArgs)
        arguments.raise_for(problem.under(name) for problem in arguments.find_type_problems(args))
        # Names are translated here and not by the SDK, which would translate the keys inside maps too.
        props: dict[str, Any] = {
            _to_camel_case(field.name): getattr(args, field.name)
            for field in dataclasses.fields(args)
            if getattr(args, field.name) is not None
        }
        # The plugin runs in a folder of its own, so that a relative path would mean another place there.
        props["source"] = pulumi.Output.from_input(args.source).apply(_make_absolute)
        if args.inputs is not None:
            props["inputs"] = {input_name: _build_input(given) for input_name, given in args.inputs.items()}
        if args.outputs is not None:
            props["outputs"] = {output_name: _build_output(asked) for output_name, asked in args.outputs.items()}
        if args.distribution is not None:
            props["distribution"] = _build_distribution(args.distribution)
        super().__init__(naming.RUN_TYPE, name, {**props, **dict.fromkeys(_OUTPUTS)}, opts)

    @property
    def run_id(self) -> pulumi.Output[str]:
        """Deterministic id of the run, the same for every attempt."""
        return self._get("runId")

    @property
    def exit_code(self) -> pulumi.Output[int | None]:
        """Exit code of the command."""
        return self._get("exitCode")

    @property
    def portal_url(self) -> pulumi.Output[str]:
        """Where a person looks at the run; on this machine, its folder."""
        return self._get("portalUrl")

    @property
    def outputs_path(self) -> pulumi.Output[str]:
        """Folder or URI of what the run wrote to ``outputs/``."""
        return self._get("outputsPath")

    @property
    def output_paths(self) -> pulumi.Output[Mapping[str, str]]:
        """Folder or URI of each of ``outputs``."""
        return self._get("outputPaths")

    @property
    def log_path(self) -> pulumi.Output[str]:
        """Where the whole log is."""
        return self._get("logPath")

    @property
    def image_ref(self) -> pulumi.Output[str]:
        """Reference of the image that was run."""
        return self._get("imageRef")

    @property
    def image_digest(self) -> pulumi.Output[str]:
        """Digest of the image that was run."""
        return self._get("imageDigest")

    @property
    def started_at(self) -> pulumi.Output[str | None]:
        """When the command started, UTC, ISO 8601."""
        return self._get("startedAt")

    @property
    def finished_at(self) -> pulumi.Output[str | None]:
        """When the run ended, UTC, ISO 8601."""
        return self._get("finishedAt")

    @property
    def duration_seconds(self) -> pulumi.Output[float | None]:
        """Seconds between start and end."""
        return self._get("durationSeconds")

    @property
    def node_count(self) -> pulumi.Output[int]:
        """Nodes that it ran on, one for each worker; on this machine, containers."""
        return self._get("nodeCount")

    def _get(self, name: str) -> pulumi.Output[Any]:
        return cast("pulumi.Output[Any]", pulumi.get(self, name))


def _build_distribution(given: Distribution) -> dict[str, Any]:
    built: dict[str, Any] = {"workers": given.workers}
    if given.framework != "pytorch":
        built["framework"] = given.framework
    if given.processes_per_worker != 1:
        built["processesPerWorker"] = given.processes_per_worker
    return built


def _build_input(given: DataInput | pulumi.Input[str | os.PathLike[str]]) -> dict[str, Any]:
    data = given if isinstance(given, DataInput) else DataInput(given)
    built: dict[str, Any] = {"path": pulumi.Output.from_input(data.path).apply(_make_absolute)}
    if data.version is not None:
        built["version"] = data.version
    # Defaults are the plugin's.
    if data.type != "folder":
        built["type"] = data.type
    if data.mode != "mount":
        built["mode"] = data.mode
    return built


def _build_output(asked: DataOutput) -> dict[str, Any]:
    built: dict[str, Any] = {}
    if asked.path is not None:
        built["path"] = asked.path
    if asked.mode != "mount":
        built["mode"] = asked.mode
    return built


def _make_absolute(path: Any) -> str:
    text = os.fspath(path)
    # An empty path stays empty, so that the plugin can refuse it.
    return str(os.path.abspath(text)) if text.strip() and not spec.is_uri(text) else text.strip()


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
