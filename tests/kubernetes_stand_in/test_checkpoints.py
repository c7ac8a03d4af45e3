from __future__ import annotations

from typing import Any

import pytest

from aml_infra.provider.wire import Secret
from tests.kubernetes_stand_in import checkpoints, secrecy
from tests.kubernetes_stand_in.checkpoints import Checkpoint


def test_a_checkpoint_comes_back() -> None:
    """The inputs and the live object are kept apart, with the names that the SDKs have."""
    live = {"spec": {"x-kubernetes-list-type": "set", "a-b": 1}}
    checkpoint = Checkpoint(inputs={"spec": {"x-kubernetes-list-type": "set"}}, live=live, field_manager="us")
    outputs = checkpoints.build_outputs(checkpoint, {})

    assert outputs["spec"] == {"x_kubernetes_list_type": "set", "a-b": 1}
    assert checkpoints.parse_outputs(outputs) == checkpoint


@pytest.mark.parametrize(
    ("plain", "given", "marked"),
    [
        ({"a": 1, "b": 2}, {"a": Secret(1)}, {"a": Secret(1), "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": Secret(0)}}, {"a": {"b": Secret(1), "c": 2}}),
        ({"a": [1, 2]}, {"a": [Secret(1)]}, {"a": Secret([1, 2])}),
        ({"a": 1}, {"b": Secret(1)}, {"a": 1}),
        ({"kind": "Secret", "data": {"a": "b"}}, {}, {"kind": "Secret", "data": Secret({"a": "b"})}),
    ],
)
def test_secrets_stay_secret(plain: Any, given: Any, marked: Any) -> None:
    """What a list holds may move, so that all of it is."""
    assert secrecy.mark_secrets(plain, given) == marked
