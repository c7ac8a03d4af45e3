"""Faults on demand: each hits the requests that it is meant for, and leaves behind what it says."""

from __future__ import annotations

import threading

import pytest

from tests.api_faults import Fault
from tests.azure.arm_client import Client, ConnectionCut, Response
from tests.azure.cloud import Cloud

LOCATION = {"location": "westeurope"}


@pytest.fixture
def path(cloud: Cloud) -> str:
    """The id of a group that there is not yet."""
    return f"{cloud.subscription}/resourceGroups/pets"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_comes_instead_of_the_effect(cloud: Cloud, client: Client, path: str, status: int) -> None:
    """With the time that the client is told to wait; the next attempt succeeds."""
    cloud.faults.add(Fault(kind="status", method="PUT", status=status, code="TooManyRequests", retry_after=0))

    refused = client.put(path, LOCATION)

    assert (refused.status, refused.headers["retry-after"]) == (status, "0")
    assert client.get(path).status == 404
    assert client.put(path, LOCATION).status == 201


def test_a_reset_comes_instead_of_the_effect(cloud: Cloud, client: Client, path: str) -> None:
    """The connection is cut, and nothing was done."""
    cloud.faults.add(Fault(kind="reset", method="PUT"))

    with pytest.raises(ConnectionCut):
        client.put(path, LOCATION)

    assert cloud.resources.get(path) is None


def test_an_answer_is_lost_after_the_effect(cloud: Cloud, client: Client, path: str) -> None:
    """The connection is cut, and all was done."""
    cloud.faults.add(Fault(kind="answer lost", method="PUT"))

    with pytest.raises(ConnectionCut):
        client.put(path, LOCATION)

    assert cloud.resources.get(path) is not None


def test_a_read_may_be_stale(cloud: Cloud, client: Client, path: str) -> None:
    """One read shows what was there before the last change."""
    for colour in ("red", "blue"):
        client.put(path, {**LOCATION, "tags": {"colour": colour}})
    cloud.faults.add(Fault(kind="stale read", method="GET"))

    assert [client.get(path).body["tags"]["colour"] for _ in range(2)] == ["red", "blue"]


def test_an_effect_waits_until_it_is_released(cloud: Cloud, client: Client, path: str) -> None:
    """Until then there is neither effect nor answer."""
    fault = cloud.faults.add(Fault(kind="delay", method="PUT"))
    answers: list[Response] = []
    caller = threading.Thread(target=lambda: answers.append(client.put(path, LOCATION)))

    caller.start()
    fault.reached.wait()
    before = cloud.resources.get(path)
    fault.released.set()
    caller.join()

    assert before is None
    assert [each.status for each in answers] == [201]


def test_a_fault_hits_the_one_that_it_is_meant_for(cloud: Cloud, client: Client) -> None:
    """By method, path and how many come before."""
    cloud.faults.add(Fault(kind="status", method="PUT", path="/resourceGroups/p.*", skip=1, times=1))

    statuses = [
        client.put(f"{cloud.subscription}/resourceGroups/{name}", LOCATION).status
        for name in ("other", "p1", "p2", "p3")
    ]

    assert statuses == [201, 201, 500, 201]
