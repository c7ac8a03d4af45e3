"""The run spec: a frozen description of one training run, and the rules that it must meet. No I/O, no Pulumi."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence

from aml_infra import naming
from aml_infra.errors import Problem

FINGERPRINT_VERSION = 1
MAX_CPUS = 1024
MAX_MEMORY_GB = 24 * 1024
MAX_GPUS = 64
MAX_TIMEOUT_MINUTES = 60 * 24 * 30
ON_DESTROY = ("cancel", "retain")
MIN_MEMORY_GB = 0.006
"""What the Docker Engine allows at the least (6 MB)."""

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resources:
    """What one run may use. None of it is part of the fingerprint.

    Attributes:
        cpus: processors, fractions allowed; None leaves the run unlimited.
        memory_gb: memory in GB (2**30 bytes); None leaves the run unlimited.
        gpus: number of GPUs; 0 for none.
    """

    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What is to be run.

    Attributes:
        name: the user's name for the run; its slug starts the run id.
        source_digest: digest of the source snapshot (see ``aml_infra.source``).
        command: program and arguments, run in the source folder.
        image: reference of the image to run, as the backend's service understands it.
        image_identity: what the image *is*: the digest of one used as it is, the build key of one built here.
        environment: environment variables, part of the fingerprint.
        triggers: free values whose change makes a new run.
        resources: processors, memory, GPUs.
        timeout_minutes: after so long the run is stopped and counts as timed out; None for no limit.
        experiment: MLflow experiment that the run is logged under.
        display_name: shown in place of the run id where a service can.
        tags: free text on the run.
    """

    name: str
    source_digest: str
    command: tuple[str, ...]
    image: str
    image_identity: str
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    triggers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    resources: Resources = Resources()
    timeout_minutes: float | None = None
    experiment: str = "Default"
    display_name: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, over the part of the spec that can change the result."""
        identity = {
            "version": FINGERPRINT_VERSION,
            "source": self.source_digest,
            "command": list(self.command),
            "image": self.image_identity,
            "environment": dict(self.environment),
            "triggers": dict(self.triggers),
        }
        # Sorted keys, no spaces and no escapes: the same bytes from every Python.
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def run_id(self) -> str:
        """The deterministic id of the run, the same for every attempt at it."""
        return naming.run_id(self.name, self.fingerprint)

    def describe(self) -> dict[str, object]:
        """The spec as JSON-ready data, for the run's record."""
        return dataclasses.asdict(self)


def find_command_problems(command: Sequence[str]) -> list[Problem]:
    """Problems of a command: it must name a program."""
    if isinstance(command, str):
        return [
            Problem("command", f"is the text {command!r}; give a list, as in ['python', 'train.py']"),
        ]
    if not command:
        return [Problem("command", "is empty; give the program and its arguments, as in ['python', 'train.py']")]
    if not command[0].strip():
        return [Problem("command[0]", "is blank; the first word must be the program to run, as in 'python'")]
    return [
        Problem(f"command[{index}]", "holds a NUL character, which no program can be given; remove it")
        for index, word in enumerate(command)
        if "\0" in word
    ]


def find_resource_problems(resources: Resources, timeout_minutes: float | None) -> list[Problem]:
    """Problems of what the run asks for: negative, absurd or not a number."""
    problems = []
    problems += _find_range_problems("cpus", resources.cpus, 0.01, MAX_CPUS, "processors")
    problems += _find_range_problems("memory_gb", resources.memory_gb, MIN_MEMORY_GB, MAX_MEMORY_GB, "GB")
    problems += _find_range_problems("timeout_minutes", timeout_minutes, 0.01, MAX_TIMEOUT_MINUTES, "minutes")
    if not math.isfinite(resources.gpus) or resources.gpus % 1 or not 0 <= resources.gpus <= MAX_GPUS:
        problems.append(Problem("gpus", f"is {resources.gpus}; allowed are whole numbers from 0 to {MAX_GPUS}"))
    return problems


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


def find_capacity_problems(resources: Resources, capacity: Capacity, owner: str) -> list[Problem]:
    """What the run asks for and ``owner`` (as in ``Docker``) does not have. What is out of any range is left out."""
    out_of_range = {problem.path for problem in find_resource_problems(resources, None)}
    problems = []
    if resources.cpus is not None and resources.cpus > capacity.cpus:
        problems.append(
            Problem(
                "cpus",
                f"is {resources.cpus:g}; {owner} has {capacity.cpus:g} processors here; ask for at most that many",
            )
        )
    if resources.memory_gb is not None and resources.memory_gb > capacity.memory_gb:
        problems.append(
            Problem(
                "memory_gb",
                f"is {resources.memory_gb:g}; {owner} has {capacity.memory_gb:.1f} GB here; ask for at most that much",
            )
        )
    if resources.gpus and not capacity.gpus:
        problems.append(
            Problem(
                "gpus",
                f"is {resources.gpus}; {owner} has no GPU runtime here; set it to 0, or install the NVIDIA "
                "Container Toolkit and run `sudo nvidia-ctk runtime configure --runtime=docker`",
            )
        )
    return [problem for problem in problems if problem.path not in out_of_range]


def find_environment_problems(environment: Mapping[str, str]) -> list[Problem]:
    """Problems of environment variables: names that no shell could set."""
    return [
        Problem(
            f"environment_variables[{name!r}]",
            "is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit",
        )
        for name in environment
        if not _VARIABLE_NAME.fullmatch(name)
    ]


def find_on_destroy_problems(choice: str) -> list[Problem]:
    """Problems of what is to be done with a run that has not ended when it is deleted."""
    if choice in ON_DESTROY:
        return []
    return [Problem("on_destroy", f"is {choice!r}; allowed are {', '.join(ON_DESTROY)}")]


def _find_range_problems(path: str, value: float | None, low: float, high: float, unit: str) -> list[Problem]:
    if value is None or (math.isfinite(value) and low <= value <= high):
        return []
    return [Problem(path, f"is {value:g}; allowed is {low:g} to {high:g} {unit}, or leave it out for no limit")]
