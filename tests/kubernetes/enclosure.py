"""Namespaces of processes, mounts and the network that end with this process, and processes in them."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from tests.kubernetes import supervisor

_LINES = 1 << 16
_SECONDS = 30
"""How long the supervisor may take to answer: it never waits for anything itself."""


class EnclosureError(Exception):
    """What was asked for could not be done inside; the text has the system's words."""


class Process:
    """A process inside, by the name of its component."""

    def __init__(self, enclosure: Enclosure, name: str, pid: int) -> None:
        self.name = name
        self.log = enclosure.logs / f"{name}.log"
        self.pid = pid
        self._enclosure = enclosure

    def find_end(self) -> int | None:
        """Its exit code, as of ``subprocess``; None while it runs."""
        return self._enclosure.ends.get(self.pid)

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal, if it runs."""
        if self.find_end() is None:
            self._enclosure.ask("signal", pid=self.pid, number=int(number))

    def wait(self, seconds: float) -> None:
        """Waits for its end.

        Raises:
            EnclosureError: it still runs after so many seconds.
        """
        if not self.wait_briefly(seconds):
            raise EnclosureError(f"{self.name} does not end in {seconds:g} s; {self.quote_log()}")

    def wait_briefly(self, seconds: float) -> bool:
        """Waits for its end, at most so long; gives whether it has ended."""
        return self._enclosure.wait(lambda: self.find_end() is not None, seconds)

    def quote_log(self, lines: int = 25) -> str:
        """The end of what it said, for errors."""
        tail = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"the end of {self.log}:", *tail])


class Enclosure:
    """A supervisor in new namespaces, which are gone when `close` was called, or when this process ended in any way."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.logs = folder / "logs"
        self.ends: dict[int, int] = {}
        self._changed = threading.Condition()
        self._answers: list[tuple[dict[str, Any], list[int]]] = []
        self._closed = False
        self._asking = threading.Lock()
        self._control, inside = socket.socketpair()
        log = self.logs / "supervisor.log"
        with inside, log.open("wb") as sink, open("/proc/self/ns/net", "rb") as host:
            self._process = subprocess.Popen(
                ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                 sys.executable, "-I", "-S", supervisor.__file__,
                 str(inside.fileno()), str(host.fileno()), str(folder)],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd="/",
                # Its own session: what a terminal sends to all of us must not end it before it has cleaned up.
                pass_fds=(inside.fileno(), host.fileno()), start_new_session=True,
                env={"PATH": os.environ["PATH"]},  # no proxy is between the components
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name="cluster supervisor", daemon=True)
        self._reader.start()
        try:
            self.number = int(self._receive()[0]["answer"])
        except EnclosureError as error:
            self.close()
            raise EnclosureError(f"no namespaces for a cluster: {error}; {log} says: {log.read_text()}") from error

    def close(self) -> None:
        """Ends all that is inside, and waits for it; may be called again."""
        with contextlib.suppress(OSError):  # its end is gone already
            self._control.shutdown(socket.SHUT_WR)
        self._process.wait()
        self._reader.join()
        self._control.close()

    def start(self, name: str, argv: list[str]) -> Process:
        """Starts a program inside; what it prints is appended to the file `name`.log."""
        log = supervisor.FOLDER / "logs" / f"{name}.log"
        return Process(self, name, self.ask("start", argv=argv, log=str(log)))

    def listen(self, port: int) -> socket.socket:
        """A socket that listens on `port` of all addresses inside; connections are accepted here."""
        with self._asking:
            self._send("listen", {"port": port})
            _, files = self._receive()
        return socket.socket(fileno=files[0])

    def make_cgroup(self, name: str) -> str:
        """Makes a cgroup, which is removed at the end; gives its path from the root."""
        self.ask("make_cgroup", name=name)
        return f"/{supervisor.build_name(self.number)}/{name}"

    def ask(self, action: str, **options: Any) -> Any:
        """Has the supervisor do something, and gives its answer.

        Raises:
            EnclosureError: it could not, or is gone.
        """
        with self._asking:
            self._send(action, options)
            return self._receive()[0]["answer"]

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until `condition` holds, which is asked whenever a process inside ended; gives whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def _send(self, action: str, options: dict[str, Any]) -> None:
        try:
            self._control.sendall(json.dumps({"do": action, "with": options}).encode() + b"\n")
        except OSError as error:
            raise EnclosureError(f"the cluster's supervisor is gone: {error}") from error

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        with self._changed:
            if not self._changed.wait_for(lambda: self._answers or self._closed, _SECONDS):
                raise EnclosureError(f"the cluster's supervisor does not answer in {_SECONDS} s")
            if not self._answers:
                raise EnclosureError("the cluster's supervisor has ended")
            message, files = self._answers.pop(0)
        if "error" in message:
            raise EnclosureError(message["error"])
        return message, files

    def _read(self) -> None:
        """Takes what the supervisor says: answers, and ends of processes."""
        received = b""
        files: list[int] = []
        while True:
            part, came, _, _ = socket.recv_fds(self._control, _LINES, 1)
            if not part:
                break
            files += came
            *lines, received = (received + part).split(b"\n")
            with self._changed:
                for message in map(json.loads, lines):
                    if "ended" in message:
                        self.ends[message["ended"]] = message["code"]
                    else:
                        self._answers.append((message, files))
                        files = []
                self._changed.notify_all()
        for file in files:
            os.close(file)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
