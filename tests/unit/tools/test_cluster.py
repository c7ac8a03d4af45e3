from __future__ import annotations

import pathlib
from typing import cast

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import cluster, debian, environment, errors, golang, steps, versions

PROGRAMS = ("hyperkube", "coredns", "pause", "kwok")


def _make_step(machine: fakes.Machine) -> cluster.Cluster:
    return cluster.Cluster(machine.tools, cast("golang.GoBuilder", machine.builder))


def _answer(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes Debian's packages be had; gives the list of those that are unpacked."""
    files = {
        "busybox-static": ["bin/busybox"],
        "containerd": ["usr/bin/containerd", "usr/bin/ctr"],
        "containernetworking-plugins": ["usr/lib/cni/host-local"],
        "runc": ["usr/sbin/runc"],
    }
    unpacked: list[str] = []

    def unpack(_runner: object, package: str, folder: pathlib.Path, _hear: object) -> None:
        unpacked.append(package)
        for name in files[package]:
            fakes.put_program(folder / name)

    def install(_runner: object, packages: list[str], _hear: object) -> None:
        assert packages == ["iproute2", "iptables"]
        machine.install("ip")
        machine.install("iptables")

    monkeypatch.setattr(debian, "unpack", unpack)
    monkeypatch.setattr(debian, "install", install)
    monkeypatch.setattr(debian, "can_install", lambda _runner: True)
    return unpacked


def test_all_is_made_on_a_new_machine(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are built from source, packages unpacked, and what the system itself lacks is installed."""
    unpacked = _answer(machine, monkeypatch)
    made = _make_step(machine)
    assert not made.inspect().ready

    made.provide()

    assert made.inspect().version == versions.KUBERNETES
    assert machine.builder.built == ["./hyperkube", "./coredns", "./pause", "sigs.k8s.io/kwok/cmd/kwok"]
    assert unpacked == ["busybox-static", "containerd", "containernetworking-plugins", "runc"]
    assert "building hyperkube, coredns, pause, kwok from source" in machine.said


def test_what_the_machine_has_is_used(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Docker is installed, its container runtime is the nodes' as well."""
    unpacked = _answer(machine, monkeypatch)
    for program in ("containerd", "ctr", "runc", "ip", "iptables"):
        machine.install(program)

    _make_step(machine).provide()

    assert unpacked == ["busybox-static", "containernetworking-plugins"]
    assert _make_step(machine).inspect().ready


def test_an_interrupted_build_goes_on(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of building are not spent twice."""
    _answer(machine, monkeypatch)
    made = _make_step(machine)
    made.provide()
    (machine.places.cluster / "bin" / "kwok").unlink()
    machine.builder.built.clear()

    made.provide()

    assert machine.builder.built == ["sigs.k8s.io/kwok/cmd/kwok"]


def test_elsewhere_it_is_said_before_anything_is_begun(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is not root is told which tests can be run without a cluster."""
    monkeypatch.setattr(debian, "can_install", lambda _runner: False)
    made = steps.build_steps(machine.tools)

    with pytest.raises(errors.BootstrapError, match=r"only by root on Debian or Ubuntu.*TESTS=tests/unit"):
        steps.ensure(machine.tools, made, ["cluster"])


def test_tests_find_its_programs_on_path(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prepared environment has its folders, as it has the registry's."""
    _answer(machine, monkeypatch)
    _make_step(machine).provide()

    changes = environment.build_changes(machine.places, steps.build_steps(machine.tools), {}, "local")

    path = changes["PATH"].split(":")
    assert {str(machine.places.cluster / "bin"), str(machine.places.cluster_packages / "bin")} <= set(path)


def test_the_version_is_in_the_folders_name(machine: fakes.Machine) -> None:
    """A pin that is raised makes a new build, beside the old one."""
    for version in (versions.KUBERNETES, versions.COREDNS, versions.KWOK):
        assert version in machine.places.cluster.name
