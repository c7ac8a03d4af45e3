from __future__ import annotations

import pathlib

import pytest

from tests.unit.tools import fakes
from tools.bootstrap import base_image, daemon, debian, errors

ASK = "docker image inspect --format {{.Id}} debian:bookworm-slim"
PULL = "docker pull --quiet debian:bookworm-slim"


@pytest.fixture
def step(machine: fakes.Machine, monkeypatch: pytest.MonkeyPatch) -> base_image.BaseImage:
    """The step, on Debian as root, with Docker and without the image."""
    monkeypatch.setattr(debian, "is_root", lambda: True)
    monkeypatch.setattr(debian, "is_debian", lambda *_: True)
    machine.install("docker")
    machine.install("apt-get")
    machine.commands.answer(ASK, stderr="No such image", code=1)
    return base_image.BaseImage(machine.tools, daemon.Docker(machine.tools))


def test_an_image_that_is_there_is_kept(machine: fakes.Machine, step: base_image.BaseImage) -> None:
    """The image is looked up in the daemon each time, so that a pruned one is noticed."""
    machine.commands.answer(ASK, "sha256:70b5e71f6227c40f\n")
    assert step.inspect().ready

    machine.commands.answer(ASK, stderr="No such image", code=1)

    assert not step.inspect().ready


def test_a_pull_comes_first(machine: fakes.Machine, step: base_image.BaseImage) -> None:
    """Where a registry answers, the official image is taken."""
    machine.commands.answer(PULL)

    step.provide()

    assert machine.commands.ran == [ASK, PULL]


def test_without_a_registry_it_is_made(machine: fakes.Machine, step: base_image.BaseImage) -> None:
    """The same Debian is unpacked from this machine's mirror, trimmed and imported; nothing is left behind."""
    roots: list[pathlib.Path] = []

    def unpack(words: list[str]) -> None:
        roots.append(pathlib.Path(words[3]))
        lists = roots[0] / "var" / "lib" / "apt" / "lists"
        lists.mkdir(parents=True)
        (lists / "Packages").touch()
        documents = roots[0] / "usr" / "share" / "doc" / "bash"
        documents.mkdir(parents=True)
        (documents / "changelog.gz").touch()
        (documents / "copyright").touch()

    def pack(_words: list[str]) -> None:
        assert list((roots[0] / "var" / "lib" / "apt" / "lists").iterdir()) == []
        assert [each.name for each in (roots[0] / "usr" / "share" / "doc" / "bash").iterdir()] == ["copyright"]

    machine.install("debootstrap")
    machine.commands.answer(PULL, stderr="no such host", code=1)
    machine.commands.answer(
        "apt-get indextargets --format $(CODENAME) $(REPO_URI) Created-By: Packages",
        "bookworm-security http://mirror.test/debian-security/\nbookworm http://mirror.test/debian/\n",
    )
    machine.commands.answer("debootstrap ...", effect=unpack)
    machine.commands.answer("tar --numeric-owner --sort=name -C ...", effect=pack)
    machine.commands.answer('docker import --change CMD ["bash"] ...')

    step.provide()

    assert base_image.build_debootstrap(roots[0], "http://mirror.test/debian/") == [
        "debootstrap",
        "--variant=minbase",
        "bookworm",
        str(roots[0]),
        "http://mirror.test/debian/",
    ]
    assert machine.commands.ran[-1].endswith("root.tar debian:bookworm-slim")
    assert list(machine.places.work.iterdir()) == []


def test_without_registry_and_root_it_cannot_be_had(
    machine: fakes.Machine, step: base_image.BaseImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message gives the pull's reason and the two ways out."""
    monkeypatch.setattr(debian, "is_root", lambda: False)
    machine.commands.answer(PULL, stderr="no such host", code=1)

    with pytest.raises(errors.BootstrapError, match=r"\(no such host\).*connect to a registry, or load the image"):
        step.provide()
