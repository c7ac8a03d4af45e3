"""The services that trials share, each started when it is first needed."""

from __future__ import annotations

import contextlib
import pathlib
import threading
from collections.abc import Iterator

from tests.contract import kubernetes_place, learning_place
from tests.faults.azureml_place import AzuremlPlace
from tests.faults.docker_place import DockerPlace
from tests.faults.kubernetes_place import ClusterPlace
from tests.faults.own_daemon import OwnDaemon, open_daemon
from tests.faults.places import Place
from tests.faults.schedules import Schedule

_DAEMONS = {"daemon": False, "live daemon": True}
"""Whether the containers of such a daemon go on while it is away."""


class Grounds:
    """Places for trials.

    Args:
        folder: for the services.
        stack: ends them.
    """

    def __init__(self, folder: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._opening = threading.RLock()
        self._shared: dict[str, Place] = {}
        self._daemons: dict[str, OwnDaemon] = {}
        # Whoever kills a daemon has it for itself.
        self._leases = {name: threading.Lock() for name in _DAEMONS}

    def prepare(self, backend: str) -> None:
        """Starts the service of a backend, where it is not the machine's own."""
        if backend != "docker":
            self.open(backend)

    @contextlib.contextmanager
    def lend(self, schedule: Schedule, data: pathlib.Path) -> Iterator[Place]:
        """A place for one trial.

        Args:
            schedule: what will be done there.
            data: a folder for records, where they are kept on this machine.
        """
        if schedule.backend != "docker":
            yield self.open(schedule.backend)
            return
        wanted = next((kill.victim for kill in schedule.kills if kill.victim in _DAEMONS), "")
        with self._leases.get(wanted, contextlib.nullcontext()):
            daemon = self._open_daemon(wanted) if wanted else None
            with contextlib.closing(DockerPlace(data, daemon)) as place:
                yield place

    def open(self, backend: str) -> Place:
        """The one place of a backend that all trials share."""
        with self._opening:
            if backend not in self._shared:
                folder = self._folder / backend
                if backend == "azureml":
                    folder.mkdir()
                    self._shared[backend] = AzuremlPlace(self._stack.enter_context(learning_place.open_place(folder)))
                else:
                    made = self._stack.enter_context(kubernetes_place.open_place(folder))
                    self._shared[backend] = ClusterPlace(made)
        return self._shared[backend]

    def _open_daemon(self, name: str) -> OwnDaemon:
        with self._opening:
            if name not in self._daemons:
                folder = self._folder / name.replace(" ", "-")
                self._daemons[name] = self._stack.enter_context(open_daemon(folder, keeps=_DAEMONS[name]))
        return self._daemons[name]


@contextlib.contextmanager
def open_grounds(folder: pathlib.Path) -> Iterator[Grounds]:
    """Grounds, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        yield Grounds(folder, stack)
