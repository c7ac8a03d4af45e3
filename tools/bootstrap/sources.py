"""The order of preference for a program that is not there: the official release, else a build from source."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from tools.bootstrap import errors, step, versions


def download_or_build(
    owner: step.Step,
    *,
    version: str,
    official: versions.Release,
    take: Callable[[pathlib.Path], None],
    build: Callable[[Callable[[str], None]], None],
    build_version: str = "",
) -> None:
    """Gets what `owner` needs, and says which way and why.

    `take` is given the verified file of the release and puts it where it belongs; the file is deleted then. `build`
    makes the same from source.
    """
    reason = owner.inspect().text
    reporter = owner.tools.reporter
    with reporter.watch(owner.name, "downloading") as hear:
        try:
            file = owner.tools.releases.fetch(official, hear)
        except errors.DownloadError as error:
            reason = f"{reason}, {error}"
        else:
            owner.say(version, f"official release: {reason}")
            try:
                take(file)
            finally:
                file.unlink()
            return
    owner.say(build_version or version, f"building from source: {reason}")
    with reporter.watch(owner.name, "building") as hear:
        build(hear)
