from __future__ import annotations

import pytest

from aml_infra import image_references
from aml_infra.errors import InvalidInput
from aml_infra.image_references import Reference

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("text", "server", "repository", "version"),
    [
        ("debian", "docker.io", "library/debian", "latest"),
        ("debian:bookworm-slim", "docker.io", "library/debian", "bookworm-slim"),
        ("pytorch/pytorch:2.9", "docker.io", "pytorch/pytorch", "2.9"),
        ("docker.io/debian", "docker.io", "library/debian", "latest"),
        ("index.docker.io/library/debian", "docker.io", "library/debian", "latest"),
        ("registry-1.docker.io/debian", "docker.io", "library/debian", "latest"),
        ("localhost/pets", "localhost", "pets", "latest"),
        ("localhost:5000/pets/train:1", "localhost:5000", "pets/train", "1"),
        ("127.0.0.1:5000/pets", "127.0.0.1:5000", "pets", "latest"),
        ("[::1]:5000/pets:1", "[::1]:5000", "pets", "1"),
        ("contoso.azurecr.io/a/b-c/d__e.f:V1", "contoso.azurecr.io", "a/b-c/d__e.f", "V1"),
        (f"ghcr.io/team/pets@{DIGEST}", "ghcr.io", "team/pets", DIGEST),
        (f"ghcr.io/team/pets:1@{DIGEST}", "ghcr.io", "team/pets", DIGEST),
    ],
)
def test_references_are_read_as_docker_does(text: str, server: str, repository: str, version: str) -> None:
    """What is left out is Docker Hub's, and the latest."""
    assert image_references.parse(text) == Reference(server=server, repository=repository, version=version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Pets",
        "pets:",
        "pets:-1",
        "pets@sha256:12",
        "pets/",
        "/pets",
        "ghcr.io/",
        "ghcr.io//pets",
        "a__-b",
        "https://ghcr.io/pets",
        "user@host:5000/pets",
        "host.example:port/pets",
        "pets:1\n",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    """With the value, and how it is written."""
    with pytest.raises(InvalidInput) as caught:
        image_references.parse(text)

    assert f"image: is {text!r}, which is no reference of an image; it is written as in" in str(caught.value)


def test_a_reference_can_be_pinned() -> None:
    """The tag is dropped: the digest says it all."""
    assert image_references.parse("ghcr.io/team/pets:1").pin(DIGEST) == f"ghcr.io/team/pets@{DIGEST}"
