from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest

from tests.kubernetes_stand_in import lifecycle
from tests.kubernetes_stand_in.api_server import ApiServer
from tests.kubernetes_stand_in.checkpoints import Checkpoint
from tests.kubernetes_stand_in.conversations import MANAGER, Conversation, Exchange, build_object
from tests.kubernetes_stand_in.lifecycle import Lifecycle, Options, Request
from tests.kubernetes_stand_in.objects import Kind, Object
from tests.plugin_stand_ins.errors import InitFailedError, StandInError

MAP = Kind(group="", version="v1", name="ConfigMap")
MAPS = "/api/v1/namespaces/team/configmaps"
ONE = f"{MAPS}/one"
OPTIONS = f"fieldManager={MANAGER}&fieldValidation=Strict"
CREATE = f"POST {MAPS}?{OPTIONS}"
APPLY = f"PATCH {ONE}?fieldManager=us&fieldValidation=Strict"
NO_NAMESPACE = {"message": 'namespaces "team" not found', "reason": "NotFound", "details": {"kind": "namespaces"}}
EXISTS = {"message": 'configmaps "one" already exists', "reason": "AlreadyExists"}
CONFLICT = {"message": 'Apply failed with 1 conflict: conflict with "others": .data.a', "reason": "Conflict"}


def build_request(*, is_preview: bool = False, **parts: Any) -> Request:
    """A request for a map."""
    inputs = {**build_object("ConfigMap"), **parts}
    return Request(urn="urn", kind=MAP, inputs=inputs, given=inputs, is_preview=is_preview)


def build_live(*managers: str, **parts: Any) -> Object:
    """The map as the API server has it, created by ``managers``."""
    live = {**build_object("ConfigMap"), **parts}
    managed = [{"manager": each, "operation": "Update", "fieldsV1": {"f:data": {}}} for each in managers]
    live["metadata"] = {**live["metadata"], "resourceVersion": "7", "managedFields": managed}
    return live


def open_lifecycle(conversation: Conversation, pauses: list[float] | None = None, **options: bool) -> Lifecycle:
    """The lifecycle on an API server that holds ``conversation``; what it pauses for is noted."""

    def pause(seconds: float) -> bool:
        (pauses if pauses is not None else []).append(seconds)
        return False

    return Lifecycle(ApiServer(conversation), threading.Event(), Options(**options), pause)


def build_old(**parts: Any) -> Checkpoint:
    """The map in the state, which we manage."""
    inputs = {**build_object("ConfigMap"), **parts}
    return Checkpoint(inputs=inputs, live=build_live(), field_manager="us")


def test_an_object_is_created_with_a_manager_of_its_own() -> None:
    """It is read again then, as controllers may have changed it."""
    request, live = build_request(), build_live(data={"a": "b"})
    conversation = Conversation(
        Exchange(ask=CREATE, sends=request.inputs, answer=build_live()), Exchange(ask=f"GET {ONE}", answer=live)
    )
    made = open_lifecycle(conversation).create(request)

    assert made is not None
    assert made.resource_id == "team/one"
    assert made.outputs["data"] == {"a": "b"}
    assert made.outputs["__fieldManager"].startswith("pulumi-kubernetes-")
    conversation.check_end()


def test_a_namespace_may_come_a_moment_later() -> None:
    """The creation is tried again, with growing pauses."""
    request, pauses = build_request(), list[float]()
    refused = Exchange(ask=CREATE, sends=request.inputs, status=404, answer=NO_NAMESPACE)
    conversation = Conversation(
        refused,
        refused,
        Exchange(ask=CREATE, sends=request.inputs, answer=build_live()),
        Exchange(ask=f"GET {ONE}", answer=build_live()),
    )

    open_lifecycle(conversation, pauses).create(request)

    assert pauses == [1, 2]
    conversation.check_end()


def test_a_namespace_that_does_not_come_is_told() -> None:
    """After six tries."""
    request = build_request()
    refused = Exchange(ask=CREATE, sends=request.inputs, status=404, answer=NO_NAMESPACE)
    conversation = Conversation(*[refused] * 6)

    with pytest.raises(StandInError, match='not successfully created by the Kubernetes API server: namespaces "team"'):
        open_lifecycle(conversation).create(request)
    conversation.check_end()


