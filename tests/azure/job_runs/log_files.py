"""What a job's processes say, on its way into append blobs of the workspace's artifact store."""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import time
from collections.abc import Iterator

from tests.azure.job_runs.data_places import Place
from tests.azure.job_runs.runs import JobRuns, Run
from tests.azure.service_blobs import ServiceBlobs

SYSTEM_LOG = "system_logs/lifecycler/lifecycler.log"
_LARGEST_BLOCK = 4 * 1024 * 1024


class LogFiles:
    """The files of one job; use ``keep``."""

    def __init__(self, blobs: ServiceBlobs, job_runs: JobRuns, run: Run, folder: Place) -> None:
        self._blobs = blobs
        self._runs = job_runs
        self._run = run
        self._folder = folder
        self._said: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()

    def begin(self, name: str) -> None:
        """Makes a file; one that an earlier attempt of the job has written is emptied, and is of another time."""
        if name in self._run.logs:
            # Times of blobs have whole seconds. On Azure no job comes back within one.
            time.sleep(1 - time.time() % 1)
        self._blobs.begin_log(self._folder.account, self._folder.container, f"{self._folder.path}/{name}")
        self._run.logs[name] = b""

    def write(self, name: str, content: bytes) -> None:
        """Adds to a file, soon."""
        self._said.put((name, content))

    def say(self, text: str) -> None:
        """Adds a line to the system's log."""
        self.write(SYSTEM_LOG, f"{text}\n".encode())

    def close(self) -> None:
        """Nothing comes any more."""
        self._said.put(None)

    def write_all(self) -> None:
        """Appends what comes, as fast as the storage takes it, until all is closed."""
        is_open = True
        while is_open:
            waiting: dict[str, bytearray] = {}
            item = self._said.get()
            while item is not None:
                waiting.setdefault(item[0], bytearray()).extend(item[1])
                if self._said.empty():
                    break
                item = self._said.get()
            is_open = item is not None
            for name, content in waiting.items():
                self._append(name, bytes(content))

    def _append(self, name: str, content: bytes) -> None:
        path = f"{self._folder.path}/{name}"
        for start in range(0, len(content), _LARGEST_BLOCK):
            block = content[start : start + _LARGEST_BLOCK]
            self._blobs.append(self._folder.account, self._folder.container, path, block)
            self._runs.log(self._run, name, block)


@contextlib.contextmanager
def keep(blobs: ServiceBlobs, job_runs: JobRuns, run: Run, folder: Place) -> Iterator[LogFiles]:
    """Takes what a job says while the block lasts; then all of it is in the storage."""
    logs = LogFiles(blobs, job_runs, run, folder)
    with concurrent.futures.ThreadPoolExecutor(1, "job-logs") as thread:
        writing = thread.submit(logs.write_all)
        try:
            yield logs
        finally:
            logs.close()
            writing.result()
