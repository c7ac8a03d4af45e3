"""Runs trainings as containers of a Docker Engine.

A run is visible under its name only when it is whole: its containers, one per worker, are made under names of their
own, the source is copied in, and then that of worker 0 is *renamed* to the attempt's name. The rename is atomic in the
daemon, so of two clients one wins, and a client that dies in between leaves nothing that another could mistake for the
run. What one submit has made has one label in common, by which the other workers are found.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import pathlib
import queue
import random
import secrets
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import docker
import docker.errors
import requests

from aml_infra import naming, rules
from aml_infra.backends import (
    base,
    docker_archive,
    docker_client,
    docker_log,
    docker_request,
    docker_retries,
    docker_state,
    records,
    tracking,
)
from aml_infra.backends.base import AlreadySubmitted, Backend, Record, RunGone, RunState, Status, Tell, tell_nobody
from aml_infra.backends.records import LOG_NAME, RecordStore, find_data_folder, open_store
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem, RunConflict, RunNotSubmitted
from aml_infra.source import Snapshot
from aml_infra.spec import Capacity, Demand, RunSpec

OPTIONS = ("data_folder",)
RECONNECT_SECONDS = 60.0
"""How long a daemon may be away, as when it is restarted, before following gives up."""

_RECONNECT_PAUSE = 0.5


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


@dataclasses.dataclass(frozen=True)
class _End:
    """A worker's log has ended, or could not be read on."""

    error: BaseException | None = None


