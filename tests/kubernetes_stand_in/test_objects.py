from __future__ import annotations

import pytest

from tests.kubernetes_stand_in import objects
from tests.kubernetes_stand_in.objects import Kind
from tests.plugin_stand_ins.errors import UnknownNameError


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("kubernetes:core/v1:Namespace", "v1/Namespace"),
        ("kubernetes:batch/v1:Job", "batch/v1/Job"),
        ("kubernetes:amlarc.azureml.com/v1alpha1:InstanceType", "amlarc.azureml.com/v1alpha1/InstanceType"),
    ],
)
def test_resource_types_name_kinds(token: str, text: str) -> None:
    """The core's group is empty for the API server."""
    assert str(Kind.parse_token(token)) == text


@pytest.mark.parametrize(
    "token",
    [
        "kubernetes:core/v1:Pod",
        "kubernetes:core/v1:NamespacePatch",
        "kubernetes:core/v1:NamespaceList",
        "kubernetes:helm.sh/v3:Release",
        "kubernetes:yaml:ConfigFile",
        "random:index/v1:RandomId",
    ],
)
def test_other_resource_types_are_refused(token: str) -> None:
    """What is not done as the official plugin does it is not done at all."""
    with pytest.raises(UnknownNameError, match="is not served"):
        Kind.parse_token(token)


@pytest.mark.parametrize(("resource_id", "parts"), [("team/one", ("team", "one")), ("one", ("", "one"))])
def test_ids_hold_namespaces(resource_id: str, parts: tuple[str, str]) -> None:
    """If the object is in one."""
    assert objects.parse_id(resource_id) == parts
    assert objects.build_id({"metadata": {"namespace": parts[0], "name": parts[1]}}) == resource_id
