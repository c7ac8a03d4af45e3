"""Coroutines in tests that are no coroutines themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run_alone(asked: Coroutine[Any, Any, _Result]) -> _Result:
    """In a loop of its own: ``asyncio.run`` would leave the tests that come next without one."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asked)
    finally:
        loop.close()
