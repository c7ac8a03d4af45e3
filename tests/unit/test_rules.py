from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from aml_infra import rules, spec
from aml_infra.errors import Problem
from aml_infra.spec import Capacity, Demand, Resources, RunInput, RunOutput

CAPACITY = Capacity(cpus=2, memory_gb=4, gpus=False)


def tell(problems: list[Problem]) -> list[str]:
    """What the user reads."""
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([], "command: is empty; give the program and its arguments, as in ['python', 'train.py']"),
        ([" "], "command[0]: is blank; the first word must be the program to run, as in 'python'"),
        (["a", "b\0"], "command[1]: holds a NUL character, which no program can be given; remove it"),
        (
            ["a", "${{inputs.cats}}"],
            "command[1]: is '${{inputs.cats}}', and inputs has no 'cats'; there are dogs, pets",
        ),
        (
            ["a", "${{parameters.lr}}"],
            "command[1]: is '${{parameters.lr}}', and parameters has no 'lr'; there are none",
        ),
    ],
)
def test_bad_commands_are_named(command: Any, told: str) -> None:
    """The problem has the path of the word that is wrong, and says what is allowed."""
    assert tell(rules.find_command_problems(command, inputs=["pets", "dogs"])) == [told]


def test_every_bad_word_of_a_command_is_named() -> None:
    """Also where one word has several mistakes."""
    problems = rules.find_command_problems(["a", "${{inputs.x}} ${{inputs.y}}", "\0"], inputs=["pets"])

    assert [problem.path for problem in problems] == ["command[2]", "command[1]", "command[1]"]


def test_good_commands_pass() -> None:
    """Every placeholder has its name, also one with a hyphen or a dot; other text that looks like one is left alone."""
    command = ["a", "${{inputs.x}}", "${{ parameters.learning-rate }} ${{parameters.opt.lr}}", "$HOME {{x}}"]

    assert rules.find_command_problems(command, inputs=["x"], parameters=["learning-rate", "opt.lr"]) == []


@pytest.mark.parametrize("value", [-1, 0, math.nan, math.inf, 1e12])
@pytest.mark.parametrize("field", ["cpus", "memory_gb"])
def test_absurd_resources_are_refused(field: str, value: float) -> None:
    """Negative, zero, endless and absurd figures are problems, with the value and what is allowed."""
    (problem,) = rules.find_resource_problems(Resources(**{field: value}), None)  # type: ignore[arg-type]

    assert problem.path == field
    assert "allowed is" in problem.message


def test_all_resource_problems_are_told_at_once() -> None:
    """One call names every figure that is wrong, with what is allowed."""
    assert tell(rules.find_resource_problems(Resources(cpus=-1, memory_gb=-1, gpus=-1), -1)) == [
        "cpus: is -1; allowed is 0.01 to 1024 processors, or leave it out for no limit",
        "memory_gb: is -1; allowed is 0.006 to 24576 GB, or leave it out for no limit",
        "timeout_minutes: is -1; allowed is 0.01 to 43200 minutes, or leave it out for no limit",
        "gpus: is -1; allowed are whole numbers from 0 to 64",
    ]


def test_sensible_resources_pass() -> None:
    """What is allowed is not refused."""
    assert rules.find_resource_problems(Resources(cpus=0.5, memory_gb=1.5, gpus=2), 0.5) == []


@pytest.mark.parametrize(
    ("demand", "told"),
    [
        (
            Demand(resources=Resources(cpus=4)),
            "cpus: is 4; Docker has 2 processors here; ask for at most that many",
        ),
        (
            Demand(resources=Resources(memory_gb=8)),
            "memory_gb: is 8; Docker has 4.0 GB here; ask for at most that much",
        ),
        (
            Demand(resources=Resources(memory_gb=3), workers=2),
            "memory_gb: is 3 for each of 2 workers; Docker has 4.0 GB here; ask for at most that much",
        ),
        (
            Demand(resources=Resources(gpus=1)),
            (
                "gpus: is 1; Docker has no GPU runtime here; set it to 0, or install the NVIDIA Container Toolkit and "
                "run `sudo nvidia-ctk runtime configure --runtime=docker`"
            ),
        ),
    ],
)
def test_what_a_machine_does_not_have_is_told(demand: Demand, told: str) -> None:
    """Each figure, with what there is; memory is not shared by the workers of a run."""
    assert tell(rules.find_capacity_problems(demand, CAPACITY, "Docker")) == [told]


