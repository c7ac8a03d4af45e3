"""The Pulumi engine and its Python language host."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

from tools.bootstrap import cache, golang, release, sources, step, versions

_HOST = "pulumi-language-python"
_SCRIPTS = {
    "pulumi-language-python-exec": pathlib.PurePosixPath("python/cmd/pulumi-language-python-exec"),
    "pulumi-resource-pulumi-python": pathlib.PurePosixPath("python/dist/pulumi-resource-pulumi-python"),
}


class Engine(step.Step):
    """The command `pulumi`."""

    name = "engine"

    def __init__(self, tools: step.Tools, builder: golang.GoBuilder) -> None:
        super().__init__(tools)
        self._builder = builder

    def locate(self) -> pathlib.Path | None:
        """The engine to use: the user's if it will do, else ours."""
        for program in self._find_installed():
            if self._is_right(program):
                return program
        own = self.tools.places.engine / "bin" / "pulumi"
        return own if cache.is_program(own) else None

    def inspect(self) -> step.Finding:
        program = self.locate()
        if program:
            numbers = self.tools.book.find_version(program, "version")
            return step.Finding(ready=True, text=str(program), version=".".join(map(str, numbers)))
        for old in self._find_installed():
            version = ".".join(map(str, self.tools.book.find_version(old, "version"))) or "of unknown version"
            text = f"{old} is {version}, which is not 3.x from {versions.PULUMI} on"
            return step.Finding(ready=False, text=text)
        return step.Finding(ready=False, text="none on PATH")

    def provide(self) -> None:
        folder = self.tools.places.engine / "bin"

        def build(hear: Callable[[str], None]) -> None:
            self._builder.build(
                "pulumi",
                "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
                folder / "pulumi",
                hear,
                defines=f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{versions.PULUMI}",
            )

        sources.download_or_build(
            self,
            version=versions.PULUMI,
            official=versions.build_pulumi_release(self.tools.places.system, self.tools.places.machine),
            take=lambda archive: release.unpack(archive, folder, {"pulumi", _HOST, *_SCRIPTS}),
            build=build,
        )

    def _find_installed(self) -> list[pathlib.Path]:
        """The user's own engines: the one on PATH, and where the official installer puts it."""
        on_path = self.tools.commands.find("pulumi")
        candidates = [on_path] if on_path else []
        installed = self.tools.places.home / ".pulumi" / "bin" / "pulumi"
        if cache.is_program(installed):
            candidates.append(installed)
        return candidates

    def _is_right(self, program: pathlib.Path) -> bool:
        wanted = versions.parse_version(versions.PULUMI)
        found = self.tools.book.find_version(program, "version")
        return found[:1] == wanted[:1] and found >= wanted


class LanguageHost(step.Step):
    """`pulumi-language-python`, which the official release holds beside the engine."""

    name = "language"

    def __init__(self, tools: step.Tools, engine: Engine, builder: golang.GoBuilder) -> None:
        super().__init__(tools)
        self._engine = engine
        self._builder = builder

    def inspect(self) -> step.Finding:
        for folder in self._build_folders():
            if all(cache.is_program(folder / name) for name in (_HOST, *_SCRIPTS)):
                return step.Finding(ready=True, text=str(folder / _HOST))
        return step.Finding(ready=False, text="none beside the engine or on PATH")

    def provide(self) -> None:
        folder = self.tools.places.engine / "bin"

        def build(hear: Callable[[str], None]) -> None:
            source = self._builder.find_module("pulumi", "github.com/pulumi/pulumi/sdk/v3", hear)
            for name, path in _SCRIPTS.items():
                with cache.make_file(folder / name, mode=0o755) as draft:
                    shutil.copyfile(source / path, draft)
            package = f"github.com/pulumi/pulumi/sdk/v3/python/cmd/{_HOST}"
            self._builder.build("language-python", package, folder / _HOST, hear)

        sources.download_or_build(
            self,
            version=versions.PULUMI,
            official=versions.build_pulumi_release(self.tools.places.system, self.tools.places.machine),
            take=lambda archive: release.unpack(archive, folder, {_HOST, *_SCRIPTS}),
            build=build,
            build_version=versions.LANGUAGE_HOST,
        )

    def _build_folders(self) -> list[pathlib.Path]:
        """Where the engine finds it, in its order."""
        on_path = self.tools.commands.find(_HOST)
        engine = self._engine.locate()
        folders = [on_path.parent] if on_path else []
        if engine:
            folders.append(engine.resolve().parent)
        return [*folders, self.tools.places.engine / "bin"]
