"""Runs trainings as containers of a Docker Engine.

A run is visible under its name only when it is whole: its container is made under a name of its own, the source is
copied in, and then it is *renamed* to the attempt's name. The rename is atomic in the daemon, so of two clients one
wins, and a client that dies in between leaves nothing that another could mistake for the run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import secrets
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import docker
import docker.errors
import docker.utils
import requests
from docker.context import ContextAPI

from aml_infra import naming
from aml_infra.backends import docker_archive, docker_request, tracking
from aml_infra.backends.base import AlreadySubmitted, Backend, Record, RunGone, RunState, Status
from aml_infra.backends.records import LOG_NAME, RecordStore, find_data_folder, open_store
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem, RunConflict, RunNotSubmitted
from aml_infra.source import Snapshot
from aml_infra.spec import Capacity, Resources, RunSpec, find_capacity_problems

OPTIONS = ("data_folder",)
RECONNECT_SECONDS = 60.0
"""How long a daemon may be away, as when it is restarted, before following gives up."""

_RECONNECT_PAUSE = 0.5
_START_HINT = (
    "start Docker (Docker Desktop, or `sudo systemctl start docker`), "
    "or set DOCKER_HOST to the daemon that shall be used"
)


def open_backend(options: Mapping[str, str]) -> DockerBackend:
    """The backend on the daemon of ``DOCKER_HOST``, else of the current Docker context.

    Raises:
        InvalidInput: an option is unknown.
    """
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise InvalidInput(
            Problem("backend_options", f"has {name!r}; allowed are {', '.join(OPTIONS)}") for name in unknown
        )
    return DockerBackend(open_store(options.get("data_folder"), find_data_folder()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Daemon:
    """A Docker daemon: its version, and what it can give."""

    version: str
    capacity: Capacity


class DockerBackend(Backend):
    """See the module."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records

    def find_problems(self, resources: Resources) -> list[Problem]:
        try:
            daemon = self.describe_daemon()
        except BackendUnavailable as error:
            return [Problem("compute", str(error))]
        return find_capacity_problems(resources, daemon.capacity, "Docker")

    def describe_daemon(self) -> Daemon:
        """What the daemon can give.

        Raises:
            BackendUnavailable: it does not answer; the message says how to start it.
        """
        with _connect() as client:
            info = client.info()
        capacity = Capacity(cpus=float(info["NCPU"]), memory_gb=info["MemTotal"] / 1024**3, gpus=_has_gpus(info))
        return Daemon(version=info["ServerVersion"], capacity=capacity)

    def identify_image(self, reference: str) -> str:
        with _connect() as client:
            try:
                image: dict[str, Any] = client.inspect_image(reference)
            except docker.errors.ImageNotFound:
                return self._identify_remote(client, reference)
            except docker.errors.APIError as error:
                if not error.is_client_error():
                    raise
                raise InvalidInput(
                    [Problem("image", f"is {reference!r}, which Docker refuses: {error.explanation}")]
                ) from error
            return docker_request.read_image_digest(reference, image)

    def _identify_remote(self, client: docker.APIClient, reference: str) -> str:
        try:
            return str(client.inspect_distribution(reference)["Descriptor"]["digest"])
        except docker.errors.DockerException as error:
            raise InvalidInput(
                [
                    Problem(
                        "image",
                        f"{reference!r} is not in Docker here, and its registry does not give it "
                        f"({_explain(error)}); check the name, pull it, or run `docker login`",
                    )
                ]
            ) from error

    def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot) -> None:
        name = naming.attempt_name(spec.run_id, attempt)
        with _connect() as client:
            staged = self._create(client, docker_request.build_request(spec, attempt), f"{name}.{secrets.token_hex(4)}")
            try:
                self._ship(client, staged, snapshot)
                self._claim(client, staged, name, spec.run_id)
            except (docker.errors.APIError, requests.RequestException) as error:
                if _is_gone(client, staged):
                    raise AlreadySubmitted("another client swept our half-made container: it was first") from error
                _discard(client, staged)
                raise
            except BaseException:
                _discard(client, staged)
                raise
            self._start(client, staged)
            self._sweep(client, spec.run_id)

    def _create(self, client: docker.APIClient, request: dict[str, Any], name: str) -> str:
        try:
            with contextlib.suppress(docker.errors.ImageNotFound):
                return str(client.create_container_from_config(request, name)["Id"])
            client.pull(request["Image"])
            return str(client.create_container_from_config(request, name)["Id"])
        except docker.errors.APIError as error:
            raise RunNotSubmitted(
                f"Docker refused a container of image {request['Image']!r}: {error.explanation}; "
                "if the image was removed, build or pull it again"
            ) from error

    def _ship(self, client: docker.APIClient, container: str, snapshot: Snapshot) -> None:
        with tempfile.TemporaryFile() as spool:
            with tarfile.open(fileobj=spool, mode="w", format=tarfile.PAX_FORMAT) as tar:
                docker_archive.add_folders(tar)
                snapshot.add_to(tar, docker_request.WORKSPACE.lstrip("/"))
            spool.seek(0)
            client.put_archive(container, "/", spool)

    def _claim(self, client: docker.APIClient, container: str, name: str, run_id: str) -> None:
        try:
            client.rename(container, name)
        except docker.errors.APIError as error:
            if error.status_code != requests.codes.conflict:
                raise
            holder = _inspect(client, name)
            if holder is None:
                raise
            if _label(holder, docker_request.RUN_LABEL) != run_id:
                raise RunConflict(
                    f"container name {name!r} is held by a container that is not ours ({holder['Id'][:12]}); "
                    f"rename it: docker rename {name} other-name"
                ) from error
            raise AlreadySubmitted(f"{name} exists") from error

    def _start(self, client: docker.APIClient, container: str) -> None:
        try:
            client.start(container)
        except docker.errors.APIError as error:
            # A command that is not in the image, or a device that is not there: the container's state holds it.
            if not error.is_client_error() and not _has_start_error(client, container):
                raise

    def _sweep(self, client: docker.APIClient, run_id: str) -> None:
        """Removes what clients that died while shipping have left; one that still lives sees that it came second."""
        for container in self._list(client, run_id):
            if not _is_claimed(container):
                _discard(client, container["Id"])

    def describe(self, run_id: str) -> RunState | None:
        record = self._records.find_latest(run_id)
        if record is not None and record.state.status is Status.COMPLETED:
            return record.state
        with _connect() as client:
            claimed = [container for container in self._list(client, run_id) if _is_claimed(container)]
            newest = max(claimed, key=_attempt_of, default=None)
            if newest is None or (record is not None and record.state.attempt >= _attempt_of(newest)):
                return record.state if record is not None else None
            return self._read(client, newest["Id"])

    def _read(self, client: docker.APIClient, container: str) -> RunState | None:
        found = _inspect(client, container)
        if found is None:
            return None
        ended_badly = found["State"]["Status"] == "exited" and found["State"]["ExitCode"] != 0
        canceled = ended_badly and docker_archive.has_file(client, container, docker_request.CANCELED_MARK)
        return docker_request.read_state(found, canceled=canceled)

    def follow(self, state: RunState) -> Iterator[str]:
        delivered = 0
        away_since: float | None = None
        while True:
            try:
                with _connect() as client:
                    found = _inspect(client, state.name)
                    if found is None or not self._has_started(client, found):
                        return
                    # From the first line again, less those delivered: exact, however the connection was lost.
                    for number, line in enumerate(docker_archive.read_log(client, state.name)):
                        away_since = None
                        if number >= delivered:
                            delivered += 1
                            yield line
                    found = _inspect(client, state.name)
                    if found is None or found["State"]["Status"] not in ("created", "running", "paused", "restarting"):
                        return
            except BackendUnavailable:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > RECONNECT_SECONDS:
                    raise
            time.sleep(_RECONNECT_PAUSE)

    def _has_started(self, client: docker.APIClient, found: Mapping[str, Any]) -> bool:
        """Whether the container runs or ran; one that nobody has started yet is started."""
        if found["State"]["Status"] != "created":
            return True
        if found["State"].get("Error"):
            return False
        self._start(client, found["Id"])
        return not _has_start_error(client, found["Id"])

    def collect(self, state: RunState, spec: Mapping[str, Any]) -> Record:
        return self._records.keep(state, spec, lambda folder: self._fetch(state, folder))

    def _fetch(self, state: RunState, folder: pathlib.Path) -> tuple[Mapping[str, float], str]:
        """Fills a record's folder from the container; returns the metrics and the image's digest."""
        with _connect() as client, tempfile.TemporaryDirectory() as temporary:
            found = _inspect(client, state.name)
            if found is None:
                raise RunGone(f"the container of {state.name} was removed before its outputs were collected")
            docker_archive.fetch_folder(client, state.name, f"{docker_request.WORKSPACE}/outputs", folder / "outputs")
            docker_archive.fetch_folder(client, state.name, f"{docker_request.WORKSPACE}/logs", folder / "logs")
            with (folder / "logs" / LOG_NAME).open("w", encoding="utf-8") as log:
                # One that could not be started has printed nothing, and its log may be the reason.
                if state.started_at is not None:
                    log.writelines(f"{line}\n" for line in docker_archive.read_log(client, state.name))
            store = pathlib.Path(temporary)
            docker_archive.fetch_folder(client, state.name, docker_request.TRACKING_STORE, store)
            tags = {"aml-infra.run": state.name, "aml-infra.fingerprint": state.fingerprint}
            tracking.copy_runs(store, self._records.folder / "mlruns", tags)
            return tracking.read_metrics(store), str(found["Image"])

    def cancel(self, run_id: str) -> None:
        with _connect() as client:
            state = self.describe(run_id)
            if state is None or state.status.is_final:
                return
            with contextlib.suppress(docker.errors.NotFound):
                if state.status is Status.QUEUED:
                    _discard(client, state.name)
                    return
                docker_archive.put_mark(client, state.name, docker_request.CANCELED_MARK)
                client.stop(state.name, timeout=docker_request.STOP_GRACE_SECONDS)

    def remove(self, run_id: str) -> None:
        with _connect() as client:
            for container in self._list(client, run_id):
                if container["State"] not in ("running", "paused", "restarting"):
                    _discard(client, container["Id"])

    def _list(self, client: docker.APIClient, run_id: str) -> list[dict[str, Any]]:
        return list(client.containers(all=True, filters={"label": f"{docker_request.RUN_LABEL}={run_id}"}))


