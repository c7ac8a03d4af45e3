"""The table of bad arguments, and that it has whatever there is."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

import pytest

import aml_infra
from aml_infra import arguments
from aml_infra.components.validation import Machine
from tests.unit.components import good_arguments
from tests.unit.components.bad_arguments import LONG, ROWS
from tests.unit.components.engine import Engine

CASES = [
    pytest.param(class_, field, value, told, id=f"{class_.__name__}.{field}-{index}")
    for class_, fields in ROWS.items()
    for field, rows in fields.items()
    for index, (value, told) in enumerate(rows)
]


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with what good arguments refer to."""
    good_arguments.write_files(tmp_path)
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    return tmp_path


def tell(engine: Engine, args: Any, folder: pathlib.Path) -> list[str]:
    """The problems of arguments, or of those that they are a part of."""
    found: list[aml_infra.Problem] = []

    def look() -> None:
        whole = good_arguments.put_in_place(args, folder)
        if isinstance(whole, aml_infra.TrainingRunArgs):
            # Whatever else is wrong with these, the plugin tells.
            found.extend(arguments.find_type_problems(whole))
        else:
            found.extend(whole.find_problems(Machine()))

    engine.run(look)
    places = {str(folder): "{folder}", LONG: "…", f"{os.getcwd()}/": "{here}/", os.getcwd(): "{here}"}
    told = [str(problem) for problem in found]
    for place, name in places.items():
        told = [text.replace(place, name) for text in told]
    return told


@pytest.mark.parametrize("class_", good_arguments.CLASSES, ids=lambda class_: class_.__name__)
def test_good_arguments_have_no_problem(engine: Engine, folder: pathlib.Path, class_: Any) -> None:
    """What is told of a bad one is of the bad value only."""
    assert tell(engine, good_arguments.build(class_, folder), folder) == []


@pytest.mark.parametrize(("class_", "field", "value", "told"), CASES)
def test_a_bad_argument_is_told(
    engine: Engine, folder: pathlib.Path, class_: Any, field: str, value: Any, told: str | list[str]
) -> None:
    """With its path, in a user's words, and nothing besides; no resource is made."""
    args = dataclasses.replace(good_arguments.build(class_, folder), **{field: value})

    assert tell(engine, args, folder) == ([told] if isinstance(told, str) else told)
    assert engine.resources == []


def test_each_public_class_is_in_the_table() -> None:
    """So is what ``Registry.external`` is given. Errors and their problems are nothing that a user gives."""
    public = [getattr(aml_infra, name) for name in aml_infra.__all__]
    given = {each for each in public if dataclasses.is_dataclass(each)} - {aml_infra.Problem}

    assert given <= set(good_arguments.CLASSES)
    assert set(ROWS) == set(good_arguments.CLASSES)


@pytest.mark.parametrize("class_", good_arguments.CLASSES, ids=lambda class_: class_.__name__)
def test_each_field_has_a_row_with_a_value_of_the_wrong_type(class_: Any, folder: pathlib.Path) -> None:
    """Whoever adds an argument adds what is told of bad ones."""
    good = good_arguments.build(class_, folder)
    missing = [
        field.name
        for field in dataclasses.fields(class_)
        if not any(
            arguments.find_type_problems(dataclasses.replace(good, **{field.name: value}))
            for value, _ in ROWS[class_].get(field.name, [])
        )
    ]

    assert missing == []
    assert list(ROWS[class_]) == [field.name for field in dataclasses.fields(class_)]


def test_all_bad_arguments_of_a_class_are_told_at_once(engine: Engine, folder: pathlib.Path) -> None:
    """One of the wrong type hides none that is out of range, and makes no other argument look wrong."""
    job = dataclasses.replace(
        good_arguments.build(aml_infra.TrainingJobArgs, folder),
        source=5,
        command=["python", "${{inputs.data}}"],
        image=None,
        compute="docker",
        inputs={"data": 5},
        cpus="2",
        memory_gb=-1,
        retries=101,
        wait="no",
    )

    assert [text.partition(":")[0] for text in tell(engine, job, folder)] == [
        "source",
        "image",
        "compute",
        "inputs['data']",
        "cpus",
        "wait",
        "memory_gb",
        "retries",
    ]


def test_a_compute_target_of_the_wrong_types_is_told_by_itself(engine: Engine, folder: pathlib.Path) -> None:
    """What its arguments would say of a job means nothing."""
    cluster = dataclasses.replace(good_arguments.build(aml_infra.GpuClusterArgs, folder), max_nodes="many")
    job = dataclasses.replace(good_arguments.build(aml_infra.TrainingJobArgs, folder), compute=cluster)

    assert tell(engine, job, folder) == []
    assert tell(engine, cluster, folder) == ["max_nodes: is 'many', a str; allowed is a whole number"]
