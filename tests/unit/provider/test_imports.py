from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from aml_infra.backends import fake
from aml_infra.backends.base import Backend
from aml_infra.provider import diff, imports, inputs, shapes, wire
from aml_infra.provider.wire import Secret


def open_fake(name: str, options: Mapping[str, str]) -> Backend:
    """A fake, whatever backend is asked for."""
    return fake.open_backend({})


@pytest.fixture
def given(tmp_path: pathlib.Path) -> dict[str, Any]:
    """The smallest inputs that are right, beside a folder ``pets`` with data."""
    for folder in ("src", "pets"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("x")
    return {"source": str(tmp_path / "src"), "command": ["python", "train.py"], "image": "image:1"}


def check(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine keeps of right inputs."""
    checked = inputs.check(given, open_fake)
    assert checked.problems == ()
    return wire.decode(wire.encode(checked.values))


def describe(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a record or a label keeps of checked inputs."""
    spec = inputs.read_spec("train", values)
    assert spec is not None
    return dict(json.loads(json.dumps(spec.describe())))


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"onDestroy": "cancel", "onInterrupt": "detach"},
        {"environmentVariables": {"A": "1", "TOKEN": Secret("hunter2")}},
        {"environmentVariables": Secret({"TOKEN": "hunter2"})},
        {"parameters": {"lr": 0.01, "epochs": 3, "fast": True, "name": "x", "empty": ""}},
        {"inputs": {"pets": {"path": "PETS"}, "file": {"path": "PETS/file"}}},
        {"inputs": {"labels": {"path": "s3://bucket/labels.csv", "version": "3"}}},
        {"inputs": {"pets": {"path": "PETS", "mode": "download"}}},
        {"inputs": {"labels": {"path": "azureml:labels:3", "version": "3", "type": "file", "mode": "mount"}}},
        {"command": ["python", "${{inputs.pets}}"], "inputs": {"pets": {"path": "PETS"}}},
        {"outputs": {"model": {}, "log": {"path": "azureml://datastores/a/paths/b", "mode": "upload"}}},
        {"identity": "managed"},
        {"distribution": {"workers": 2}},
        {"distribution": {"workers": 1}},
        {"distribution": {"workers": 2, "framework": "tensorflow"}},
        {"distribution": {"workers": 1, "framework": "mpi", "processesPerWorker": 4}},
        {"triggers": {"again": "1"}},
        {"cpus": 1.5, "memoryGb": 2, "timeoutMinutes": 30},
        {"gpus": 0},
        {"experiment": "pets"},
        {"experiment": "Default", "displayName": "Pets", "tags": {"cost": "7"}},
        {"imageIdentity": "key", "imageParts": {"Dockerfile": "1"}},
        {"allowSecrets": ["*.pem"]},
    ],
)
def test_what_a_user_writes_of_an_imported_run_is_no_change(
    given: dict[str, Any], tmp_path: pathlib.Path, written: dict[str, Any]
) -> None:
    """The program that made a run can be imported into another stack, and the next `up` has nothing to do."""
    text = json.dumps(wire.reveal(written)).replace("PETS", str(tmp_path / "pets"))
    filled = {key: written[key] if wire.has_secret(written[key]) else value for key, value in json.loads(text).items()}
    values = check({**given, **filled})

    imported = wire.decode(wire.encode(imports.build_inputs(describe(values))))

    assert diff.compare(imported, values, "Completed") == {}
    assert describe(imported) == {**describe(values), "inputs": describe(imported)["inputs"]}


def test_an_imported_run_is_the_same_run(given: dict[str, Any], tmp_path: pathlib.Path) -> None:
    """Its inputs give its fingerprint, so that the state finds it again; all of them are properties that there are."""
    data = {"pets": {"path": str(tmp_path / "pets")}, "labels": {"path": "s3://bucket/x", "version": "3"}}
    variables = {"A": "1", "TOKEN": Secret("hunter2")}
    values = check({**given, "inputs": data, "environmentVariables": variables, "parameters": {"lr": 0.01}})
    spec = inputs.read_spec("train", values)

    imported = imports.build_inputs(describe(values))
    again = inputs.read_spec("train", imported)

    assert spec is not None
    assert again is not None
    assert again.fingerprint == spec.fingerprint
    assert again.inputs == spec.inputs
    assert set(imported) - {"sourceDigest", "inputDigests"} <= set(shapes.SHAPES)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"command": ["other"]}, "command"),
        ({"parameters": {"lr": 0.02}}, "parameters"),
        ({"environmentVariables": {"TOKEN": Secret("hunter2")}}, "environmentVariables"),
        ({"inputs": {"labels": {"path": "s3://bucket/x", "version": "3"}}}, "inputFiles"),
    ],
)
def test_what_would_be_another_run_is_a_change(given: dict[str, Any], change: dict[str, Any], path: str) -> None:
    """As with any state."""
    imported = imports.build_inputs(describe(check(given)))

    changes = diff.compare(imported, check({**given, **change}), "Completed")

    assert [(found, changed.replaces) for found, changed in changes.items()] == [(path, True)]


def test_a_source_that_changed_since_is_a_change(given: dict[str, Any]) -> None:
    """The imported run has no summary of its files, so that the property is named as a whole."""
    imported = imports.build_inputs(describe(check(given)))
    (pathlib.Path(given["source"]) / "file").write_text("y")

    assert list(diff.compare(imported, check(given), "Completed")) == ["sourceFiles"]


def test_a_run_of_before_its_spec_was_kept_has_no_inputs() -> None:
    """The engine then keeps what the user writes."""
    assert imports.build_inputs({}) == {}


def test_a_record_of_an_earlier_release_can_be_imported(given: dict[str, Any]) -> None:
    """There were no secrets, parameters, inputs and workers yet, or only workers of one kind."""
    values = check({**given, "triggers": {"again": "1"}})
    described = describe(values)
    for key in imports.FORMER:
        del described[key]

    assert diff.compare(imports.build_inputs(described), values, "Completed") == {}
