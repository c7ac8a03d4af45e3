from __future__ import annotations

import os
import pathlib

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import daemon, debian, errors

ASK = "docker version --format {{.Server.Version}}"
REFUSED = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.fixture
def docker(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> daemon.Docker:
    """The step, on a Debian machine without systemd, as root."""
    monkeypatch.setattr(debian, "is_root", lambda: True)
    monkeypatch.setattr(debian, "is_debian", lambda *_: True)
    machine.commands.programs["apt-get"] = pathlib.Path("/usr/bin/apt-get")
    made = daemon.Docker(machine.tools)
    made.pid_file = machine.folder / "docker.pid"
    made.systemd = machine.folder / "no-systemd"
    return made


def test_a_daemon_that_answers_is_left_alone(machine: fakes.Machine, docker: daemon.Docker) -> None:
    """The daemon is asked for its version and nothing else."""
    machine.install("docker")
    machine.commands.answer(ASK, "20.10.24+dfsg1\n")

    finding = docker.inspect()

    assert (finding.ready, finding.version) == (True, "20.10.24+dfsg1")
    assert docker.find_obstacle() == ""
    assert machine.commands.ran == [ASK, ASK]


def test_docker_is_installed_and_started(machine: fakes.Machine, docker: daemon.Docker) -> None:
    """Without Docker, root on Debian gets docker.io, and dockerd where no init system starts it."""

    def install(_words: list[str]) -> None:
        machine.install("docker")
        machine.install("dockerd")
        machine.commands.answer(ASK, stderr=REFUSED, code=1)

    def start(_log: pathlib.Path) -> None:
        machine.commands.answer(ASK, "28.2.2\n")

    machine.commands.answer("apt-get update")
    machine.commands.answer("apt-get install --yes --no-install-recommends ...", effect=install)
    machine.commands.start_effect = start

    docker.provide()

    assert machine.commands.started == ["dockerd"]
    assert docker.inspect().ready
    assert "installing docker.io with apt-get: no docker command on PATH" in machine.said


def test_a_dockerd_that_ends_shows_its_log(machine: fakes.Machine, docker: daemon.Docker) -> None:
    """A daemon that cannot start fails the step with the end of its own log."""

    def start(log: pathlib.Path) -> int:
        log.write_text("failed to start daemon: no cgroups\n")
        return 1

    machine.install("docker")
    machine.install("dockerd")
    machine.commands.answer(ASK, stderr=REFUSED, code=1)
    machine.commands.start_effect = start

    with pytest.raises(errors.BootstrapError, match=r"exit code 1(.|\n)*no cgroups"):
        docker.provide()


def test_a_dead_daemons_pid_file_is_removed(machine: fakes.Machine, docker: daemon.Docker) -> None:
    """A pid file whose process is not dockerd does not stop the next start."""
    machine.install("docker")
    machine.install("dockerd")
    machine.commands.answer(ASK, stderr=REFUSED, code=1)
    machine.commands.start_effect = lambda _log: machine.commands.answer(ASK, "28.2.2\n")
    docker.pid_file.write_text(f"{os.getpid()}\n")

    docker.provide()

    assert not docker.pid_file.exists()
    assert f"its process {os.getpid()} is gone" in machine.said


def test_a_living_daemons_pid_file_stays(
    machine: fakes.Machine, docker: daemon.Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dockerd that runs and does not answer is reported, and neither replaced nor ended."""
    machine.install("docker")
    machine.install("dockerd")
    machine.commands.answer(ASK, stderr=REFUSED, code=1)
    docker.pid_file.write_text("4711\n")
    monkeypatch.setattr(daemon, "is_dockerd", lambda pid: pid == 4711)

    with pytest.raises(errors.BootstrapError, match=r"dockerd runs \(pid 4711\) but does not answer"):
        docker.provide()

    assert docker.pid_file.exists()
    assert machine.commands.started == []


def test_without_root_the_fix_is_exact(
    machine: fakes.Machine, docker: daemon.Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tried without root; the message says what to install, to start and to allow."""
    monkeypatch.setattr(debian, "is_root", lambda: False)

    obstacle = docker.find_obstacle()

    assert obstacle == (
        "Docker is needed, and is not usable here (no docker command on PATH): install it with `sudo apt-get install "
        "docker.io`, start it with `sudo systemctl start docker` (or `sudo dockerd`), let your user use it with "
        "`sudo usermod -aG docker $USER` and a new login"
    )
    assert machine.commands.ran == []


def test_a_socket_that_may_not_be_opened(
    machine: fakes.Machine, docker: daemon.Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running daemon that this user may not use needs a group, not an installation."""
    monkeypatch.setattr(debian, "is_root", lambda: False)
    machine.install("docker")
    machine.commands.answer(ASK, stderr="permission denied while trying to connect to the Docker daemon socket", code=1)

    assert docker.find_obstacle().endswith("with `sudo usermod -aG docker $USER`, then log in again")


def test_a_daemon_that_the_user_chose_is_not_replaced(tmp_path: pathlib.Path) -> None:
    """Where DOCKER_HOST names a daemon that is away, another one would be the wrong one, even for root."""
    machine = fakes.Machine(tmp_path, {"DOCKER_HOST": "ssh://build-host"})
    machine.install("docker")
    machine.commands.answer(ASK, stderr=REFUSED, code=1)

    obstacle = daemon.Docker(machine.tools).find_obstacle()

    assert obstacle.endswith("start the daemon that you chose with DOCKER_HOST=ssh://build-host, or choose another")


def test_a_context_counts_as_a_choice(machine: fakes.Machine, docker: daemon.Docker) -> None:
    """A context of Docker's own configuration is respected as DOCKER_HOST is."""
    machine.install("docker")
    machine.commands.answer(ASK, stderr=REFUSED, code=1)
    machine.places.docker_home.mkdir(parents=True)
    (machine.places.docker_home / "config.json").write_text('{"currentContext": "colima"}')

    assert "context 'colima'" in docker.find_obstacle()
