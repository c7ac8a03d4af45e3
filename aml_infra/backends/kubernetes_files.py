"""What runs have kept in the volume, read in a pod: by the run's own while it goes on, later by one that only reads.

By offsets in files, so that what was read once is neither lost nor read again, whichever pod it comes from.
"""

from __future__ import annotations

import contextlib
import pathlib
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aml_infra.backends import folder_archive, kubernetes_pods, kubernetes_state
from aml_infra.backends.kubernetes_api import Conflict, Exec, KubernetesApi
from aml_infra.backends.kubernetes_layout import KEPT, LOG_NAME, READER_LABEL, Place
from aml_infra.errors import AccessDenied, BackendUnavailable

READER_SECONDS = 300
"""So long a pod lives in which files are read; the next one is made when it is needed."""

RECONNECT_SECONDS = 60.0
"""How long the API server may be away while files are read."""

READY_SECONDS = 300.0
"""So long is waited for such a pod to start."""

_MARGIN_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
_QUOTA = "exceeded quota"
_TAIL = 'until [ -e "$2" ]; do sleep 0.1; done; exec tail -c "+$(($1 + 1))" -f "$2"'
_FROM = '[ ! -e "$2" ] || tail -c "+$(($1 + 1))" "$2"'
_LENGTH = '[ ! -e "$1" ] || wc -c < "$1"'
_FOLDER = '[ ! -d "$1" ] || tar -cf - -C "${1%/*}" "${1##*/}"'


class Tail:
    """What a running command prints, from a place in its log on.

    Args:
        api: of the namespace.
        pod: in which it runs.
        offset: bytes of its log that are known.
    """

    def __init__(self, api: KubernetesApi, pod: str, offset: int) -> None:
        self._exec: Exec = api.open_exec(pod, ["sh", "-c", _TAIL, "sh", str(offset), f"{KEPT}/{LOG_NAME}"])

    def read(self) -> Iterator[bytes]:
        """The bytes as they come. It never ends but by ``BackendUnavailable``, as the pod has, or the connection."""
        yield from self._exec.read()

    def stop(self) -> None:
        """Ends ``read``, from another thread."""
        self._exec.stop()


class Files:
    """The volume of a namespace's runs.

    Args:
        api: of the namespace.
        place: says which volume.
    """

    def __init__(self, api: KubernetesApi, place: Place) -> None:
        self._api, self._place = api, place
        self._lock = threading.Lock()
        self._pod = ""
        self._until = 0.0

    def read_from(self, image: str, path: str, offset: int) -> Iterator[bytes]:
        """A file from a place on; nothing where there is no such file.

        Args:
            image: in which it may be read.
            path: in the volume.
            offset: in bytes.

        Raises:
            BackendUnavailable: it cannot be read now.
        """
        away_since: float | None = None
        while True:
            argv = ["sh", "-c", _FROM, "sh", str(offset), f"{KEPT}/{path}"]
            try:
                for content in self._api.open_exec(self._open(image), argv).read():
                    away_since = None
                    offset += len(content)
                    yield content
            except BackendUnavailable as error:
                away_since = away_since or time.monotonic()
                if _is_for_good(error) or time.monotonic() - away_since > RECONNECT_SECONDS:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def read_tail(self, image: str, path: str, size: int) -> bytes:
        """The last ``size`` bytes of a file at most; the same errors."""
        length = b"".join(self._read_all(image, ["sh", "-c", _LENGTH, "sh", f"{KEPT}/{path}"]))
        return b"".join(self.read_from(image, path, max(0, int(length or b"0") - size)))

    def read(self, image: str, path: str) -> bytes:
        """All of a file; the same errors."""
        return b"".join(self.read_from(image, path, 0))

    @contextlib.contextmanager
    def fetch(self, image: str, path: str) -> Iterator[pathlib.Path]:
        """A folder of the volume as one of this machine, for as long as it is used; the same errors."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            folder_archive.unpack(self._read_all(image, ["sh", "-c", _FOLDER, "sh", f"{KEPT}/{path}"]), path, folder)
            yield folder

    def _read_all(self, image: str, argv: Sequence[str]) -> list[bytes]:
        """What a program prints, which is started again where the connection to it is lost."""
        until = time.monotonic() + RECONNECT_SECONDS
        while True:
            try:
                return list(self._api.open_exec(self._open(image), argv).read())
            except BackendUnavailable as error:
                if _is_for_good(error) or time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """Lets go of the pod, if there is one."""
        with self._lock:
            if self._pod:
                self._api.delete("v1/pods", self._pod, grace_seconds=0)
                self._pod = ""

    def _open(self, image: str) -> str:
        """The name of a pod in which files can be read."""
        with self._lock:
            if self._pod and time.monotonic() < self._until:
                found = self._api.get("v1/pods", self._pod)
                if found is not None and not kubernetes_state.has_left(found):
                    return self._pod
            self._sweep()
            name = f"aml-infra-reader-{secrets.token_hex(4)}"
            body = kubernetes_pods.build_reader(self._place, name, image, READER_SECONDS)
            # There is none of its name but ours, where the answer was lost and it was sent again.
            with contextlib.suppress(Conflict):
                self._api.create("v1/pods", body)
            self._until = time.monotonic() + READER_SECONDS - _MARGIN_SECONDS
            self._await(name)
            self._pod = name
            return name

    def _sweep(self) -> None:
        """Removes those that have had their time, whoever made them."""
        for pod in self._api.list("v1/pods", READER_LABEL):
            if kubernetes_state.has_left(pod):
                self._api.delete("v1/pods", pod["metadata"]["name"], grace_seconds=0)

    def _await(self, name: str) -> None:
        until = time.monotonic() + READY_SECONDS
        pod: Mapping[str, Any] | None = self._api.get("v1/pods", name)
        version = "" if pod is None else str(pod["metadata"]["resourceVersion"])
        while pod is not None and time.monotonic() < until:
            if (pod["status"].get("phase")) == "Running":
                return
            if kubernetes_state.has_left(pod):
                break
            for event in self._api.watch("v1/pods", READER_LABEL, version):
                version = str(event["object"]["metadata"]["resourceVersion"])
                if event["object"]["metadata"].get("name") == name:
                    pod = event["object"]
                    break
                if time.monotonic() > until:
                    break
        why = _explain(pod) if pod is not None else "it was deleted"
        self._api.delete("v1/pods", name, grace_seconds=0)
        raise BackendUnavailable(f"pod {name}, in which what runs have kept is read, did not start: {why}")


def _is_for_good(error: BackendUnavailable) -> bool:
    """Whether it will be no other in a while: rights come by somebody's hand, and a quota is used by what ends."""
    return isinstance(error, AccessDenied) and _QUOTA not in str(error)


def _explain(pod: Mapping[str, Any]) -> str:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["status"] == "False" and condition.get("message"):
            return str(condition["message"])
    return str((pod.get("status") or {}).get("reason") or "it takes too long")
