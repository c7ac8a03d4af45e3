from __future__ import annotations

import pathlib
import re

import pytest

from tests.unit.components.engine import RUN, Engine

ROOT = pathlib.Path(__file__).parents[3]


def test_the_program_in_the_readme_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a newcomer copies declares the run that it says, from the project's own folder."""
    monkeypatch.chdir(ROOT)
    found = re.search(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None

    engine.run(lambda: exec(compile(found[1], "README.md", "exec"), {}))  # noqa: S102 (it is our own text)

    inputs = engine.find(RUN).inputs
    assert (inputs["command"], inputs["parameters"]) == (["python", "train.py"], {"epochs": 4})
    assert inputs["memoryGb"] == 4
