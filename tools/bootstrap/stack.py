"""What `make up`, `preview`, `output` and `down` do with a stack, around the engine's own command."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence

from tools.bootstrap import cache, commands, environment, errors, layout, locks, progress, stack_config

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "up": ("up", "--yes"),
    "preview": ("preview", "--diff"),
    "output": ("stack", "output", "--json"),
    "down": ("destroy", "--yes"),
}


class Stack:
    """A stack of the project, in a prepared environment."""

    def __init__(
        self,
        name: str,
        *,
        places: layout.Layout,
        runner: commands.Commands,
        reporter: progress.Reporter,
        user_env: Mapping[str, str],
    ) -> None:
        self.name = name
        self._places = places
        self._commands = runner
        self._reporter = reporter
        self._user_env = user_env
        self._own = environment.uses_own_backend(name, user_env)

    def build_command(self, action: str, extra: Sequence[str] = ()) -> list[str]:
        """Makes the stack ready for `action` and gives the engine's command line for it.

        The stack is created if it does not exist, and a lock that a dead process left in our own backend is cleared.

        Raises:
            BootstrapError: there is no such stack, or it is locked by a living process.
        """
        source = stack_config.find_source(self._places, self.name)
        project = self._read_project()
        was_killed = False
        if self._own and action not in ("output", "preview"):  # those need no lock
            was_killed = locks.clear_dead(
                self._state,
                project,
                self.name,
                lambda pid: locks.find_program_name(self._commands, pid),
                self._reporter.warn,
            )
        if self.name != environment.LOCAL_STACK:
            if not self._exists():
                self._commands.run(["pulumi", "stack", "init", self.name, "--no-select"], cwd=self._places.checkout)
            return self._build_engine_command(action, extra, None)
        config = self._compose(source, project)
        if was_killed:
            self._forget_pending_creates(config.parent / "init")
        return self._build_engine_command(action, extra, config)

    def _build_engine_command(self, action: str, extra: Sequence[str], config: pathlib.Path | None) -> list[str]:
        command = ["pulumi", "-C", str(self._places.checkout), *ACTIONS[action], "--stack", self.name]
        if config and action != "output":  # which reads the state alone
            command += ["--config-file", str(config)]
        return command + list(extra)

    @property
    def _state(self) -> pathlib.Path:
        return environment.find_state_folder(self._places)

    def _compose(self, source: pathlib.Path, project: str) -> pathlib.Path:
        """Composes the settings of stack `local`, and creates the stack where it does not exist."""
        backend = self._commands.env.get("PULUMI_BACKEND_URL", "")
        folder = self._places.private / "config" / hashlib.sha256(backend.encode()).hexdigest()[:8]
        target = folder / source.name
        salt = stack_config.read_salt(target)
        if self._own:
            salt = stack_config.read_state_salt(self._state, project, self.name) or salt
        if not self._exists():
            salt = self._create(project, folder / "init")
        own_passphrase = "PULUMI_CONFIG_PASSPHRASE" not in self._user_env and not self._user_env.get(
            "PULUMI_CONFIG_PASSPHRASE_FILE"
        )
        stack_config.compose(source, target, salt, keep_committed_salt=not (self._own and own_passphrase))
        return target

    def _create(self, project: str, folder: pathlib.Path) -> str:
        """Creates the stack from a bare project, so that its new salt is written there and not into the checkout."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"Pulumi.{self.name}.yaml"
        file.unlink(missing_ok=True)
        (folder / "Pulumi.yaml").write_text(f"name: {project}\nruntime: python\n")
        self._commands.run(["pulumi", "-C", folder, "stack", "init", self.name, "--no-select", "--non-interactive"])
        self._reporter.warn(f"created stack {self.name!r}")
        return stack_config.read_salt(file)

    def _forget_pending_creates(self, folder: pathlib.Path) -> None:
        """Removes what a killed engine had begun to create from the state, about which the next ones would warn.

        Nothing is lost with it: a run has a deterministic id and an image a tag, by which the next `up` finds them.
        """
        pulumi: list[str | pathlib.Path] = ["pulumi", "-C", folder, "stack"]
        choice = ["--stack", self.name, "--non-interactive"]
        state = json.loads(self._commands.run([*pulumi, "export", *choice]))
        pending = state["deployment"].get("pending_operations") or []
        kept = [operation for operation in pending if operation["type"] != "creating"]
        if len(kept) < len(pending):
            state["deployment"]["pending_operations"] = kept
            with cache.make_file(folder / "state.json", mode=0o600) as draft:
                draft.write_text(json.dumps(state))
            self._commands.run([*pulumi, "import", "--file", folder / "state.json", *choice])
            (folder / "state.json").unlink()

    def _exists(self) -> bool:
        if self._own:
            folder = self._state / ".pulumi" / "stacks" / self._read_project()
            return any((folder / f"{self.name}{end}").exists() for end in (".json", ".json.gz"))
        asked = self._commands.attempt(
            ["pulumi", "-C", self._places.checkout, "stack", "--stack", self.name, "--show-name", "--non-interactive"]
        )
        if asked.code == 0:
            return True
        if "no stack named" in asked.stderr:
            return False
        raise errors.BootstrapError(
            f"cannot tell whether stack {self.name!r} exists; pulumi says: {asked.stderr.strip()}"
        )

    def _read_project(self) -> str:
        file = self._places.checkout / "Pulumi.yaml"
        try:
            for line in file.read_text().splitlines():
                if line.startswith("name:"):
                    return line[len("name:") :].strip().strip("\"'")
        except OSError as error:
            raise errors.BootstrapError(f"cannot read {file}: {error.strerror}") from error
        raise errors.BootstrapError(f"{file} has no line `name: ...`")
