"""The container registry that tests push to."""

from __future__ import annotations

from tools.bootstrap import cache, debian, errors, step, versions

_PROGRAM = "docker-registry"


class Registry(step.Step):
    """Debian's docker-registry, unpacked and not installed, as its package starts a service on port 5000."""

    name = "registry"
    only_for_tests = True

    def inspect(self) -> step.Finding:
        found = self.tools.commands.find(_PROGRAM)
        program = found or self.tools.places.registry / "usr" / "bin" / _PROGRAM
        if cache.is_program(program):
            return step.Finding(ready=True, text=str(program), version=versions.REGISTRY)
        return step.Finding(ready=False, text="not on PATH", fix="run `make test`: it is made ready then")

    def provide(self) -> None:
        if not debian.can_install(self.tools.commands):
            raise errors.BootstrapError(
                f"tests need a container registry, and its package can be had only by root on Debian or Ubuntu: put "
                f"{_PROGRAM}, version 2.8 or newer, on PATH"
            )
        self.say(versions.REGISTRY, f"unpacking Debian's package {_PROGRAM}: {self.inspect().text}")
        with (
            self.tools.reporter.watch(self.name, "unpacking") as hear,
            cache.make_folder(self.tools.places.registry) as draft,
        ):
            debian.unpack(self.tools.commands, _PROGRAM, draft, hear)
