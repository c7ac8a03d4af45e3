"""What is allowed in a run: every rule gives all the problems that it finds. Pure.

Paths of problems are those of ``TrainingRunArgs``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence

from aml_infra import metric_gate
from aml_infra import spec as specs
from aml_infra.errors import Problem
from aml_infra.spec import Capacity, Demand, Resources, RunInput, RunOutput

MAX_CPUS = 1024
MAX_MEMORY_GB = 24 * 1024
MAX_GPUS = 64
MAX_PROCESSES_PER_WORKER = 64
MAX_WORKERS = 1024
MAX_RETRIES = 100
MAX_TIMEOUT_MINUTES = 60 * 24 * 30
FRAMEWORKS = ("pytorch", "tensorflow", "mpi")
INPUT_MODES = ("mount", "download")
OUTPUT_MODES = ("mount", "upload")
IDENTITIES = ("managed", "user")
INPUT_TYPES = ("folder", "file")
ON_DESTROY = ("cancel", "retain")
ON_INTERRUPT = ("detach", "cancel")
RETRY_ON = ("NotResponding", "Failed", "TimedOut")
RETRY_ON_DEFAULT = ("NotResponding",)
"""What the machine failed, and not the command."""

MIN_MEMORY_GB = 0.006
"""What the Docker Engine allows at the least (6 MB)."""

RESERVED_VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"),
    "tensorflow": ("TF_CONFIG",),
    "mpi": tuple(f"OMPI_COMM_WORLD_{name}" for name in ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE", "NODE_RANK")),
}
"""What tells the processes of a distribution who they are, by its framework."""

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WRITABLE = re.compile(r"azureml://(.*/)?datastores/|abfss?://|wasbs?://|adl://|https://[^/]+\.(blob|dfs)\.core\.")
_CLIENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def find_command_problems(
    command: Sequence[str],
    *,
    inputs: Collection[str] = (),
    outputs: Collection[str] = (),
    parameters: Collection[str] = (),
) -> list[Problem]:
    """Problems of a command: it must name a program, and its placeholders must name what there is."""
    if not command:
        return [Problem("command", "is empty; give the program and its arguments, as in ['python', 'train.py']")]
    if not command[0].strip():
        return [Problem("command[0]", "is blank; the first word must be the program to run, as in 'python'")]
    there = {"inputs": inputs, "outputs": outputs, "parameters": parameters}
    problems = [
        Problem(f"command[{index}]", "holds a NUL character, which no program can be given; remove it")
        for index, word in enumerate(command)
        if "\0" in word
    ]
    return problems + [
        Problem(
            f"command[{index}]",
            f"is {word!r}, and {kind} has no {name!r}; {_list_allowed(there[kind])}",
        )
        for index, word in enumerate(command)
        for kind, name in specs.list_placeholders(word)
        if name not in there[kind]
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


def find_capacity_problems(demand: Demand, capacity: Capacity, owner: str) -> list[Problem]:
    """What the run asks for and ``owner`` (as in ``Docker``) does not have. What is out of any range is left out.

    Processors are shared where several workers want the same; memory is not.
    """
    resources, workers = demand.resources, demand.workers
    out_of_range = {problem.path for problem in find_resource_problems(resources, None)}
    problems = []
    if resources.cpus is not None and resources.cpus > capacity.cpus:
        problems.append(
            Problem(
                "cpus",
                f"is {resources.cpus:g}; {owner} has {capacity.cpus:g} processors here; ask for at most that many",
            )
        )
    if resources.memory_gb is not None and resources.memory_gb * workers > capacity.memory_gb:
        each = f" for each of {workers} workers" if workers > 1 else ""
        has = f"{owner} has {capacity.memory_gb:.1f} GB here"
        problems.append(Problem("memory_gb", f"is {resources.memory_gb:g}{each}; {has}; ask for at most that much"))
    if resources.gpus and not capacity.gpus:
        problems.append(
            Problem(
                "gpus",
                f"is {resources.gpus}; {owner} has no GPU runtime here; set it to 0, or install the NVIDIA "
                "Container Toolkit and run `sudo nvidia-ctk runtime configure --runtime=docker`",
            )
        )
    return [problem for problem in problems if problem.path not in out_of_range]


def find_environment_problems(environment: Mapping[str, str], demand: Demand) -> list[Problem]:
    """Problems of environment variables: names that no shell could set, or that the workers of a run are told by."""
    problems = [
        Problem(
            f"environment_variables[{name!r}]",
            "is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit",
        )
        for name in environment
        if not _VARIABLE_NAME.fullmatch(name)
    ]
    problems += [
        Problem(f"environment_variables[{name!r}]", "holds a NUL character, which no variable can have; remove it")
        for name, value in environment.items()
        if "\0" in value
    ]
    if demand.workers > 1 or demand.processes_per_worker > 1:
        problems += [
            Problem(f"environment_variables[{name!r}]", "is set by distribution, for each worker; leave it out")
            for name in environment
            if name in RESERVED_VARIABLES.get(demand.framework, ())
        ]
    return problems


def find_parameter_problems(parameters: Mapping[str, object]) -> list[Problem]:
    """Problems of parameters: names that are no arguments, and values that are neither text, number nor truth."""
    problems = []
    for name, value in parameters.items():
        path = f"parameters[{name!r}]"
        if not _PARAMETER_NAME.fullmatch(name):
            problems.append(
                Problem(path, "is not a name for a parameter; allowed are letters, digits, _, - and ., a letter first")
            )
        if not isinstance(value, (str, int, float)):
            problems.append(Problem(path, f"is a {type(value).__name__}; give text, a number, True or False"))
        elif isinstance(value, str):
            if "\0" in value:
                problems.append(Problem(path, "holds a NUL character, which no program can be given; remove it"))
        elif isinstance(value, int) and abs(value) > specs.LARGEST_WHOLE:
            problems.append(Problem(path, f"is {value}, which Pulumi would round; give it as text: {str(value)!r}"))
        elif not math.isfinite(value):
            problems.append(Problem(path, f"is {value}, which JSON has no way to say; give it as text: {str(value)!r}"))
    return problems


def find_input_problems(inputs: Mapping[str, RunInput]) -> list[Problem]:
    """Problems of inputs: names that are no variable's, URIs without a version, and what is no choice."""
    problems = []
    for name, given in inputs.items():
        path = f"inputs[{name!r}]"
        if not _VARIABLE_NAME.fullmatch(name):
            problems.append(
                Problem(
                    path, "is not a name for an input; allowed are letters, digits and _, not starting with a digit"
                )
            )
        if "\0" in given.path:
            problems.append(Problem(path, "holds a NUL character, which no path can have; remove it"))
        if not given.path.strip():
            problems.append(Problem(path, "is empty; give the path of a folder or a file, or a URI with its version"))
        elif not given.is_local and not given.version.strip():
            problems.append(
                Problem(
                    path,
                    f"is the URI {given.path!r} without a version, so that nobody could say whether the data has "
                    "changed; give DataInput(path, version=...), such as a date or an ETag",
                )
            )
        problems += _find_choice_problems(f"{path}.type", given.type, INPUT_TYPES)
        problems += _find_choice_problems(f"{path}.mode", given.mode, INPUT_MODES)
        if given.is_local and given.type == "file":
            problems.append(
                Problem(
                    f"{path}.type",
                    f"is 'file', but {given.path!r} is on this machine, and says itself what it is; leave it out",
                )
            )
    return problems


