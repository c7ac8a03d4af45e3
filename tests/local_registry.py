"""A real container registry, with an account or without, on a free port of this machine."""

from __future__ import annotations

import contextlib
import http
import json
import pathlib
import subprocess
import time
from collections.abc import Iterator

import bcrypt
import requests

USER = "tester"
_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
ACCEPT = ", ".join(_MANIFESTS)
_START_SECONDS = 30

CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: "{address}"}}
"""
ACCOUNTS = """\
auth:
  htpasswd: {{realm: tests, path: {folder}/htpasswd}}
"""


class LocalRegistry:
    """``docker-registry`` of Debian, which speaks HTTP: Docker allows that for addresses of this machine.

    With an empty password anybody may do anything.

    Attributes:
        folder: has all that it keeps, and its log.
    """

    def __init__(self, folder: pathlib.Path, password: str) -> None:
        self.password = password
        self.folder = folder
        self._configuration = CONFIGURATION
        if password:
            hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
            (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
            self._configuration += ACCOUNTS
        self._process: subprocess.Popen[bytes] | None = None
        self.address = "127.0.0.1:0"

    def start(self) -> None:
        """Starts it, on the port that it had before, and waits until it answers."""
        content = self._configuration.format(folder=self.folder, address=self.address)
        (self.folder / "config.yml").write_text(content)
        log = self.folder / "registry.log"
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self.folder / "config.yml")], stdout=sink, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"no answer in {_START_SECONDS} s:\n{log.read_text()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it, if it runs; what was pushed stays for the next start."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def find_digest(self, repository: str, reference: str) -> str | None:
        """The digest of an image, None if there is none."""
        answer = self._ask("HEAD", f"/v2/{repository}/manifests/{reference}")
        return None if answer.status_code == http.HTTPStatus.NOT_FOUND else answer.headers["Docker-Content-Digest"]

    def read_config(self, repository: str, reference: str) -> str:
        """Manifest and configuration of an image, its history among them, as text."""
        manifest = self._ask("GET", f"/v2/{repository}/manifests/{reference}")
        config = self._ask("GET", f"/v2/{repository}/blobs/{manifest.json()['config']['digest']}")
        return json.dumps([manifest.json(), config.json()])

    def list_tags(self, repository: str) -> list[str]:
        """The tags of a repository; none if it does not exist."""
        answer = self._ask("GET", f"/v2/{repository}/tags/list")
        return [] if answer.status_code == http.HTTPStatus.NOT_FOUND else list(answer.json()["tags"] or [])

    def remove(self, repository: str, digest: str) -> None:
        """Removes an image with all its tags."""
        assert self._ask("DELETE", f"/v2/{repository}/manifests/{digest}").status_code == http.HTTPStatus.ACCEPTED

    def _answers(self) -> bool:
        try:
            return self._ask("GET", "/v2/").status_code == http.HTTPStatus.OK
        except requests.ConnectionError:
            return False

    def _ask(self, method: str, path: str) -> requests.Response:
        return requests.request(
            method,
            f"http://{self.address}{path}",
            auth=(USER, self.password) if self.password else None,
            headers={"Accept": ACCEPT},
            timeout=10,
        )


@contextlib.contextmanager
def open_registry(folder: pathlib.Path, password: str, port: int) -> Iterator[LocalRegistry]:
    """Runs a registry while the block lasts."""
    registry = LocalRegistry(folder, password)
    registry.address = f"127.0.0.1:{port}"
    try:
        registry.start()
        yield registry
    finally:
        registry.stop()
