"""Places in the file system where something is still to be written."""

from __future__ import annotations

import os
import pathlib

LONGEST_NAME = 255
"""Bytes of one name, which is what file systems allow."""


def find_problem(path: pathlib.Path, fix: str) -> str | None:
    """Why nothing could be written below or at ``path``, which is absolute; ``fix`` is what to give instead."""
    for name in path.parts:
        if len(os.fsencode(name)) > LONGEST_NAME:
            return f"has a name of {len(name)} characters; allowed are {LONGEST_NAME} in each part of a path; {fix}"
    # Not ``Path.exists``, which raises where a path as a whole is too long.
    blocker = next(parent for parent in (path, *path.parents) if os.path.exists(parent))
    return None if blocker.is_dir() else f"is {str(path)!r}, but {str(blocker)!r} is a file; {fix}"