@pytest.mark.parametrize(
    "demand",
    [
        Demand(),
        Demand(resources=Resources(cpus=2, memory_gb=4)),
        Demand(resources=Resources(cpus=2, memory_gb=2), workers=2),
        Demand(resources=Resources(cpus=1e9, memory_gb=1e9, gpus=-1)),
    ],
)
def test_what_a_machine_has_passes(demand: Demand) -> None:
    """To its limits, processors shared; a figure that is out of any range is another rule's problem."""
    assert rules.find_capacity_problems(demand, CAPACITY, "Docker") == []


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"GOOD_1": "", "1BAD": ""},
            (
                "environment_variables['1BAD']: is not a name for an environment variable; allowed are letters, digits "
                "and _, not starting with a digit"
            ),
        ),
        (
            {"A": "x\0y"},
            "environment_variables['A']: holds a NUL character, which no variable can have; remove it",
        ),
        ({"RANK": "0"}, "environment_variables['RANK']: is set by distribution, for each worker; leave it out"),
    ],
)
def test_bad_variables_are_named(environment: dict[str, str], told: str) -> None:
    """Names that no shell could set, values that none can have, and what the workers are told by."""
    assert tell(rules.find_environment_problems(environment, Demand(workers=2))) == [told]


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_the_variables_of_workers_are_reserved_where_there_are_some(framework: str) -> None:
    """Each that a worker is told by, and none where a run is alone."""
    reserved = spec.build_worker_variables(framework, 0, ["a", "b"], 1)

    problems = rules.find_environment_problems(reserved, Demand(workers=2, framework=framework))

    assert len(problems) == len(reserved) == len(rules.RESERVED_VARIABLES[framework])
    assert rules.find_environment_problems(reserved, Demand(framework=framework)) == []


def test_what_open_mpi_sets_is_reserved_for_its_processes() -> None:
    """Also on a single node; the variables of another framework are the user's."""
    demand = Demand(framework="mpi", processes_per_worker=2)

    found = rules.find_environment_problems({"OMPI_COMM_WORLD_RANK": "0", "RANK": "0"}, demand)

    assert [problem.path for problem in found] == ["environment_variables['OMPI_COMM_WORLD_RANK']"]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            {"2lr": 1},
            "parameters['2lr']: is not a name for a parameter; allowed are letters, digits, _, - and ., a letter first",
        ),
        (
            {"l r": "x"},
            "parameters['l r']: is not a name for a parameter; allowed are letters, digits, _, - and ., a letter first",
        ),
        ({"lr": None}, "parameters['lr']: is a NoneType; give text, a number, True or False"),
        ({"lr": [1]}, "parameters['lr']: is a list; give text, a number, True or False"),
        ({"lr": "\0"}, "parameters['lr']: holds a NUL character, which no program can be given; remove it"),
        ({"lr": math.nan}, "parameters['lr']: is nan, which JSON has no way to say; give it as text: 'nan'"),
        ({"lr": -math.inf}, "parameters['lr']: is -inf, which JSON has no way to say; give it as text: '-inf'"),
        (
            {"seed": 2**53 + 1},
            "parameters['seed']: is 9007199254740993, which Pulumi would round; give it as text: '9007199254740993'",
        ),
    ],
)
def test_bad_parameters_are_named(parameters: Mapping[str, object], told: str) -> None:
    """Names that are no arguments, and values that would not arrive as they were written."""
    assert tell(rules.find_parameter_problems(parameters)) == [told]


def test_a_parameter_of_a_large_whole_number_is_a_problem_and_no_crash() -> None:
    """Also one that is larger than any float."""
    (problem,) = rules.find_parameter_problems({"seed": 10**400})

    assert problem.path == "parameters['seed']"


