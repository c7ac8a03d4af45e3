"""The first process of a cluster's own namespaces: it starts the others, and nothing of the cluster outlives it.

It is run as a program, inside new namespaces of processes, mounts and the network, and needs the standard library only.
It is told what to do through a socket, one JSON object per line, and answers each line with one; besides, it says when
a process ended. When the other end of the socket is closed, which the kernel does even for a process that was killed,
it ends everything, removes what a cluster leaves outside its namespaces, and exits.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from typing import Any

CGROUPS = pathlib.Path("/sys/fs/cgroup")
FOLDER = pathlib.Path("/run/cluster")
"""The cluster's folder, seen from inside: short, as paths of sockets must be."""
STATE = FOLDER / "state"
"""What is removed when the cluster ends; logs and settings are beside it, and stay."""

_NUMBERS = range(128)
_LINES = 1 << 16


def build_name(number: int) -> str:
    """What belongs to a cluster on its host has this name: a network interface, and the cgroups of its nodes."""
    return f"aml-kube{number}"


def build_subnet(number: int, part: int) -> str:
    """The first three numbers of one of the cluster's four /24 networks: the link to the host, two nodes, services.

    They are of 198.18.0.0/15, which is set aside for tests of networks (RFC 2544) and is no one's own.
    """
    place = 4 * number + part
    return f"198.{18 + place // 256}.{place % 256}"


