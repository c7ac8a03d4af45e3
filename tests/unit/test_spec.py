from __future__ import annotations

import dataclasses
import json

import pytest

from aml_infra import spec as specs
from aml_infra.spec import Resources, RunInput, RunOutput, RunSpec

SPEC = RunSpec(
    name="train",
    source_digest="s" * 64,
    command=("python", "train.py"),
    image="image:1",
    image_identity="sha256:1",
    environment={"A": "1", "B": "2"},
)
FULL = dataclasses.replace(
    SPEC,
    secrets={"TOKEN": "hunter2"},
    parameters={"lr": "0.01"},
    inputs={
        "pets": RunInput(path="/data/pets", version="d" * 64),
        "labels": RunInput(path="https://data.example/labels.csv", version="3"),
    },
    workers=2,
    triggers={"again": "1"},
)
WRITING = dataclasses.replace(SPEC, outputs={"model": RunOutput(path="azureml://datastores/a/paths/b")})


def test_fingerprint_is_pinned() -> None:
    """A release that changed this would train everything again everywhere."""
    assert SPEC.fingerprint == "55893f57dcc8b804b53b263f82281ac9b76aa72a6479b5705f84ae3c5fd78ece"
    assert SPEC.run_id == f"train-{SPEC.fingerprint[:12]}"


def test_fingerprint_of_a_run_with_everything_is_pinned() -> None:
    """Nor may what secrets, parameters, inputs and workers add to it change."""
    assert FULL.fingerprint == "84a0bb907e4a73756e650aa087561d53ea77880da07d55515772ea16a4e6a765"
    assert WRITING.fingerprint == "22c9785c8cb09e5fe59e1ce501014839b709bdb3d3419422d6bf70a6598705b6"


def test_where_an_output_goes_is_another_run_and_how_is_not() -> None:
    """What was trained is to be in the place that was asked for, however it comes there."""
    output = WRITING.outputs["model"]

    assert dataclasses.replace(WRITING, outputs={"model": RunOutput()}).fingerprint != WRITING.fingerprint
    assert dataclasses.replace(WRITING, outputs={"other": output}).fingerprint != WRITING.fingerprint
    uploaded = {"model": dataclasses.replace(output, mode="upload")}
    assert dataclasses.replace(WRITING, outputs=uploaded).fingerprint == WRITING.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"source_digest": "t" * 64},
        {"command": ("python", "train.py", "--lr=1")},
        {"image_identity": "sha256:2"},
        {"environment": {"A": "1"}},
        {"triggers": {"again": "2"}},
        {"parameters": {"lr": "0.02"}},
        {"parameters": {"rate": "0.01"}},
        {"parameters": {}},
        {"inputs": {**FULL.inputs, "pets": RunInput(path="/data/pets", version="e" * 64)}},
        {"inputs": {**FULL.inputs, "labels": RunInput(path="https://data.example/labels.csv", version="4")}},
        {"inputs": {**FULL.inputs, "labels": RunInput(path="https://data.example/other.csv", version="3")}},
        {"inputs": {"cats": FULL.inputs["pets"], "labels": FULL.inputs["labels"]}},
        {"inputs": {}},
        {"secrets": {"PASSWORD": "hunter2"}},
        {"secrets": {}},
        {"secrets": {}, "environment": {"A": "1", "B": "2", "TOKEN": "hunter2"}},
        {"workers": 3},
        {"workers": 1},
        {"framework": "mpi"},
        {"framework": "tensorflow"},
        {"processes_per_worker": 2},
    ],
)
def test_fingerprint_changes_with_what_can_change_the_result(change: dict[str, object]) -> None:
    """Each part of the identity makes another fingerprint."""
    assert dataclasses.replace(FULL, **change).fingerprint != FULL.fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"image": "image:2"},
        {"resources": Resources(cpus=2, memory_gb=4, gpus=1)},
        {"timeout_minutes": 5},
        {"experiment": "other"},
        {"display_name": "other"},
        {"tags": {"a": "b"}},
        {"environment": {"B": "2", "A": "1"}},
        {"secrets": {"TOKEN": "another"}},
        {"inputs": {**FULL.inputs, "pets": RunInput(path="/home/me/pets", version="d" * 64)}},
        {"inputs": dict(sorted(FULL.inputs.items(), reverse=True))},
        {
            "inputs": {
                name: dataclasses.replace(given, type="file", mode="download") for name, given in FULL.inputs.items()
            }
        },
    ],
)
def test_fingerprint_ignores_what_cannot(change: dict[str, object]) -> None:
    """Neither size, names, tags, timeouts nor order count; nor values of secrets, nor where local data lies."""
    assert dataclasses.replace(FULL, **change).fingerprint == FULL.fingerprint  # type: ignore[arg-type]


def test_a_spec_does_not_print_its_secrets() -> None:
    """A message or a traceback with a spec in it holds no value of a secret."""
    assert "hunter2" not in repr(FULL)


def test_the_description_is_json_and_holds_no_secret_value() -> None:
    """It goes into records and labels, and must come back as it was."""
    described = FULL.describe()

    assert json.loads(json.dumps(described)) == described
    assert "hunter2" not in json.dumps(described)
    assert (described["secrets"], described["command"]) == (["TOKEN"], ["python", "train.py"])
    assert set(described) == {field.name for field in dataclasses.fields(RunSpec)}


