"""What a cluster has once: the store, the API server, controllers, the scheduler, and what serves the network."""

from __future__ import annotations

import base64
import functools
import pathlib
import signal
import time
from collections.abc import Callable

import requests
import yaml

from tests.kubernetes import components, credentials, enclosure, supervisor

START_SECONDS = 60
"""How long a component may take to answer; it takes a few seconds, and more where many tests run at a time."""
_STOP_SECONDS = 30
_POLL_SECONDS = 0.05


class ControlPlane:
    """Processes, and their files in the cluster's folder."""

    def __init__(self, namespaces: enclosure.Enclosure, folder: pathlib.Path) -> None:
        self._namespaces = namespaces
        self._folder = folder
        self.address = f"{supervisor.build_subnet(namespaces.number, 0)}.2"
        self.server = f"https://{self.address}:{components.API_PORT}"
        self._services = supervisor.build_subnet(namespaces.number, 3)
        self.credentials = credentials.Credentials(folder / "credentials", self.server)
        self.apiserver: enclosure.Process | None = None
        self._has_guard = False
        self._write()

    def trust(self, url: str, authority: pathlib.Path) -> None:
        """Has the API server, which is yet to be started, ask a guard at ``url`` about logins and rights."""
        folder = self._folder / "configuration"
        certificate = base64.b64encode(authority.read_bytes()).decode()
        for name in ("identify", "authorize"):
            place = {"server": f"{url}/{name}", "certificate-authority-data": certificate}
            content = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "guard", "cluster": place}],
                "users": [{"name": "apiserver", "user": {}}],
                "contexts": [{"name": "guard", "context": {"cluster": "guard", "user": "apiserver"}}],
                "current-context": "guard",
            }
            (folder / f"{name}.kubeconfig").write_text(yaml.safe_dump(content))
        self._has_guard = True

    def start_store(self) -> None:
        """Starts etcd; whoever needs it waits for it."""
        self._namespaces.start("etcd", components.build_etcd())

    def start_apiserver(self) -> None:
        """Starts the API server, and waits until it is ready."""
        argv = components.build_apiserver(self.address, f"{self._services}.0/24", has_guard=self._has_guard)
        self.apiserver = self._namespaces.start("apiserver", argv)
        wait_until(lambda: self._answers(f"{self.server}/readyz"), self.apiserver)

    def stop_apiserver(self) -> None:
        """Kills the API server, which would wait for a minute for its clients; everything else goes on."""
        if self.apiserver is not None:
            self.apiserver.send(signal.SIGKILL)
            self.apiserver.wait(_STOP_SECONDS)

    def start_controllers(self) -> None:
        """Starts the controllers and the scheduler."""
        self._namespaces.start("controller-manager", components.build_controller_manager())
        self._namespaces.start("scheduler", components.build_scheduler())

    def start_network(self) -> None:
        """Starts what gives services their addresses and names, once there are nodes, and waits until it does."""
        proxy = self._namespaces.start("proxy", components.build_proxy(self.address))
        dns = self._namespaces.start("dns", components.build_dns())
        for process, port, path in (
            (proxy, components.PROXY_HEALTH_PORT, "healthz"),
            (dns, components.DNS_HEALTH_PORT, "ready"),
        ):
            url = f"http://{self.address}:{port}/{path}"
            wait_until(functools.partial(self._answers, url), process)

    def _write(self) -> None:
        for name in ("controller-manager", "scheduler", "proxy"):
            self.credentials.write_component(name, f"system:kube-{name}")
        for name in ("dns", "simulation"):
            self.credentials.write_component(name, name, credentials.ADMINISTRATORS)
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        addresses = ("127.0.0.1", self.address, f"{self._services}.1")
        self.credentials.issue("apiserver", *addresses, *names, group=credentials.ADMINISTRATORS)
        self.credentials.issue("simulation", self.address)
        corefile = components.build_corefile(self.address)
        (self._folder / "configuration" / "Corefile").write_text(corefile)

    def _answers(self, url: str) -> bool:
        keys = self._folder / "credentials"
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(
                    url, verify=str(keys / "authority.crt"), timeout=5,
                    cert=(str(keys / "apiserver.crt"), str(keys / "apiserver.key")),
                )  # fmt: skip
        except (requests.ConnectionError, requests.Timeout):
            return False
        return answer.ok


def wait_until(answers: Callable[[], bool], process: enclosure.Process) -> None:
    """Asks a process until it answers.

    Raises:
        EnclosureError: it ended, or its time is over; the end of its log is in the text.
    """
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        ended = process.wait_briefly(_POLL_SECONDS)
        if ended or time.monotonic() > deadline:
            words = "ended" if ended else f"does not answer in {START_SECONDS} s"
            raise enclosure.EnclosureError(f"{process.name} {words}; {process.quote_log()}")
