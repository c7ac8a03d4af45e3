"""Ports of this machine that are reached from inside a cluster's namespaces, under the same addresses."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_CHUNK = 1 << 18
_CONNECT_SECONDS = 10


class Forward:
    """Passes connections to a socket on to a port of 127.0.0.1, while they are open, until `close` is called."""

    def __init__(self, listener: socket.socket, port: int) -> None:
        self._listener = listener
        self._port = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, name=f"forward {port}", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Ends it, with its connections."""
        # Closing alone would not wake the thread that waits for a connection.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                came, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(came,), name="forwarded", daemon=True).start()

    def _pass_on(self, came: socket.socket) -> None:
        with came:
            try:
                there = socket.create_connection(("127.0.0.1", self._port), _CONNECT_SECONDS)
            except OSError:
                return  # as when nobody listens: whoever asked sees the connection end
            there.settimeout(None)
            with there, self._hold(came, there):
                back = threading.Thread(target=_copy, args=(there, came), daemon=True)
                back.start()
                _copy(came, there)
                back.join()

    @contextlib.contextmanager
    def _hold(self, *connections: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.update(connections)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(connections)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Passes on what comes, and then its end."""
    with contextlib.suppress(OSError):
        while part := source.recv(_CHUNK):
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
