from __future__ import annotations

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.kubernetes import enclosure, supervisor

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 60

PROGRAM = """
import json, pathlib, sys
from tests.kubernetes.cluster import Cluster

cluster = Cluster.start(pathlib.Path(sys.argv[1]))
namespaces = cluster._namespaces
print(json.dumps({"number": namespaces.number, "pid": namespaces._process.pid}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def namespaces(tmp_path: pathlib.Path) -> Iterator[enclosure.Enclosure]:
    """New namespaces, with nothing in them."""
    made = _make(tmp_path)
    yield made
    made.close()


def _make(folder: pathlib.Path) -> enclosure.Enclosure:
    for name in ("configuration", "logs"):
        (folder / name).mkdir(parents=True)
    return enclosure.Enclosure(folder)


def _list_processes(namespace: str) -> list[str]:
    """The commands of the processes of this machine that are in a namespace of processes."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns" / "pid") == namespace:
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue  # it has ended, or is none of ours
    return found


def _list_traces(number: int) -> list[pathlib.Path]:
    """What of a cluster is seen outside its namespaces."""
    name = supervisor.build_name(number)
    # Not `glob`: other tests' containers end, and their groups vanish while it looks into them.
    groups = [pathlib.Path(folder, name) for folder, inner, _ in os.walk(supervisor.CGROUPS) if name in inner]
    return [*pathlib.Path("/sys/class/net").glob(name), *groups]


def test_nothing_outlives_a_killed_test_process(tmp_path: pathlib.Path) -> None:
    """A cluster ends with the process that started it, also when that had no chance to stop it."""
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / "cluster")]
    with subprocess.Popen(
        argv, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as tests:
        assert tests.stdout is not None
        told = json.loads(tests.stdout.readline())
        namespace = os.readlink(f"/proc/{told['pid']}/ns/pid_for_children")
        assert {"hyperkube", "containerd", "coredns"} <= set(_list_processes(namespace))
        assert _list_traces(told["number"]) != []
        end = os.pidfd_open(told["pid"])

        tests.send_signal(signal.SIGKILL)

        ended, _, _ = select.select([end], [], [], SECONDS)
        os.close(end)
    assert ended
    assert _list_processes(namespace) == []
    assert _list_traces(told["number"]) == []
    assert not (tmp_path / "cluster" / "state").exists()


def test_clusters_have_numbers_of_their_own(namespaces: enclosure.Enclosure, tmp_path: pathlib.Path) -> None:
    """Two at a time share no network, no cgroup and no folder."""
    other = _make(tmp_path / "other")
    try:
        assert namespaces.number != other.number
        assert namespaces.make_cgroup("node1") != other.make_cgroup("node1")
    finally:
        other.close()


def test_the_end_of_a_process_is_heard_of(namespaces: enclosure.Enclosure) -> None:
    """Its exit code and what it said are there as soon as it ended."""
    process = namespaces.start("failing", ["sh", "-c", "echo no such thing >&2; exit 3"])

    process.wait(SECONDS)

    assert process.find_end() == 3
    assert process.quote_log().endswith("no such thing")


def test_what_cannot_be_started_is_told(namespaces: enclosure.Enclosure) -> None:
    """The supervisor goes on."""
    with pytest.raises(enclosure.EnclosureError, match="No such file or directory"):
        namespaces.start("missing", ["/no/such/program"])

    namespaces.start("true", ["true"]).wait(SECONDS)


def test_the_system_itself_is_not_changed(namespaces: enclosure.Enclosure) -> None:
    """What components write to fixed places is seen inside only."""
    process = namespaces.start(
        "writing", ["touch", "/var/lib/of-a-cluster", "/var/log/of-a-cluster", "/run/of-a-cluster"]
    )

    process.wait(SECONDS)

    assert process.find_end() == 0
    assert [place for place in ("lib", "log") if pathlib.Path("/var", place, "of-a-cluster").exists()] == []
    assert not pathlib.Path("/run/of-a-cluster").exists()