def test_a_kind_that_does_not_come_is_told() -> None:
    """Its definition may be missing."""
    kind = Kind(group="batch", version="v1", name="Unheard")
    request = dataclasses.replace(build_request(), kind=kind)

    with pytest.raises(StandInError, match="Verify that any required CRDs have been created: no matches for kind"):
        open_lifecycle(Conversation()).create(request)
    assert open_lifecycle(Conversation()).create(dataclasses.replace(request, is_preview=True)) is None


def test_what_exists_is_not_adopted() -> None:
    """At once."""
    request = build_request()
    conversation = Conversation(Exchange(ask=CREATE, sends=request.inputs, status=409, answer=EXISTS))

    with pytest.raises(StandInError, match='configmaps "one" already exists'):
        open_lifecycle(conversation).create(request)


def test_what_exists_is_adopted_where_that_is_configured() -> None:
    """By server-side apply."""
    request = build_request()
    conversation = Conversation(
        Exchange(ask=f"PATCH {ONE}?{OPTIONS}&force=false", sends=request.inputs, answer=build_live()),
        Exchange(ask=f"GET {ONE}", answer=build_live()),
    )

    assert open_lifecycle(conversation, is_upserting=True).create(request) is not None
    conversation.check_end()


@pytest.mark.parametrize(("status", "answer"), [(404, NO_NAMESPACE), (409, EXISTS), (403, {"message": "forbidden"})])
def test_a_preview_leaves_to_the_update_what_may_change_till_then(status: int, answer: Object) -> None:
    """The namespace comes, the old object goes, and who may not try out may yet create."""
    request = build_request(is_preview=True)
    conversation = Conversation(
        Exchange(ask=f"{CREATE}&dryRun=All", sends=request.inputs, status=status, answer=answer)
    )

    assert open_lifecycle(conversation).create(request) is None


def test_a_preview_tells_what_the_api_server_would_refuse() -> None:
    """A dry run asks it."""
    request = build_request(is_preview=True)
    refused = Exchange(
        ask=f"{CREATE}&dryRun=All", sends=request.inputs, status=422, answer={"message": "data: Invalid"}
    )

    with pytest.raises(StandInError, match="data: Invalid"):
        open_lifecycle(Conversation(refused)).create(request)


def test_the_first_update_takes_over_what_was_created() -> None:
    """Else the API server would see a conflict with ourselves."""
    request = build_request(data={"a": "2"})
    managed = [{"manager": "us", "operation": "Apply", "fieldsV1": {"f:data": {}}}]
    patch = [
        {"op": "replace", "path": "/metadata/managedFields", "value": managed},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
    ]
    conversation = Conversation(
        Exchange(ask=f"GET {ONE}", answer=build_live("pulumi-kubernetes-1")),
        Exchange(ask=f"PATCH {ONE}", sends=patch, answer=build_live()),
        Exchange(ask=f"{APPLY}&force=false", sends=request.inputs, answer=build_live()),
        Exchange(ask=f"GET {ONE}", answer=build_live()),
    )

    open_lifecycle(conversation).update(request, build_old())
    conversation.check_end()


def test_a_preview_of_an_update_changes_nothing() -> None:
    """Nor who manages what."""
    request = build_request(is_preview=True, data={"a": "2"})
    conversation = Conversation(
        Exchange(ask=f"GET {ONE}", answer=build_live("pulumi-kubernetes-1")),
        Exchange(ask=f"{APPLY}&dryRun=All&force=true", sends=request.inputs, answer=build_live(data={"a": "2"})),
    )
    made = open_lifecycle(conversation).update(request, build_old())

    assert made is not None
    assert made.outputs["data"] == {"a": "2"}
    conversation.check_end()


def test_a_conflict_is_told_with_its_way_out() -> None:
    """The object stays in the state, as it is."""
    request = build_request(data={"a": "2"})
    conversation = Conversation(
        Exchange(ask=f"GET {ONE}", answer=build_live("others")),
        Exchange(ask=f"{APPLY}&force=false", sends=request.inputs, status=409, answer=CONFLICT),
        Exchange(ask=f"GET {ONE}", answer=build_live("others", data={"a": "1"})),
    )

    with pytest.raises(InitFailedError, match="Server-Side Apply field conflict detected") as caught:
        open_lifecycle(conversation).update(request, build_old())
    assert 'conflict with "others": .data.a' in str(caught.value)
    assert caught.value.made.outputs["data"] == {"a": "1"}


