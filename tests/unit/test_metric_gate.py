from __future__ import annotations

import pytest

from aml_infra import metric_gate
from aml_infra.errors import Problem
from aml_infra.metric_gate import Requirement


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("accuracy >= 0.9", Requirement("accuracy", ">=", 0.9)),
        ("loss<1", Requirement("loss", "<", 1)),
        ("  val/loss <= -1.5e-3 ", Requirement("val/loss", "<=", -0.0015)),
        ("f1 score > .5", Requirement("f1 score", ">", 0.5)),
        ("top-5.acc > +1.", Requirement("top-5.acc", ">", 1)),
        ("eval:accuracy >= 1", Requirement("eval:accuracy", ">=", 1)),
    ],
)
def test_a_condition_is_read(text: str, requirement: Requirement) -> None:
    """A metric with any name that MLflow takes, a sign and a number, with or without spaces."""
    assert metric_gate.parse(text) == requirement


@pytest.mark.parametrize(
    "text",
    ["", "accuracy", "accuracy 0.9", ">= 0.9", "accuracy >=", "a == 1", "a => 1", "a > 90%", "a > 1 > 0", "a > b"],
)
def test_what_is_no_condition_is_named(text: str) -> None:
    """With its place in the list, and an example of what is allowed."""
    assert metric_gate.find_problems(["loss < 1", text]) == [
        Problem(
            "require_metrics[1]",
            f"is {text!r}; write a metric, one of >= <= > <, and a number, as in 'accuracy >= 0.9'",
        )
    ]


def test_good_conditions_have_no_problem() -> None:
    """Any number of them, and none."""
    assert metric_gate.find_problems(["a > 1", "b < 2"]) == []
    assert metric_gate.find_problems([]) == []


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ("a >= 0.5", True),
        ("a > 0.5", False),
        ("a <= 0.5", True),
        ("a < 0.5", False),
        ("a > 0.4", True),
        ("b > 0", False),
    ],
)
def test_a_condition_is_met_or_not(condition: str, is_met: bool) -> None:
    """At the bound itself the sign decides; a metric that is not there meets nothing."""
    assert metric_gate.parse(condition).is_met({"a": 0.5}) is is_met


def test_what_the_metrics_miss_is_told() -> None:
    """Each condition that is not met, with the value that was logged; those that are met are not mentioned."""
    conditions = ["accuracy >= 0.9", "loss < 1", "f1 > 0.5"]

    assert metric_gate.find_unmet(conditions, {"accuracy": 0.87, "loss": 0.1}) == [
        "accuracy is 0.87, required >= 0.9",
        "f1 was not logged, required > 0.5",
    ]


def test_metrics_that_are_as_required_miss_nothing() -> None:
    """Nor does a run of which nothing is required."""
    assert metric_gate.find_unmet(["a >= 1"], {"a": 1.0}) == []
    assert metric_gate.find_unmet([], {}) == []
