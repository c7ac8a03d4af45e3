from __future__ import annotations

from typing import Any

import pytest

from tests.kubernetes_stand_in import immutables
from tests.kubernetes_stand_in.objects import Kind
from tests.plugin_stand_ins import differences


@pytest.mark.parametrize(
    ("token", "old", "new", "replacing"),
    [
        ("core/v1:ConfigMap", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, {"metadata.name"}),
        ("core/v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, {"data.a"}),
        ("core/v1:Secret", {"data": {"a": "1"}}, {"data": {"a": "2"}}, set()),
        ("core/v1:Secret", {"data": {"a": "1"}}, {"data": {"a": "2"}, "immutable": True}, {"data.a"}),
        ("core/v1:Secret", {"type": "a"}, {"type": "b"}, {"type"}),
        (
            "batch/v1:Job",
            {"spec": {"template": {"a": [1]}}},
            {"spec": {"template": {"a": [2]}}},
            {"spec.template.a[0]"},
        ),
        ("batch/v1:Job", {"spec": {"suspend": True}}, {"spec": {"suspend": False}}, set()),
        ("batch/v1:Job", {}, {"spec": {"template": {}}}, {"spec"}),
        ("batch/v1:Job", {}, {"spec": {"suspend": True}}, set()),
        ("core/v1:PersistentVolumeClaim", {"spec": {"volumeName": "a"}}, {"spec": {}}, {"spec.volumeName"}),
        ("core/v1:PersistentVolumeClaim", {"spec": {"resources": {}}}, {"spec": {"resources": {"a": 1}}}, set()),
        ("apps/v1:DaemonSet", {"spec": {"selector": {"a": 1}}}, {"spec": {"selector": {"a": 2}}}, {"spec.selector.a"}),
    ],
)
def test_what_cannot_be_changed_replaces(token: str, old: Any, new: Any, replacing: set[str]) -> None:
    """The official plugin's table, with secrets that may be changed."""
    changes = differences.compare(old, new)
    found = immutables.find_replacing(Kind.parse_token(f"kubernetes:{token}"), changes, new, mutable=["Secret"])

    assert {differences.format_path(path) for path in found} == replacing
