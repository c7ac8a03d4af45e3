"""One cluster for all tests of a process."""

from __future__ import annotations

import pathlib
import uuid
from collections.abc import Iterator

import pytest

from tests.kubernetes import images
from tests.kubernetes.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, image: str, image_archive: pathlib.Path) -> Iterator[Cluster]:
    """A cluster of two nodes, which hold the image."""
    made = Cluster.start(tmp_path_factory.mktemp("kubernetes") / "cluster", nodes=2)
    try:
        made.load_image(image_archive)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def image() -> str:
    """The name of an image with a shell, and little else."""
    return "cluster.invalid/busybox:1"


@pytest.fixture(scope="session")
def image_archive(tmp_path_factory: pytest.TempPathFactory, image: str) -> pathlib.Path:
    """The image as a file."""
    archive = tmp_path_factory.mktemp("images") / "busybox.tar"
    images.write_busybox(archive, image)
    return archive


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own; what is in it is removed behind the test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.objects.delete("v1", "Namespace", name)
