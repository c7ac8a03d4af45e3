"""Stands before a registry, counts what it is asked, and has faults."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import re
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from typing import Any

_CHUNK = 65536
_HOP = ("connection", "keep-alive", "transfer-encoding")


@dataclasses.dataclass(kw_only=True)
class Fault:
    """Something that goes wrong, some times.

    Attributes:
        method: of the requests that it is for.
        path: an expression that is in their paths.
        times: how often.
        status: what is answered in place of the registry; the connection is cut if it is None.
        headers: of that answer.
        sent: bytes of what is sent that pass before the cut; if it is None, all do, and the answer is cut.
        given: bytes of the answer that pass; if it is none, not even its status does.
    """

    method: str
    path: str
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sent: int | None = None
    given: int = 0


class RegistryProxy:
    """Passes requests on.

    Attributes:
        address: where it listens.
        asked: method and path of each request.
        faults: what is to go wrong.
    """

    def __init__(self, upstream: str) -> None:
        """Stands before the registry at ``upstream``; see ``open_proxy``."""
        self.asked: list[str] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.server = _Server(self, upstream)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def count(self, method: str, path: str = "") -> int:
        """How many requests there were."""
        return sum(each.startswith(f"{method} ") and bool(re.search(path, each)) for each in self.asked)

    def find_fault(self, method: str, path: str) -> Fault | None:
        """What goes wrong with this request, which is counted."""
        with self.lock:
            self.asked.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: RegistryProxy, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy, self.upstream = proxy, upstream

    def handle_error(self, *_: Any) -> None:
        """A client or a registry that went away is what tests want; anything else fails them by its absence."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(_CHUNK)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        fault = self.server.proxy.find_fault(self.command, self.path)
        if fault is not None and fault.status is not None:
            for _ in self._read_body():
                pass
            self.send_response(fault.status)
            for name, value in {"Content-Length": "0", **fault.headers}.items():
                self.send_header(name, value)
            self.end_headers()
        else:
            self._pass_on(fault)

    def log_message(self, *_: Any) -> None:
        """What was asked is in ``asked``."""

    def _pass_on(self, fault: Fault | None) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream)
        with contextlib.closing(upstream):
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders()
            left = fault.sent if fault is not None else None
            for chunk in self._read_body():
                if left is not None and len(chunk) >= left:
                    upstream.send(chunk[:left])
                    self._cut()
                    return
                left = left and left - len(chunk)
                upstream.send(chunk)
            answer = upstream.getresponse()
            if fault is None or fault.given:
                self._give(answer, fault.given if fault is not None else None)
            if fault is not None:
                self._cut()

    def _give(self, answer: http.client.HTTPResponse, most: int | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.end_headers()
        if most is not None:
            self.wfile.write(answer.read(most))
            return
        while chunk := answer.read(_CHUNK):
            self.wfile.write(chunk)

    def _read_body(self) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length") or 0)
        while left and (chunk := self.rfile.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk

    def _cut(self) -> None:
        """With RST, as a crash does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


@contextlib.contextmanager
def open_proxy(upstream: str) -> Iterator[RegistryProxy]:
    """Runs one while the block lasts."""
    proxy = RegistryProxy(upstream)
    thread = threading.Thread(target=proxy.server.serve_forever, name="registry proxy")
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        thread.join()
        proxy.server.server_close()
