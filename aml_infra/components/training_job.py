"""``TrainingJob``: one training run, on an image and a compute target."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from aml_infra import arguments, metric_gate, rules
from aml_infra import source as sources
from aml_infra.components import validation
from aml_infra.components.compute_target import ComputeArgs, ComputeTarget
from aml_infra.components.environment import CuratedImage
from aml_infra.components.image_access import JobImage
from aml_infra.components.training_image import TrainingImage
from aml_infra.components.training_image_args import TrainingImageArgs
from aml_infra.components.validation import Machine
from aml_infra.errors import Problem
from aml_infra.spec import Demand, Resources, RunInput, RunOutput
from aml_infra.training_run import DataInput, DataOutput, Distribution, TrainingRun, TrainingRunArgs

OUTPUTS = {
    "run_id": "runId",
    "status": "status",
    "attempt": "attempt",
    "exit_code": "exitCode",
    "metrics": "metrics",
    "portal_url": "portalUrl",
    "outputs_path": "outputsPath",
    "output_paths": "outputPaths",
    "log_path": "logPath",
    "image_ref": "imageRef",
    "image_digest": "imageDigest",
    "fingerprint": "fingerprint",
    "started_at": "startedAt",
    "finished_at": "finishedAt",
    "duration_seconds": "durationSeconds",
    "node_count": "nodeCount",
}
"""What a job shows of its run: attribute -> output."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingJobArgs:
    """What to train, in which image, on which compute target.

    Attributes:
        source: folder with the training code, less what ``.amlignore`` (else ``.gitignore``) names; a relative path is
            taken from the program's working folder.
        command: program and arguments, run in a copy of the source folder, as in ``["python", "train.py"]``;
            ``${{inputs.name}}``, ``${{outputs.name}}`` and ``${{parameters.name}}`` in it are replaced.
        image: a ``TrainingImage``, or ``TrainingImage.curated``; or the reference of an image that is used as it is,
            unchecked. The args of an image may stand for it while the program is only validated.
        compute: a compute target, such as ``LocalDocker``; likewise.
        parameters: of the training: text, numbers, True and False. Those that the command does not name are appended
            to it, as in ``--lr=0.01``; all are logged to MLflow. Part of the fingerprint.
        inputs: data that it reads, by name: ``DataInput``, or only the path of a folder or file, which is mounted
            read-only and counts by its content. The command finds each at ``${{inputs.name}}`` and in the variable
            ``AML_INFRA_INPUT_name``.
        outputs: folders that it writes to, by name, beside the folder ``outputs/`` that each run has: ``DataOutput``.
            The command finds each at ``${{outputs.name}}`` and in the variable ``AML_INFRA_OUTPUT_name``.
        environment_variables: part of the fingerprint; of those that are secrets (``pulumi.Output.secret``) only the
            names.
        distribution: several workers that train together, as ``Distribution(workers=2)``; one by default.
        triggers: free values whose change makes a new run.
        cpus: processors, fractions allowed; by default all that the compute target has.
        memory_gb: memory in GB (2**30 bytes); by default all that the compute target has.
        gpus: number of GPUs; 0 by default.
        instance_type: the one of a ``KubernetesCompute`` that each worker has; by default the compute's own default.
        timeout_minutes: a run that takes longer is stopped and has failed; no limit by default.
        experiment: MLflow experiment that the run is logged under; ``Default`` by default.
        display_name: shown where the service can; the job's name by default.
        tags: free text on the run.
        identity: what the run is to Azure when it opens its data and asks for tokens: ``managed``, the cluster's own;
            ``user``, whoever runs ``pulumi up``, who must be a person; or the client id of one of several identities
            that the cluster has. By default the service's choice, and ``managed`` where there are secrets.
        allow_secrets: gitignore patterns of source files that look like secrets and shall be shipped all the same.
        require_metrics: what the metrics of a completed run must be for the update to succeed, as in
            ``["accuracy >= 0.9"]``. The run is kept either way, and not repeated.
        retries: how many more attempts are made where the machine failed, and not the command; 0 by default.
        retry_on: after which ends that is so: ``NotResponding``, which is the default; ``Failed``, as by an exit code
            or for want of memory; ``TimedOut``.
        wait: False lets ``pulumi up`` end when the run is submitted; a later one, or a refresh, sees its end.
        on_interrupt: ``detach`` (default) leaves the run going after Ctrl-C, ``cancel`` stops it.
        on_destroy: ``cancel`` (default) stops a run that has not ended when the job is deleted, ``retain`` leaves it.
            The records of runs that ended are always kept.
    """

    source: str | os.PathLike[str]
    command: Sequence[pulumi.Input[str]]
    image: TrainingImage | CuratedImage | TrainingImageArgs | str
    compute: ComputeTarget | ComputeArgs
    parameters: Mapping[str, pulumi.Input[str | float | bool]] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, DataInput | str | os.PathLike[str]] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, DataOutput] = dataclasses.field(default_factory=dict)
    environment_variables: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    distribution: Distribution | None = None
    triggers: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0
    instance_type: str | None = None
    timeout_minutes: float | None = None
    experiment: str | None = None
    display_name: str | None = None
    tags: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    identity: str | None = None
    allow_secrets: Sequence[str] = ()
    require_metrics: Sequence[str] = ()
    retries: int = 0
    retry_on: Sequence[str] = rules.RETRY_ON_DEFAULT
    wait: bool = True
    on_interrupt: str = "detach"
    on_destroy: str = "cancel"

    def find_problems(self, machine: Machine) -> list[Problem]:
        """Everything that is wrong with the job, and what its compute target does not have of it."""
        return arguments.find_problems(
            self,
            lambda args: args._find_rule_problems(machine),  # noqa: SLF001 (its own)
            stand_ins={"source": "", "command": (), "image": "", "compute": _Anything()},
            # Its placeholders name what is in these.
            related=dict.fromkeys(("inputs", "outputs", "parameters"), ("command",)),
        )

    def _find_rule_problems(self, machine: Machine) -> list[Problem]:
        demand, problems = self._read_demand()
        problems += validation.collect(lambda: sources.take_snapshot(self.source, allow_secrets=self.allow_secrets))
        problems += _find_command_problems(self)
        problems += rules.find_environment_problems(_list_known(self.environment_variables), demand)
        problems += rules.find_parameter_problems(_list_known(self.parameters))
        problems += rules.find_output_problems(demand.outputs)
        problems += rules.find_identity_problems(demand.identity)
        problems += rules.find_distribution_problems(demand)
        problems += rules.find_resource_problems(demand.resources, self.timeout_minutes)
        problems += rules.find_policy_problems(
            on_destroy=self.on_destroy,
            on_interrupt=self.on_interrupt,
            retries=self.retries,
            retry_on=self.retry_on,
        )
        problems += metric_gate.find_problems(self.require_metrics)
        if self.image == "":
            problems.append(Problem("image", "is empty; give a TrainingImage, or the reference of an image"))
        if isinstance(self.compute, ComputeArgs) and arguments.find_type_problems(self.compute):
            # Told where they are validated; what they say about a job means nothing.
            return problems
        problems += self.compute.find_image_problems(self.image)
        return problems + self.compute.find_demand_problems(demand, machine)

    def _read_demand(self) -> tuple[Demand, list[Problem]]:
        """What the job needs of its compute target, as far as it is known, and what is wrong with its inputs."""
        inputs, problems = {}, []
        for name, given in self.inputs.items():
            data = given if isinstance(given, DataInput) else DataInput(given)
            if isinstance(data.path, (str, os.PathLike)) and (data.version is None or isinstance(data.version, str)):
                found = RunInput(
                    path=os.fspath(data.path),
                    version=data.version or "",
                    type=data.type if isinstance(data.type, str) else "folder",
                    mode=data.mode if isinstance(data.mode, str) else "mount",
                )
                inputs[name] = found
                problems += rules.find_input_problems({name: found})
                if found.is_local and found.path.strip() and not os.path.exists(found.path):
                    path = os.path.abspath(found.path)
                    problems.append(
                        Problem(f"inputs[{name!r}]", f"{path!r} does not exist; give a folder or a file, or a URI")
                    )
        asked = self.distribution or Distribution(workers=1)
        demand = Demand(
            resources=Resources(cpus=self.cpus, memory_gb=self.memory_gb, gpus=self.gpus),
            # An output is not known yet; the plugin checks it when it is.
            workers=asked.workers if isinstance(asked.workers, (int, float)) else 1,
            framework=asked.framework if isinstance(asked.framework, str) else "pytorch",
            processes_per_worker=(
                asked.processes_per_worker if isinstance(asked.processes_per_worker, (int, float)) else 1
            ),
            inputs=inputs,
            outputs={
                name: RunOutput(
                    path=asked.path if isinstance(asked.path, str) else "",
                    mode=asked.mode if isinstance(asked.mode, str) else "mount",
                )
                for name, asked in self.outputs.items()
            },
            identity=self.identity or "",
            instance_type=self.instance_type or "",
        )
        return demand, problems


