"""Packages of Debian and Ubuntu, for root."""

from __future__ import annotations

import os
import pathlib
import threading
from collections.abc import Callable

from tools.bootstrap import commands, errors

_RELEASE = pathlib.Path("/etc/os-release")
_apt = threading.Lock()


def can_install(runner: commands.Commands, release_file: pathlib.Path = _RELEASE) -> bool:
    """Whether packages can be installed here: root, on Debian, Ubuntu or a relative of theirs."""
    return is_root() and is_debian(release_file) and runner.find("apt-get") is not None


def is_root() -> bool:
    """Whether we may do anything on this machine."""
    return os.geteuid() == 0


def is_debian(release_file: pathlib.Path = _RELEASE) -> bool:
    """Whether this is Debian, Ubuntu or a relative of theirs."""
    try:
        text = release_file.read_text()
    except OSError:
        return False
    names: set[str] = set()
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key in {"ID", "ID_LIKE"}:
            names.update(value.strip("\"'").split())
    return bool(names & {"debian", "ubuntu"})


def unpack(runner: commands.Commands, package: str, folder: pathlib.Path, hear: Callable[[str], None]) -> None:
    """Unpacks a package into `folder` without installing it: nothing of it is started or configured.

    Raises:
        CommandError: apt-get failed; its words are in the text.
    """
    with _apt:
        runner.attempt(["apt-get", "update"], on_line=hear)
        runner.run(["apt-get", "download", package], cwd=folder, on_line=hear)
    for archive in folder.glob("*.deb"):
        runner.run(["dpkg-deb", "--extract", archive, folder], on_line=hear)
        archive.unlink()


def install(runner: commands.Commands, packages: list[str], hear: Callable[[str], None]) -> None:
    """Installs packages, after a look at what the package servers have now.

    Raises:
        CommandError: apt-get failed; its words are in the text.
    """
    with _apt:
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        # A third party's source that does not answer must not stop what Debian's own can install.
        update = runner.attempt(["apt-get", "update"], env=env, on_line=hear)
        options = ["--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
        try:
            runner.run(["apt-get", "install", *options, *packages], env=env, on_line=hear)
        except errors.CommandError as error:
            if update.code != 0:
                raise errors.CommandError(f"{error}\n`apt-get update` had failed before: {update.stderr}") from error
            raise
