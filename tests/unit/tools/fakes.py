"""A machine that is not there: programs answer what a test told them to, and an unknown command fails the test."""

from __future__ import annotations

import io
import os
import pathlib
import subprocess
from collections.abc import Callable, Mapping
from typing import IO

from tools.bootstrap import cache, commands, errors, layout, progress, release, step

Effect = Callable[[list[str]], None]


class FakeProcess(subprocess.Popen[bytes]):
    """A service that was started; `ended` is its exit code, None while it runs."""

    def __init__(self, ended: int | None) -> None:
        self.pid = 0
        self.returncode: int | None = ended

    def __del__(self) -> None:
        """There is no process to wait for."""

    def poll(self) -> int | None:
        return self.returncode


class FakeCommands(commands.Commands):
    """Programs by name, and what command lines answer; a line that ends in `...` stands for all that begin so."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        super().__init__(env or {})
        self.programs: dict[str, pathlib.Path] = {}
        self.ran: list[str] = []
        self.environments: list[dict[str, str]] = []
        self.started: list[str] = []
        self.start_effect: Callable[[pathlib.Path], int | None] = lambda _log: None
        self._answers: list[tuple[str, commands.Result, Effect | None]] = []

    def answer(
        self, line: str, stdout: str = "", *, stderr: str = "", code: int = 0, effect: Effect | None = None
    ) -> None:
        """Sets what `line` answers from now on, in place of what it answered before."""
        self._answers.insert(0, (line, commands.Result(code, stdout, stderr), effect))

    def find(self, name: str) -> pathlib.Path | None:
        return self.programs.get(name)

    def attempt(
        self,
        argv: commands.Argv,
        *,
        env: Mapping[str, str] | None = None,
        cwd: pathlib.Path | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> commands.Result:
        words = [os.fspath(word) for word in argv]
        line = " ".join(words)
        self.ran.append(line)
        self.environments.append(dict(env or {}))
        for pattern, result, effect in self._answers:
            if line == pattern or (pattern.endswith("...") and line.startswith(pattern[:-3])):
                if effect is not None:
                    effect(words)
                return result
        raise AssertionError(f"unknown command: {line}")

    def start(self, argv: commands.Argv, log: pathlib.Path) -> subprocess.Popen[bytes]:
        self.started.append(" ".join(os.fspath(word) for word in argv))
        log.touch()
        return FakeProcess(self.start_effect(log))


class FakeInternet:
    """Addresses and what they answer; an unknown one cannot be reached."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []

    def open(self, url: str) -> IO[bytes]:
        """Stands for `release.open_url`."""
        self.asked.append(url)
        page = self.pages.get(url, TimeoutError("timed out"))
        if isinstance(page, Exception):
            raise page
        return io.BytesIO(page)


class FakeBuilder:
    """Stands for `golang.GoBuilder`: writes programs at once, and says which."""

    def __init__(self, sources: pathlib.Path) -> None:
        self.built: list[str] = []
        self.sources = sources

    def build(
        self,
        module: str,
        package: str,
        target: pathlib.Path,
        hear: Callable[[str], None],
        *,
        defines: str = "",
    ) -> None:
        self.built.append(package)
        put_program(target)

    def find_module(self, module: str, dependency: str, hear: Callable[[str], None]) -> pathlib.Path:
        for name in ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"):
            put_program(self.sources / name)
        return self.sources

    def clean(self) -> None:
        self.built.append("clean")


class Machine:
    """A new machine in a folder: places, programs, an internet that does not answer, and what was said."""

    def __init__(self, folder: pathlib.Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.places = layout.Layout(
            checkout=folder / "checkout",
            cache=folder / "cache",
            home=folder / "home",
            pulumi_home=folder / "home" / ".pulumi",
            docker_home=folder / "home" / ".docker",
        )
        self.places.checkout.mkdir(parents=True)
        self.commands = FakeCommands(env)
        self.internet = FakeInternet()
        self.output = io.StringIO()
        self.tools = step.Tools(
            places=self.places,
            commands=self.commands,
            reporter=progress.Reporter(self.output),
            releases=release.Releases(self.places.work, self.internet.open),
            book=cache.VersionBook(self.places, self.commands),
        )
        self.builder = FakeBuilder(folder / "sources")

    @property
    def said(self) -> str:
        return self.output.getvalue()

    def install(self, name: str, version: str = "", *, version_option: str = "version") -> pathlib.Path:
        """Puts a program on the PATH."""
        program = put_program(self.folder / "usr" / "bin" / name)
        self.commands.programs[name] = program
        if version:
            self.commands.answer(f"{program} {version_option}", version)
        return program


class FakeStep(step.Step):
    """A step that is done once it was provided."""

    def __init__(self, tools: step.Tools, name: str, *, ready: bool = False) -> None:
        super().__init__(tools)
        self.name = name
        self.ready = ready
        self.provided = 0
        self.failure = ""
        self.obstacle = ""

    def inspect(self) -> step.Finding:
        return step.Finding(ready=self.ready, text="here" if self.ready else "not here", version="1")

    def provide(self) -> None:
        self.provided += 1
        if self.failure:
            raise errors.BootstrapError(self.failure)
        self.ready = True

    def find_obstacle(self) -> str:
        return self.obstacle


def put_program(path: pathlib.Path, text: str = "#!/bin/sh\n") -> pathlib.Path:
    """Writes an executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path
