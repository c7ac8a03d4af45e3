"""Puts files on top of an image, as layers, in a registry: nothing of the image comes to this machine.

What makes an image (https://github.com/opencontainers/image-spec/blob/main/manifest.md) is a manifest, which names a
configuration and layers by their digests. With files on top, that is one more layer, and the two documents anew.

The configuration names layers by the digests of their plain archives, which are the same on each machine, while a
compressed one is not where another zlib made it. So the tag is made of what does not depend on that, and an image that
another machine has pushed is known by its configuration, against which runtimes check each layer they unpack. Who may
push there, and no more, cannot have another source run under the tag.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import IO, Any

from aml_infra import image_references, registry_client
from aml_infra.errors import RequestRefused, SourceChanged
from aml_infra.image_references import Reference
from aml_infra.registry_client import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Blob, Manifest
from aml_infra.registry_connection import RegistryConnection
from aml_infra.registry_logins import FindLogin

TAG_PREFIX = "aml-infra-"
"""An image without a tag would be removed by a registry that tidies up."""

_TAG_DIGITS = 32
_EPOCH = "1970-01-01T00:00:00Z"
_COMPRESSION = 6
_LAYERS = {
    OCI_MANIFEST: "application/vnd.oci.image.layer.v1.tar+gzip",
    DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
"""The media type of a compressed layer, by that of the manifest."""

_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """Files that are put on top of an image.

    Attributes:
        name: what they are, in a word.
        write: adds them to an archive, each time the same; it may be called twice.
    """

    name: str
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is to be in the target.

    Attributes:
        tag: of the image.
        config: the configuration's text.
        content: the manifest, without our layers.
        media_type: of the manifest.
        diff_ids: digests of our layers as plain archives.
    """

    tag: str
    config: bytes
    content: Mapping[str, Any]
    media_type: str
    diff_ids: Sequence[str]


def identify(reference: str, find_login: FindLogin, *, insecure: Collection[str] = ()) -> str | None:
    """The digest of an image, or None where there is none; see ``RegistryConnection`` for the rest."""
    found = image_references.parse(reference)
    return _open(find_login, insecure, found.server).find_digest(found.repository, found.version)


def push(
    base: str,
    repository: str,
    layers: Sequence[Layer],
    *,
    working_folder: str,
    find_login: FindLogin,
    architecture: str = "amd64",
    labels: Mapping[str, str] | None = None,
    insecure: Collection[str] = (),
    tell: Tell,
) -> Layered:
    """Puts ``layers`` on top of an image; what is there already is not sent.

    Args:
        base: reference of the image below.
        repository: that the new one is pushed to, with its server.
        layers: from below to the top.
        working_folder: of the new image.
        find_login: gives accounts.
        architecture: which image it is, of one that is there for several.
        labels: of the new image, beside those that the one below has.
        insecure: servers that are asked without TLS.
        tell: hears how far a push is.

    Raises:
        InvalidInput: a reference is none.
        RequestRefused: there is no such image, or none for Linux on ``architecture``.
        SourceChanged: a layer is not the same twice.
        AccessDenied, BackendUnavailable: see ``RegistryConnection``.
    """
    below, target = image_references.parse(base), image_references.parse(repository)
    open_client = functools.cache(functools.partial(_open, find_login, insecure))
    source, registry = open_client(below.server), open_client(target.server)
    named = source.find_manifest(below.repository, below.version)
    if named is None:
        raise RequestRefused(f"image {base!r} is not in its registry; check the name, or push it")
    image = _choose(source, below.repository, named, architecture, base)
    config = _read_config(source, below.repository, image, architecture, base)
    plan = _plan(image, config, layers, working_folder, labels or {})
    known = registry.find_manifest(target.repository, plan.tag)
    if known is not None and _is_planned(known, plan):
        return Layered(reference=target.pin(known.digest), base=named.digest)
    _copy_layers(source, below, registry, target, image.content["layers"], tell)
    content = {**plan.content, "layers": [*plan.content["layers"]]}
    for layer, diff_id in zip(layers, plan.diff_ids, strict=True):
        blob = _push_layer(registry, target, layer, diff_id, tell)
        content["layers"].append({"mediaType": _LAYERS[plan.media_type], "digest": blob.digest, "size": blob.size})
    blob = Blob(digest=content["config"]["digest"], size=len(plan.config))
    registry.put_blob(
        target.repository, blob, lambda: io.BytesIO(plan.config), what=f"pushing to {target.name}", tell=tell
    )
    made = registry.put_manifest(target.repository, plan.tag, plan.media_type, content)
    return Layered(reference=target.pin(made), base=named.digest)


def _open(find_login: FindLogin, insecure: Collection[str], server: str) -> registry_client.RegistryClient:
    return registry_client.RegistryClient(RegistryConnection(server, find_login, insecure=insecure))


def _choose(
    source: registry_client.RegistryClient, repository: str, named: Manifest, architecture: str, base: str
) -> Manifest:
    """The image for Linux on ``architecture``, where there are several."""
    if named.media_type not in (OCI_INDEX, DOCKER_INDEX):
        return named
    platforms: dict[str, str] = {}
    for each in named.content["manifests"]:
        platform = each.get("platform") or {}
        # What says how an image was built stands among the images, for a platform of no name.
        if platform.get("os", "unknown") != "unknown":
            platforms.setdefault(f"{platform['os']}/{platform.get('architecture')}", each["digest"])
    digest = platforms.get(f"linux/{architecture}")
    if digest is None:
        raise _lack_platform(base, platforms, architecture)
    found = source.find_manifest(repository, digest)
    if found is None:
        raise RequestRefused(f"image {base!r} names {digest} for linux/{architecture}, which is not in its registry")
    return found