def test_good_parameters_pass() -> None:
    """Text, whole and other numbers, and truth values."""
    parameters = {"a": "x", "b": 1, "c": 0.5, "d": True, "learning-rate": 1e300, "opt.lr": 2**53, "_e": ""}

    assert rules.find_parameter_problems(parameters) == []


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        (
            "my-data",
            "/data",
            (
                "inputs['my-data']: is not a name for an input; allowed are letters, digits and _, not starting with a "
                "digit"
            ),
        ),
        ("data", " ", "inputs['data']: is empty; give the path of a folder or a file, or a URI with its version"),
        (
            "data",
            "s3://bucket/x",
            (
                "inputs['data']: is the URI 's3://bucket/x' without a version, so that nobody could say whether the "
                "data has changed; give DataInput(path, version=...), such as a date or an ETag"
            ),
        ),
    ],
)
def test_bad_inputs_are_named(name: str, path: str, told: str) -> None:
    """Names that are no variable's, and data that could change unseen."""
    assert tell(rules.find_input_problems({name: RunInput(path=path, version="")})) == [told]


def test_good_inputs_pass() -> None:
    """A path, and a URI with its version; what a URI is of; how either comes."""
    inputs = {
        "a": RunInput(path="/data", version="", mode="download"),
        "b": RunInput(path="s3://bucket/x", version="2026-01-01", type="file"),
    }

    assert rules.find_input_problems(inputs) == []


def test_how_data_comes_is_a_choice() -> None:
    """A path of this machine says itself what it is."""
    inputs = {
        "a": RunInput(path="/data", version="", type="file"),
        "b": RunInput(path="s3://bucket/x", version="1", type="table", mode="stream"),
    }

    assert tell(rules.find_input_problems(inputs)) == [
        "inputs['a'].type: is 'file', but '/data' is on this machine, and says itself what it is; leave it out",
        "inputs['b'].type: is 'table'; allowed are folder, file",
        "inputs['b'].mode: is 'stream'; allowed are mount, download",
    ]


def test_bad_outputs_are_named() -> None:
    """Names that are no variable's, places that nothing can write to, and what is no choice."""
    outputs = {
        "my-model": RunOutput(),
        "model": RunOutput(path="/models", mode="copy"),
        "asset": RunOutput(path="azureml:pets:1"),
        "good": RunOutput(path="https://account.blob.core.windows.net/models/a", mode="upload"),
        "store": RunOutput(path="azureml://datastores/lake/paths/models"),
    }

    told = tell(rules.find_output_problems(outputs))

    place = (
        "which no run can write to; give the URI of a datastore's folder, as in "
        "'azureml://datastores/workspaceblobstore/paths/models', or leave it out to have it beside the run's other "
        "outputs"
    )
    assert told == [
        (
            "outputs['my-model']: is not a name for an output; allowed are letters, digits and _, not starting with a "
            "digit"
        ),
        f"outputs['model'].path: is '/models', {place}",
        "outputs['model'].mode: is 'copy'; allowed are mount, upload",
        f"outputs['asset'].path: is 'azureml:pets:1', {place}",
    ]


def test_what_a_run_may_be_to_azure() -> None:
    """The cluster, the user, or an identity by its client id; the user's login brings no secrets to a run."""
    allowed = ("", "managed", "user", "12345678-90AB-cdef-1234-567890abcdef")
    (other,) = rules.find_identity_problems("me")
    (secret,) = rules.find_identity_problems("user", has_secrets=True)

    assert [rules.find_identity_problems(identity) for identity in allowed] == [[], [], [], []]
    assert rules.find_identity_problems("managed", has_secrets=True) == []
    assert str(other) == (
        "identity: is 'me'; allowed are managed, user, or the client id of one of the cluster's identities"
    )
    assert secret.path == "identity"
    assert "leave it out" in secret.message


def test_what_only_azure_can_write_to_and_be_is_named() -> None:
    """An output without a place is one of each run."""
    outputs = {"model": RunOutput(path="azureml://datastores/lake/paths/models"), "own": RunOutput()}

    problems = rules.find_service_problems(Demand(outputs=outputs, identity="user"), "Docker")

    assert [problem.path for problem in problems] == ["outputs['model'].path", "identity"]


def test_what_only_azure_can_mount_is_named() -> None:
    """Other URIs are for the command to read."""
    paths = {
        "asset": "azureml:pets:1",
        "store": "AzureML://datastores/lake/paths/pets",
        "far": "s3://x",
        "near": "/data",
    }
    inputs = {name: RunInput(path=path, version="1") for name, path in paths.items()}

    problems = rules.find_service_problems(Demand(inputs=inputs), "Docker")

    assert [problem.path for problem in problems] == ["inputs['asset']", "inputs['store']"]
    assert problems[0].message == (
        "is 'azureml:pets:1', which only Azure Machine Learning can mount; run the job on a GpuCluster, or give a path "
        "of this machine, or a URI that the command itself reads"
    )


