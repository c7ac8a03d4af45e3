from __future__ import annotations

import pytest

from tests.plugin_stand_ins import differences
from tests.plugin_stand_ins.differences import Path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "ports", 0, "name"), "spec.ports[0].name"),
        (("metadata", "annotations", "example.com/a"), 'metadata.annotations["example.com/a"]'),
        (("data", 'a"b', "c"), 'data["a\\"b"].c'),
    ],
)
def test_paths_are_written_as_pulumi_writes_them(path: Path, text: str) -> None:
    """Keys that hold signs of the notation are quoted."""
    assert differences.format_path(path) == text
