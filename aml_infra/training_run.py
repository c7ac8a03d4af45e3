"""The user's side of the custom resource ``aml-infra:index:TrainingRun``: one submitted job.

Most programs use ``TrainingJob``, which takes the image and the compute target as objects and makes one of these.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

TYPE = "aml-infra:index:TrainingRun"

_OUTPUTS = (
    "run_id",
    "status",
    "attempt",
    "exit_code",
    "fingerprint",
    "metrics",
    "portal_url",
    "outputs_path",
    "log_path",
    "image_ref",
    "image_digest",
    "started_at",
    "finished_at",
    "duration_seconds",
)


@dataclasses.dataclass(kw_only=True)
class TrainingRunArgs:
    """What to run, on what.

    Attributes:
        source: folder with the training code; a relative path is taken from the program's working folder.
        command: program and arguments, run in a copy of the source folder.
        image: reference of the image to run.
        image_identity: what the image is, for the fingerprint; by default the digest that ``image`` has now.
        backend: ``docker`` or ``fake``.
        backend_options: see the backend's module.
        environment_variables: part of the fingerprint; not for secrets.
        triggers: free values whose change makes a new run.
        cpus: processors; by default all there are.
        memory_gb: memory in GB; by default all there is.
        gpus: number of GPUs; 0 by default.
        timeout_minutes: the run is stopped after so long; no limit by default.
        experiment: MLflow experiment; ``Default`` by default.
        display_name: shown where the service can; the resource's name by default.
        tags: free text on the run.
        allow_secrets: gitignore patterns of files that look like secrets and shall be shipped all the same.
        on_destroy: ``cancel`` (default) stops a run that has not ended when the resource is deleted, ``retain``
            leaves it. Records of runs that ended are always kept.
    """

    source: pulumi.Input[str | os.PathLike[str]]
    command: pulumi.Input[Sequence[pulumi.Input[str]]]
    image: pulumi.Input[str]
    image_identity: pulumi.Input[str] | None = None
    backend: pulumi.Input[str] = "docker"
    backend_options: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    environment_variables: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    cpus: pulumi.Input[float] | None = None
    memory_gb: pulumi.Input[float] | None = None
    gpus: pulumi.Input[int] | None = None
    timeout_minutes: pulumi.Input[float] | None = None
    experiment: pulumi.Input[str] | None = None
    display_name: pulumi.Input[str] | None = None
    tags: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    allow_secrets: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    on_destroy: pulumi.Input[str] | None = None


class TrainingRun(pulumi.CustomResource):
    """One training run: adopted, joined or submitted; its log streams into ``pulumi up``.

    A run that ends in anything but success fails the update, and the next ``pulumi up`` makes a new attempt.

    Attributes:
        run_id: deterministic id of the run.
        status: ``Completed``, ``Failed``, ``Canceled``, ``NotResponding``, ``TimedOut``, ``Running`` or ``Queued``.
        attempt: counted from 1.
        exit_code: of the command.
        fingerprint: SHA-256 over what can change the result.
        metrics: last value of each metric logged with MLflow.
        portal_url: where a person looks at the run; on this machine, its folder.
        outputs_path: what the run wrote to ``outputs/``.
        log_path: the whole log.
        image_ref: reference of the image that was run.
        image_digest: digest of the image that was run.
        started_at, finished_at: UTC, ISO 8601.
        duration_seconds: between the two.
    """

    run_id: pulumi.Output[str]
    status: pulumi.Output[str]
    attempt: pulumi.Output[int]
    exit_code: pulumi.Output[int | None]
    fingerprint: pulumi.Output[str]
    metrics: pulumi.Output[Mapping[str, float]]
    portal_url: pulumi.Output[str]
    outputs_path: pulumi.Output[str]
    log_path: pulumi.Output[str]
    image_ref: pulumi.Output[str]
    image_digest: pulumi.Output[str]
    started_at: pulumi.Output[str | None]
    finished_at: pulumi.Output[str | None]
    duration_seconds: pulumi.Output[float | None]

    def __init__(self, name: str, args: TrainingRunArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {
            field.name: getattr(args, field.name)
            for field in dataclasses.fields(args)
            if getattr(args, field.name) is not None
        }
        # The plugin runs in a folder of its own, so that a relative path would mean another place there.
        props["source"] = pulumi.Output.from_input(args.source).apply(os.path.abspath)
        super().__init__(TYPE, name, {**props, **dict.fromkeys(_OUTPUTS)}, opts)

    def translate_input_property(self, prop: str) -> str:
        """``memory_gb`` is ``memoryGb`` to the engine."""
        return _to_camel_case(prop)

    def translate_output_property(self, prop: str) -> str:
        """``runId`` is ``run_id`` in Python."""
        return _FROM_CAMEL_CASE.get(prop, prop)


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_FROM_CAMEL_CASE = {
    _to_camel_case(name): name
    for name in (*_OUTPUTS, *(field.name for field in dataclasses.fields(TrainingRunArgs)))
}