class DockerBackend(Backend):
    """See the module."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records

    def find_problems(self, demand: Demand) -> list[Problem]:
        try:
            daemon = self.describe_daemon()
        except BackendUnavailable as error:
            return [Problem("compute", str(error))]
        problems = rules.find_capacity_problems(demand, daemon.capacity, "Docker")
        problems += rules.find_service_problems(demand, "Docker")
        if not docker_client.is_on_this_machine():
            problems += [
                Problem(
                    f"inputs[{name!r}]",
                    f"is {given.path!r}, which the Docker daemon of another machine cannot mount; give a URI with its "
                    "version, or use a daemon on this machine",
                )
                for name, given in demand.inputs.items()
                if given.is_local
            ]
        return problems

    def describe_daemon(self) -> Daemon:
        """What the daemon can give.

        Raises:
            BackendUnavailable: it does not answer; the message says how to start it.
        """
        with docker_client.connect() as client:
            info = client.info()
        capacity = Capacity(cpus=float(info["NCPU"]), memory_gb=info["MemTotal"] / 1024**3, gpus=_has_gpus(info))
        return Daemon(version=info["ServerVersion"], capacity=capacity)

    def identify_image(self, reference: str) -> str:
        with docker_client.connect() as client:
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
            return docker_state.read_image_digest(reference, image)

    def _identify_remote(self, client: docker.APIClient, reference: str) -> str:
        try:
            return str(client.inspect_distribution(reference)["Descriptor"]["digest"])
        except docker.errors.DockerException as error:
            raise InvalidInput(
                [
                    Problem(
                        "image",
                        f"{reference!r} is not in Docker here, and its registry does not give it "
                        f"({docker_client.explain(error)}); check the name, pull it, or run `docker login`",
                    )
                ]
            ) from error

    def build_request(self, spec: RunSpec, attempt: int) -> Mapping[str, Any]:
        return docker_request.build_request(spec, attempt)

    def submit(self, spec: RunSpec, attempt: int, snapshot: Snapshot, tell: Tell = tell_nobody) -> None:
        name = naming.attempt_name(spec.run_id, attempt)
        staged = f"{name}.{secrets.token_hex(4)}"
        group = docker_request.name_group(self.build_request(spec, attempt), staged)
        base.require_same_data(spec)
        with docker_client.connect() as client:
            first, *others = group["containers"]
            workers = [self._create(client, first, staged, tell)]
            try:
                if group["network"] is not None:
                    self._create_network(client, group["network"])
                workers += [self._create(client, body, f"{staged}.{rank}", tell) for rank, body in enumerate(others, 1)]
                for worker in workers:
                    self._ship(client, worker, snapshot, spec)
                self._claim(client, workers[0], name, spec.run_id)
            except (docker.errors.APIError, requests.RequestException) as error:
                swept = docker_client.is_gone(client, workers[0])
                self._discard_group(client, staged)
                if swept:
                    raise AlreadySubmitted("another client swept our half-made containers: it was first") from error
                raise
            except BaseException:
                self._discard_group(client, staged)
                raise
            for worker in workers:
                self._start(client, worker)
            self._sweep(client, spec.run_id)

    def _create(self, client: docker.APIClient, body: dict[str, Any], name: str, tell: Tell) -> str:
        try:
            with contextlib.suppress(docker.errors.ImageNotFound):
                return self._create_once(client, body, name)
            tell(f"pulling image {body['Image']}")
            client.pull(body["Image"])
            return self._create_once(client, body, name)
        except docker.errors.APIError as error:
            raise RunNotSubmitted(
                f"Docker refused a container of image {body['Image']!r}: {error.explanation}; "
                "if the image was removed, build or pull it again"
            ) from error

    def _create_once(self, client: docker.APIClient, body: dict[str, Any], name: str) -> str:
        """Makes a container under a name that nothing else has: one that is there was made by this very call."""
        try:
            return str(client.create_container_from_config(body, name)["Id"])
        except docker.errors.APIError as error:
            made = docker_client.inspect(client, name) if error.status_code == requests.codes.conflict else None
            if made is None:
                raise
            return str(made["Id"])

    def _create_network(self, client: docker.APIClient, body: Mapping[str, Any]) -> None:
        """Makes a network likewise."""
        try:
            client.create_network(**body, check_duplicate=True)
        except docker.errors.APIError as error:
            if error.status_code != requests.codes.conflict:
                raise

    def _ship(self, client: docker.APIClient, container: str, snapshot: Snapshot, spec: RunSpec) -> None:
        with tempfile.TemporaryFile() as spool:
            with tarfile.open(fileobj=spool, mode="w", format=tarfile.PAX_FORMAT) as tar:
                docker_archive.add_folders(tar, spec.outputs)
                snapshot.add_to(tar, docker_request.WORKSPACE.lstrip("/"))
            spool.seek(0)
            client.put_archive(container, "/", spool)
        if spec.secrets:
            content = docker_request.build_secrets_file(spec.secrets)
            docker_archive.put_file(client, container, docker_request.SECRETS_FILE, content)

    def _claim(self, client: docker.APIClient, container: str, name: str, run_id: str) -> None:
        try:
            client.rename(container, name)
        except docker.errors.APIError as error:
            holder = docker_client.inspect(client, name) if error.is_client_error() else None
            if holder is None:
                raise
            if holder["Id"] == container:
                # The answer was lost, and it was sent again.
                return
            if (holder["Config"].get("Labels") or {}).get(docker_request.RUN_LABEL) != run_id:
                raise RunConflict(
                    f"container name {name!r} is held by a container that is not ours ({holder['Id'][:12]}); "
                    f"rename it: docker rename {name} other-name"
                ) from error
            raise AlreadySubmitted(f"{name} exists") from error

    def _start(self, client: docker.APIClient, container: str) -> None:
        for number in range(docker_retries.RETRIES + 1):
            try:
                client.start(container)
                return
            except docker.errors.APIError as error:
                # A command that is not in the image, or a device that is not there: the container's state holds it.
                if not error.is_client_error() and not docker_client.has_start_error(client, container):
                    raise
                return
            except requests.ConnectionError:
                # There was no answer, but maybe a start, and an end after it: asked again, it would begin anew.
                found = docker_client.inspect(client, container)
                if found is None or found["State"]["Status"] != "created":
                    return
                if number == docker_retries.RETRIES:
                    raise
            time.sleep(docker_retries.PAUSE_SECONDS * (2**number + random.random()))  # noqa: S311 (for a pause)

    def _sweep(self, client: docker.APIClient, run_id: str) -> None:
        """Removes what clients that died while shipping have left; one that still lives sees that it came second."""
        listed = self._list(client, run_id)
        claimed = {_group_of(container) for container in listed if _is_claimed(container)}
        for group in {_group_of(container) for container in listed} - claimed:
            self._discard_group(client, group)

    def _discard_group(self, client: docker.APIClient, group: str) -> None:
        label = {"label": f"{docker_request.GROUP_LABEL}={group}"}
        for container in client.containers(all=True, filters=label):
            docker_client.discard(client, container["Id"])
        self._remove_networks(client, group)

    def _remove_networks(self, client: docker.APIClient, group: str) -> None:
        for network in client.networks(filters={"label": f"{docker_request.GROUP_LABEL}={group}"}):
            with contextlib.suppress(docker.errors.NotFound):
                client.remove_network(network["Id"])

    def describe(self, run_id: str) -> RunState | None:
        record = self._records.find_latest(run_id)
        if record is not None and record.state.status is Status.COMPLETED:
            return record.state
        with docker_client.connect() as client:
            claimed = [container for container in self._list(client, run_id) if _is_claimed(container)]
            newest = max(claimed, key=_attempt_of, default=None)
            if newest is None or (record is not None and record.state.attempt >= _attempt_of(newest)):
                return record.state if record is not None else None
            workers = self._find_workers(client, newest["Id"])
            return self._read(client, workers) if workers else None

    def _read(self, client: docker.APIClient, workers: Sequence[Mapping[str, Any]]) -> RunState:
        canceled = any(
            docker_state.has_ended(worker)
            and docker_archive.has_file(client, worker["Id"], docker_request.CANCELED_MARK)
            for worker in workers
        )
        return docker_state.read_state(workers, canceled=canceled)

    def _find_workers(self, client: docker.APIClient, name: str) -> list[dict[str, Any]]:
        """The containers, inspected and by rank, of the attempt called ``name``; none if it is gone."""
        first = docker_client.inspect(client, name)
        if first is None:
            return []
        group = first["Config"]["Labels"].get(docker_request.GROUP_LABEL)
        if docker_state.count_workers(first) == 1:
            return [first]
        label = {"label": f"{docker_request.GROUP_LABEL}={group}"}
        ids = {each["Id"] for each in client.containers(all=True, filters=label)} - {first["Id"]}
        others = [found for each in ids if (found := docker_client.inspect(client, each)) is not None]
        return sorted([first, *others], key=docker_state.read_rank)

    def follow(self, state: RunState, tell: Tell = tell_nobody) -> Iterator[str]:  # noqa: ARG002 (nothing is waited for)
        with docker_client.connect() as client:
            workers = [(docker_state.read_rank(each), each["Id"]) for each in self._find_workers(client, state.name)]
        if len(workers) > 1:
            yield from self._follow_all(workers)
            return
        for _, worker in workers:
            yield from self._follow_one(worker)

    def _follow_all(self, workers: Sequence[tuple[int, str]]) -> Iterator[str]:
        """The lines of several workers as they come; when one has failed, the others are stopped."""
        merged: queue.SimpleQueue[tuple[int, str | _End]] = queue.SimpleQueue()

        def read(rank: int, worker: str) -> None:
            try:
                for line in self._follow_one(worker):
                    merged.put((rank, line))
                if self._has_failed(worker):
                    self._stop([other for _, other in workers if other != worker])
            except BaseException as error:  # noqa: BLE001 (handed to the thread that reads, which raises it)
                merged.put((rank, _End(error)))
            else:
                merged.put((rank, _End()))

        for rank, worker in workers:
            threading.Thread(target=read, args=(rank, worker), name=f"follow {worker[:12]}", daemon=True).start()
        going = len(workers)
        while going:
            rank, item = merged.get()
            if isinstance(item, _End):
                going -= 1
                if item.error is not None:
                    raise item.error
            else:
                yield f"[{rank}] {item}"

    def _has_failed(self, worker: str) -> bool:
        with docker_client.connect() as client:
            found = docker_client.inspect(client, worker)
        return found is None or docker_state.has_failed(found)

    def _follow_one(self, worker: str) -> Iterator[str]:
        delivered = 0
        away_since: float | None = None
        while True:
            try:
                with docker_client.connect() as client:
                    found = docker_client.inspect(client, worker)
                    if found is None or not self._has_started(client, found):
                        return
                    # From the first line again, less those delivered: exact, however the connection was lost.
                    for number, line in enumerate(docker_log.read_log(client, worker)):
                        away_since = None
                        if number >= delivered:
                            delivered += 1
                            yield line
                    found = docker_client.inspect(client, worker)
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
        return not docker_client.has_start_error(client, found["Id"])

    def tend(self, state: RunState) -> None:
        with docker_client.connect() as client:
            for worker in self._find_workers(client, state.name):
                self._has_started(client, worker)
            workers = self._find_workers(client, state.name)
        if any(docker_state.has_failed(worker) for worker in workers):
            self._stop([worker["Id"] for worker in workers if not docker_state.has_ended(worker)])

    def collect(self, state: RunState) -> Record:
        return self._records.keep(state, lambda folder: self._fetch(state, folder))

    def _fetch(self, state: RunState, folder: pathlib.Path) -> tuple[Mapping[str, float], str]:
        """Fills a record's folder from the containers; returns the metrics and the image's digest."""
        (folder / "logs").mkdir()
        with docker_client.connect() as client:
            workers = self._find_workers(client, state.name)
            if not workers:
                raise RunGone(
                    f"the container of {state.name} was removed before its outputs were collected; "
                    "run `pulumi up` again to train it anew"
                )
            metrics: dict[str, float] = {}
            # Worker 0 comes last, so that what it wrote is what stays where several wrote the same.
            for worker in reversed(workers):
                metrics |= self._fetch_worker(client, worker, state, folder)
        with (folder / "logs" / LOG_NAME).open("w", encoding="utf-8") as log, docker_client.connect() as client:
            # The one that ended the run comes last, where a person reads first.
            failed = docker_state.find_first_failed(workers)
            for worker in sorted(workers, key=lambda each: docker_state.read_rank(each) == failed):
                prefix = f"[{docker_state.read_rank(worker)}] " if len(workers) > 1 else ""
                # One that could not be started has printed nothing, and its log may be the reason.
                if docker_state.has_run(worker):
                    log.writelines(f"{prefix}{line}\n" for line in docker_log.read_log(client, worker["Id"]))
            if len(workers) > 1:
                # Docker has room for some thirty networks; this one's workers have ended.
                self._remove_networks(client, workers[0]["Config"]["Labels"][docker_request.GROUP_LABEL])
        return metrics, str(workers[0]["Image"])

    def _fetch_worker(
        self, client: docker.APIClient, worker: Mapping[str, Any], state: RunState, folder: pathlib.Path
    ) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as temporary:
            for name in ("outputs", "logs"):
                place = f"{docker_request.WORKSPACE}/{name}"
                docker_archive.fetch_folder(client, worker["Id"], place, folder / name)
            store = pathlib.Path(temporary)
            docker_archive.fetch_folder(client, worker["Id"], docker_request.TRACKING_STORE, store)
            rank = docker_state.read_rank(worker)
            tags = {
                "aml-infra.run": state.name,
                "aml-infra.fingerprint": state.fingerprint,
                "aml-infra.experiment": state.spec.get("experiment", "Default"),
                "aml-infra.rank": str(rank),
            }
            parameters = state.spec.get("parameters") if rank == 0 else None
            tracking.copy_runs(store, self._records.folder / "mlruns", tags, parameters)
            return tracking.read_metrics(store)

    def read_tail(self, record: Record, size: int) -> bytes:
        return records.read_tail(record.log_path, size)

    def cancel(self, run_id: str) -> None:
        with docker_client.connect() as client:
            state = self.describe(run_id)
            if state is None or state.status.is_final:
                return
            workers = self._find_workers(client, state.name)
            for worker in reversed(workers):
                with contextlib.suppress(docker.errors.NotFound):
                    if worker["State"]["Status"] == "created":
                        # Whoever follows would start it.
                        docker_client.discard(client, worker["Id"])
                    elif not docker_state.has_ended(worker):
                        # What has ended already has done so by itself, and is what it is.
                        docker_archive.put_file(client, worker["Id"], docker_request.CANCELED_MARK)
        self._stop([worker["Id"] for worker in workers])

    def _stop(self, workers: Sequence[str]) -> None:
        """Asks all of them at once to end; those that do not in time are killed."""

        def stop(worker: str) -> None:
            with docker_client.connect() as client, contextlib.suppress(docker.errors.NotFound):
                client.stop(worker, timeout=docker_request.STOP_GRACE_SECONDS)

        with concurrent.futures.ThreadPoolExecutor(max(1, len(workers))) as pool:
            list(pool.map(stop, workers))

    def remove(self, run_id: str) -> None:
        with docker_client.connect() as client:
            listed = self._list(client, run_id)
            running = {_group_of(each) for each in listed if each["State"] in ("running", "paused", "restarting")}
            for container in listed:
                if _group_of(container) not in running:
                    docker_client.discard(client, container["Id"])
            for network in client.networks(filters={"label": f"{docker_request.RUN_LABEL}={run_id}"}):
                if network["Labels"][docker_request.GROUP_LABEL] not in running:
                    with contextlib.suppress(docker.errors.NotFound):
                        client.remove_network(network["Id"])

    def _list(self, client: docker.APIClient, run_id: str) -> list[dict[str, Any]]:
        return list(client.containers(all=True, filters={"label": f"{docker_request.RUN_LABEL}={run_id}"}))


def _group_of(listed: Mapping[str, Any]) -> str:
    """What one submit has made; a container of before there were several has nothing in common with another."""
    return str(listed["Labels"].get(docker_request.GROUP_LABEL, listed["Id"]))


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
