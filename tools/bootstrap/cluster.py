"""A real Kubernetes for tests: programs, and the packages that nodes need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tools.bootstrap import cache, debian, golang, step, versions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """What is built: a package of one of the pinned modules, and what its linker is told."""

    module: str
    package: str
    defines: str = ""


_MAJOR, _MINOR = versions.KUBERNETES.split(".")[:2]
_BASE = "k8s.io/component-base/version"
_PROGRAMS = {
    "hyperkube": Program(
        module="kubernetes",
        package="./hyperkube",
        # The API server tells its clients the version, in parts as well.
        defines=f"{_BASE}.gitVersion=v{versions.KUBERNETES} {_BASE}.gitMajor={_MAJOR} {_BASE}.gitMinor={_MINOR}",
    ),
    "coredns": Program(module="kubernetes", package="./coredns"),
    "pause": Program(module="kubernetes", package="./pause"),
    "kwok": Program(
        module="kwok",
        package="sigs.k8s.io/kwok/cmd/kwok",
        defines=f"sigs.k8s.io/kwok/pkg/consts.Version=v{versions.KWOK}",
    ),
}
_UNPACKED = {
    "busybox": "busybox-static",
    "containerd": "containerd",
    "ctr": "containerd",
    "host-local": "containernetworking-plugins",
    "runc": "runc",
}
"""Packages of which the files are enough; installed, that of containerd would start a service."""
_INSTALLED = {"ip": "iproute2", "iptables": "iptables"}


class Cluster(step.Step):
    """Kubernetes, CoreDNS and kwok from their pinned Go modules, and of Debian what this machine does not have."""

    name = "cluster"
    only_for_tests = True

    def __init__(self, tools: step.Tools, builder: golang.GoBuilder) -> None:
        super().__init__(tools)
        self._builder = builder

    def inspect(self) -> step.Finding:
        missing = [*self._find_unbuilt(), *self._find_missing(_UNPACKED), *self._find_missing(_INSTALLED)]
        if missing:
            text = f"no {', '.join(dict.fromkeys(missing))}"
            return step.Finding(ready=False, text=text, fix="run `make cluster`: it is made ready then")
        return step.Finding(ready=True, text=str(self.tools.places.cluster), version=versions.KUBERNETES)

    def find_obstacle(self) -> str:
        if self.inspect().ready or debian.can_install(self.tools.commands):
            return ""
        return (
            "tests need a Kubernetes, which can be made only by root on Debian or Ubuntu: run other tests, as with "
            "`make test TESTS=tests/unit`, there"
        )

    def provide(self) -> None:
        installed, unpacked = self._find_missing(_INSTALLED), self._find_missing(_UNPACKED)
        if installed:
            self.say("", f"installing Debian's {', '.join(installed)} with apt-get")
            with self.tools.reporter.watch(self.name, "installing") as hear:
                debian.install(self.tools.commands, installed, hear)
        if unpacked:
            self.say("", f"unpacking Debian's {', '.join(unpacked)}: not on this machine")
            with self.tools.reporter.watch(self.name, "unpacking") as hear:
                self._unpack(hear)
        unbuilt = self._find_unbuilt()
        if unbuilt:
            text = f"building {', '.join(unbuilt)} from source, up to 10 minutes: not in {self.tools.places.cache}"
            self.say(versions.KUBERNETES, text)
            with self.tools.reporter.watch(self.name, "building") as hear:
                for program in unbuilt:
                    made = _PROGRAMS[program]
                    target = self.tools.places.cluster / "bin" / program
                    self._builder.build(made.module, made.package, target, hear, defines=made.defines)

    def _unpack(self, hear: Callable[[str], None]) -> None:
        """Unpacks all that the machine itself does not have, so that the folder is complete or not there."""
        folder = self.tools.places.cluster_packages
        with cache.make_folder(folder) as draft:
            for package in dict.fromkeys(
                package for program, package in _UNPACKED.items() if self.tools.commands.find(program) is None
            ):
                debian.unpack(self.tools.commands, package, draft, hear)

    def _find_unbuilt(self) -> list[str]:
        return [name for name in _PROGRAMS if not cache.is_program(self.tools.places.cluster / "bin" / name)]

    def _find_missing(self, programs: dict[str, str]) -> list[str]:
        """The packages of programs that are neither on PATH nor unpacked."""
        missing = [name for name in programs if self.tools.commands.find(name) is None and not self._find_own(name)]
        return list(dict.fromkeys(programs[name] for name in missing))

    def _find_own(self, program: str) -> bool:
        places = self.tools.places
        return any(cache.is_program(folder / program) for folder in (*places.cluster_folders, places.cluster_network))
