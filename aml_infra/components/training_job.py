"""``TrainingJob``: one training run, on an image and a compute target."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence

import pulumi

from aml_infra import source as sources
from aml_infra import spec
from aml_infra.components import validation
from aml_infra.components.compute_target import ComputeTarget
from aml_infra.components.local_docker import LocalDockerArgs
from aml_infra.components.training_image import TrainingImage
from aml_infra.components.training_image_args import TrainingImageArgs
from aml_infra.components.validation import Machine
from aml_infra.errors import Problem
from aml_infra.spec import Resources
from aml_infra.training_run import TrainingRun, TrainingRunArgs

OUTPUTS = {
    "run_id": "runId",
    "status": "status",
    "attempt": "attempt",
    "exit_code": "exitCode",
    "metrics": "metrics",
    "portal_url": "portalUrl",
    "outputs_path": "outputsPath",
    "log_path": "logPath",
    "image_ref": "imageRef",
    "image_digest": "imageDigest",
    "fingerprint": "fingerprint",
    "started_at": "startedAt",
    "finished_at": "finishedAt",
    "duration_seconds": "durationSeconds",
}
"""What a job shows of its run: attribute -> output."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingJobArgs:
    """What to train, in which image, on which compute target.

    Attributes:
        source: folder with the training code, less what ``.amlignore`` (else ``.gitignore``) names; a relative path is
            taken from the program's working folder.
        command: program and arguments, run in a copy of the source folder, as in ``["python", "train.py"]``.
        image: a ``TrainingImage``; or the reference of an image that is used as it is, unchecked. The args of an image
            may stand for it while the program is only validated.
        compute: a compute target, such as ``LocalDocker``; likewise.
        environment_variables: part of the fingerprint; not for secrets.
        triggers: free values whose change makes a new run.
        cpus: processors, fractions allowed; by default all that the compute target has.
        memory_gb: memory in GB (2**30 bytes); by default all that the compute target has.
        gpus: number of GPUs; 0 by default.
        timeout_minutes: a run that takes longer is stopped and has failed; no limit by default.
        experiment: MLflow experiment that the run is logged under; ``Default`` by default.
        display_name: shown where the service can; the job's name by default.
        tags: free text on the run.
        allow_secrets: gitignore patterns of source files that look like secrets and shall be shipped all the same.
        on_destroy: ``cancel`` (default) stops a run that has not ended when the job is deleted, ``retain`` leaves it.
            The records of runs that ended are always kept.
    """

    source: str | os.PathLike[str]
    command: Sequence[pulumi.Input[str]]
    image: TrainingImage | TrainingImageArgs | str
    compute: ComputeTarget | LocalDockerArgs
    environment_variables: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    triggers: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0
    timeout_minutes: float | None = None
    experiment: str | None = None
    display_name: str | None = None
    tags: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    allow_secrets: Sequence[str] = ()
    on_destroy: str = "cancel"

    def find_problems(self, machine: Machine) -> list[Problem]:
        """Everything that is wrong with the job, and what its compute target does not have of it."""
        resources = Resources(cpus=self.cpus, memory_gb=self.memory_gb, gpus=self.gpus)
        problems = validation.collect(lambda: sources.take_snapshot(self.source, allow_secrets=self.allow_secrets))
        problems += _find_command_problems(self.command)
        problems += spec.find_environment_problems(dict.fromkeys(self.environment_variables, ""))
        problems += spec.find_resource_problems(resources, self.timeout_minutes)
        problems += spec.find_on_destroy_problems(self.on_destroy)
        if self.image == "":
            problems.append(Problem("image", "is empty; give a TrainingImage, or the reference of an image"))
        return problems + self.compute.find_resource_problems(resources, machine)


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

    def __init__(self, name: str, args: TrainingJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validation.raise_for(
            problem.under(name) for problem in [*_find_stand_ins(args), *args.find_problems(Machine())]
        )
        super().__init__("aml-infra:index:TrainingJob", name, None, opts)
        # The run's id starts with the name of its resource, so the child is called like the job.
        restore = [args.image.restore_hook] if isinstance(args.image, TrainingImage) else []
        hooks = pulumi.ResourceHookBinding(before_create=[*restore], before_update=[*restore])
        self.run = TrainingRun(name, build_run_args(args), pulumi.ResourceOptions(parent=self, hooks=hooks))
        for attribute in OUTPUTS:
            setattr(self, attribute, getattr(self.run, attribute))
        self.register_outputs({output: getattr(self, attribute) for attribute, output in OUTPUTS.items()})


def build_run_args(args: TrainingJobArgs) -> TrainingRunArgs:
    """The arguments of the run that the job makes; what the user left out is left to the plugin."""
    image = args.image
    compute = args.compute
    if isinstance(image, TrainingImageArgs) or isinstance(compute, LocalDockerArgs):
        raise TypeError("args stand for an image or a compute target; make the component first")
    return TrainingRunArgs(
        source=args.source,
        command=list(args.command),
        image=image if isinstance(image, str) else image.ref,
        image_identity=None if isinstance(image, str) else image.identity,
        backend=compute.backend,
        backend_options=compute.backend_options or None,
        environment_variables=args.environment_variables or None,
        triggers=args.triggers or None,
        cpus=args.cpus,
        memory_gb=args.memory_gb,
        gpus=args.gpus or None,
        timeout_minutes=args.timeout_minutes,
        experiment=args.experiment,
        display_name=args.display_name,
        tags=args.tags or None,
        allow_secrets=list(args.allow_secrets) or None,
        on_destroy=args.on_destroy,
    )


def _find_stand_ins(args: TrainingJobArgs) -> list[Problem]:
    problems = []
    if isinstance(args.image, TrainingImageArgs):
        problems.append(Problem("image", "is a TrainingImageArgs; make a TrainingImage of it, and pass that"))
    if isinstance(args.compute, LocalDockerArgs):
        problems.append(Problem("compute", "is a LocalDockerArgs; make a LocalDocker of it, and pass that"))
    return problems


def _find_command_problems(command: Sequence[pulumi.Input[str]]) -> list[Problem]:
    if isinstance(command, str):
        return spec.find_command_problems(command)
    problems = [
        Problem(f"command[{index}]", f"is {word!r}, not text; write it in quotes")
        for index, word in enumerate(command)
        if not isinstance(word, (str, pulumi.Output))
    ]
    # An output is not known yet; the plugin checks it when it is.
    return problems + spec.find_command_problems([word if isinstance(word, str) else "unknown" for word in command])