def test_an_instance_type_is_of_an_attached_cluster() -> None:
    """Nothing else has several."""
    demand = Demand(instance_type="gpu")

    told = (
        "instance_type: is 'gpu', and Docker has no instance types; leave it out, or run the job on a KubernetesCompute"
    )
    assert tell(rules.find_service_problems(demand, "Docker")) == [told]


def test_what_only_azure_can_start_is_named() -> None:
    """With what there is instead."""
    demand = Demand(workers=2, framework="mpi", processes_per_worker=4)

    assert tell(rules.find_service_problems(demand, "Docker")) == [
        (
            "distribution.framework: is 'mpi', and Docker starts nothing by MPI; use 'pytorch' or 'tensorflow', or run "
            "the job on a GpuCluster"
        ),
        (
            "distribution.processes_per_worker: is 4, and with Docker each worker is one process; ask for more "
            "workers, or let the command start processes, as torchrun does"
        ),
    ]
    assert rules.find_service_problems(Demand(workers=2, framework="tensorflow"), "Docker") == []


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (-1, "-1"), (1.5, "1.5"), (1025, "1025"), (math.inf, "inf"), (math.nan, "nan")]
)
def test_numbers_of_workers_and_processes_that_cannot_be_are_named(number: Any, shown: str) -> None:
    """With the value, and what is allowed."""
    told = f"is {shown}; allowed are whole numbers from 1 to"

    assert tell(rules.find_distribution_problems(Demand(workers=number))) == [f"distribution.workers: {told} 1024"]
    assert tell(rules.find_distribution_problems(Demand(processes_per_worker=number))) == [
        f"distribution.processes_per_worker: {told} 64"
    ]


@pytest.mark.parametrize("workers", [1, 2.0, 1024])
def test_a_sensible_distribution_passes(workers: Any) -> None:
    """The limits themselves are allowed."""
    for framework, processes in (("pytorch", 64), ("mpi", 2), ("tensorflow", 1)):
        demand = Demand(workers=workers, framework=framework, processes_per_worker=processes)
        assert rules.find_distribution_problems(demand) == []


def test_frameworks_are_told_apart() -> None:
    """One that is unknown, and one that has no processes to share a node."""
    assert tell(rules.find_distribution_problems(Demand(workers=2, framework="horovod"))) == [
        "distribution.framework: is 'horovod'; allowed are pytorch, tensorflow, mpi"
    ]
    assert tell(rules.find_distribution_problems(Demand(framework="tensorflow", processes_per_worker=2))) == [
        (
            "distribution.processes_per_worker: is 2, and with 'tensorflow' each worker is one process; ask for more "
            "workers, or use 'pytorch' or 'mpi'"
        )
    ]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"on_destroy": "keep"}, "on_destroy: is 'keep'; allowed are cancel, retain"),
        ({"on_interrupt": "stop"}, "on_interrupt: is 'stop'; allowed are detach, cancel"),
        ({"retries": -1}, "retries: is -1; allowed are whole numbers from 0 to 100"),
        ({"retries": 1.5}, "retries: is 1.5; allowed are whole numbers from 0 to 100"),
        ({"retries": math.nan}, "retries: is nan; allowed are whole numbers from 0 to 100"),
        ({"retries": 101}, "retries: is 101; allowed are whole numbers from 0 to 100"),
        ({"retry_on": ["Failed", "oom"]}, "retry_on[1]: is 'oom'; allowed are NotResponding, Failed, TimedOut"),
        ({"retry_on": []}, "retry_on: is empty; name some of NotResponding, Failed, TimedOut, or set retries to 0"),
    ],
)
def test_a_bad_policy_is_named(policy: dict[str, Any], told: str) -> None:
    """The value, and what is allowed."""
    assert tell(rules.find_policy_problems(**policy)) == [told]


def test_a_good_policy_passes() -> None:
    """As do the defaults."""
    assert rules.find_policy_problems() == []
    assert (
        rules.find_policy_problems(on_destroy="retain", on_interrupt="cancel", retries=100, retry_on=rules.RETRY_ON)
        == []
    )
