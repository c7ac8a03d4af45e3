"""The Docker daemon."""

from __future__ import annotations

import json
import os
import pathlib
import time
from collections.abc import Callable

from tools.bootstrap import debian, errors, step, versions

_OLDEST = "20.10"
_PID_FILE = pathlib.Path("/var/run/docker.pid")
_SYSTEMD = pathlib.Path("/run/systemd/system")


class Docker(step.Step):
    """A daemon that answers, whichever the user's DOCKER_HOST or context names; such a one is never touched."""

    name = "docker"
    pid_file = _PID_FILE
    systemd = _SYSTEMD

    def inspect(self) -> step.Finding:
        if self.tools.commands.find("docker") is None:
            return step.Finding(ready=False, text="no docker command on PATH", fix=self._build_fix())
        asked = self.tools.commands.attempt(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20)
        version = asked.stdout.strip()
        if asked.code != 0 or not version:
            return step.Finding(ready=False, text=asked.last_line, fix=self._build_fix(asked.last_line))
        if versions.parse_version(version) < versions.parse_version(_OLDEST):
            text = f"the daemon is older than {_OLDEST}"
            return step.Finding(ready=False, text=text, version=version, fix="update Docker")
        return step.Finding(ready=True, text=self._find_endpoint() or "the default daemon", version=version)

    def find_obstacle(self) -> str:
        finding = self.inspect()
        if finding.ready:
            return ""
        if finding.version or self._find_endpoint() or not debian.is_root() or not self._can_start():
            return f"Docker is needed, and is not usable here ({finding.text}): {finding.fix}"
        return ""

    def provide(self) -> None:
        reason = self.inspect().text
        if self.tools.commands.find("dockerd") is None:
            self.say("", f"installing docker.io with apt-get: {reason}")
            with self.tools.reporter.watch(self.name, "installing") as hear:
                debian.install(self.tools.commands, ["docker.io", "iptables", "ca-certificates"], hear)
            if self._answers():  # the package starts it where there is an init system
                return
        if self.systemd.is_dir():
            self.say("", f"starting it with systemctl: {reason}")
            self.tools.commands.run(["systemctl", "start", "docker"], timeout=versions.DOCKER_SECONDS)
            self._wait(lambda: None, "see `journalctl -u docker`")
            return
        self._start(reason)

    def _start(self, reason: str) -> None:
        """Starts dockerd ourselves, for machines without an init system; it outlives us."""
        self._clear_pid_file()
        log = self.tools.places.logs / "dockerd.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.say("", f"starting dockerd, its log is {log}: {reason}")
        began = log.stat().st_size if log.exists() else 0
        process = self.tools.commands.start(["dockerd"], log)

        def find_end() -> str | None:
            if process.poll() is None:
                return None
            with log.open("rb") as file:
                file.seek(began)
                tail = file.read().decode("utf-8", "replace").splitlines()[-15:]
            return f"dockerd ended with exit code {process.returncode}; the end of {log}:\n" + "\n".join(tail)

        self._wait(find_end, f"see {log}")

    def _wait(self, find_end: Callable[[], str | None], hint: str) -> None:
        """Waits until the daemon answers, or is known not to."""
        deadline = time.monotonic() + versions.DOCKER_SECONDS
        while not self._answers():
            ended = find_end()
            if ended:
                raise errors.BootstrapError(ended)
            if time.monotonic() > deadline:
                raise errors.BootstrapError(f"dockerd does not answer after {versions.DOCKER_SECONDS} s; {hint}")
            time.sleep(0.3)

    def _answers(self) -> bool:
        return self.tools.commands.find("docker") is not None and self.inspect().ready

    def _clear_pid_file(self) -> None:
        """Removes what a killed dockerd leaves, which stops the next start; never that of a running one."""
        try:
            pid = int(self.pid_file.read_text().strip())
        except (OSError, ValueError):
            return
        if is_dockerd(pid):
            raise errors.BootstrapError(
                f"dockerd runs (pid {pid}) but does not answer: look at its log, or stop it with `kill {pid}`"
            )
        self.say("", f"removing {self.pid_file}: its process {pid} is gone")
        self.pid_file.unlink(missing_ok=True)

    def _can_start(self) -> bool:
        return self.tools.commands.find("dockerd") is not None or debian.can_install(self.tools.commands)

    def _find_endpoint(self) -> str:
        """What the user chose in place of the default daemon: DOCKER_HOST, or a context; empty if nothing."""
        env = self.tools.commands.env
        if env.get("DOCKER_HOST"):
            return f"DOCKER_HOST={env['DOCKER_HOST']}"
        context = env.get("DOCKER_CONTEXT", "")
        if not context:
            try:
                context = json.loads((self.tools.places.docker_home / "config.json").read_text())["currentContext"]
            except (OSError, ValueError, KeyError, TypeError):
                return ""
        return f"context {context!r}" if context and context != "default" else ""

    def _build_fix(self, said: str = "") -> str:
        if "permission denied" in said.lower():
            return "let your user use Docker with `sudo usermod -aG docker $USER`, then log in again"
        chosen = self._find_endpoint()
        if chosen:
            return f"start the daemon that you chose with {chosen}, or choose another"
        if self.tools.places.system == "darwin":
            return "install and start Docker Desktop, colima or OrbStack"
        if debian.is_root() and self._can_start():
            return "run `make up`: it is installed and started then"
        install = "install it with `sudo apt-get install docker.io`" if debian.is_debian() else "install Docker Engine"
        start = "start it with `sudo systemctl start docker` (or `sudo dockerd`)"
        join = "let your user use it with `sudo usermod -aG docker $USER` and a new login"
        return f"{install}, {start}, {join}"


def is_dockerd(pid: int) -> bool:
    """Whether the process `pid` exists and is a Docker daemon."""
    try:
        return os.path.basename(pathlib.Path(f"/proc/{pid}/comm").read_text().strip()) == "dockerd"
    except OSError:
        return False
