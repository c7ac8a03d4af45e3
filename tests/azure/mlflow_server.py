"""A real MLflow server, which is behind the tracking services of all workspaces."""

from __future__ import annotations

import hashlib
import http
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import requests

_START_SECONDS = 900
_SETTINGS = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_WORKSPACES": "true",
    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
    "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


class MlflowServer:
    """Started when first asked for, as that takes seconds; each Azure ML workspace has a place of its own in it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self.url = ""

    def stop(self) -> None:
        """Ends it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def ensure(self, workspace_id: str) -> str:
        """Makes sure that it runs, and has a place for the Azure ML workspace with this resource id; gives its name."""
        name = "w" + hashlib.sha256(workspace_id.lower().encode()).hexdigest()[:20]
        with self._lock:
            if self._process is None:
                self._start()
            if name not in self._known:
                made = requests.post(f"{self.url}/api/3.0/mlflow/workspaces", json={"name": name}, timeout=30)
                assert made.status_code == http.HTTPStatus.CREATED, made.text
                self._known.add(name)
        return name

    def _start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = self._folder / "mlflow.log"
        # What `mlflow server` comes to; it imports all of MLflow for that, which takes seconds, and so does this.
        app = "mlflow.server.fastapi_app:app"
        stores = {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self._folder / 'mlflow.db'}",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self._folder / "mlflow-artifacts"),
        }
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "--host=127.0.0.1", f"--port={port}", app],
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=os.environ | _SETTINGS | stores,
            )
        self.url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"no answer in {_START_SECONDS} s:\n{log.read_text()}"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=10).ok
        except requests.ConnectionError:
            return False
