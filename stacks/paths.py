"""Paths in a stack's configuration, which are relative to the project's folder."""

from __future__ import annotations

import pathlib

PROJECT_FOLDER = pathlib.Path(__file__).resolve().parent.parent


def locate(path: str | None) -> str | None:
    """``path`` from the project's folder; the text of a Dockerfile stays as it is."""
    return path if not path or "\n" in path else str(PROJECT_FOLDER / path)