@pytest.mark.parametrize(
    ("path", "is_local"),
    [
        ("/data/pets", True),
        ("data/pets", True),
        ("C:\\data", True),
        ("C:/data", True),
        ("./a:b", True),
        ("https://data.example/pets", False),
        ("s3://bucket/pets", False),
        ("azureml:pets:3", False),
        ("file:///data", False),
    ],
)
def test_a_uri_is_told_from_a_path(path: str, is_local: bool) -> None:
    """One letter before the colon is a drive of Windows; a colon behind a slash is part of a name."""
    assert RunInput(path=path, version="").is_local is is_local


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.01, "0.01"),
        (1e-5, "1e-05"),
        (2.0**53, "9007199254740992"),
        (1e300, "1e+300"),
        ("1.0", "1.0"),
        ("", ""),
    ],
)
def test_parameters_are_written_as_short_as_they_can_be(value: str | float, text: str) -> None:
    """The engine has no whole numbers, so that 1 and 1.0 must be the same text; text stays as it is."""
    assert specs.format_parameter(value) == text


def test_a_parameter_reads_back_as_the_same_number() -> None:
    """However short it is written, nothing of a number is lost."""
    for number in (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.125):
        assert float(specs.format_parameter(number)) == number


@pytest.mark.parametrize(
    ("command", "parameters", "built"),
    [
        (("python", "train.py"), {}, ["python", "train.py"]),
        (("train",), {"lr": "0.01", "epochs": "3"}, ["train", "--epochs=3", "--lr=0.01"]),
        (("train", "-r", "${{parameters.lr}}"), {"lr": "0.01", "b": "1"}, ["train", "-r", "0.01", "--b=1"]),
        (("train", "a=${{ parameters.a }},b=${{parameters.b}}"), {"a": "1", "b": "2"}, ["train", "a=1,b=2"]),
        (("train", "--lr=${{parameters.learning-rate}}"), {"learning-rate": "1"}, ["train", "--lr=1"]),
        (("train", "${{parameters.opt.lr}}"), {"opt.lr": "1"}, ["train", "1"]),
        (("train", "${{inputs.pets}}/train"), {}, ["train", "/inputs/pets/train"]),
        (("train", "--out=${{outputs.model}}"), {}, ["train", "--out=/outputs/model"]),
        (("train", "${{inputs.pets}}"), {"pets": "5"}, ["train", "/inputs/pets", "--pets=5"]),
        (("train", "${{parameters.a}}"), {"a": "${{inputs.pets}} \\1"}, ["train", "${{inputs.pets}} \\1"]),
        (("echo", "$HOME ${x} {{inputs.pets}}"), {}, ["echo", "$HOME ${x} {{inputs.pets}}"]),
    ],
)
def test_the_command_is_completed(command: tuple[str, ...], parameters: dict[str, str], built: list[str]) -> None:
    """Placeholders are replaced, once; parameters that have none are appended, sorted; other text stays as it is."""
    spec = dataclasses.replace(SPEC, command=command, parameters=parameters)

    assert specs.build_command(spec, {"pets": "/inputs/pets"}, {"model": "/outputs/model"}) == built


def test_variables_of_a_run() -> None:
    """What every backend gives a run: no secret, and the user's own come last."""
    spec = dataclasses.replace(FULL, environment={"A": "1", "PYTHONUNBUFFERED": "0"}, experiment="pets")

    assert specs.build_variables(spec, 2, {"pets": "/inputs/pets"}, {"model": "/outputs/model"}) == {
        "PYTHONUNBUFFERED": "0",
        "AML_INFRA_RUN_ID": spec.run_id,
        "AML_INFRA_ATTEMPT": "2",
        "MLFLOW_EXPERIMENT_NAME": "pets",
        "AML_INFRA_INPUT_pets": "/inputs/pets",
        "AML_INFRA_OUTPUT_model": "/outputs/model",
        "A": "1",
    }


def test_one_process_has_no_framework() -> None:
    """It finds nobody, so that the fingerprint is that of a run which is not distributed; two on one node do."""
    alone = dataclasses.replace(FULL, workers=1)

    assert dataclasses.replace(alone, framework="mpi").fingerprint == alone.fingerprint
    two = dataclasses.replace(alone, processes_per_worker=2)
    assert dataclasses.replace(two, framework="mpi").fingerprint != two.fingerprint != alone.fingerprint
    assert (alone.processes, two.processes, dataclasses.replace(two, workers=3).processes) == (1, 2, 6)


def test_variables_of_a_worker_of_tensorflow() -> None:
    """As the service writes them: every worker, and which of them it is."""
    variables = specs.build_worker_variables("tensorflow", 1, ["worker-0", "worker-1"], 29500)

    assert list(variables) == ["TF_CONFIG"]
    assert json.loads(variables["TF_CONFIG"]) == {
        "cluster": {"worker": ["worker-0:29500", "worker-1:29500"]},
        "task": {"type": "worker", "index": 1},
        "environment": "cloud",
    }


def test_variables_of_a_worker() -> None:
    """All that ``torch.distributed`` reads, for one process per worker."""
    assert specs.build_worker_variables("pytorch", 1, ["worker-0", "worker-1"], 29500) == {
        "RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "NODE_RANK": "1",
        "MASTER_ADDR": "worker-0",
        "MASTER_PORT": "29500",
    }
