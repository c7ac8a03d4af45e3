"""The user's side of the custom resource ``aml-infra:index:TrainingRun``: one submitted job.

Most programs use ``TrainingJob``, which takes the image and the compute target as objects and makes one of these.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi

TYPE = "aml-infra:index:TrainingRun"

_OUTPUTS = (
    "runId",
    "status",
    "attempt",
    "exitCode",
    "fingerprint",
    "metrics",
    "portalUrl",
    "outputsPath",
    "logPath",
    "imageRef",
    "imageDigest",
    "startedAt",
    "finishedAt",
    "durationSeconds",
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
        # Names are translated here and not by the SDK, which would translate the keys inside maps too.
        props: dict[str, Any] = {
            _to_camel_case(field.name): getattr(args, field.name)
            for field in dataclasses.fields(args)
            if getattr(args, field.name) is not None
        }
        # The plugin runs in a folder of its own, so that a relative path would mean another place there.
        props["source"] = pulumi.Output.from_input(args.source).apply(_make_absolute)
        super().__init__(TYPE, name, {**props, **dict.fromkeys(_OUTPUTS)}, opts)

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

    def _get(self, name: str) -> pulumi.Output[Any]:
        return cast("pulumi.Output[Any]", pulumi.get(self, name))


def _make_absolute(path: Any) -> str:
    # An empty path stays empty, so that the plugin can refuse it.
    return str(os.path.abspath(path)) if os.fspath(path).strip() else ""


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
