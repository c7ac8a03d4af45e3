from __future__ import annotations

from typing import cast

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import errors, golang, plugins

PACKAGE = "github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build"


def _make_docker_build(machine: fakes.Machine) -> plugins.DockerBuild:
    return plugins.DockerBuild(machine.tools, cast("golang.GoBuilder", machine.builder))


def _make_buildx(machine: fakes.Machine) -> plugins.Buildx:
    return plugins.Buildx(machine.tools, cast("golang.GoBuilder", machine.builder))


def test_an_installed_plugin_is_kept(machine: fakes.Machine) -> None:
    """The plugin that Pulumi itself installed, in the right version, is enough."""
    fakes.put_program(machine.places.plugin / "pulumi-resource-docker-build")

    assert _make_docker_build(machine).inspect().ready


def test_a_built_plugin_is_put_where_pulumi_looks(machine: fakes.Machine) -> None:
    """A build goes into Pulumi's plugin folder as a real file."""
    made = _make_docker_build(machine)

    made.provide()

    assert machine.builder.built == [PACKAGE]
    assert made.inspect().ready
    assert not (machine.places.plugin / "pulumi-resource-docker-build").is_symlink()


def test_a_plugin_in_the_cache_is_not_built_again(machine: fakes.Machine) -> None:
    """Another home with the same cache takes the program from there."""
    fakes.put_program(machine.places.docker_build / "pulumi-resource-docker-build")

    _make_docker_build(machine).provide()

    assert machine.builder.built == []
    assert _make_docker_build(machine).inspect().ready


def test_buildx_is_put_into_the_users_docker_folder(machine: fakes.Machine) -> None:
    """Where there is none, ours goes where Docker looks, and the line names the place."""
    _make_buildx(machine).provide()

    place = machine.places.docker_home / "cli-plugins" / "docker-buildx"
    assert place.exists()
    assert f"put into {place}, where Docker looks for it" in machine.said


def test_the_users_own_old_buildx_is_not_replaced(machine: fakes.Machine) -> None:
    """What the user installed is theirs: the error says what is wrong with it."""
    place = fakes.put_program(machine.places.docker_home / "cli-plugins" / "docker-buildx")
    machine.commands.answer(f"{place} version", "github.com/docker/buildx v0.8.2 6224def")

    with pytest.raises(errors.BootstrapError, match=r"is 0\.8\.2, older than 0\.13\.0.*update or remove"):
        _make_buildx(machine).provide()

    assert place.read_text() == "#!/bin/sh\n"
