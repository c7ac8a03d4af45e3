from __future__ import annotations

from typing import Any

import pytest

from aml_infra.provider.wire import UNKNOWN
from tests.kubernetes_stand_in import normalization, openapi
from tests.kubernetes_stand_in.conversations import DOCUMENT, build_object
from tests.kubernetes_stand_in.objects import Kind


def normalize(thing: dict[str, Any], group: str = "") -> dict[str, Any]:
    """The normal form by the schema of the object's kind."""
    kind = Kind(group=group, version="v1", name=thing["kind"])
    return normalization.normalize(thing, openapi.find_shape(DOCUMENT, kind))


def test_quantities_and_empty_collections_are_as_the_api_server_writes_them() -> None:
    """An empty object stays, as it says something."""
    given = {"hard": {"cpu": "1000m", "pods": 2000}, "scopes": [], "selector": {"matchLabels": {}}, "share": "0.5"}

    assert normalize(build_object("ResourceQuota", spec=given))["spec"] == {
        "hard": {"cpu": "1", "pods": "2k"},
        "selector": {},
        "share": "500m",
    }


def test_what_is_not_known_yet_stays_so() -> None:
    """At any place."""
    given = build_object("ResourceQuota", spec={"hard": {"cpu": UNKNOWN}, "scopes": UNKNOWN})

    assert normalize(given) == given


def test_custom_resources_are_left_as_they_are() -> None:
    """Only their definition knows what is the same."""
    given = {"kind": "Thing", "apiVersion": "example.com/v1", "metadata": {}, "spec": {"list": [], "cpu": "1000m"}}

    assert normalize(given, "example.com") == given


@pytest.mark.parametrize(
    ("given", "data"),
    [
        ({"stringData": {"a": "text"}}, {"a": "dGV4dA=="}),
        ({"stringData": {"a": "text"}, "data": {"a": "b2xk", "b": "b2xk"}}, {"a": "dGV4dA==", "b": "b2xk"}),
        ({"stringData": {"a": UNKNOWN}}, {"a": UNKNOWN}),
        ({"data": {"a": "dGV4\ndA=="}}, {"a": "dGV4dA=="}),
        ({"data": {"a": "?"}}, {"a": "?"}),
    ],
)
def test_a_secret_has_its_data_in_one_form(given: dict[str, Any], data: dict[str, Any]) -> None:
    """As the API server keeps it: base64, without line breaks."""
    made = normalize(build_object("Secret", **given))

    assert made["data"] == data
    assert "stringData" not in made


def test_what_only_the_api_server_sets_is_left_out() -> None:
    """It is in the inputs of what was imported."""
    given = build_object("ConfigMap")
    given["metadata"] |= {"uid": "1", "resourceVersion": "2", "managedFields": []}

    assert normalize(given)["metadata"] == {"name": "one", "namespace": "team"}


@pytest.mark.parametrize(
    ("source", "target", "pruned"),
    [
        ({"a": 1, "b": 2}, {"a": 3, "c": 4}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 0}}, {"a": {"b": 1}}),
        ({"a": [{"b": 1, "c": 2}, {"b": 3}]}, {"a": [{"b": 0}]}, {"a": [{"b": 1}]}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": {"b": 1}}),
    ],
)
def test_live_objects_are_cut_to_their_inputs(source: Any, target: Any, pruned: Any) -> None:
    """What nobody asked for is not compared."""
    assert normalization.prune(source, target) == pruned