def find_output_problems(outputs: Mapping[str, RunOutput]) -> list[Problem]:
    """Problems of outputs: names that are no variable's, places that are none of a service, and what is no choice."""
    problems = []
    for name, asked in outputs.items():
        path = f"outputs[{name!r}]"
        if not _VARIABLE_NAME.fullmatch(name):
            problems.append(
                Problem(
                    path, "is not a name for an output; allowed are letters, digits and _, not starting with a digit"
                )
            )
        if asked.path and not _WRITABLE.match(asked.path):
            problems.append(
                Problem(
                    f"{path}.path",
                    f"is {asked.path!r}, which no run can write to; give the URI of a datastore's folder, as in "
                    "'azureml://datastores/workspaceblobstore/paths/models', or leave it out to have it beside the "
                    "run's other outputs",
                )
            )
        problems += _find_choice_problems(f"{path}.mode", asked.mode, OUTPUT_MODES)
    return problems


def find_identity_problems(identity: str, *, has_secrets: bool = False) -> list[Problem]:
    """Problems of what a run is to Azure; ``has_secrets``: of its environment variables, some are secret."""
    if identity == "user" and has_secrets:
        fix = "leave it out, or read them in the command from a key vault"
        why = "is 'user', and secret environment variables are brought to the run by the cluster's identity"
        return [Problem("identity", f"{why}; {fix}")]
    if not identity or identity in IDENTITIES or _CLIENT_ID.fullmatch(identity):
        return []
    allowed = f"{', '.join(IDENTITIES)}, or the client id of one of the cluster's identities"
    return [Problem("identity", f"is {identity!r}; allowed are {allowed}")]