class Supervisor:
    """Serves one control socket."""

    def __init__(self, control: socket.socket, number: int) -> None:
        self._control = control
        self._number = number
        self._names: dict[int, str] = {}

    def serve(self) -> None:
        """Does what it is told until there is no one left to tell it."""
        woken, wake = socket.socketpair()
        for each in (woken, wake):
            each.settimeout(0)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._control.settimeout(0)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            received = b""
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if woken in ready:
                    with contextlib.suppress(BlockingIOError):
                        woken.recv(_LINES)
                    self._reap()
                if self._control in ready:
                    part = self._control.recv(_LINES)
                    if not part:
                        return
                    *lines, received = (received + part).split(b"\n")
                    for line in lines:
                        self._answer(json.loads(line))

    def _answer(self, request: dict[str, Any]) -> None:
        files: list[int] = []
        answer: dict[str, Any] = {"answer": None}
        try:
            if request["do"] == "start":
                answer["answer"] = self._start(**request["with"])
            elif request["do"] == "signal":
                os.kill(request["with"]["pid"], request["with"]["number"])
            elif request["do"] == "listen":
                files.append(_listen(request["with"]["port"]))
            elif request["do"] == "make_cgroup":
                make_cgroup(f"{build_name(self._number)}/{request['with']['name']}")
            else:
                answer = {"error": f"unknown request {request['do']!r}"}
        except OSError as error:
            answer = {"error": str(error)}
        self._send(answer, files)
        for file in files:
            os.close(file)

    def _send(self, message: dict[str, Any], files: list[int]) -> None:
        self._control.settimeout(None)
        with contextlib.suppress(BrokenPipeError):  # the end of the socket is read next
            socket.send_fds(self._control, [json.dumps(message).encode() + b"\n"], files)
        self._control.settimeout(0)

    def _start(self, argv: list[str], log: str) -> int:
        """Starts a program, its output appended to `log`; gives its process id."""
        writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawnp(
            argv[0],
            argv,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, writing, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
        self._names[pid] = argv[0]
        return pid

    def _reap(self) -> None:
        """Takes note of what ended; orphans of others come to the first process as well."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if self._names.pop(pid, None) is not None:
                    self._send({"ended": pid, "code": os.waitstatus_to_exitcode(status)}, [])


def _listen(port: int) -> int:
    """A socket that listens inside, as a file to hand out."""
    listener = socket.create_server(("", port), backlog=128)
    return listener.detach()


def run(*argv: str, files: tuple[int, ...] = ()) -> None:
    """Runs a command to its end.

    Raises:
        OSError: it failed; what it said is in the text.
    """
    done = subprocess.run(argv, capture_output=True, text=True, check=False, pass_fds=files, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise OSError(f"`{' '.join(argv)}` failed: {done.stderr.strip() or done.stdout.strip()}")


def make_private(folder: str) -> None:
    """Makes what the components write to fixed places of the system be seen by them alone."""
    held = os.open(folder, os.O_PATH)
    os.set_inheritable(held, True)  # noqa: FBT003
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    FOLDER.mkdir()
    run("mount", "--bind", f"/proc/self/fd/{held}", str(FOLDER), files=(held,))
    os.close(held)
    for place in ("/var/lib", "/var/log"):
        upper, work = (pathlib.Path("/run/overlays", place.strip("/"), name) for name in ("upper", "work"))
        upper.mkdir(parents=True)
        work.mkdir()
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={place},upperdir={upper},workdir={work}", place)


def link_to_host(host: int) -> int:
    """Connects the namespace with that of the host, the file `host`; gives the number of the cluster.

    The name of the host's end is what no two clusters can have at a time. It goes when the namespace goes.
    """
    outside = ("nsenter", f"--net=/proc/self/fd/{host}", "ip")
    for number in _NUMBERS:
        try:
            run(*outside, "link", "add", build_name(number), "type", "veth", "peer", "name", "eth0", "netns", "1",
                files=(host,))  # fmt: skip
            break
        except OSError as error:
            if "File exists" not in str(error):
                raise
    else:
        raise OSError(f"{len(_NUMBERS)} clusters run on this machine already")
    link = build_subnet(number, 0)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "set", "eth0", "up")
    for node in (2, 3):
        run("ip", "address", "add", f"{link}.{node}/24", "dev", "eth0")
    run(*outside, "address", "add", f"{link}.1/24", "dev", build_name(number), files=(host,))
    run(*outside, "link", "set", build_name(number), "up", files=(host,))
    run("ip", "route", "add", "default", "via", f"{link}.1")
    for part in (1, 2):
        run(*outside, "route", "add", f"{build_subnet(number, part)}.0/24", "via", f"{link}.2", files=(host,))
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    return number


def answer_names(number: int) -> None:
    """Has the nodes themselves ask the cluster's DNS, so that a name that is nowhere is refused at once."""
    settings = FOLDER / "configuration" / "nodes-resolv.conf"
    settings.write_text(f"nameserver {build_subnet(number, 0)}.2\n")
    place = pathlib.Path("/etc/resolv.conf").resolve()
    if not place.exists():  # it was in /run
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    run("mount", "--bind", str(settings), str(place))


def make_cgroup(name: str) -> None:
    """Makes a cgroup of this name in each hierarchy, with all that its parents have to give."""
    if (CGROUPS / "cgroup.controllers").exists():
        place = CGROUPS
        for part in pathlib.PurePosixPath(name).parts:
            given = (place / "cgroup.controllers").read_text().split()
            for controller in given:
                (place / "cgroup.subtree_control").write_text(f"+{controller}")
            place /= part
            place.mkdir(exist_ok=True)
        return
    for hierarchy in _list_hierarchies():
        place = hierarchy
        for part in pathlib.PurePosixPath(name).parts:
            above, place = place, place / part
            place.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if (above / setting).exists():
                    (place / setting).write_text((above / setting).read_text())


def remove_cgroups(name: str) -> None:
    """Removes cgroups in which no process is left, with those in them."""
    for hierarchy in _list_hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            os.rmdir(folder)


def _list_hierarchies() -> list[pathlib.Path]:
    """The cgroup file systems: one of version 2, or several of version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [each for each in CGROUPS.iterdir() if not each.is_symlink() and (each / "cgroup.procs").exists()]


def remove_rest(number: int) -> None:
    """Ends all processes but this one, and removes what the kernel does not remove with the namespaces."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in reversed([each for each in mounts if each.startswith(f"{FOLDER}/")]):
        run("umount", "--lazy", place.encode().decode("unicode_escape"))
    run("ip", "link", "delete", "eth0")  # the kernel itself takes its time for it
    shutil.rmtree(STATE)
    remove_cgroups(build_name(number))


def main(control: socket.socket, host: int, folder: str) -> None:
    """Sets the namespaces up, says the cluster's number, and serves."""
    assert os.getpid() == 1, "this ends all processes that it sees: it must be the first one of a namespace"
    for inherited in (control.fileno(), host):
        os.set_inheritable(inherited, False)  # noqa: FBT003
    try:
        make_private(folder)
        number = link_to_host(host)
        answer_names(number)
        remove_cgroups(build_name(number))
    except OSError as error:
        control.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    STATE.mkdir(exist_ok=True)
    control.sendall(json.dumps({"answer": number}).encode() + b"\n")
    try:
        Supervisor(control, number).serve()
    finally:
        signal.set_wakeup_fd(-1)
        remove_rest(number)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3])
