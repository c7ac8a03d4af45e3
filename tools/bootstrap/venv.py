"""uv, and the project's virtual environment."""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import sys

from tools.bootstrap import cache, commands, debian, errors, step, versions


class Uv(step.Step):
    """uv: the one on PATH if it is recent, else from PyPI into the cache."""

    name = "uv"

    def locate(self) -> pathlib.Path | None:
        """The uv to use."""
        found = self.tools.commands.find("uv")
        if found and self.tools.book.find_version(found, "--version") >= versions.parse_version(versions.UV_OLDEST):
            return found
        own = self.tools.places.uv / "bin" / "uv"
        return own if cache.is_program(own) else None

    def inspect(self) -> step.Finding:
        program = self.locate()
        if program:
            numbers = self.tools.book.find_version(program, "--version")
            return step.Finding(ready=True, text=str(program), version=".".join(map(str, numbers)))
        found = self.tools.commands.find("uv")
        return step.Finding(ready=False, text=f"{found} is older than {versions.UV_OLDEST}" if found else "not on PATH")

    def provide(self) -> None:
        self.say(versions.UV, f"installing from PyPI: {self.inspect().text}")
        with (
            self.tools.reporter.watch(self.name, "installing") as hear,
            cache.make_folder(self.tools.places.uv) as draft,
        ):
            python = self._find_pip(draft)
            self.tools.commands.run(
                [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
                 "--only-binary=:all:", "--target", draft / "uv", f"uv=={versions.UV}"],
                env={"PIP_ROOT_USER_ACTION": "ignore"},
                on_line=hear,
            )  # fmt: skip
            (draft / "bin").mkdir()
            (draft / "uv" / "bin" / "uv").rename(draft / "bin" / "uv")
            shutil.rmtree(draft / "uv")
            shutil.rmtree(draft / "pip", ignore_errors=True)

    def _find_pip(self, draft: pathlib.Path) -> pathlib.Path:
        """A Python that has pip; Debian's own often has neither pip nor venv."""
        python = pathlib.Path(sys.executable)
        if self.tools.commands.attempt([python, "-m", "pip", "--version"]).code == 0:
            return python
        make_venv: list[str | pathlib.Path] = [python, "-m", "venv", draft / "pip"]
        made = self.tools.commands.attempt(make_venv)
        if made.code != 0 and debian.can_install(self.tools.commands):
            self.say("", "this Python has neither pip nor venv: installing python3-venv with apt-get")
            debian.install(self.tools.commands, ["python3-venv"], lambda _line: None)
            made = self.tools.commands.attempt(make_venv)
        if made.code != 0:
            raise errors.BootstrapError(
                f"{python} has neither pip nor venv, so uv {versions.UV} cannot be installed: "
                f"install uv yourself, or Debian's package python3-venv ({made.last_line})"
            )
        return draft / "pip" / "bin" / "python"


class Venv(step.Step):
    """The virtual environment `.venv`, as uv.lock has it."""

    name = "venv"

    def __init__(self, tools: step.Tools, uv: Uv) -> None:
        super().__init__(tools)
        self._uv = uv

    def inspect(self) -> step.Finding:
        venv = self.tools.places.venv
        if not cache.is_program(venv / "bin" / "python"):
            return step.Finding(ready=False, text=f"{venv} is not there")
        try:
            stamp = self._stamp_file.read_text()
        except OSError:
            stamp = ""
        if stamp != self._build_stamp():
            return step.Finding(ready=False, text="uv.lock or pyproject.toml changed since it was made")
        return step.Finding(ready=True, text=str(venv))

    def provide(self) -> None:
        uv = self._uv.locate()
        if uv is None:
            raise errors.BootstrapError("the virtual environment needs uv: run the step `uv` first")
        self.say("", f"uv sync --locked: {self.inspect().text}")
        stamp = self._build_stamp()
        with self.tools.reporter.watch(self.name, "installing packages") as hear:
            self.tools.commands.run(
                [uv, "sync", "--locked"],
                cwd=self.tools.places.checkout,
                env=build_uv_environment(self.tools.commands),
                on_line=hear,
            )
        with cache.make_file(self._stamp_file) as draft:
            draft.write_text(stamp)

    @property
    def _stamp_file(self) -> pathlib.Path:
        return self.tools.places.venv / "aml-infra-synced"

    def _build_stamp(self) -> str:
        """What the environment depends on; its scripts hold its own path, so a moved checkout needs a new one."""
        digest = hashlib.sha256(str(self.tools.places.venv).encode())
        try:
            for name in ("uv.lock", "pyproject.toml"):
                digest.update((self.tools.places.checkout / name).read_bytes())
        except OSError as error:
            raise errors.BootstrapError(f"cannot read {error.filename}: {error.strerror}") from error
        return digest.hexdigest()


def build_uv_environment(runner: commands.Commands) -> dict[str, str]:
    """Lets uv trust what the machine trusts, as behind a proxy that intercepts TLS, unless the user decided."""
    return {} if "UV_SYSTEM_CERTS" in runner.env else {"UV_SYSTEM_CERTS": "1"}
