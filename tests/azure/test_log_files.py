"""The files with what jobs say."""

from __future__ import annotations

import time
import types
from typing import Any

from tests.azure.job_runs.log_files import LogFiles


class SpyBlobs:
    """Notes the second in which each log was begun."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    def begin_log(self, account: Any, container: str, name: str) -> None:
        """See ``ServiceBlobs``."""
        self.begun.append(int(time.time()))


def test_a_log_that_is_made_anew_can_be_told_from_the_one_before() -> None:
    """By the time when it was made, which services tell in whole seconds."""
    blobs: Any = SpyBlobs()
    run: Any = types.SimpleNamespace(logs={})
    place: Any = types.SimpleNamespace(account=None, container="artifacts", path="run")
    logs = LogFiles(blobs, run, run, place)

    logs.begin("std_log.txt")
    logs.begin("std_log.txt")

    assert blobs.begun[0] < blobs.begun[1]
