from __future__ import annotations

from typing import Any

import pytest

from aml_infra.provider import explanation
from aml_infra.provider.wire import UNKNOWN, Secret

INPUTS: dict[str, Any] = {
    "source": "/a",
    "sourceDigest": "d1",
    "sourceFiles": {"train.py": "1", "lib/a.py": "1", "lib/b.py": "1"},
    "command": ["python", "train.py"],
    "image": "image:1",
    "imageIdentity": "sha256:1",
    "imageParts": {"Dockerfile": "1", "context/a.py": "1"},
    "environmentVariables": {"MODE": "fast", "TOKEN": Secret("hunter2")},
    "parameters": {"lr": 0.01, "epochs": 3.0},
    "triggers": {"data": "1"},
    "inputDigests": {"pets": "1"},
    "inputFiles": {"pets": {"cat.jpg": "1", "dog.jpg": "1"}},
}


def explain(**changes: Any) -> str:
    """What ``changes`` are in words."""
    return explanation.explain(INPUTS, {**INPUTS, **changes})


def change_files(**files: str) -> dict[str, Any]:
    """Another source: ``files`` are laid over it, those with an empty hash are removed."""
    laid = {**INPUTS["sourceFiles"], **{name.replace("__", "/"): digest for name, digest in files.items()}}
    return {"sourceDigest": "d2", "sourceFiles": {name: digest for name, digest in laid.items() if digest}}


def test_a_file_and_a_parameter_in_words() -> None:
    """What changed in the code, and then in what it is given."""
    source = {"sourceDigest": "d2", "sourceFiles": {**INPUTS["sourceFiles"], "train.py": "2"}}

    assert explain(**source, parameters={"lr": 0.02, "epochs": 3.0}) == "train.py changed; lr 0.01 -> 0.02"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"source": "/b", "image": "image:2", "cpus": 4.0, "tags": {"a": "b"}, "imageParts": {}}, ""),
        ({"sourceDigest": "d2"}, ""),
        ({"sourceDigest": "d2", "sourceFiles": UNKNOWN}, "source changed"),
        ({"command": ["python", "eval.py"]}, 'command "python train.py" -> "python eval.py"'),
        ({"parameters": {"lr": 0.01, "epochs": 4.0}}, "epochs 3 -> 4"),
        ({"parameters": {"lr": 0.01}}, "epochs removed"),
        ({"parameters": {"lr": 0.01, "epochs": 3.0, "seed": 1.0}}, "seed added"),
        ({"parameters": {"lr": 0.01, "epochs": UNKNOWN}}, "epochs 3 -> (not known yet)"),
        ({"parameters": {"lr": "", "epochs": 3.0}}, 'lr 0.01 -> ""'),
        ({"imageIdentity": "sha256:2"}, "image changed"),
        (
            {"imageIdentity": "sha256:2", "imageParts": {"Dockerfile": "2", "context/a.py": "1"}},
            "image: Dockerfile changed",
        ),
        (
            {"imageIdentity": "sha256:2", "imageParts": {"Dockerfile": "2", "context/b.py": "1"}},
            "image: Dockerfile changed, context/a.py removed, context/b.py added",
        ),
        ({"outputs": {"model": {}}}, "output model added"),
        ({"distribution": {"workers": 2.0}}, "workers 1 -> 2"),
        (
            {"distribution": {"workers": 1.0, "framework": "mpi", "processesPerWorker": 2.0}},
            "framework pytorch -> mpi; processes_per_worker 1 -> 2",
        ),
        ({"distribution": UNKNOWN}, ""),
        ({"triggers": {"data": "2"}}, "trigger data 1 -> 2"),
        ({"backend": "fake"}, "backend docker -> fake"),
        ({"backendOptions": {"data_folder": "/x"}}, "backend option data_folder added"),
        ({"backendOptions": {"compute_name": "large"}}, ""),
        ({"backendOptions": {"kubeconfig": "/x", "queue": "idle"}}, ""),
        ({"environmentVariables": {"MODE": "slow mode", "TOKEN": Secret("x")}}, 'variable MODE fast -> "slow mode"'),
    ],
)
def test_each_kind_of_change_in_words(changes: dict[str, Any], words: str) -> None:
    """What makes another run is told; what does not is not."""
    assert explain(**changes) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputDigests": {"pets": "2"}, "inputFiles": {"pets": {"cat.jpg": "2", "dog.jpg": "1"}}}, "cat.jpg changed"),
        ({"inputDigests": {"pets": "2"}, "inputFiles": {"pets": {"dog.jpg": "1"}}}, "cat.jpg removed"),
    ],
)
def test_files_of_an_input_in_words(changes: dict[str, Any], words: str) -> None:
    """Under its name."""
    assert explain(**changes) == f"input pets: {words}"