def find_service_problems(demand: Demand, owner: str) -> list[Problem]:
    """What is asked for that Azure Machine Learning does for a run, and ``owner`` (as in ``Docker``) does not."""
    fix = "run the job on a GpuCluster, or give a path of this machine, or a URI that the command itself reads"
    problems = [
        Problem(f"inputs[{name!r}]", f"is {given.path!r}, which only Azure Machine Learning can mount; {fix}")
        for name, given in demand.inputs.items()
        if given.path.lower().startswith("azureml:")
    ]
    problems += [
        Problem(
            f"outputs[{name!r}].path",
            f"is {asked.path!r}, which only Azure Machine Learning can write to; run the job on a GpuCluster, or leave "
            "it out to have it beside the run's other outputs",
        )
        for name, asked in demand.outputs.items()
        if _WRITABLE.match(asked.path)
    ]
    if demand.identity and not find_identity_problems(demand.identity):
        fix = "leave it out, or run the job on a GpuCluster"
        problems.append(Problem("identity", f"is {demand.identity!r}, and {owner} gives a run none of Azure's; {fix}"))
    problems += find_instance_type_problems(demand, owner)
    if demand.framework == "mpi":
        fix = "use 'pytorch' or 'tensorflow', or run the job on a GpuCluster"
        problems.append(Problem("distribution.framework", f"is 'mpi', and {owner} starts nothing by MPI; {fix}"))
    if demand.processes_per_worker > 1:
        fix = "ask for more workers, or let the command start processes, as torchrun does"
        problems.append(
            Problem(
                "distribution.processes_per_worker",
                f"is {demand.processes_per_worker}, and with {owner} each worker is one process; {fix}",
            )
        )
    return problems


def find_instance_type_problems(demand: Demand, owner: str) -> list[Problem]:
    """That an instance type is asked for, where ``owner`` (as in ``Docker``) has none."""
    if not demand.instance_type:
        return []
    fix = "leave it out, or run the job on a KubernetesCompute"
    return [Problem("instance_type", f"is {demand.instance_type!r}, and {owner} has no instance types; {fix}")]


def find_distribution_problems(demand: Demand) -> list[Problem]:
    """Problems of how many workers there are, of how many processes each, and of how these find one another."""
    problems = [
        Problem(f"distribution.{name}", f"is {number:g}; allowed are whole numbers from 1 to {most}")
        for name, number, most in (
            ("workers", demand.workers, MAX_WORKERS),
            ("processes_per_worker", demand.processes_per_worker, MAX_PROCESSES_PER_WORKER),
        )
        if not math.isfinite(number) or number % 1 or not 1 <= number <= most
    ]
    problems += _find_choice_problems("distribution.framework", demand.framework, FRAMEWORKS)
    if demand.framework == "tensorflow" and demand.processes_per_worker > 1 and not problems:
        fix = "ask for more workers, or use 'pytorch' or 'mpi'"
        problems.append(
            Problem(
                "distribution.processes_per_worker",
                f"is {demand.processes_per_worker:g}, and with 'tensorflow' each worker is one process; {fix}",
            )
        )
    return problems


def find_policy_problems(
    *,
    on_destroy: str = "cancel",
    on_interrupt: str = "detach",
    retries: float = 0,
    retry_on: Sequence[str] = RETRY_ON_DEFAULT,
    require_metrics: Sequence[str] = (),
) -> list[Problem]:
    """Problems of what is to be done about a run; none of it is part of the fingerprint."""
    problems = _find_choice_problems("on_destroy", on_destroy, ON_DESTROY)
    problems += _find_choice_problems("on_interrupt", on_interrupt, ON_INTERRUPT)
    if not math.isfinite(retries) or retries % 1 or not 0 <= retries <= MAX_RETRIES:
        problems.append(Problem("retries", f"is {retries:g}; allowed are whole numbers from 0 to {MAX_RETRIES}"))
    for index, status in enumerate(retry_on):
        problems += _find_choice_problems(f"retry_on[{index}]", status, RETRY_ON)
    if not retry_on:
        problems.append(Problem("retry_on", f"is empty; name some of {', '.join(RETRY_ON)}, or set retries to 0"))
    return problems + metric_gate.find_problems(require_metrics)


def _find_choice_problems(path: str, choice: str, allowed: Sequence[str]) -> list[Problem]:
    return [] if choice in allowed else [Problem(path, f"is {choice!r}; allowed are {', '.join(allowed)}")]


def _list_allowed(names: Collection[str]) -> str:
    return f"there are {', '.join(sorted(names))}" if names else "there are none"


def _find_range_problems(path: str, value: float | None, low: float, high: float, unit: str) -> list[Problem]:
    if value is None or (math.isfinite(value) and low <= value <= high):
        return []
    return [Problem(path, f"is {value:g}; allowed is {low:g} to {high:g} {unit}, or leave it out for no limit")]
