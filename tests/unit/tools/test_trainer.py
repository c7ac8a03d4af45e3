from __future__ import annotations

from typing import cast

from tests.unit.tools import fakes
from tools.bootstrap import environment, golang, trainer, versions


def _make_step(machine: fakes.Machine) -> trainer.Trainer:
    return trainer.Trainer(machine.tools, cast("golang.GoBuilder", machine.builder))


def _put_sources(machine: fakes.Machine) -> None:
    for folder in ("manifests", "config"):
        place = machine.builder.sources / folder / "base"
        place.mkdir(parents=True)
        (place / "kustomization.yaml").write_text(folder)
        (place / "kustomization.yaml").chmod(0o444)


def test_the_operators_are_built_and_their_manifests_kept(machine: fakes.Machine) -> None:
    """Both are of the same modules, and can be changed where they are copied to."""
    _put_sources(machine)
    made = _make_step(machine)
    assert not made.inspect().ready

    made.provide()

    assert (made.inspect().ready, made.inspect().version) == (True, versions.TRAINER)
    assert machine.builder.built == [
        "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager",
        "sigs.k8s.io/jobset",
    ]
    kept = machine.places.trainer / "manifests" / "jobset" / "base" / "kustomization.yaml"
    assert kept.read_text() == "config"
    assert kept.stat().st_mode & 0o200


def test_an_interrupted_build_of_operators_goes_on(machine: fakes.Machine) -> None:
    """What is built is not built again."""
    _put_sources(machine)
    made = _make_step(machine)
    made.provide()
    (machine.places.trainer / "bin" / "jobset").unlink()
    machine.builder.built.clear()

    made.provide()

    assert machine.builder.built == ["sigs.k8s.io/jobset"]


def test_tests_find_the_operators(machine: fakes.Machine) -> None:
    """On PATH, as all programs."""
    (machine.places.trainer / "bin").mkdir(parents=True)

    assert machine.places.trainer / "bin" in environment._find_own_folders(machine.places)
