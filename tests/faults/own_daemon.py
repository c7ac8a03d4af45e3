"""A Docker daemon of the tests' own, in namespaces of its own: it may be killed without anybody else noticing."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import socket
import time
from collections.abc import Iterator

import docker

from tests.docker_daemon import open_docker
from tests.integration.projects import TINY_IMAGE
from tests.kubernetes import enclosure, supervisor

_SECONDS = 60


class OwnDaemon:
    """A daemon with the tiny image; its containers end with it, or live over its restart.

    Args:
        folder: of its own.
        keeps: whether containers go on while it is away (`live-restore`).
    """

    def __init__(self, folder: pathlib.Path, *, keeps: bool) -> None:
        for name in ("configuration", "logs"):
            (folder / name).mkdir(parents=True)
        self.address = f"unix://{folder / 'docker.sock'}"
        self._keeps = keeps
        self._networks = folder / "state/docker/network/files/local-kv.db"
        self._enclosure = enclosure.Enclosure(folder)
        self._group = self._enclosure.make_cgroup("docker")
        self._process: enclosure.Process | None = None

    def start(self, after: float = 0.0) -> None:
        """Starts it with all that it had, and waits until it answers.

        Raises:
            AssertionError: it does not; the end of its log is in the text.
        """
        time.sleep(after)
        if not self._start():
            # Docker 20.10 that was killed while it made a network may end at each start, in `reservePools`, until its
            # list of networks is removed, as its users do then.
            assert "reservePools" in self._quote_log(), self._quote_log()
            self._networks.unlink()
            assert self._start(), self._quote_log()

    def _start(self) -> bool:
        """Starts it; gives whether it answers, and has not ended."""
        argv = ["dockerd", f"--data-root={supervisor.STATE}/docker", "--exec-root=/run/docker",
                "--pidfile=/run/docker.pid", f"--host=unix://{supervisor.FOLDER}/docker.sock",
                f"--live-restore={str(self._keeps).lower()}", f"--cgroup-parent={self._group}"]  # fmt: skip
        self._process = self._enclosure.start("dockerd", argv)
        until = time.monotonic() + _SECONDS
        while not self._answers():
            if self._process.wait_briefly(0.1):
                return False
            assert time.monotonic() < until, self._quote_log()
        return True

    def _quote_log(self) -> str:
        assert self._process is not None
        return self._process.quote_log()

    def kill(self) -> None:
        """Kills it at once."""
        assert self._process is not None
        self._process.send(signal.SIGKILL)
        self._process.wait(_SECONDS)

    def load_image(self) -> None:
        """Gives it the tiny image."""
        with contextlib.closing(docker.APIClient(base_url=self.address, version="auto")) as client:
            said = list(client.load_image(open_docker().get_image(TINY_IMAGE)))
        assert not [line for line in said if "error" in line], said

    def close(self) -> None:
        """Ends it, with its containers."""
        self._enclosure.close()

    def _answers(self) -> bool:
        # By hand: Docker's own client leaves a socket open where nobody listens.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            try:
                connection.connect(self.address.removeprefix("unix://"))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 OK" in connection.recv(1024)
            except OSError:
                return False


@contextlib.contextmanager
def open_daemon(folder: pathlib.Path, *, keeps: bool) -> Iterator[OwnDaemon]:
    """A daemon, for as long as the block lasts."""
    daemon = OwnDaemon(folder, keeps=keeps)
    try:
        daemon.start()
        daemon.load_image()
        yield daemon
    finally:
        daemon.close()
