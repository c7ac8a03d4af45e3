from __future__ import annotations

import hashlib
import io
import tarfile
from typing import cast

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import engine, errors, golang, versions

NAMES = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")


def _make_engine(machine: fakes.Machine) -> engine.Engine:
    return engine.Engine(machine.tools, cast("golang.GoBuilder", machine.builder))


def _make_language(machine: fakes.Machine) -> engine.LanguageHost:
    return engine.LanguageHost(machine.tools, _make_engine(machine), cast("golang.GoBuilder", machine.builder))


def _publish(machine: fakes.Machine, *, listed: bytes = b"") -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in NAMES:
            info = tarfile.TarInfo(f"pulumi/{name}")
            info.size = 3
            tar.addfile(info, io.BytesIO(b"own"))
    content = packed.getvalue()
    official = versions.build_pulumi_release("linux", "amd64")
    digest = hashlib.sha256(listed or content).hexdigest()
    machine.internet.pages[official.url] = content
    machine.internet.pages[official.checksums_url] = f"{digest}  {official.file_name}\n".encode()


@pytest.mark.parametrize("version", ["v3.259.0", "v3.300.1"])
def test_an_engine_on_path_is_used(machine: fakes.Machine, version: str) -> None:
    """The user's engine, from the pinned version on, comes first."""
    program = machine.install("pulumi", version)

    finding = _make_engine(machine).inspect()

    assert finding.ready
    assert finding.text == str(program)
    assert finding.version == version.lstrip("v")


@pytest.mark.parametrize("version", ["v3.258.9", "v4.0.0"])
def test_an_engine_of_another_version_is_not_used(machine: fakes.Machine, version: str) -> None:
    """An older engine, or one of another major version, will not do, and doctor says which it is."""
    program = machine.install("pulumi", version)

    finding = _make_engine(machine).inspect()

    assert not finding.ready
    assert finding.text == f"{program} is {version.lstrip('v')}, which is not 3.x from 3.259.0 on"


def test_the_official_installers_folder_is_looked_at(machine: fakes.Machine) -> None:
    """An engine in ~/.pulumi/bin is used even where PATH does not name that folder."""
    program = fakes.put_program(machine.places.pulumi_home / "bin" / "pulumi")
    machine.commands.answer(f"{program} version", "v3.260.0\n")

    assert _make_engine(machine).locate() == program


def test_the_official_release_comes_before_a_build(machine: fakes.Machine) -> None:
    """Where the download works nothing is compiled, and the language host comes with it."""
    _publish(machine)

    _make_engine(machine).provide()

    assert machine.builder.built == []
    assert "official release: none on PATH" in machine.said
    assert sorted(path.name for path in (machine.places.engine / "bin").iterdir()) == sorted(NAMES)
    assert _make_language(machine).inspect().ready


def test_a_build_comes_last_and_says_why(machine: fakes.Machine) -> None:
    """Where nothing answers it is built, and the line gives both reasons."""
    _make_engine(machine).provide()

    assert machine.builder.built == ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"]
    assert (
        "engine       3.259.0           building from source: none on PATH, official download did not answer in 10 s"
        in machine.said
    )


def test_a_false_release_is_not_replaced_by_a_build(machine: fakes.Machine) -> None:
    """A download that is not the published one stops everything: somebody has to look at it."""
    _publish(machine, listed=b"another")

    with pytest.raises(errors.ChecksumError):
        _make_engine(machine).provide()

    assert machine.builder.built == []
    assert not (machine.places.engine / "bin").exists()


def test_a_deleted_engine_is_noticed(machine: fakes.Machine) -> None:
    """The cache is looked at each time, not believed."""
    made = _make_engine(machine)
    made.provide()
    machine.commands.answer(f"{machine.places.engine}/bin/pulumi version", "v3.259.0")
    assert made.inspect().ready

    (machine.places.engine / "bin" / "pulumi").unlink()

    assert not made.inspect().ready


def test_the_language_host_is_built_with_its_scripts(machine: fakes.Machine) -> None:
    """The host needs two scripts beside it, which come from the engine's own sources."""
    _make_language(machine).provide()

    assert machine.builder.built == ["github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"]
    assert _make_language(machine).inspect().ready
