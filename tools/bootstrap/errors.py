"""What the bootstrap raises for a person to read."""

from __future__ import annotations


class BootstrapError(Exception):
    """Something that the user has to know or to do; the text says what went wrong and the fix."""


class CommandError(BootstrapError):
    """A command failed; the text holds the command line and all that it printed."""


class DownloadError(BootstrapError):
    """An official release could not be had; the next way of getting it is tried."""


class ChecksumError(BootstrapError):
    """A download is not what its publisher lists. It is never used, and nothing else is tried in its place."""
