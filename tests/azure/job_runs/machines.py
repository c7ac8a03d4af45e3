"""The machines of clusters: containers of this machine's Docker daemon, on its network."""

from __future__ import annotations

import contextlib
import io
import pathlib
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

import docker
import docker.errors
import docker.utils.socket

LABEL = "aml-infra.tests.azure-jobs"
_LIFE = "7200"
"""Seconds after which a machine is gone for good, should these tests be killed."""
_SECONDS = 120

_BEGIN = 'read -r _ && echo && exec "$@" </dev/null'
"""Begins when it is told: Docker's client loses what a process says before the answer to its start is read.

An empty line says that it has begun: what comes in its place is the daemon's, of a process that could not begin.
"""


class ImageMissing(Exception):
    """The daemon cannot have an image; the message is its own."""


class StartFailed(Exception):
    """An image cannot be run; the message is the daemon's own."""


class Machines:
    """Starts containers, and removes what is left of them in the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: docker.APIClient | None = None
        self._server = uuid.uuid4().hex
        self._pulled: list[str] = []

    @property
    def _client(self) -> docker.APIClient:
        with self._lock:
            if self._opened is None:
                settings = docker.utils.kwargs_from_env()
                self._opened = docker.APIClient(version="auto", timeout=_SECONDS, num_pools=100, **settings)
        return self._opened

    def close(self) -> None:
        """Removes all containers, and the images that were pulled."""
        if self._opened is None:
            return
        for found in self._opened.containers(all=True, filters={"label": f"{LABEL}={self._server}"}):
            self.remove(str(found["Id"]))
        for reference in self._pulled:
            with contextlib.suppress(docker.errors.APIError):  # a container of somebody else's may use it by now
                self._opened.remove_image(reference, noprune=True)
        self._opened.close()

    def find_image(self, reference: str) -> str | None:
        """The id of an image that the daemon has."""
        try:
            return str(self._client.inspect_image(reference)["Id"])
        except docker.errors.ImageNotFound:
            return None

    def pull(self, repository: str, tag: str, login: dict[str, str] | None) -> str:
        """Has the daemon pull an image; gives its id.

        Args:
            repository: with the registry's address.
            tag: or the digest.
            login: username and password; None where none is needed.

        Raises:
            ImageMissing: the registry does not have it, or does not give it.
        """
        reference = f"{repository}@{tag}" if tag.startswith("sha256:") else f"{repository}:{tag}"
        had = self.find_image(reference)
        try:
            answers = list(self._client.pull(repository, tag, auth_config=login, stream=True, decode=True))
        except docker.errors.APIError as error:
            raise ImageMissing(str(error.explanation or error)) from error
        for answer in answers:
            if "error" in answer:
                raise ImageMissing(str(answer["error"]))
        if had is None:
            self._pulled.append(reference)
        found = self.find_image(reference)
        assert found is not None, reference
        return found

    def start(self, image: str, mounts: Mapping[pathlib.Path, str], *, job: str, shared_memory: str) -> Machine:
        """Starts a machine that does nothing yet.

        Args:
            image: what it runs, by id.
            mounts: files and folders of this machine, and where the container finds them, which cannot write there.
            job: what it runs for, which only people read.
            shared_memory: the size of /dev/shm, as Docker writes sizes.

        Raises:
            StartFailed: The image cannot be run, such as one that has not even a shell.
        """
        client = self._client
        binds = [f"{source}:{target}:ro" for source, target in mounts.items()]
        host = client.create_host_config(
            network_mode="host", binds=binds, auto_remove=True, shm_size=shared_memory or None
        )
        made = client.create_container(
            image,
            entrypoint=["sleep", _LIFE],
            command=[],
            user="0",
            working_dir="/",
            host_config=host,
            labels={LABEL: self._server, f"{LABEL}.job": job},
            environment={},
        )
        machine = Machine(client, self, str(made["Id"]))
        try:
            client.start(made["Id"])
        except docker.errors.APIError as error:
            machine.kill()
            raise StartFailed(str(error.explanation or error)) from error
        return machine

    def remove(self, container: str) -> None:
        """Has a container gone, whatever it does."""
        with contextlib.suppress(docker.errors.NotFound, docker.errors.APIError):
            # Whoever kills it has the daemon remove it, which may be under way.
            self._client.remove_container(container, force=True, v=True)


class Machine:
    """One node of a cluster, while it works for a job."""

    def __init__(self, client: docker.APIClient, machines: Machines, container: str) -> None:
        self._client = client
        self._machines = machines
        self._container = container

    def put(self, folder: str, files: Mapping[str, bytes], folders: Sequence[str] = ()) -> None:
        """Makes folders and files below a folder, which is made as well."""
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for name in (folder, *(f"{folder}/{each}" for each in folders)):
                    _add_folder(tar, name)
                for name, content in files.items():
                    found = tarfile.TarInfo(f"{folder}/{name}".lstrip("/"))
                    found.size, found.mode = len(content), 0o755
                    tar.addfile(found, io.BytesIO(content))
            self._client.put_archive(self._container, "/", archive.getvalue())

    def get(self, folder: str) -> dict[str, bytes]:
        """The files below a folder, by their path in it; none if it is not there."""
        try:
            chunks, _ = self._client.get_archive(self._container, folder)
        except docker.errors.APIError:  # there is no such folder, or no such machine any more
            return {}
        with io.BytesIO(b"".join(chunks)) as archive, tarfile.open(fileobj=archive) as tar:
            members = [(each, tar.extractfile(each)) for each in tar.getmembers() if each.isfile()]
            return {each.name.partition("/")[2]: stream.read() for each, stream in members if stream is not None}

    def has_bash(self) -> bool:
        """Whether there is a bash."""
        return self._run(["sh", "-c", "command -v bash"]) == 0

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        begun: threading.Event,
        hear: Callable[[bytes | None, bytes | None], None],
    ) -> int | None:
        """Runs a process to its end.

        Args:
            command: what it runs.
            environment: its variables.
            folder: where it works.
            begun: is set once it runs, or never will.
            hear: is told what it says as it comes, by stream.

        Returns:
            Its exit status; None if the machine is gone, or was before the process began.
        """
        try:
            made = self._client.exec_create(
                self._container,
                ["sh", "-c", _BEGIN, "sh", *command],
                stdin=True,
                environment=dict(environment),
                workdir=folder,
                user="0",
            )
            socket = self._client.exec_start(made["Id"], socket=True)
            socket._sock.sendall(b"\n")  # type: ignore[union-attr]  # it reads only, and this one is a socket's
        except (docker.errors.APIError, BrokenPipeError, ConnectionResetError):
            return None
        finally:
            begun.set()
        has_begun = False
        try:
            for stream, data in docker.utils.socket.frames_iter(socket, tty=False):
                if stream == docker.utils.socket.STDERR:
                    hear(None, data)
                elif has_begun:
                    hear(data, None)
                elif data.startswith(b"\n"):
                    has_begun = True
                    if data[1:]:
                        hear(data[1:], None)
        finally:
            socket._response.close()  # type: ignore[union-attr]  # its own close() leaves the connection open
        try:
            status = self._client.exec_inspect(made["Id"])["ExitCode"]
        except docker.errors.APIError:
            return None
        return int(status) if has_begun and status is not None else None

    def terminate(self) -> None:
        """Asks all processes to end."""
        self._run(["sh", "-c", "kill -TERM -1"])

    def kill(self) -> None:
        """Has the machine gone, as a power cut does."""
        self._machines.remove(self._container)

    def _run(self, command: Sequence[str]) -> int | None:
        return self.run(command, {}, "/", threading.Event(), lambda *_: None)


@contextlib.contextmanager
def keep(machines: Sequence[Machine]) -> Iterator[None]:
    """Has the machines gone when the block ends."""
    try:
        yield
    finally:
        for machine in machines:
            machine.kill()


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    found = tarfile.TarInfo(name.strip("/"))
    found.type, found.mode = tarfile.DIRTYPE, 0o777
    tar.addfile(found)
