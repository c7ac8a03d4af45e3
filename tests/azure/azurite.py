"""Azurite, the official emulator of blob storage, with accounts that come and go."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import threading
from collections.abc import Mapping

from tests.azure import tls

_ACCOUNTS_SCRIPT = pathlib.Path(__file__).with_name("azurite_accounts.js")


class Azurite:
    """Serves HTTPS on a free port of this machine from when it is first asked for, and keeps all in memory."""

    def __init__(self, folder: pathlib.Path, certificates: tls.Certificates) -> None:
        self._accounts_file = folder / "azurite-accounts"
        self._log = folder / "azurite.log"
        self._certificates = certificates
        self._process: subprocess.Popen[str] | None = None
        self._accounts: dict[str, str] = {}
        self._lock = threading.Lock()
        self._url = ""

    def ensure(self) -> str:
        """Its address; it is started if need be."""
        with self._lock:
            if self._process is None:
                self._start()
                self._url = self._wait()
        return self._url

    def stop(self) -> None:
        """Ends it; what it held is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
            self._process = None

    def set_accounts(self, keys: Mapping[str, str]) -> None:
        """Makes it know these accounts, by name, with their keys, and no others."""
        with self._lock:
            if keys == self._accounts:
                return
            draft = self._accounts_file.with_suffix(".draft")
            draft.write_text(";".join(f"{name}:{key}" for name, key in keys.items()))
            draft.replace(self._accounts_file)
            self._accounts = dict(keys)

    def _start(self) -> None:
        self._accounts_file.write_text("")
        environment = os.environ | {
            "NODE_OPTIONS": f"--require={_ACCOUNTS_SCRIPT}",
            "AZURITE_ACCOUNTS_FILE": str(self._accounts_file),
        }
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(
                ["azurite-blob", "--inMemoryPersistence", "--disableTelemetry", "--silent", "--blobPort", "0",
                 "--oauth", "basic", "--cert", str(self._certificates.certificate),
                 "--key", str(self._certificates.key)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=sink, text=True, env=environment,
            )  # fmt: skip

    def _wait(self) -> str:
        """Reads what it says until it listens."""
        assert self._process is not None
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if found := re.search(r"successfully listens on (https://\S+)", line):
                return found[1]
        raise AssertionError(f"Azurite did not start: {''.join(said)}{self._log.read_text()}")
