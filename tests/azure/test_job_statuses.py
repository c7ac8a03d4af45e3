from __future__ import annotations

import itertools

import pytest

from tests.azure.job_runs import statuses

ALL = (*statuses.PHASES, statuses.CANCEL_REQUESTED, *statuses.ENDED)


def test_the_phases_follow_one_another() -> None:
    """Each after the one before, up to the good end."""
    way = (*statuses.PHASES, statuses.COMPLETED)

    assert all(statuses.may_follow(after, before) for before, after in itertools.pairwise(way))


@pytest.mark.parametrize("ended", statuses.ENDED)
def test_nothing_comes_after_the_end(ended: str) -> None:
    """Whatever the end was."""
    assert not any(statuses.may_follow(status, ended) for status in ALL)


def test_a_job_that_is_finalizing_cannot_be_canceled() -> None:
    """All before can."""
    assert [each for each in ALL if statuses.may_follow(statuses.CANCEL_REQUESTED, each)] == list(statuses.PHASES[:-1])


def test_nodes_must_be_there_to_be_taken_away() -> None:
    """Then the job is in the queue again."""
    assert [each for each in ALL if statuses.may_follow(statuses.QUEUED, each)] == [
        statuses.NOT_STARTED,
        statuses.PREPARING,
        statuses.PROVISIONING,
        statuses.STARTING,
        statuses.RUNNING,
    ]


def test_no_phase_is_left_out() -> None:
    """Nor is one gone back to, but for the queue."""
    for index, before in enumerate(statuses.PHASES):
        following = [each for each in statuses.PHASES[1:] if each != statuses.QUEUED]
        allowed = [each for each in following if statuses.may_follow(each, before)]
        assert allowed == [each for each in statuses.PHASES[index + 1 : index + 2] if each != statuses.QUEUED]
