"""What seeds stand for, and what counts as wrong."""

from __future__ import annotations

import dataclasses

import pytest

from tests.faults import schedules, verdict
from tests.faults.places import Attempt
from tests.faults.scenarios import LINES, SCENARIOS, find_disorder
from tests.faults.test_kills import SEEDS

ONE_WORKER = SCENARIOS[0]
RUN = {"fingerprint": "one", "attempt": 1}
SUCCESS = Attempt(name="train-1", number=1, fingerprint="one", status="Completed", logs={0: LINES})


def test_a_seed_is_always_the_same_schedule() -> None:
    """Whichever seeds were drawn before."""
    first = [schedules.draw(seed) for seed in range(20)]

    assert [schedules.draw(seed) for seed in reversed(range(20))] == first[::-1]


def test_200_seeds_kill_everything_everywhere() -> None:
    """Each victim, scenario and recovery is drawn on each backend."""
    drawn = [schedules.draw(seed) for seed in range(1, 201)]

    for backend in schedules.BACKENDS:
        own = [each for each in drawn if each.backend == backend]
        victims = {kill.victim for each in own for kill in each.kills}
        assert victims == {*schedules.CLIENT_VICTIMS, *schedules.SERVICE_VICTIMS[backend]}
        assert {each.scenario.name for each in own} == {each.name for each in SCENARIOS}
        assert {each.recovery for each in own} == {"make", "pulumi"}


def test_the_short_version_kills_everything_once() -> None:
    """Of the processes on this machine each somewhere, of the services' all; all scenarios, and both recoveries."""
    drawn = {backend: list(map(schedules.draw, schedules.parse_seeds(text))) for backend, text in SEEDS.items()}
    victims = {backend: {kill.victim for each in own for kill in each.kills} for backend, own in drawn.items()}

    assert all(each.backend == backend for backend, own in drawn.items() for each in own)
    assert set.union(*victims.values()) >= set(schedules.CLIENT_VICTIMS)
    assert all(set(schedules.SERVICE_VICTIMS[backend]) <= found for backend, found in victims.items())
    every = [each for own in drawn.values() for each in own]
    assert {each.scenario.name for each in every} == {each.name for each in SCENARIOS}
    assert {each.recovery for each in every} == {"make", "pulumi"}


@pytest.mark.parametrize(("text", "seeds"), [("17", [17]), ("1-3", [1, 2, 3]), ("3,17,40-41", [3, 17, 40, 41])])
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    """As `make faults` takes them."""
    assert schedules.parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("lines", "whole", "restarts"),
    [
        (LINES, True, False),
        (LINES[:3], False, False),
        ((), False, False),
        ((*LINES[:2], *LINES[:4], *LINES), True, True),
    ],
)
def test_a_log_in_order_is_accepted(lines: tuple[str, ...], *, whole: bool, restarts: bool) -> None:
    """Whole, or cut off where the command was; several times where the service starts it again."""
    assert not find_disorder(lines, whole=whole, restarts=restarts)


@pytest.mark.parametrize(
    ("lines", "whole", "restarts"),
    [
        ((), True, False),
        (LINES[:-1], True, False),
        (LINES[1:], True, False),
        ((*LINES[:2], *LINES[3:]), True, False),
        ((*LINES[:3], LINES[2], *LINES[3:]), True, False),
        ((*LINES[:2], *LINES), True, False),
        ((*LINES, *LINES), True, True),
        ((*LINES, *LINES[:2]), True, True),
    ],
)
def test_a_log_with_a_flaw_is_seen(lines: tuple[str, ...], *, whole: bool, restarts: bool) -> None:
    """Lines that are lost, repeated or out of order, and a training that came to its end twice."""
    assert find_disorder(lines, whole=whole, restarts=restarts)


def find_problems(*attempts: Attempt, hits: tuple[str, ...] = ()) -> list[str]:
    """The verdict about attempts at a run of one worker."""
    return verdict.find_problems(ONE_WORKER, attempts, RUN, hits, restarts=False)


def test_one_success_is_right() -> None:
    """After a failure of the service's, too."""
    lost = dataclasses.replace(SUCCESS, status="NotResponding", logs={0: LINES[:3]})
    second = dataclasses.replace(SUCCESS, name="train-1-2", number=2)
    run = {**RUN, "attempt": 2}

    assert find_problems(SUCCESS) == []
    assert verdict.find_problems(ONE_WORKER, [lost, second], run, ["job"], restarts=False) == []


def test_trained_twice_is_seen() -> None:
    """Two successes, an attempt that nobody needed, one after the success, and one that has no end."""
    second = dataclasses.replace(SUCCESS, name="train-1-2", number=2)
    failed = dataclasses.replace(second, status="Failed", logs={})
    lost = dataclasses.replace(SUCCESS, status="Failed", logs={})
    going = dataclasses.replace(SUCCESS, status="")

    assert "not one success" in find_problems(SUCCESS, second)[0]
    assert "not one success" in find_problems(SUCCESS, failed)[0]
    assert any("trained too often" in each for each in find_problems(lost, second))
    assert "not one success" in find_problems(going)[0]
    assert "not one success" in find_problems()[0]


def test_a_command_that_began_twice_is_right_after_a_live_daemon_only() -> None:
    """As it is in the log that is kept; one that was shown twice is not."""
    twice = dataclasses.replace(SUCCESS, logs={0: (*LINES[:3], *LINES)})
    once, again = "\n".join(LINES), "\n".join((*LINES[:3], *LINES))

    def find_shown(said: str, attempt: Attempt) -> list[str]:
        text = f"Diagnostics:\n  train: submitting\n{said}\n"
        return verdict.find_shown_problems(ONE_WORKER, [attempt], text, ["live daemon"], restarts=False)

    assert find_problems(twice, hits=("live daemon",)) == []
    assert "does not begin once" in find_problems(twice, hits=("plugin",))[0]
    assert find_shown(again, twice) == find_shown(once, SUCCESS) == []
    assert "was shown twice" in find_shown(again, SUCCESS)[0]