@contextlib.contextmanager
def _connect() -> Iterator[docker.APIClient]:
    """A client of the daemon of ``DOCKER_HOST``, else of the context that ``docker context use`` chose.

    Raises:
        BackendUnavailable: the daemon does not answer, or answers that it cannot; nothing else is turned into it.
    """
    try:
        settings: dict[str, Any] = {**docker.utils.kwargs_from_env()}
        context = ContextAPI.get_current_context() if "base_url" not in settings else None
        if context is not None:
            settings = {"base_url": context.Host, "tls": context.TLSConfig}
        client = docker.APIClient(version="auto", **settings)
    except docker.errors.DockerException as error:
        raise BackendUnavailable(f"Docker does not answer ({error}); {_START_HINT}") from error
    try:
        yield client
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise BackendUnavailable(f"Docker does not answer ({error}); {_START_HINT}") from error
    except docker.errors.DockerException as error:
        raise BackendUnavailable(f"Docker answered with an error: {_explain(error)}") from error
    finally:
        client.close()


def _explain(error: docker.errors.DockerException) -> str:
    """The daemon's own words, where there are any; its client's else, as of a credential helper that is missing."""
    return str(getattr(error, "explanation", None) or error)


def _inspect(client: docker.APIClient, name: str) -> dict[str, Any] | None:
    try:
        return dict(client.inspect_container(name))
    except docker.errors.NotFound:
        return None