def test_inputs_in_words() -> None:
    """Those that came, those that went, and those that nothing is known of yet."""
    cats = {"inputDigests": {"cats": "1"}, "inputFiles": {"cats": {"a": "1"}}}

    assert explain(**cats) == "input cats added; input pets removed"
    assert explain(inputDigests=UNKNOWN, inputFiles=UNKNOWN) == "inputs changed"
    assert explain(inputDigests={"pets": UNKNOWN}, inputFiles={"pets": UNKNOWN}) == "input pets: changed"


def test_a_uri_in_words() -> None:
    """Its new version, or its new place."""
    old = {**INPUTS, "inputDigests": {"x": "s3://a 1"}, "inputFiles": {"x": {"s3://a": "1"}}}
    newer = {**INPUTS, "inputDigests": {"x": "s3://a 2"}, "inputFiles": {"x": {"s3://a": "2"}}}
    moved = {**INPUTS, "inputDigests": {"x": "s3://b 1"}, "inputFiles": {"x": {"s3://b": "1"}}}

    assert explanation.explain(old, newer) == "input x: s3://a changed"
    assert explanation.explain(old, moved) == "input x: s3://a removed, s3://b added"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.py": "1", "b.py": "1", "c.py": "1"}, "a.py added; b.py added; c.py added"),
        (
            {"train.py": "", "lib__a.py": "", "lib__b.py": "", "x.py": "1"},
            "lib/ (2 changed); train.py removed; x.py added",
        ),
        (
            {f"lib__{number}.py": "1" for number in range(9)} | {"train.py": "2"},
            "lib/ (9 changed); train.py changed",
        ),
        (
            {f"{folder}__{number}.py": "1" for folder in "abcde" for number in range(2)},
            "a/ (2 changed); b/ (2 changed); c/ (2 changed); 4 more files",
        ),
    ],
)
def test_many_files_are_folded(files: dict[str, str], words: str) -> None:
    """Few are told one by one, more by their folders, and of many folders the rest is counted."""
    assert explain(**change_files(**files)) == words


def test_values_are_cut() -> None:
    """A sentence is for a person; the diff has the whole of it."""
    told = explain(triggers={"data": "x" * 1000}, command=["python", "y" * 1000])

    assert told == f'command "python train.py" -> "python {"y" * 52}...; trigger data 1 -> {"x" * 60}...'


def test_many_changes_are_counted() -> None:
    """The first of them are told."""
    told = explain(parameters={f"p{number}": 1.0 for number in range(20)})

    assert told.split("; ") == [
        "epochs removed",
        "lr removed",
        "p0 added",
        "p1 added",
        "p10 added",
        "p11 added",
        "p12 added",
        "and 15 more changes",
    ]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"MODE": "fast", "TOKEN": Secret("swordfish")}, ""),
        ({"MODE": "fast"}, "variable TOKEN removed"),
        ({"MODE": "fast", "TOKEN": Secret("hunter2"), "KEY": Secret("swordfish")}, "variable KEY added"),
        ({"MODE": Secret("swordfish"), "TOKEN": Secret("hunter2")}, "variable MODE changed"),
        ({"MODE": "fast", "TOKEN": "public"}, "variable TOKEN changed"),
        (Secret(UNKNOWN), ""),
    ],
)
def test_secrets_are_never_shown(variables: Any, words: str) -> None:
    """Neither what they are, nor what one was before it became a secret."""
    assert explain(environmentVariables=variables) == words


def test_a_first_run_has_everything_added() -> None:
    """The sentence is short all the same, and no crash."""
    told = explanation.explain({}, INPUTS)

    assert told.startswith("source changed; command added; epochs added; lr added; input pets added; image changed; ")
    assert told.endswith("; variable MODE added; and 2 more changes")
    assert "hunter2" not in told
