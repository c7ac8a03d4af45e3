"""Inputs that nobody means, as programs in other languages may send them: Check answers, and never fails."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from aml_infra import naming
from aml_infra.provider import shapes, wire
from aml_infra.provider.lifecycle import Interruption
from aml_infra.provider.soft_deletions import SoftDeletions
from aml_infra.provider.training_runs import TrainingRuns
from tests.unit import odd_values
from tests.unit.provider.plugin import Plugin, open_plugin

RUN = "urn:pulumi:test::project::aml-infra:index:TrainingRun::train"
DELETION = "urn:pulumi:test::project::aml-infra:index:SoftDeletion::vault"

texts = st.sampled_from(odd_values.TEXTS).filter(str.isprintable) | st.text(st.characters(codec="utf-8"), max_size=10)
assets = st.builds(
    lambda signature, value: {wire.SIGNATURE_KEY: signature, "text": value, "value": value},
    st.sampled_from(["c44067f5952c0a294b673a41bacd8c17", "5cf8f73096256a8f31e491e813e4eb8e", "x", 5.0, None]),
    texts,
)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | texts | st.sampled_from(["\0", "a\0b"]) | st.just(wire.UNKNOWN) | assets,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts, inner, max_size=3)
        | st.dictionaries(st.sampled_from(["path", "version", "type", "mode", "workers", "framework"]), inner)
        | inner.map(wire.Secret)
    ),
    max_leaves=8,
)
"""Property values of any kind."""

maps = st.dictionaries(texts | st.sampled_from(["a", "data"]), values, max_size=3)
inputs = st.dictionaries(texts | st.just("a"), st.fixed_dictionaries({"path": values}, optional={"version": values}))
right = {
    "a list of texts": st.lists(texts | st.just(wire.UNKNOWN), max_size=3),
    "a map of texts": st.dictionaries(texts, texts, max_size=3),
    "a number": st.floats(),
    "text": texts,
    "True or False": st.booleans(),
    "a map of DataInput(path, version, type, mode)": inputs,
}
changes = st.dictionaries(
    texts | st.sampled_from(sorted(shapes.SHAPES)), values | maps, max_size=4
) | st.fixed_dictionaries(
    {}, optional={name: right.get(shape.words, maps) | values for name, shape in shapes.SHAPES.items()}
)
"""Some properties of a run, of any kind or of the right one."""


@pytest.fixture
def plugin(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    """A plugin that listens, and good inputs of a run."""
    (tmp_path / "train.py").touch()
    monkeypatch.chdir(tmp_path)
    given = {
        "source": str(tmp_path),
        "command": ["true"],
        "image": "x:1",
        "backend": "fake",
        "backendOptions": {"data_folder": str(tmp_path / "data"), "script": "{}"},
    }
    interruption = Interruption()
    types: dict[str, Any] = {
        naming.RUN_TYPE: TrainingRuns(interruption),
        naming.SOFT_DELETION_TYPE: SoftDeletions(interruption),
    }
    with open_plugin(types, interruption, RUN, given) as plugin:
        yield plugin


def test_odd_inputs_are_accepted_or_told(plugin: Plugin) -> None:
    """Each failure has the path of a property, in Python's spelling."""

    @hypothesis.given(changes)
    def check(given: dict[str, Any]) -> None:
        # A backend that is no fake would be asked what it has.
        hypothesis.assume(given.get("backend") not in ("docker", "azureml", "kubernetes"))

        answer = plugin.check(**given)

        for failure in answer.failures:
            assert re.match(r".*?: .", failure.reason, re.DOTALL)

    check()


def test_odd_inputs_of_a_soft_deletion_are_accepted_or_told(plugin: Plugin) -> None:
    """Which no user writes, but who knows."""
    plugin.urn, plugin.given = DELETION, {}
    names = ["kind", "name", "subscription", "location", "resourceGroup", "purge", "mode", "keepDays"]

    @hypothesis.given(st.dictionaries(texts | st.sampled_from(names), values, max_size=6))
    def check(given: dict[str, Any]) -> None:
        plugin.check(**given)

    check()