def _is_gone(client: docker.APIClient, container: str) -> bool:
    found = _inspect(client, container)
    return found is None or found["State"]["Status"] in ("removing", "dead")


def _discard(client: docker.APIClient, container: str) -> None:
    """Removes a container, or lets another client that is already at it do so."""
    try:
        client.remove_container(container, force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (requests.codes.not_found, requests.codes.conflict):
            raise


def _has_start_error(client: docker.APIClient, container: str) -> bool:
    found = _inspect(client, container)
    return found is not None and bool(found["State"].get("Error"))


def _label(container: Mapping[str, Any], name: str) -> str | None:
    return (container["Config"].get("Labels") or {}).get(name)


def _attempt_of(listed: Mapping[str, Any]) -> int:
    return int(listed["Labels"][docker_request.ATTEMPT_LABEL])


def _is_claimed(listed: Mapping[str, Any]) -> bool:
    """Whether a container of a list has its attempt's name, and so is the run and not a half-made one."""
    labels = listed["Labels"]
    name = naming.attempt_name(labels[docker_request.RUN_LABEL], int(labels[docker_request.ATTEMPT_LABEL]))
    return f"/{name}" in (listed["Names"] or [])


def _has_gpus(info: Mapping[str, Any]) -> bool:
    if "nvidia" in (info.get("Runtimes") or {}):
        return True
    return any("gpu" in str(device.get("ID", "")) for device in info.get("DiscoveredDevices") or [])
