from __future__ import annotations

from typing import Any

import pytest

from aml_infra.provider.wire import UNKNOWN
from tests.kubernetes_stand_in import checks, objects, openapi
from tests.kubernetes_stand_in.conversations import DOCUMENT, build_object
from tests.kubernetes_stand_in.objects import Kind

QUOTA = Kind(group="", version="v1", name="ResourceQuota")


def find_problems(**changes: Any) -> list[str]:
    """What is wrong with a quota."""
    given = {**build_object("ResourceQuota", spec={"hard": {"cpu": "1"}}), **changes}
    return checks.find_problems(QUOTA, given, openapi.find_shape(DOCUMENT, QUOTA))


def complete(inputs: dict[str, Any], old: dict[str, Any] | None = None, namespace: str = "") -> dict[str, Any]:
    """The metadata of completed inputs."""
    metadata: dict[str, Any] = checks.complete("app", inputs, old or {}, b"seed", namespace)["metadata"]
    return metadata


def test_a_name_is_made_once() -> None:
    """It is that of the preview, and stays that of an update."""
    made = complete({"metadata": {"labels": {"a": "b"}}})
    kept = complete({"metadata": {}}, {"metadata": made})

    assert made == complete({"metadata": {"labels": {"a": "b"}}})
    assert made["name"].startswith("app-")
    assert made["annotations"] == {objects.AUTONAMED: "true"}
    assert kept == {"name": made["name"], "annotations": {objects.AUTONAMED: "true"}}


@pytest.mark.parametrize("name", ["given", UNKNOWN])
def test_a_given_name_is_taken(name: Any) -> None:
    """Also one that comes later."""
    assert complete({"metadata": {"name": name}}) == {"name": name}


def test_a_namespace_that_is_left_out_is_the_default() -> None:
    """Where the kind has one."""
    assert complete({"metadata": {"name": "a"}}, namespace="team")["namespace"] == "team"
    assert complete({"metadata": {"name": "a", "namespace": "b"}}, namespace="team")["namespace"] == "b"
    assert "namespace" not in complete({"metadata": {"name": "a"}})


def test_good_inputs_have_no_problems() -> None:
    """Nor have those of which something comes later."""
    assert find_problems() == []
    assert find_problems(spec={"hard": UNKNOWN, "scopes": [UNKNOWN], "share": UNKNOWN}) == []
    assert find_problems(spec=UNKNOWN, metadata=UNKNOWN) == []


def test_all_problems_are_told_at_once() -> None:
    """Each with its path and what was given."""
    assert find_problems(
        kind="Quota",
        metadata={"generateName": "a", "labels": {"a": 1}, "annotations": {"pulumi.com/waitFor": "a"}},
        spec={"scopes": ["Best"], "hards": 1, "share": [], "selector": {"matchLabel": {}}},
    ) == [
        "kind: must be 'ResourceQuota', as in the resource's type, not 'Quota'",
        (
            "metadata.annotations: 'pulumi.com/waitFor' is not served by the kubernetes stand-in; there are "
            "pulumi.com/deletionPropagationPolicy, pulumi.com/patchFieldManager, pulumi.com/patchForce, "
            "pulumi.com/skipAwait, pulumi.com/timeoutSeconds"
        ),
        "metadata.generateName: is not served by the kubernetes stand-in; leave it out",
        "metadata.generateName: could not find member 'generateName' on metadata",
        "metadata.labels.a: must be a string, not 1",
        "spec.scopes[0]: 'Best' is not one of BestEffort, Terminating",
        "spec.hards: could not find member 'hards' on QuotaSpec",
        "spec.selector.matchLabel: could not find member 'matchLabel' on selector",
        "spec.hard: is required in QuotaSpec",
        "spec.share: must be a quantity, not []",
    ]


def test_a_timeout_is_a_number() -> None:
    """Of whole seconds."""
    problems = find_problems(metadata={"annotations": {"pulumi.com/timeoutSeconds": "1m"}})

    assert problems == ["metadata.annotations: pulumi.com/timeoutSeconds is '1m', and must be a number of seconds"]
