from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from google.protobuf import struct_pb2

from aml_infra.provider import schema, shapes
from aml_infra.provider.wire import UNKNOWN, Foreign, Secret
from aml_infra.training_run import TrainingRunArgs

GIVEN: dict[str, Any] = {"source": "/src", "command": ["python"], "image": "image:1"}
EXAMPLES: dict[str, list[Any]] = {
    "a list of texts": [[], ["a"], ["a", UNKNOWN]],
    "a map of texts": [{}, {"a": "b"}, {"a": UNKNOWN}],
    "a number": [1, 1.5, -1],
    "text": ["", "a"],
    "True or False": [True, False],
    "a map of texts, numbers and truth values": [{}, {"a": 1, "b": 0.5, "c": True, "d": "x", "e": UNKNOWN}],
    "a map of DataInput(path, version, type, mode)": [
        {},
        {"a": {"path": "/a"}, "b": {"path": UNKNOWN, "version": UNKNOWN}, "c": UNKNOWN},
        {"a": {"path": "/a", "version": None}},
        {"a": {"path": "s3://a", "version": "1", "type": "file", "mode": UNKNOWN}},
    ],
    "a map of DataOutput(path, mode)": [
        {},
        {"a": {}, "b": {"path": UNKNOWN, "mode": UNKNOWN}, "c": UNKNOWN},
        {"a": {"path": None, "mode": "upload"}},
    ],
    "Distribution(workers, framework, processes_per_worker)": [
        {"workers": 2},
        {"workers": UNKNOWN},
        {"workers": 2, "framework": "mpi", "processesPerWorker": UNKNOWN},
        {"workers": 2, "framework": None, "processesPerWorker": None},
    ],
}
ODD: dict[str, list[Any]] = {
    "a list of texts": ["a", [1], {"a": "b"}, [None], [["a"]]],
    "a map of texts": ["a", ["a"], {"a": 1}, {"a": True}, {"a": {"b": "c"}}],
    "a number": ["1", True, [1]],
    "text": [1, True, ["a"], {"a": "b"}],
    "True or False": ["true", 1, 0.0, [True]],
    "a map of texts, numbers and truth values": ["a", [1], {"a": None}, {"a": [1]}, {"a": {}}],
    "a map of DataInput(path, version, type, mode)": [
        "/a",
        ["/a"],
        {"a": "/a"},
        {"a": {}},
        {"a": {"version": "1"}},
        {"a": {"path": 1}},
        {"a": {"path": "/a", "version": 1}},
        {"a": {"path": "/a", "type": 1}},
        {"a": {"path": "/a", "mode": ["mount"]}},
        {"a": {"path": "/a", "sauce": "x"}},
    ],
    "a map of DataOutput(path, mode)": ["/a", ["a"], {"a": "/a"}, {"a": {"path": 1}}, {"a": {"type": "folder"}}],
    "Distribution(workers, framework, processes_per_worker)": [
        2,
        {},
        {"workers": "2"},
        {"workers": True},
        {"workers": 2, "kind": "mpi"},
        {"workers": 2, "framework": 1},
        {"workers": 2, "processesPerWorker": "2"},
    ],
}


def find(**changes: Any) -> list[str]:
    """The problems of good inputs with ``changes``, as the user reads them."""
    return [str(problem) for problem in shapes.find_problems({**GIVEN, **changes})]


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, shape in shapes.SHAPES.items() for value in EXAMPLES[shape.words]]
)
def test_values_of_the_right_kind_pass(key: str, value: Any) -> None:
    """Each property takes what its kind says, also where parts of it are not known yet."""
    assert find(**{key: value}) == []


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, shape in shapes.SHAPES.items() for value in ODD[shape.words]]
)
def test_values_of_another_kind_are_named(key: str, value: Any) -> None:
    """With the property as Python users write it, what was given and what to give."""
    told = f"{shapes.to_snake_case(key)}: is a {type(value).__name__} that does not fit; give "

    assert find(**{key: value}) == [told + shapes.SHAPES[key].words]


@pytest.mark.parametrize("key", [key for key in shapes.SHAPES if key not in shapes.REQUIRED])
@pytest.mark.parametrize("value", [None, UNKNOWN])
def test_what_is_left_out_or_not_known_yet_passes(key: str, value: Any) -> None:
    """There is nothing to say about it yet."""
    assert find(**{key: value}) == []


@pytest.mark.parametrize("key", shapes.REQUIRED)
def test_what_must_be_there_is_named(key: str) -> None:
    """None of them has a default; one that is not known yet is there."""
    assert find(**{key: None}) == [f"{key}: is missing"]
    assert find(**{key: UNKNOWN}) == []


def test_another_property_is_named_with_those_there_are() -> None:
    """As Python users write them; the engine's own are none of the user's."""
    (told,) = find(memoryGB=2, __defaults=[])

    assert told.startswith("memory_g_b: is not a property; allowed are source, command, image, image_identity, ")
    assert " memory_gb, " in told


@pytest.mark.parametrize("key", [key for key in shapes.SHAPES if key not in shapes.MAY_BE_SECRET])
def test_a_secret_where_none_may_be_is_named_and_not_shown(key: str) -> None:
    """It would be in the run's record; also where it is a part of the value."""
    told = f"{shapes.to_snake_case(key)}: is a secret, and would be shown in the run's record; "

    assert find(**{key: Secret("hunter2")}) == [told + "give a value that is not one"]
    assert find(**{key: {"a": Secret("hunter2")}}) == [told + "give a value that is not one"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image", Secret("image:1")),
        ("imageIdentity", Secret("sha256:1")),
        ("environmentVariables", Secret({"A": "1"})),
        ("environmentVariables", {"A": Secret("1"), "B": "2", "C": Secret(UNKNOWN)}),
        ("environmentVariables", Secret(UNKNOWN)),
    ],
)
def test_a_secret_may_be_what_is_not_recorded(key: str, value: Any) -> None:
    """Variables whole or one by one, and an image whose name was made from a secret."""
    assert find(**{key: value}) == []


@pytest.mark.parametrize("value", [Secret("hunter2"), {"A": Secret(1)}])
def test_a_secret_of_another_kind_is_not_shown(value: Any) -> None:
    """Only what it should have been."""
    (told,) = find(environmentVariables=value)

    assert "hunter2" not in told
    assert told.endswith("give a map of texts")


def test_every_property_of_the_user_has_a_shape_and_is_in_the_schema() -> None:
    """In the order of the class; what is missing in one of the three would be lost or refused."""
    described = json.loads(schema.build_schema("1.0.0"))["resources"]["aml-infra:index:TrainingRun"]
    fields = {field.name for field in dataclasses.fields(TrainingRunArgs)}

    assert {shapes.to_snake_case(key) for key in shapes.SHAPES} == fields
    assert set(described["inputProperties"]) == set(shapes.SHAPES)
    assert described["requiredInputs"] == list(shapes.REQUIRED)


def test_an_asset_is_no_text() -> None:
    """Other languages may send one, and it is told as what it is."""
    (problem,) = shapes.find_problems({**GIVEN, "source": Foreign(struct_pb2.Struct())})

    assert str(problem) == "source: is an asset, an archive or a resource that does not fit; give text"
