"""The base image that the example's Dockerfile names."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

from tools.bootstrap import daemon, debian, errors, step, versions

_TRASH = (
    "etc/hostname",
    "etc/resolv.conf",
    "usr/share/doc/*/*.gz",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/cache/debconf/*-old",
    "var/lib/apt/lists/*",
    "var/log/*.log",
    "var/log/apt/*",
)
"""What debootstrap leaves behind, or copies from this machine, and what the official image of its kind leaves out."""


class BaseImage(step.Step):
    """The official image; where no registry answers, the same Debian made from its packages."""

    name = "base-image"

    def __init__(self, tools: step.Tools, docker: daemon.Docker) -> None:
        super().__init__(tools)
        self._docker = docker

    def inspect(self) -> step.Finding:
        if self.tools.commands.find("docker") is None:
            return step.Finding(ready=False, text="there is no Docker yet")
        asked = self.tools.commands.attempt(
            ["docker", "image", "inspect", "--format", "{{.Id}}", versions.BASE_IMAGE], timeout=20
        )
        if asked.code == 0 and asked.stdout.strip():
            return step.Finding(ready=True, text=asked.stdout.strip()[:19], version=versions.BASE_SUITE)
        return step.Finding(ready=False, text=f"Docker does not hold {versions.BASE_IMAGE}")

    def provide(self) -> None:
        reason = self.inspect().text
        self.say(versions.BASE_SUITE, f"docker pull {versions.BASE_IMAGE}: {reason}")
        with self.tools.reporter.watch(self.name, "pulling") as hear:
            pull = ["docker", "pull", "--quiet", versions.BASE_IMAGE]
            pulled = self.tools.commands.attempt(pull, timeout=versions.PULL_SECONDS, on_line=hear)
        if pulled.code == 0:
            return
        if not debian.can_install(self.tools.commands):
            raise errors.BootstrapError(
                f"cannot pull {versions.BASE_IMAGE} ({pulled.last_line}), and without a registry it can be made "
                "only by root on Debian or Ubuntu: connect to a registry, or load the image with `docker load`"
            )
        self.say(versions.BASE_SUITE, f"debootstrap, about 1 minute: {pulled.last_line}")
        with self.tools.reporter.watch(self.name, "making") as hear:
            if self.tools.commands.find("debootstrap") is None:
                debian.install(self.tools.commands, ["debootstrap", "debian-archive-keyring"], hear)
            self._make(hear)

    def _make(self, hear: Callable[[str], None]) -> None:
        """Makes the image with debootstrap; the folder is removed however it ends."""
        work = self.tools.places.work
        work.mkdir(parents=True, exist_ok=True)
        for left in work.glob("base-*"):
            self._remove(left)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="base-", dir=work))
        try:
            root = folder / "root"
            self.tools.commands.run(build_debootstrap(root, self._find_mirror()), on_line=hear)
            trim(root)
            archive = folder / "root.tar"
            hear("packing")
            self.tools.commands.run(["tar", "--numeric-owner", "--sort=name", "-C", root, "-cf", archive, "."])
            hear("importing")
            self.tools.commands.run(["docker", "import", "--change", 'CMD ["bash"]', archive, versions.BASE_IMAGE])
        finally:
            self._remove(folder)

    def _find_mirror(self) -> str:
        """The server from which this machine takes this Debian; empty for debootstrap's own default."""
        listing = self.tools.commands.attempt(
            ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"]
        )
        for line in listing.stdout.splitlines():
            suite, _, address = line.partition(" ")
            if suite == versions.BASE_SUITE and address.rstrip("/").endswith("/debian"):
                return address
        return ""

    def _remove(self, folder: pathlib.Path) -> None:
        """Removes a debootstrap's folder; a killed one leaves /proc mounted in it, which must not be walked into."""
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            place = line.split()[1].encode().decode("unicode_escape")
            if place.startswith(f"{folder}{os.sep}"):
                self.tools.commands.run(["umount", place])
        shutil.rmtree(folder, ignore_errors=True)


def build_debootstrap(root: pathlib.Path, mirror: str) -> list[str]:
    """The command that unpacks the smallest Debian into `root`."""
    # Nothing is added, so that what builds on it builds on the official image, too.
    return ["debootstrap", "--variant=minbase", versions.BASE_SUITE, str(root), *([mirror] if mirror else [])]


def trim(root: pathlib.Path) -> None:
    """Removes manuals, package lists, packages and logs from a new Debian, and what is this machine's own."""
    for pattern in _TRASH:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
