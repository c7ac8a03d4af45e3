"""The gate of ``require_metrics``: what a run's metrics must be for the update to succeed. Pure."""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from aml_infra.errors import Problem

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_REQUIREMENT = re.compile(
    r"\s*(?P<metric>[\w./: -]*\w)\s*(?P<sign>>=|<=|>|<)\s*(?P<bound>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)


@dataclasses.dataclass(frozen=True)
class Requirement:
    """One condition, as in ``accuracy >= 0.9``."""

    metric: str
    sign: str
    bound: float

    def is_met(self, metrics: Mapping[str, float]) -> bool:
        """Whether the metric is there, and is what it must be."""
        return self.metric in metrics and _OPERATORS[self.sign](metrics[self.metric], self.bound)


def parse(text: str) -> Requirement:
    """Reads a condition: a metric's name, one of ``>= > <= <``, and a number.

    Raises:
        ValueError: it is none.
    """
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no condition")
    return Requirement(match["metric"], match["sign"], float(match["bound"]))


def find_problems(conditions: Sequence[str]) -> list[Problem]:
    """Problems of ``require_metrics``: texts that are no conditions."""
    problems = []
    for index, text in enumerate(conditions):
        try:
            parse(text)
        except ValueError:
            problems.append(
                Problem(
                    f"require_metrics[{index}]",
                    f"is {text!r}; write a metric, one of {' '.join(_OPERATORS)}, and a number, "
                    "as in 'accuracy >= 0.9'",
                )
            )
    return problems


def find_unmet(conditions: Sequence[str], metrics: Mapping[str, float]) -> list[str]:
    """What the metrics miss, each as a phrase such as ``accuracy is 0.87, required >= 0.9``."""
    unmet = []
    for condition in map(parse, conditions):
        if not condition.is_met(metrics):
            value = metrics.get(condition.metric)
            found = f"is {value:.10g}" if value is not None else "was not logged"
            unmet.append(f"{condition.metric} {found}, required {condition.sign} {condition.bound:.10g}")
    return unmet
