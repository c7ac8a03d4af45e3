"""Puts files on top of an image, as layers, in a registry: nothing of the image comes to this machine.

What makes an image (https://github.com/opencontainers/image-spec/blob/main/manifest.md) is a manifest, which names a
configuration and layers by their digests. On top of another one, that is one more layer, and the two documents anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

from aml_infra import registry_client
from aml_infra.errors import RequestRefused
from aml_infra.registry_client import DOCKER_INDEX, OCI_INDEX, OCI_MANIFEST, FindLogin, Manifest, RegistryClient

NEWS_SECONDS = 10.0
"""Between two news of how far a copy is."""

_EPOCH = "1970-01-01T00:00:00Z"
_MEBIBYTE = 1024 * 1024
_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_TAG_DIGITS = 32

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """Files that are put on top of an image.

    Attributes:
        name: what they are, in a word.
        digest: of what is in them: the same digest is the same layer.
        write: adds them to an archive.
    """

    name: str
    digest: str
    write: Callable[[tarfile.TarFile], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layered:
    """An image with layers on top.

    Attributes:
        reference: of the image with them, by its digest.
        base: digest of the one below, as its reference names it.
    """

    reference: str
    base: str


def identify(reference: str, find_login: FindLogin) -> str | None:
    """The digest of an image, or None where there is none; the errors of ``RegistryClient``."""
    found = registry_client.parse_reference(reference)
    return RegistryClient(found.server, find_login).find_digest(found.repository, found.version)


def push(
    base: str,
    repository: str,
    layers: Sequence[Layer],
    *,
    working_folder: str,
    find_login: FindLogin,
    architecture: str = "amd64",
    tell: Tell,
) -> Layered:
    """Puts ``layers`` on top of an image; what was done once is found again, and costs two questions.

    Args:
        base: reference of the image below.
        repository: that the new one is pushed to, with its server.
        layers: from below to the top.
        working_folder: of the new image.
        find_login: gives accounts.
        architecture: which image it is, of one that is there for several.
        tell: hears how far a copy is.

    Raises:
        AccessDenied, BackendUnavailable, InvalidInput, RequestRefused: see ``RegistryClient``.
    """
    below, target = registry_client.parse_reference(base), registry_client.parse_reference(repository)
    source = RegistryClient(below.server, find_login)
    registry = source if target.server == below.server else RegistryClient(target.server, find_login)
    named = source.get_manifest(below.repository, below.version)
    if named is None:
        raise RequestRefused(f"image {base!r} is not in its registry")
    key = "\0".join([named.digest, architecture, working_folder, *(each.digest for each in layers)])
    tag = f"aml-infra-{hashlib.sha256(key.encode()).hexdigest()[:_TAG_DIGITS]}"
    if known := registry.find_digest(target.repository, tag):
        return Layered(reference=target.pin(known), base=named.digest)
    image = _choose(source, below.repository, named, architecture, base)
    config = json.loads(b"".join(source.read_blob(below.repository, image.content["config"]["digest"])))
    _copy_layers(source, below.repository, registry, target.repository, image.content["layers"], tell)
    is_oci = image.media_type == OCI_MANIFEST
    content = {**image.content, "layers": [*image.content["layers"]], "mediaType": image.media_type}
    for layer in layers:
        with _pack(layer) as packed:
            if not registry.has_blob(target.repository, packed.digest):
                tell(f"pushing {layer.name} to {target.name}: {packed.size / _MEBIBYTE:.1f} MiB")
                registry.put_blob(target.repository, packed.digest, packed.file)
        content["layers"].append(
            {
                "mediaType": _OCI_LAYER if is_oci else _DOCKER_LAYER,
                "digest": packed.digest,
                "size": packed.size,
            }
        )
        config["rootfs"]["diff_ids"].append(packed.diff_id)
        config.setdefault("history", []).append({"created": _EPOCH, "created_by": f"aml-infra: {layer.name}"})
    config.setdefault("config", {})["WorkingDir"] = working_folder
    text = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    registry.put_blob(target.repository, digest, io.BytesIO(text))
    content["config"] = {**image.content["config"], "digest": digest, "size": len(text)}
    made = registry.put_manifest(target.repository, tag, image.media_type, content)
    return Layered(reference=target.pin(made), base=named.digest)


def _choose(source: RegistryClient, repository: str, named: Manifest, architecture: str, base: str) -> Manifest:
    """The image for Linux on ``architecture``, where there are several."""
    if named.media_type not in (OCI_INDEX, DOCKER_INDEX):
        return named
    platforms = {
        f"{each['platform'].get('os')}/{each['platform'].get('architecture')}": each["digest"]
        for each in reversed(named.content["manifests"])
        if each.get("platform")
    }
    digest = platforms.get(f"linux/{architecture}")
    found = None if digest is None else source.get_manifest(repository, digest)
    if found is None:
        there = ", ".join(sorted(platforms)) or "nothing"
        raise RequestRefused(f"image {base!r} is there for {there}, and not for linux/{architecture}")
    return found


def _copy_layers(
    source: RegistryClient,
    source_repository: str,
    target: RegistryClient,
    target_repository: str,
    layers: Sequence[Mapping[str, Any]],
    tell: Tell,
) -> None:
    if source is target and source_repository == target_repository:
        return
    for number, layer in enumerate(layers, 1):
        digest, size = str(layer["digest"]), int(layer["size"])
        if target.has_blob(target_repository, digest):
            continue
        if source is target and target.mount_blob(target_repository, digest, source_repository):
            continue
        what = f"copying layer {number} of {len(layers)} to {target.server}/{target_repository}"
        with tempfile.TemporaryFile() as spool:
            said = time.monotonic()
            for chunk in source.read_blob(source_repository, digest):
                spool.write(chunk)
                if time.monotonic() - said > NEWS_SECONDS:
                    said = time.monotonic()
                    tell(f"{what}: {spool.tell() / _MEBIBYTE:.0f} of {size / _MEBIBYTE:.0f} MiB")
            tell(f"{what}: {size / _MEBIBYTE:.1f} MiB")
            target.put_blob(target_repository, digest, spool)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Packed:
    """A layer as a file."""

    file: IO[bytes]
    digest: str
    diff_id: str
    size: int


class _HashingWriter(io.RawIOBase):
    """Hands on what is written, and hashes it."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink, self.hash = sink, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.hash.update(content)
        return self._sink.write(content)


@contextlib.contextmanager
def _pack(layer: Layer) -> Iterator[_Packed]:
    """The layer as an archive, for as long as it is used: the same content makes the same bytes."""
    with tempfile.TemporaryFile() as file:
        packed = _HashingWriter(file)
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as compressed:
            plain = _HashingWriter(compressed)  # type: ignore[arg-type]
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                layer.write(tar)
        size = file.tell()
        yield _Packed(
            file=file,
            digest=f"sha256:{packed.hash.hexdigest()}",
            diff_id=f"sha256:{plain.hash.hexdigest()}",
            size=size,
        )
