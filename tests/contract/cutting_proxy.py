"""A proxy that cuts connections in the middle of an answer."""

from __future__ import annotations

import contextlib
import socket
import threading

_CHUNK = 65536


Address = str | tuple[str, int]


def _open_socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)


class CuttingProxy:
    """Passes connections on to another socket, and cuts those over which a certain answer comes.

    Attributes:
        address: where it listens.
        cuts: how many it has cut.
    """

    def __init__(self, address: Address, upstream: Address, *, marker: bytes, breaks: int, after: int = 1000) -> None:
        """Starts to listen.

        Args:
            address: where: the path of a Unix socket, or host and port.
            upstream: what is asked in its place, likewise.
            marker: what the request has in it whose answer is cut.
            breaks: how often.
            after: bytes of the answer that get through the first time; each time it is as many more.
        """
        self.cuts = 0
        self._upstream = upstream
        self._marker = marker
        self._breaks = breaks
        self._after = after
        self._lock = threading.Lock()
        self._listener = _open_socket(address)
        self._listener.bind(address)
        self._listener.listen()
        self.address: Address = self._listener.getsockname()
        threading.Thread(target=self._accept, name="cutting proxy", daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        # Closing alone does not wake who accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = _open_socket(self._upstream)
        with client, upstream, contextlib.suppress(OSError):
            upstream.connect(self._upstream)
            allowed: list[int | None] = [None]
            back = threading.Thread(target=self._send_back, args=(upstream, client, allowed), daemon=True)
            back.start()
            while request := client.recv(_CHUNK):
                with self._lock:
                    if self._marker in request and self.cuts < self._breaks:
                        self.cuts += 1
                        allowed[0] = self._after * self.cuts
                upstream.sendall(request)
            upstream.shutdown(socket.SHUT_WR)
            back.join()

    def _send_back(self, upstream: socket.socket, client: socket.socket, allowed: list[int | None]) -> None:
        with contextlib.suppress(OSError):
            while answer := upstream.recv(_CHUNK):
                left = allowed[0]
                if left is not None and len(answer) >= left:
                    client.sendall(answer[:left])
                    break
                client.sendall(answer)
                if left is not None:
                    allowed[0] = left - len(answer)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            upstream.shutdown(socket.SHUT_RDWR)
