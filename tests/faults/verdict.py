"""What must be so when all has come to its end. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tests.faults.places import COMPLETED, Attempt, split_ranks
from tests.faults.scenarios import LINES, Scenario, find_disorder
from tests.faults.schedules import ENDS_COMMAND, LOSES_OUTPUT, RESTARTS_COMMAND, STARTS_TWICE


def find_problems(
    scenario: Scenario, attempts: Sequence[Attempt], run: Mapping[str, Any], hits: Collection[str], *, restarts: bool
) -> list[str]:
    """What is wrong with what was trained.

    Args:
        scenario: what was to be trained.
        attempts: all that there are.
        run: the run's outputs in the state.
        hits: the victims that were there to be killed.
        restarts: whether the service starts commands again by itself.
    """
    own = sorted(
        (each for each in attempts if each.fingerprint == run.get("fingerprint")), key=lambda each: each.number
    )
    others = [each for each in attempts if each not in own]
    problems = []
    if [each.status for each in own].count(COMPLETED) != 1 or own[-1].status != COMPLETED:
        problems.append(f"not one success, and that the last: {_list_ends(own)}")
    elif own[-1].number != run.get("attempt"):
        problems.append(f"the state has attempt {run.get('attempt')}, and {own[-1].number} was the successful one")
    if [each.number for each in own] != list(range(1, len(own) + 1)):
        problems.append(f"attempts are missing: {_list_ends(own)}")
    ending = {*ENDS_COMMAND, *(("pod",) if scenario.workers > 1 else ())}
    most = 1 + scenario.failures + sum(each in ending for each in hits)
    if len(own) > most:
        problems.append(f"trained too often: {_list_ends(own)}, where {most} were right at most")
    problems += _find_other_problems(scenario, others)
    may_restart = _may_restart(hits, restarts=restarts)
    is_kept = not any(each in LOSES_OUTPUT for each in hits)
    for each in own:
        problems += _find_log_problems(scenario, each, restarts=may_restart, is_kept=is_kept)
    return problems


def _find_other_problems(scenario: Scenario, others: Sequence[Attempt]) -> list[str]:
    """The run before this one was trained once."""
    statuses = [each.status for each in others]
    wanted = [] if not scenario.before else ["Failed"] if scenario.before_fails else [COMPLETED]
    return [f"of the run before there are {statuses}, where {wanted} were right"] if statuses != wanted else []


def _find_log_problems(scenario: Scenario, attempt: Attempt, *, restarts: bool, is_kept: bool) -> list[str]:
    has_completed = attempt.status == COMPLETED
    problems = [] if attempt.status else [f"{attempt.name} has no end"]
    if has_completed and sorted(attempt.logs) != list(range(scenario.workers)):
        problems.append(f"{attempt.name} has logs of workers {sorted(attempt.logs)}")
    for rank, lines in sorted(attempt.logs.items()):
        if disorder := find_disorder(lines, whole=has_completed and is_kept, restarts=restarts):
            problems.append(f"the log of {attempt.name}, worker {rank}, {disorder}")
    return problems


def find_shown_problems(
    scenario: Scenario, attempts: Sequence[Attempt], said: str, hits: Collection[str], *, restarts: bool
) -> list[str]:
    """What is wrong with the log that the last update has shown; one that was adopted shows none.

    For the arguments see ``find_problems``.
    """
    _, _, shown = said.rpartition("Diagnostics:\n")
    if not scenario.waits or not ("train: " in shown or "join: " in shown):
        return []
    words = tuple(f"[{rank}] {line}" for rank in range(scenario.workers) for line in LINES)
    wanted = LINES if scenario.workers == 1 else words
    lines = [line.strip() for line in shown.splitlines() if line.strip() in wanted]
    logs = split_ranks("\n".join(lines))
    may_restart = _may_restart(hits, restarts=restarts)
    is_kept = not any(each in LOSES_OUTPUT for each in hits)
    problems = [] if len(logs) == scenario.workers else [f"logs of workers {sorted(logs)} were shown"]
    for rank, own in sorted(logs.items()):
        if disorder := find_disorder(own, whole=is_kept, restarts=may_restart):
            problems.append(f"the log that was shown of worker {rank} {disorder}")
        # Where a service starts another container of an attempt, only the last one's log may be kept.
        kept = [] if restarts else [each.logs.get(rank, ()).count(LINES[0]) for each in attempts]
        if kept and own.count(LINES[0]) > max(kept):
            problems.append(f"the log of worker {rank} was shown twice: {own}")
    return problems


def _may_restart(hits: Collection[str], *, restarts: bool) -> bool:
    """Whether a command may have begun several times in one attempt."""
    return any(each in STARTS_TWICE or (restarts and each in RESTARTS_COMMAND) for each in hits)


def _list_ends(attempts: Sequence[Attempt]) -> list[str]:
    return [f"{each.name} {each.status or 'goes on'}" for each in attempts]