@pytest.mark.parametrize("is_configured", [True, False])
def test_a_conflict_is_overridden_by_force(is_configured: bool) -> None:
    """For the object, or for all."""
    annotations = {} if is_configured else {"pulumi.com/patchForce": "true"}
    request = build_request(metadata={"name": "one", "namespace": "team", "annotations": annotations})
    conversation = Conversation(
        Exchange(ask=f"GET {ONE}", answer=build_live("others")),
        Exchange(ask=f"{APPLY}&force=true", sends=request.inputs, answer=build_live()),
        Exchange(ask=f"GET {ONE}", answer=build_live()),
    )

    open_lifecycle(conversation, is_forced=is_configured).update(request, build_old())
    conversation.check_end()


def test_a_refresh_gives_what_moved_of_the_inputs() -> None:
    """And all that there is as outputs."""
    request = build_request(data={"a": "1"})
    live = build_live(data={"a": "2", "b": "3"})
    found = open_lifecycle(Conversation(Exchange(ask=f"GET {ONE}", answer=live))).read(request, "team/one", build_old())

    assert found is not None
    inputs, made = found
    assert inputs["data"] == {"a": "2"}
    assert made.outputs["data"] == {"a": "2", "b": "3"}
    assert made.outputs["__fieldManager"] == "us"


def test_an_import_gives_all_that_is_not_the_clusters_own() -> None:
    """By the id alone."""
    request = Request(urn="urn", kind=MAP, inputs={}, given={})
    old = Checkpoint(inputs={}, live={}, field_manager="")
    conversation = Conversation(Exchange(ask=f"GET {ONE}", answer=build_live("others", data={"a": "1"}, status={})))
    found = open_lifecycle(conversation).read(request, "team/one", old)

    assert found is not None
    assert found[0] == build_object("ConfigMap", data={"a": "1"})


def test_a_refresh_drops_what_is_gone() -> None:
    """The object, or its kind."""
    gone = Exchange(ask=f"GET {ONE}", status=404, answer={"message": "not found"})
    request = dataclasses.replace(build_request(), kind=Kind(group="batch", version="v1", name="Unheard"))

    assert open_lifecycle(Conversation(gone)).read(build_request(), "team/one", build_old()) is None
    assert open_lifecycle(Conversation()).read(request, "team/one", build_old()) is None


@pytest.mark.parametrize(
    ("annotation", "policy"), [("", "Foreground"), ("orphan", "Orphan"), ("background", "Background")]
)
def test_a_deletion_waits_until_the_object_is_gone(annotation: str, policy: str) -> None:
    """With what depends on it, unless an annotation says otherwise."""
    annotations = {"pulumi.com/deletionPropagationPolicy": annotation}
    request = build_request(metadata={"name": "one", "namespace": "team", "annotations": annotations})
    conversation = Conversation(
        Exchange(ask=f"DELETE {ONE}", sends={"propagationPolicy": policy}, answer={}),
        Exchange(
            ask=f"GET {MAPS}?fieldSelector=metadata.name%3Done",
            answer={"items": [], "metadata": {"resourceVersion": "7"}},
        ),
    )

    open_lifecycle(conversation).delete(request, "team/one", build_old())
    conversation.check_end()


def test_deleting_what_is_gone_is_fine() -> None:
    """Nothing is waited for."""
    sends = {"propagationPolicy": "Foreground"}
    conversation = Conversation(Exchange(ask=f"DELETE {ONE}", sends=sends, status=404, answer={"message": "not found"}))

    open_lifecycle(conversation).delete(build_request(), "team/one", build_old())
    conversation.check_end()


def test_the_time_to_wait_is_the_users_choice() -> None:
    """Pulumi's option goes before the annotation."""
    metadata = {"annotations": {"pulumi.com/timeoutSeconds": "7"}}

    assert build_request().find_seconds() is None
    assert build_request(metadata=metadata).find_seconds() == 7
    assert dataclasses.replace(build_request(metadata=metadata), seconds=3).find_seconds() == 3


def test_managers_have_names_of_their_own() -> None:
    """Two resources must not take over each other's fields."""
    assert lifecycle._make_manager() != lifecycle._make_manager()
