from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.kubernetes_stand_in.api_server import ApiServer
from tests.kubernetes_stand_in.conversations import Conversation, Exchange, build_object
from tests.kubernetes_stand_in.objects import Kind, Object
from tests.kubernetes_stand_in.transport import UnreachableError
from tests.kubernetes_stand_in.waiting import NotReadyError, Waits

CLAIM = Kind(group="", version="v1", name="PersistentVolumeClaim")
SERVICE = Kind(group="", version="v1", name="Service")
JOB = Kind(group="batch", version="v1", name="Job")
LIST = "/api/v1/namespaces/team/persistentvolumeclaims?fieldSelector=metadata.name%3Done"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/team/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Done"
WATCH = "&watch=true&resourceVersion=7&timeoutSeconds=5"


class Clock:
    """A clock that moves on with each look at it."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._now = 0.0

    def __call__(self) -> float:
        self._now += self._step
        return self._now


def open_waits(conversation: Conversation, interrupted: threading.Event | None = None, step: float = 1) -> Waits:
    """Waits on an API server that holds ``conversation``."""
    return Waits(ApiServer(conversation), interrupted or threading.Event(), Clock(step))


def build_claim(phase: str, **spec: Any) -> Object:
    """A claim in a phase."""
    return build_object("PersistentVolumeClaim", spec=spec, status={"phase": phase})


def build_list(*things: Object) -> Object:
    """A list of objects."""
    return {"items": list(things), "metadata": {"resourceVersion": "7"}}


def test_a_wait_ends_with_the_event_that_it_is_for() -> None:
    """What came before and after is not waited out."""
    pending, bound = build_claim("Pending"), build_claim("Bound")
    conversation = Conversation(
        Exchange(ask=f"GET {LIST}", answer=build_list(pending)),
        Exchange(ask=f"WATCH {LIST}{WATCH}", answer=[("MODIFIED", pending), ("MODIFIED", bound)]),
    )

    open_waits(conversation).wait_ready(CLAIM, pending, None, is_new=True)
    conversation.check_end()


def test_a_watch_that_ends_is_begun_again() -> None:
    """With a look at what there is, as events may have been lost."""
    pending, bound = build_claim("Pending"), build_claim("Bound")
    conversation = Conversation(
        Exchange(ask=f"GET {LIST}", answer=build_list(pending)),
        Exchange(ask=f"WATCH {LIST}{WATCH}", answer=[("ADDED", pending)]),
        Exchange(ask=f"GET {LIST}", answer=build_list(bound)),
    )

    open_waits(conversation).wait_ready(CLAIM, pending, None, is_new=True)
    conversation.check_end()


def test_an_api_server_that_restarts_is_waited_for() -> None:
    """What was made is not given up for it."""
    pending, bound = build_claim("Pending"), build_claim("Bound")
    lost = UnreachableError("refused")
    conversation = Conversation(
        Exchange(ask=f"GET {LIST}", answer=build_list(pending)),
        Exchange(ask=f"WATCH {LIST}{WATCH}", answer=lost),
        Exchange(ask=f"GET {LIST}", answer=lost),
        Exchange(ask=f"GET {LIST}", status=503, answer={"message": "starting"}),
        Exchange(ask=f"GET {LIST}", answer=build_list(bound)),
    )
    pauses: list[float] = []
    waits = Waits(ApiServer(conversation), threading.Event(), Clock(1), pauses.append)

    waits.wait_ready(CLAIM, pending, None, is_new=True)

    assert pauses == [1, 1, 1]
    conversation.check_end()


def test_an_api_server_that_refuses_is_not_waited_for() -> None:
    """It says why."""
    answer = {"message": "claims is forbidden"}
    conversation = Conversation(Exchange(ask=f"GET {LIST}", status=403, answer=answer))

    with pytest.raises(NotReadyError, match="cannot be waited for: claims is forbidden"):
        open_waits(conversation).wait_ready(CLAIM, build_claim("Pending"), None, is_new=True)


def test_a_wait_has_an_end() -> None:
    """What was in the way is told."""
    pending = build_claim("Pending")
    conversation = Conversation(Exchange(ask=f"GET {LIST}", answer=build_list(pending)))

    with pytest.raises(NotReadyError, match="'one' timed out waiting to be Ready") as caught:
        open_waits(conversation, step=10).wait_ready(CLAIM, pending, 4, is_new=True)
    assert caught.value.reasons == ["PersistentVolumeClaim is Pending, not Bound"]


def test_an_interruption_ends_a_wait() -> None:
    """Nothing is watched any more."""
    pending, interrupted = build_claim("Pending"), threading.Event()
    interrupted.set()
    conversation = Conversation(Exchange(ask=f"GET {LIST}", answer=build_list(pending)))

    with pytest.raises(NotReadyError, match="cancelled"):
        open_waits(conversation, interrupted).wait_ready(CLAIM, pending, None, is_new=True)


def test_a_new_claim_whose_class_binds_later_is_not_waited_for() -> None:
    """Its first pod comes after it."""
    pending = build_claim("Pending", storageClassName="disk")
    path = "/apis/storage.k8s.io/v1/storageclasses/disk"
    conversation = Conversation(
        Exchange(ask=f"GET {path}", answer={"volumeBindingMode": "WaitForFirstConsumer"}),
    )

    open_waits(conversation).wait_ready(CLAIM, pending, None, is_new=True)
    conversation.check_end()


def test_a_service_waits_for_its_pods() -> None:
    """Of a headless one nobody asks whether there are any."""
    conversation = Conversation(
        Exchange(ask=f"GET {SLICES}", answer=build_list()),
        Exchange(
            ask=f"WATCH {SLICES}{WATCH}",
            answer=[("ADDED", build_object("EndpointSlice", "one-1", endpoints=[{"addresses": ["10.0.0.1"]}]))],
        ),
    )
    waits = open_waits(conversation)

    waits.wait_ready(SERVICE, build_object("Service", spec={"clusterIP": "10.1.0.1"}), None, is_new=True)
    waits.wait_ready(SERVICE, build_object("Service", spec={"clusterIP": "None"}), None, is_new=True)
    conversation.check_end()


def test_a_refresh_tells_what_is_not_ready_without_waiting() -> None:
    """With what its pods say."""
    status = {
        "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]
    }
    conversation = Conversation(
        Exchange(
            ask="GET /api/v1/namespaces/team/pods?labelSelector=job-name%3Done",
            answer=build_list(build_object("Pod", status=status)),
        )
    )
    job = build_object("Job", spec={"selector": {"matchLabels": {"job-name": "one"}}})

    with pytest.raises(NotReadyError, match="'one' was created but failed to initialize") as caught:
        open_waits(conversation).check_ready(JOB, job)
    assert caught.value.reasons[1:] == ["[Pod team/one]: container main: [ErrImagePull] no"]


def test_a_deletion_that_does_not_end_says_what_holds_it() -> None:
    """The finalizers."""
    claim = build_claim("Bound")
    claim["metadata"]["finalizers"] = ["kubernetes.io/pvc-protection"]
    conversation = Conversation(Exchange(ask=f"GET {LIST}", answer=build_list(claim)))

    with pytest.raises(NotReadyError) as caught:
        open_waits(conversation, step=10).wait_gone(CLAIM, "team", "one", 4)
    assert caught.value.reasons == ["finalizers might be preventing deletion (kubernetes.io/pvc-protection)"]


def test_a_deletion_ends_when_the_object_is_gone() -> None:
    """Deleted in a watch, or not there in a list."""
    claim = build_claim("Bound")
    conversation = Conversation(
        Exchange(ask=f"GET {LIST}", answer=build_list(claim)),
        Exchange(ask=f"WATCH {LIST}{WATCH}", answer=[("DELETED", claim)]),
        Exchange(ask=f"GET {LIST}", answer=build_list()),
    )
    waits = open_waits(conversation)

    waits.wait_gone(CLAIM, "team", "one", 60)
    waits.wait_gone(CLAIM, "team", "one", 60)
    conversation.check_end()
