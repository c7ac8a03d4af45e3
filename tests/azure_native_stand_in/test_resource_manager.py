"""Calls to Resource Manager: retries, long-running operations, failures."""

from __future__ import annotations

import threading

import pytest
import requests

from tests.azure_native_stand_in.errors import ServiceError
from tests.azure_native_stand_in.exchanges import HOST, Conversation, Exchange, open_manager

PATH = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ASK = f"{PATH}?api-version=1"
STATUS = "/subscriptions/s/operations/1?api-version=1"
MOVED = {"error": {"code": "Busy", "message": "later"}}


def test_a_resource_that_does_not_exist_is_none() -> None:
    """404 is an answer."""
    conversation = Conversation(Exchange(ask=f"GET {ASK}", status=404, answer=MOVED))

    assert open_manager(conversation).get(PATH, "1") is None
    conversation.check_end()


def test_what_is_refused_is_told_with_the_services_words() -> None:
    """Status, code and message are shown."""
    answer = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    conversation = Conversation(Exchange(ask=f"GET {ASK}", status=403, answer=answer))

    with pytest.raises(ServiceError, match='Status=403 Code="AuthorizationFailed" Message="no"'):
        open_manager(conversation).get(PATH, "1")


@pytest.mark.parametrize(
    "failure",
    [
        Exchange(ask=f"PUT {ASK}", sends={"a": 1}, status=429, answer=MOVED, headers={"Retry-After": "0"}),
        Exchange(ask=f"PUT {ASK}", sends={"a": 1}, status=500, answer=MOVED, headers={"Retry-After": "0"}),
        Exchange(ask=f"PUT {ASK}", sends={"a": 1}, answer=requests.exceptions.ConnectionError("reset")),
        Exchange(
            ask=f"PUT {ASK}",
            sends={"a": 1},
            status=409,
            answer={"error": {"code": "AnotherOperationInProgress", "message": "later"}},
        ),
    ],
)
def test_a_passing_failure_is_tried_again(failure: Exchange) -> None:
    """Throttling, an internal error, a reset, another operation under way: the same request comes again."""
    conversation = Conversation(failure, Exchange(ask=f"PUT {ASK}", sends={"a": 1}, answer={"id": PATH}))

    assert open_manager(conversation).put(PATH, "1", {"a": 1}, {}, follows=False) == {"id": PATH}
    conversation.check_end()


def test_an_operation_is_followed_by_its_own_address() -> None:
    """Azure-AsyncOperation is asked until the end, and the resource is read then."""
    headers = {"Azure-AsyncOperation": f"{HOST}{STATUS}", "Retry-After": "0"}
    conversation = Conversation(
        Exchange(ask=f"PUT {ASK}", sends={}, status=201, answer={"id": PATH}, headers=headers),
        Exchange(ask=f"GET {STATUS}", answer={"status": "InProgress"}, headers={"Retry-After": "0"}),
        Exchange(ask=f"GET {STATUS}", answer={"status": "Succeeded"}),
        Exchange(ask=f"GET {ASK}", answer={"id": PATH, "done": True}),
    )

    assert open_manager(conversation).put(PATH, "1", {}, {}, follows=True) == {"id": PATH, "done": True}
    conversation.check_end()


def test_an_operation_is_followed_by_location() -> None:
    """202 with a Location is asked until it is 200, also where the specification tells of no operation."""
    headers = {"Location": f"{HOST}{STATUS}", "Retry-After": "0"}
    conversation = Conversation(
        Exchange(ask=f"PUT {ASK}", sends={}, status=202, headers=headers),
        Exchange(ask=f"GET {STATUS}", status=202, headers=headers),
        Exchange(ask=f"GET {STATUS}", answer={"id": PATH}),
    )

    assert open_manager(conversation).put(PATH, "1", {}, {}, follows=False) == {"id": PATH}
    conversation.check_end()


def test_a_resource_that_says_it_is_being_made_is_read_again() -> None:
    """Without headers the resource's provisioningState decides."""
    making, made = ({"id": PATH, "properties": {"provisioningState": each}} for each in ("Creating", "Succeeded"))
    conversation = Conversation(
        Exchange(ask=f"PUT {ASK}", sends={}, status=201, answer=making, headers={"Retry-After": "0"}),
        Exchange(ask=f"GET {ASK}", answer=making, headers={"Retry-After": "0"}),
        Exchange(ask=f"GET {ASK}", answer=made),
    )

    assert open_manager(conversation).put(PATH, "1", {}, {}, follows=True) == made
    conversation.check_end()


def test_an_operation_that_fails_was_accepted() -> None:
    """Its error is told, and that the resource may exist."""
    headers = {"Azure-AsyncOperation": f"{HOST}{STATUS}", "Retry-After": "0"}
    failed = {"status": "Failed", "error": {"code": "QuotaExceeded", "message": "0 of 4 cores"}}
    conversation = Conversation(
        Exchange(ask=f"PUT {ASK}", sends={}, status=201, answer={"id": PATH}, headers=headers),
        Exchange(ask=f"GET {STATUS}", answer=failed),
    )

    with pytest.raises(ServiceError, match='Code="QuotaExceeded" Message="0 of 4 cores"') as caught:
        open_manager(conversation).put(PATH, "1", {}, {}, follows=True)
    assert caught.value.is_accepted


def test_waiting_ends_when_the_engine_cancels() -> None:
    """Nothing is waited for after the interruption; the resource may exist."""
    interrupted = threading.Event()
    interrupted.set()
    headers = {"Azure-AsyncOperation": f"{HOST}{STATUS}", "Retry-After": "60"}
    conversation = Conversation(
        Exchange(ask=f"PUT {ASK}", sends={}, status=201, answer={}, headers=headers),
        Exchange(ask=f"GET {STATUS}", answer={"status": "InProgress"}, headers={"Retry-After": "60"}),
    )

    with pytest.raises(ServiceError, match="interrupted") as caught:
        open_manager(conversation, interrupted).put(PATH, "1", {}, {}, follows=True)
    assert caught.value.is_accepted


@pytest.mark.parametrize("status", [200, 204, 404])
def test_deleting_what_is_gone_is_fine(status: int) -> None:
    """Whatever the service says of it."""
    conversation = Conversation(Exchange(ask=f"DELETE {ASK}", status=status))

    open_manager(conversation).delete(PATH, "1", follows=False)
    conversation.check_end()


def test_deleting_waits_for_its_operation() -> None:
    """202 with a Location is followed until nothing is there."""
    headers = {"Location": f"{HOST}{STATUS}", "Retry-After": "0"}
    conversation = Conversation(
        Exchange(ask=f"DELETE {ASK}", status=202, headers=headers),
        Exchange(ask=f"GET {STATUS}", status=202, headers=headers),
        Exchange(ask=f"GET {STATUS}", status=204),
    )

    open_manager(conversation).delete(PATH, "1", follows=True)
    conversation.check_end()