def _read_config(
    source: registry_client.RegistryClient, repository: str, image: Manifest, architecture: str, base: str
) -> dict[str, Any]:
    described = image.content.get("config") or {}
    if image.media_type not in _LAYERS or described.get("mediaType") not in _CONFIGS:
        kind = described.get("mediaType") or image.media_type
        raise RequestRefused(f"{base!r} is of type {kind}, and no image that can be run; build it anew with Docker")
    with source.open_blob(repository, Blob(digest=described["digest"], size=described["size"])) as content:
        config: dict[str, Any] = json.loads(content.read())
    platform = f"{config.get('os', 'linux')}/{config.get('architecture', architecture)}"
    if platform != f"linux/{architecture}":
        raise _lack_platform(base, [platform], architecture)
    return config


def _lack_platform(base: str, platforms: Collection[str], architecture: str) -> RequestRefused:
    there = ", ".join(sorted(platforms)) or "no platform"
    return RequestRefused(
        f"image {base!r} is there for {there}, and not for linux/{architecture}; build it for that, too, or choose "
        "nodes that it is for"
    )


def _plan(
    image: Manifest, config: Mapping[str, Any], layers: Sequence[Layer], working_folder: str, labels: Mapping[str, str]
) -> _Plan:
    diff_ids = [_write(layer, len) for layer in layers]
    inner = {**(config.get("config") or {}), "WorkingDir": working_folder}
    if labels:
        inner["Labels"] = {**(inner.get("Labels") or {}), **labels}
    told = [{"created": _EPOCH, "created_by": f"aml-infra: {layer.name}"} for layer in layers]
    rootfs = config["rootfs"]
    text = registry_client.serialize(
        {
            **config,
            "config": inner,
            "rootfs": {**rootfs, "diff_ids": [*rootfs["diff_ids"], *diff_ids]},
            "history": [*(config.get("history") or []), *told],
        }
    )
    described = {
        "mediaType": image.content["config"]["mediaType"],
        "digest": registry_client.compute_digest(text),
        "size": len(text),
    }
    content = {**image.content, "mediaType": image.media_type, "config": described}
    key = hashlib.sha256(registry_client.serialize(content)).hexdigest()
    return _Plan(
        tag=f"{TAG_PREFIX}{key[:_TAG_DIGITS]}",
        config=text,
        content=content,
        media_type=image.media_type,
        diff_ids=diff_ids,
    )


def _is_planned(known: Manifest, plan: _Plan) -> bool:
    """Whether it is what we would make, but for how our layers are compressed."""
    below, there = plan.content["layers"], known.content.get("layers") or []
    is_same = {**known.content, "layers": there[: len(below)]} == plan.content
    return is_same and len(there) == len(below) + len(plan.diff_ids)


def _copy_layers(
    source: registry_client.RegistryClient,
    below: Reference,
    registry: registry_client.RegistryClient,
    target: Reference,
    layers: Sequence[Mapping[str, Any]],
    tell: Tell,
) -> None:
    if below.name == target.name:
        return
    for number, layer in enumerate(layers, 1):
        blob = Blob(digest=layer["digest"], size=layer["size"])
        registry.put_blob(
            target.repository,
            blob,
            functools.partial(source.open_blob, below.repository, blob),
            source=below.repository if source is registry else None,
            what=f"copying layer {number} of {len(layers)} to {target.name}",
            tell=tell,
        )


def _push_layer(
    registry: registry_client.RegistryClient, target: Reference, layer: Layer, diff_id: str, tell: Tell
) -> Blob:
    with tempfile.TemporaryFile() as file:
        packed = _HashingWriter(file.write)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=packed, mtime=0) as compressed:
            written = _write(layer, compressed.write)
        if written != diff_id:
            raise SourceChanged(
                f"{layer.name} changed while it was being pushed; run it again when nothing writes to it"
            )
        blob = Blob(digest=packed.digest, size=file.tell())
        what = f"pushing {layer.name} to {target.name}"
        registry.put_blob(target.repository, blob, functools.partial(_rewind, file), what=what, tell=tell)
        return blob


def _write(layer: Layer, write: Callable[[bytes], object]) -> str:
    """Hands the plain archive to ``write``; gives its digest."""
    plain = _HashingWriter(write)
    # As a stream, an archive is only written to.
    with _Archive.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        layer.write(tar)
    return plain.digest


class _Archive(tarfile.TarFile):
    """Takes each folder once, as it came first: Docker and Podman refuse a layer that has a path twice."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._folders: set[str] = set()
        super().__init__(*args, **named)

    def addfile(self, tarinfo: tarfile.TarInfo, fileobj: Any = None) -> None:
        if tarinfo.isdir():
            if tarinfo.name in self._folders:
                return
            self._folders.add(tarinfo.name)
        super().addfile(tarinfo, fileobj)


@contextlib.contextmanager
def _rewind(file: IO[bytes]) -> Iterator[IO[bytes]]:
    file.seek(0)
    yield file


class _HashingWriter:
    """A file that hands on what is written, and hashes it."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._hash = write, hashlib.sha256()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self._write(content)
        return len(content)

    def flush(self) -> None:
        """Nothing is kept back."""