class _Anything(ComputeArgs):
    """Stands for a compute target that could not be read: it can do whatever is asked for."""

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:  # noqa: ARG002 (of the contract)
        return []

    def find_image_problems(self, image: JobImage) -> list[Problem]:  # noqa: ARG002 (of the contract)
        return []


class TrainingJob(pulumi.ComponentResource):
    """One training: it runs in ``pulumi up`` if it has not been done yet, and is adopted if it has.

    See ``TrainingRun``, its one child, for what makes a run another one.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    run: TrainingRun
    """The run itself."""

    run_id: pulumi.Output[str]
    """Deterministic id of the run, the same for every attempt and on every machine."""

    status: pulumi.Output[str]
    """``Completed``, ``Failed``, ``Canceled``, ``NotResponding``, ``TimedOut``, ``Running`` or ``Queued``."""

    attempt: pulumi.Output[int]
    """Counted from 1."""

    exit_code: pulumi.Output[int | None]
    """Exit code of the command."""

    metrics: pulumi.Output[Mapping[str, float]]
    """Last value of each metric that the run logged with MLflow."""

    portal_url: pulumi.Output[str]
    """Where a person looks at the run; on this machine, its folder."""

    outputs_path: pulumi.Output[str]
    """Folder or URI of what the run wrote to ``outputs/``."""

    output_paths: pulumi.Output[Mapping[str, str]]
    """Folder or URI of each of ``outputs``."""

    log_path: pulumi.Output[str]
    """Where the whole log is."""

    image_ref: pulumi.Output[str]
    """Reference of the image that was run."""

    image_digest: pulumi.Output[str]
    """Digest of the image that was run."""

    fingerprint: pulumi.Output[str]
    """SHA-256, in hexadecimal, over what can change the result; known at preview."""

    started_at: pulumi.Output[str | None]
    """When the command started, UTC, ISO 8601."""

    finished_at: pulumi.Output[str | None]
    """When the run ended, UTC, ISO 8601."""

    duration_seconds: pulumi.Output[float | None]
    """Seconds between start and end."""

    node_count: pulumi.Output[int]
    """Nodes that it ran on, one for each worker; on this machine, containers."""

    def __init__(self, name: str, args: TrainingJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        arguments.require(name, args, TrainingJobArgs)
        arguments.raise_for(problem.under(name) for problem in [*_find_stand_ins(args), *args.find_problems(Machine())])
        super().__init__("aml-infra:index:TrainingJob", name, None, opts)
        # The run's id starts with the name of its resource, so the child is called like the job.
        hook = args.image.restore_hook if isinstance(args.image, (TrainingImage, CuratedImage)) else None
        restore = [] if hook is None else [hook]
        hooks = pulumi.ResourceHookBinding(before_create=[*restore], before_update=[*restore])
        self.run = TrainingRun(
            name,
            build_run_args(args),
            pulumi.ResourceOptions(parent=self, hooks=hooks, depends_on=_list_dependencies(args)),
        )
        for attribute in OUTPUTS:
            setattr(self, attribute, getattr(self.run, attribute))
        self.register_outputs({output: getattr(self, attribute) for attribute, output in OUTPUTS.items()})


def build_run_args(args: TrainingJobArgs) -> TrainingRunArgs:
    """The arguments of the run that the job makes; what the user left out is left to the plugin."""
    image = args.image
    compute = args.compute
    if isinstance(image, TrainingImageArgs) or isinstance(compute, ComputeArgs):
        raise TypeError("args stand for an image or a compute target; make the component first")
    return TrainingRunArgs(
        source=args.source,
        command=list(args.command),
        image=image if isinstance(image, str) else compute.find_reference(image),
        image_identity=None if isinstance(image, str) else image.identity,
        backend=compute.backend,
        backend_options=_build_options(args, compute) or None,
        image_parts=None if isinstance(image, str) else image.parts,
        environment_variables=args.environment_variables or None,
        parameters=args.parameters or None,
        inputs=args.inputs or None,
        outputs=args.outputs or None,
        distribution=args.distribution,
        triggers=args.triggers or None,
        cpus=args.cpus,
        memory_gb=args.memory_gb,
        gpus=args.gpus or None,
        timeout_minutes=args.timeout_minutes,
        experiment=args.experiment,
        display_name=args.display_name,
        tags=args.tags or None,
        identity=args.identity,
        allow_secrets=list(args.allow_secrets) or None,
        require_metrics=list(args.require_metrics) or None,
        retries=args.retries or None,
        retry_on=None if tuple(args.retry_on) == rules.RETRY_ON_DEFAULT else list(args.retry_on),
        wait=None if args.wait else False,
        on_interrupt=args.on_interrupt,
        on_destroy=args.on_destroy,
    )


def _build_options(args: TrainingJobArgs, compute: ComputeTarget) -> Mapping[str, pulumi.Input[str]]:
    """Those of the compute target, with the job's own choice."""
    chosen = {} if args.instance_type is None else {"instance_type": args.instance_type}
    return {**compute.backend_options, **chosen}


def _list_dependencies(args: TrainingJobArgs) -> list[pulumi.Resource]:
    """What the run waits for that none of its inputs is made of."""
    return [] if isinstance(args.compute, ComputeArgs) else list(args.compute.dependencies)


def _find_stand_ins(args: TrainingJobArgs) -> list[Problem]:
    problems = []
    if isinstance(args.image, TrainingImageArgs):
        problems.append(Problem("image", "is a TrainingImageArgs; make a TrainingImage of it, and pass that"))
    if isinstance(args.compute, ComputeArgs):
        given = type(args.compute).__name__
        problems.append(Problem("compute", f"is a {given}; make a {given.removesuffix('Args')} of it, and pass that"))
    return problems


def _find_command_problems(args: TrainingJobArgs) -> list[Problem]:
    known = [word if isinstance(word, str) else "unknown" for word in args.command]
    return rules.find_command_problems(known, inputs=args.inputs, outputs=args.outputs, parameters=args.parameters)


def _list_known(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values``, with a text for each that is not known yet."""
    return {name: value if arguments.is_known(value) else "" for name, value in values.items()}
