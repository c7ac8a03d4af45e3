"""What is trained under a schedule: small scripts that take three seconds, and what they print."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

LINES = ("begin", "step 1", "step 2", "step 3", "step 4", "step 5", "end")
"""What a training prints that comes to its end."""

_BEGIN = "echo begin\necho step 1\nsleep 0.6\necho step 2\nsleep 0.6\n"
_END = "for each in 3 4 5; do echo step $each; sleep 0.6; done\necho model > outputs/model.txt\necho end\n"

TRAINING = _BEGIN + _END
FAILING = f'{_BEGIN}[ "$AML_INFRA_ATTEMPT" -gt 1 ] || exit 3\n{_END}'
OLDER = f"# another training\n{TRAINING}"
BROKEN = "echo broken\nexit 3\n"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is trained.

    Attributes:
        name: for people.
        script: that is disturbed.
        workers: how many train together.
        failures: attempts that fail by themselves.
        before: the script that the same job had first, undisturbed; empty if there was none.
        before_fails: whether it fails.
        waits: whether an update waits for the end of the run.
    """

    name: str
    script: str = TRAINING
    workers: int = 1
    failures: int = 0
    before: str = ""
    before_fails: bool = False
    waits: bool = True


SCENARIOS: Sequence[Scenario] = (
    Scenario(name="one worker"),
    Scenario(name="two workers", workers=2),
    Scenario(name="fails once", script=FAILING, failures=1),
    Scenario(name="failed and mended", before=BROKEN, before_fails=True),
    Scenario(name="replaced", before=OLDER),
    Scenario(name="not waited for", waits=False),
)


def find_disorder(lines: Sequence[str], *, whole: bool, restarts: bool) -> str:
    """What is wrong with the log of a worker; empty if nothing is.

    Args:
        lines: the log.
        whole: whether the command came to its end.
        restarts: whether it may have been started several times under this log.
    """
    starts = [index for index, line in enumerate(lines) if line == LINES[0]]
    if not starts:
        return f"has no {LINES[0]!r}: {list(lines)}" if lines or whole else ""
    if starts[0] or (len(starts) > 1 and not restarts):
        return f"does not begin once: {list(lines)}"
    parts = [lines[first:last] for first, last in zip(starts, [*starts[1:], len(lines)], strict=True)]
    for part in parts:
        if tuple(part) != LINES[: len(part)]:
            return f"is not in order: {list(lines)}"
    ends = sum(len(part) == len(LINES) for part in parts)
    if whole and (ends != 1 or len(parts[-1]) != len(LINES)):
        return f"is not whole: {list(lines)}"
    return ""
