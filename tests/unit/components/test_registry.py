"""What a registry's answers mean, with a program in the place of buildx."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Coroutine
from typing import Any

import pytest

from aml_infra.components import image_build, registry
from aml_infra.errors import BackendUnavailable

LOGIN = registry.Login("docker.io/me", "me", "pass")


def run(asked: Coroutine[Any, Any, bool]) -> bool:
    """In a loop of its own: ``asyncio.run`` would leave the tests that come next without one."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asked)
    finally:
        loop.close()


def answer(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Makes buildx fail with ``said``."""
    program = folder / "docker-buildx"
    program.write_text(f"#!/bin/sh\necho 'ERROR: {said}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(image_build, "find_buildx", lambda: program)


@pytest.mark.parametrize(
    "said",
    [
        "docker.io/me/x:1: not found",
        "pull access denied, repository does not exist or may require authorization: server message: denied",
    ],
)
def test_a_repository_that_is_new_is_no_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Docker Hub does not let anybody pull from a repository that nothing was pushed to yet."""
    answer(tmp_path, monkeypatch, said)

    assert not run(registry.has_manifest("docker.io/me/x:1", LOGIN))


def test_a_wrong_password_is_an_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is built."""
    answer(tmp_path, monkeypatch, "failed to authorize: failed to fetch oauth token: 401 Unauthorized")

    with pytest.raises(BackendUnavailable, match="refuses user 'me'"):
        run(registry.has_manifest("docker.io/me/x:1", LOGIN))
