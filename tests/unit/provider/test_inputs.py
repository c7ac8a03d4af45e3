from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from aml_infra.backends import fake
from aml_infra.backends.base import Backend
from aml_infra.errors import BackendUnavailable
from aml_infra.provider import inputs
from aml_infra.provider.wire import UNKNOWN, Secret


def open_fake(name: str, options: Mapping[str, str]) -> Backend:
    """A fake with one image and two processors, whatever backend is asked for."""
    return fake.open_backend({"script": '{"images": {"image:1": "sha256:1"}, "cpus": 2}', **options})


@pytest.fixture
def given(tmp_path: pathlib.Path) -> dict[str, Any]:
    """The smallest inputs that are right."""
    (tmp_path / "train.py").write_text("x")
    return {"source": str(tmp_path), "command": ["python", "train.py"], "image": "image:1"}


def find_paths(given: Mapping[str, Any]) -> list[str]:
    """The paths of the problems of ``given``."""
    return [problem.path for problem in inputs.check(given, open_fake).problems]


def test_good_inputs_are_completed(given: dict[str, Any]) -> None:
    """The source's digest and files, and the image's digest, are added."""
    checked = inputs.check(given, open_fake)

    assert checked.problems == ()
    assert list(checked.values["sourceFiles"]) == ["train.py"]
    assert checked.values["imageIdentity"] == "sha256:1"
    assert inputs.read_spec("train", checked.values) is not None


def test_all_problems_are_told_at_once(given: dict[str, Any]) -> None:
    """Every property that is wrong is named in one check."""
    wrong = {
        **given,
        "source": given["source"] + "/nowhere",
        "command": [],
        "cpus": -1.0,
        "memoryGb": 1e9,
        "gpus": 1.5,
        "timeoutMinutes": 0.0,
        "onDestroy": "explode",
        "environmentVariables": {"1X": "y"},
        "sauce": "typo",
    }

    assert sorted(find_paths(wrong)) == [
        "command",
        "cpus",
        "environment_variables['1X']",
        "gpus",
        "memory_gb",
        "on_destroy",
        "sauce",
        "source",
        "timeout_minutes",
    ]


def test_what_the_compute_does_not_have_is_a_problem(given: dict[str, Any]) -> None:
    """More processors, or GPUs, than there are."""
    assert find_paths({**given, "cpus": 4.0, "gpus": 1.0}) == ["cpus", "gpus"]


def test_missing_properties_are_named() -> None:
    """None of them has a default."""
    assert find_paths({}) == ["source", "command", "image"]


def test_an_unknown_image_is_named(given: dict[str, Any]) -> None:
    """At preview, and not when the run starts."""
    assert find_paths({**given, "image": "image:2"}) == ["image"]


def test_an_unknown_backend_is_named_with_those_there_are(given: dict[str, Any]) -> None:
    """The message lists what is allowed."""
    (problem,) = inputs.check({**given, "backend": "dokcer"}, open_fake).problems

    assert "'dokcer'; allowed are docker, fake" in problem.message


def test_a_service_that_does_not_answer_is_a_problem(given: dict[str, Any]) -> None:
    """It is told with the others, and not as a crash."""

    def open_nothing(name: str, options: Mapping[str, str]) -> Backend:
        raise BackendUnavailable("no answer; start it")

    problems = inputs.check({**given, "command": []}, open_nothing).problems

    assert [problem.path for problem in problems] == ["command", "compute"]


def test_unknown_values_are_left_for_later(given: dict[str, Any]) -> None:
    """What is not known yet is neither checked nor part of a spec."""
    checked = inputs.check({**given, "image": UNKNOWN, "environmentVariables": {"A": UNKNOWN}}, open_fake)

    assert checked.problems == ()
    assert checked.values["imageIdentity"] is UNKNOWN
    assert inputs.read_spec("train", checked.values) is None


def test_a_known_identity_of_an_unknown_image_makes_a_fingerprint(given: dict[str, Any]) -> None:
    """So that preview knows the run before the image is built."""
    checked = inputs.check({**given, "image": UNKNOWN, "imageIdentity": "key"}, open_fake)
    spec = inputs.read_spec("train", checked.values)

    assert spec is not None
    assert spec.image_identity == "key"


def test_a_source_that_is_not_known_yet_is_left_for_later(given: dict[str, Any]) -> None:
    """Its files are not known either, and there is no spec yet."""
    checked = inputs.check({**given, "source": UNKNOWN}, open_fake)

    assert checked.problems == ()
    assert checked.values["sourceFiles"] is UNKNOWN
    assert inputs.read_spec("train", checked.values) is None


@pytest.mark.parametrize("options", [{"data_folder": UNKNOWN}, UNKNOWN])
def test_a_place_that_is_not_known_yet_is_left_for_later(given: dict[str, Any], options: Any) -> None:
    """The image is identified when it is known where."""
    checked = inputs.check({**given, "backendOptions": options}, open_fake)

    assert checked.values["imageIdentity"] is UNKNOWN


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"source": " "}, "source"),
        ({"image": ""}, "image"),
        ({"gpus": math.inf}, "gpus"),
        ({"gpus": math.nan}, "gpus"),
        ({"backendOptions": {"data_folder": "relative"}}, "backend_options.data_folder"),
    ],
)
def test_empty_endless_and_relative_values_are_named(given: dict[str, Any], change: dict[str, Any], path: str) -> None:
    """Each is a problem with its path, and not a crash."""
    assert find_paths({**given, **change}) == [path]


def test_a_secret_image_stays_one(given: dict[str, Any]) -> None:
    """It is checked as it is, and wrapped in what goes back to the engine."""
    checked = inputs.check({**given, "image": Secret("image:1")}, open_fake)
    spec = inputs.read_spec("train", checked.values)

    assert checked.values["image"] == Secret("image:1")
    assert spec is not None
    assert (spec.image, spec.image_identity) == ("image:1", "sha256:1")


def test_secrets_are_refused_where_they_would_show(given: dict[str, Any]) -> None:
    """A secret environment variable would be in the run's record."""
    wrong = {**given, "environmentVariables": {"TOKEN": Secret("hunter2")}}

    (problem,) = inputs.check(wrong, open_fake).problems

    assert problem.path == "environment_variables"
    assert "hunter2" not in problem.message
