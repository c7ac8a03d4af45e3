from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import json
import logging
import pathlib
import re
import socket
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from aml_infra import image_layers, image_references, progress, registry_client, registry_connection
from aml_infra import source as sources
from aml_infra.errors import AccessDenied, BackendUnavailable, RequestRefused, SourceChanged
from aml_infra.image_layers import Layer, Layered
from aml_infra.registry_client import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Blob, RegistryClient
from aml_infra.registry_connection import RegistryConnection
from aml_infra.registry_logins import Login
from tests.docker_daemon import open_docker
from tests.local_registry import USER, LocalRegistry, open_registry
from tests.registry_proxy import Fault, RegistryProxy, open_proxy

PASSWORD = "sesame-open-2231"  # noqa: S105 (of a registry that lives as long as a test)
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKERFILE = """\
FROM debian:bookworm-slim
ENV GREETING=hello
RUN mkdir /tools && printf '#!/bin/sh\\necho tool' > /tools/tool && chmod 755 /tools/tool && ln -s tool /tools/link
USER 1000
"""
SHOW = "echo $GREETING; pwd; /tools/link; ./run.sh; readlink link; cat data/list.txt; touch outputs/model && id -u"


def find_login(server: str) -> Login | None:
    """The account of the registry that has one; to others it means nothing."""
    return Login(username=USER, password=PASSWORD, origin="the tests")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Registries:
    """Two registries: one with an account, with a proxy before it, and one without.

    Attributes:
        own: with the account.
        proxy: before it.
        other: without.
        name: what repositories of one test begin with.
    """

    own: LocalRegistry
    proxy: RegistryProxy
    other: LocalRegistry
    name: str

    @property
    def target(self) -> str:
        """The repository that is pushed to."""
        return f"{self.proxy.address}/{self.name}/runs"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalRegistry, LocalRegistry]]:
    """Both registries, for all tests."""
    with (
        open_registry(tmp_path_factory.mktemp("own"), PASSWORD, find_port()) as own,
        open_registry(tmp_path_factory.mktemp("other"), "", find_port()) as other,
    ):
        yield own, other


@pytest.fixture
def registries(running: tuple[LocalRegistry, LocalRegistry], monkeypatch: pytest.MonkeyPatch) -> Iterator[Registries]:
    """Both, with names that no other test has; nobody waits for a registry that is in trouble."""
    monkeypatch.setattr(registry_connection, "PAUSE_SECONDS", 0.0)
    own, other = running
    with open_proxy(own.address) as proxy:
        yield Registries(own=own, proxy=proxy, other=other, name=f"t{uuid.uuid4().hex[:8]}")


def find_port() -> int:
    """A port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def open_client(registry: LocalRegistry | RegistryProxy) -> RegistryClient:
    """A client of ours."""
    return RegistryClient(RegistryConnection(registry.address, find_login))


def put(client: RegistryClient, repository: str, content: bytes) -> dict[str, Any]:
    """Puts a blob there; gives how a manifest names it."""
    blob = Blob(digest=registry_client.compute_digest(content), size=len(content))
    client.put_blob(repository, blob, lambda: io.BytesIO(content), what="", tell=lambda _: None)
    return {"digest": blob.digest, "size": blob.size}


def pack(name: str, content: bytes) -> bytes:
    """An archive with one file."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return plain.getvalue()


def push_base(
    registry: LocalRegistry,
    repository: str,
    *,
    tag: str = "1",
    kind: str = OCI_MANIFEST,
    layer_kind: str | None = None,
    sizes: Sequence[int] = (10, 2000),
    changes: Mapping[str, Any] | None = None,
) -> str:
    """Makes an image of a few files; gives its reference."""
    client, is_oci = open_client(registry), kind == OCI_MANIFEST
    plain = [pack(f"file{number}", bytes(size)) for number, size in enumerate(sizes)]
    # As it is: what gzip makes of it may differ, and the tests know digests.
    layers = [put(client, repository, each) for each in plain]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "User": "1000", "Labels": {"made": "by tests"}, "WorkingDir": "/home"},
        "rootfs": {"type": "layers", "diff_ids": [registry_client.compute_digest(each) for each in plain]},
        "history": [{"created_by": "tests"}, {"created_by": "nothing", "empty_layer": True}],
        "x-unknown": {"kept": True},
        **(changes or {}),
    }
    described = put(client, repository, json.dumps(config).encode())
    content = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": OCI_CONFIG if is_oci else DOCKER_CONFIG, **described},
        "layers": [{"mediaType": layer_kind or (OCI_LAYER if is_oci else DOCKER_LAYER), **each} for each in layers],
    }
    client.put_manifest(repository, tag, kind, content)
    return f"{registry.address}/{repository}:{tag}"


def build_layer(content: bytes = b"print(1)") -> Layer:
    """A source of one file."""

    def write(tar: tarfile.TarFile) -> None:
        member = sources.build_member("workspace/train.py", tarfile.REGTYPE, 0o644)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))

    return Layer(name="source", write=write)


def push(base: str, repository: str, *layers: Layer, **options: Any) -> Layered:
    """Puts layers on top, as the backend does."""
    options = {"working_folder": "/workspace", "find_login": find_login, "tell": lambda _: None, **options}
    return image_layers.push(base, repository, layers or (build_layer(),), **options)


def read(registry: LocalRegistry, made: Layered) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and configuration of what was made."""
    found = image_references.parse(made.reference)
    manifest, config = json.loads(registry.read_config(found.repository, found.version))
    return manifest, config


def list_source(folder: pathlib.Path) -> Layer:
    """A source with what a file system has."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "list.txt").write_text("cat\n")
    (folder / "run.sh").write_text("#!/bin/sh\necho run\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("data/list.txt")
    snapshot = sources.take_snapshot(folder)

    def write(tar: tarfile.TarFile) -> None:
        for each in ("workspace", "workspace/outputs"):
            tar.addfile(sources.build_member(each, tarfile.DIRTYPE, 0o777))
        snapshot.add_to(tar, "workspace")

    return Layer(name="source", write=write)


@pytest.fixture(scope="module")
def tools(running: tuple[LocalRegistry, LocalRegistry]) -> Iterator[Callable[[str], str]]:
    """Gives an image that Docker has built and pushed, in one of the two kinds."""
    own, _ = running
    docker, name = open_docker(), f"{own.address}/tools"
    said = list(docker.build(fileobj=io.BytesIO(DOCKERFILE.encode()), tag=f"{name}:1", rm=True, decode=True))
    assert docker.images(name), said
    pushed = list(
        docker.push(name, "1", auth_config={"username": USER, "password": PASSWORD}, stream=True, decode=True)
    )
    assert [each for each in pushed if "error" in each] == []
    client = open_client(own)
    found = client.find_manifest("tools", "1")
    assert found is not None
    layers = [{**each, "mediaType": OCI_LAYER} for each in found.content["layers"]]
    config = {**found.content["config"], "mediaType": OCI_CONFIG}
    client.put_manifest(
        "tools",
        "oci",
        OCI_MANIFEST,
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers},
    )
    tags = {DOCKER_MANIFEST: "1", OCI_MANIFEST: "oci"}
    yield lambda kind: f"{name}:{tags[kind]}"
    docker.remove_image(f"{name}:1", force=True)


@pytest.mark.parametrize("kind", [DOCKER_MANIFEST, OCI_MANIFEST])
@pytest.mark.parametrize("place", ["own", "other"])
def test_what_was_pushed_runs(
    registries: Registries, tools: Callable[[str], str], tmp_path: pathlib.Path, kind: str, place: str
) -> None:
    """With the source, modes and links as they were, and all that the base has; from either registry."""
    docker = open_docker()
    to = registries.own if place == "own" else registries.other

    made = push(tools(kind), f"{to.address}/{registries.name}/runs", list_source(tmp_path / "src"))

    repository, _, digest = made.reference.partition("@")
    pulled = docker.pull(repository, digest, auth_config={"username": USER, "password": PASSWORD})
    assert "error" not in pulled
    container = docker.create_container(made.reference, ["sh", "-c", SHOW])["Id"]
    try:
        docker.start(container)
        code = docker.wait(container)["StatusCode"]
        said = docker.logs(container).decode()
    finally:
        docker.remove_container(container, force=True)
        docker.remove_image(made.reference, force=True)
    assert (code, said.split()) == (0, ["hello", "/workspace", "tool", "run", "data/list.txt", "cat", "1000"])


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        (OCI_MANIFEST, "aml-infra-bf8ec6319c89c1ed7b8e8cb0bac5e749"),
        (DOCKER_MANIFEST, "aml-infra-bf1185508180134d134def0cfd0463f7"),
    ],
)
def test_the_configuration_is_the_same_on_each_machine(
    registries: Registries, tmp_path: pathlib.Path, kind: str, tag: str
) -> None:
    """It is known here; and so is the tag."""
    base = push_base(registries.own, f"{registries.name}/base", kind=kind)

    made = push(base, registries.target, list_source(tmp_path / "src"))

    manifest, _ = read(registries.own, made)
    assert manifest["config"]["digest"] == "sha256:28964f755cf898fa0b2882ab1f592ecf2d97a88903294dfc641e0a57bd184d5a"
    assert registries.own.list_tags(f"{registries.name}/runs") == [tag]


def test_the_same_is_the_same(registries: Registries, tmp_path: pathlib.Path) -> None:
    """In another folder and another repository, at another time, of files of another age."""
    base = push_base(registries.own, f"{registries.name}/base")
    other = push_base(registries.other, f"{registries.name}/base")

    first = push(base, registries.target, list_source(tmp_path / "first"))
    second = push(other, f"{registries.other.address}/{registries.name}/runs", list_source(tmp_path / "second"))

    assert first.reference.partition("@")[2] == second.reference.partition("@")[2]


@pytest.mark.parametrize("kind", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_all_else_is_as_in_the_base(registries: Registries, kind: str) -> None:
    """What is unknown to us, too; the working folder, labels and one layer are ours."""
    base = push_base(registries.own, f"{registries.name}/base", kind=kind)
    below, old = read(registries.own, Layered(reference=base, base=""))

    made = push(base, registries.target, labels={"run": "r1"})

    manifest, config = read(registries.own, made)
    assert manifest["layers"][:-1] == below["layers"]
    assert manifest["layers"][-1]["mediaType"] == (OCI_LAYER if kind == OCI_MANIFEST else DOCKER_LAYER)
    assert config["history"].pop() == {"created": "1970-01-01T00:00:00Z", "created_by": "aml-infra: source"}
    added = config["rootfs"]["diff_ids"].pop()
    assert re.fullmatch("sha256:[0-9a-f]{64}", added)
    old["config"] |= {"WorkingDir": "/workspace", "Labels": {"made": "by tests", "run": "r1"}}
    assert config == old
    assert {**manifest, "layers": [], "config": {}} == {**below, "layers": [], "config": {}}


def test_layers_lie_one_on_another(registries: Registries) -> None:
    """In the order in which they are given."""
    base = push_base(registries.own, f"{registries.name}/base")

    made = push(base, registries.target, build_layer(b"data"), build_layer(b"source"))

    manifest, config = read(registries.own, made)
    client, repository = open_client(registries.own), f"{registries.name}/runs"
    for described, diff_id, content in zip(
        manifest["layers"][-2:], config["rootfs"]["diff_ids"][-2:], (b"data", b"source"), strict=True
    ):
        with client.open_blob(repository, Blob(digest=described["digest"], size=described["size"])) as packed:
            plain = gzip.decompress(packed.read())
        assert registry_client.compute_digest(plain) == diff_id
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            file = tar.extractfile("workspace/train.py")
            assert file is not None
            assert file.read() == content


def test_layers_that_are_compressed_otherwise_stay_so(registries: Registries) -> None:
    """They are not unpacked, so that nothing needs to know how."""
    kind = "application/vnd.oci.image.layer.v1.tar+zstd"
    base = push_base(registries.own, f"{registries.name}/base", layer_kind=kind)

    manifest, _ = read(registries.own, push(base, registries.target))

    assert [each["mediaType"] for each in manifest["layers"]] == [kind, kind, OCI_LAYER]


def test_an_image_without_configuration_gets_one(registries: Registries) -> None:
    """What images may leave out."""
    changes = {"config": None, "history": None}
    base = push_base(registries.own, f"{registries.name}/base", changes=changes)

    _, config = read(registries.own, push(base, registries.target))

    assert config["config"] == {"WorkingDir": "/workspace"}
    assert len(config["history"]) == 1


def test_what_is_there_is_not_sent_again(registries: Registries) -> None:
    """One question tells so; the first time it is asked, the registry wants the login."""
    base = push_base(registries.own, f"{registries.name}/base")
    first = push(base, registries.target)

    registries.proxy.asked.clear()
    second = push(base, registries.target)

    assert second == first
    (tag,) = registries.own.list_tags(f"{registries.name}/runs")
    assert registries.proxy.asked == [f"GET /v2/{registries.name}/runs/manifests/{tag}"] * 2


def test_layers_are_taken_over_within_a_registry(registries: Registries) -> None:
    """Only the source and the configuration are sent."""
    push_base(registries.own, f"{registries.name}/base")

    push(f"{registries.proxy.address}/{registries.name}/base:1", registries.target)

    assert registries.proxy.count("POST", "mount=") == 2
    assert registries.proxy.count("PUT", "/blobs/uploads/") == 2


def test_nothing_is_copied_within_a_repository(registries: Registries) -> None:
    """Where source goes to the image's own."""
    push_base(registries.own, f"{registries.name}/runs")

    push(f"{registries.target}:1", registries.target)

    assert registries.proxy.count("POST", "mount=") == 0
    assert registries.proxy.count("PUT", "/blobs/uploads/") == 2


def test_layers_of_another_registry_are_copied_once(registries: Registries) -> None:
    """The second source finds them there."""
    base = push_base(registries.other, f"{registries.name}/base")
    push(base, registries.target)
    first = registries.proxy.count("PUT", "/blobs/uploads/")

    push(base, registries.target, build_layer(b"print(2)"))

    assert first == 4
    assert registries.proxy.count("PUT", "/blobs/uploads/") == 6


def test_how_far_a_push_is_is_said(registries: Registries, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the layers that are copied, and of the source."""
    monkeypatch.setattr(progress, "NEWS_SECONDS", 0.0)
    base, said = push_base(registries.other, f"{registries.name}/base", sizes=(10, 2**21)), list[str]()

    push(base, registries.target, tell=said.append)

    assert f"copying layer 1 of 2 to {registries.target}: 0.0 of 0.0 MiB" in said
    assert f"copying layer 2 of 2 to {registries.target}: 2.0 of 2.0 MiB" in said
    assert f"pushing source to {registries.target}: 0.0 of 0.0 MiB" in said


def test_an_image_that_was_compressed_otherwise_is_taken(
    registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a machine with another zlib: what is in it is the same."""
    base = push_base(registries.own, f"{registries.name}/base")
    with monkeypatch.context() as other:
        other.setattr(image_layers, "_COMPRESSION", 0)
        first = push(base, registries.target)

    assert push(base, registries.target) == first
    assert push(base, f"{registries.target}2").reference.partition("@")[2] != first.reference.partition("@")[2]


@pytest.mark.parametrize("is_index", [False, True])
def test_another_image_under_the_tag_is_not_taken(registries: Registries, *, is_index: bool) -> None:
    """Who may push cannot have another source run."""
    base = push_base(registries.own, f"{registries.name}/base")
    wanted = push(base, registries.target)
    (tag,) = registries.own.list_tags(f"{registries.name}/runs")
    other = push(base, f"{registries.target}", build_layer(b"import evil"))
    client, repository = open_client(registries.own), f"{registries.name}/runs"
    found = client.find_manifest(repository, other.reference.partition("@")[2])
    assert found is not None
    evil: Mapping[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    evil = evil if is_index else found.content
    client.put_manifest(repository, tag, evil["mediaType"], evil)

    assert push(base, registries.target) == wanted
    assert client.find_digest(repository, tag) == wanted.reference.partition("@")[2]


def test_a_layer_that_is_not_the_same_twice_is_not_pushed(registries: Registries) -> None:
    """Something writes to it while it is read."""
    base = push_base(registries.own, f"{registries.name}/base")
    contents = [b"print(1)", b"print(2)"]
    layer = Layer(name="source", write=lambda tar: build_layer(contents.pop()).write(tar))

    with pytest.raises(SourceChanged, match="source changed while it was being pushed; run it again when nothing"):
        push(base, registries.target, layer)

    assert registries.own.list_tags(f"{registries.name}/runs") == []


def make_index(registries: Registries, *architectures: str) -> str:
    """An image for several platforms, beside what says how it was built."""
    client, repository = open_client(registries.own), f"{registries.name}/base"
    manifests = list[dict[str, Any]]()
    for each in architectures:
        name, _, variant = each.partition("/")
        push_base(registries.own, repository, tag=each.replace("/", "-"), changes={"architecture": name})
        digest = client.find_digest(repository, each.replace("/", "-"))
        platform = {"os": "linux", "architecture": name, **({"variant": variant} if variant else {})}
        manifests.append({"mediaType": OCI_MANIFEST, "digest": str(digest), "size": 1, "platform": platform})
    attested = {**manifests[0], "platform": {"os": "unknown", "architecture": "unknown"}}
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*manifests, attested]}
    client.put_manifest(repository, "all", OCI_INDEX, content)
    return f"{registries.own.address}/{repository}:all"


def test_of_several_platforms_one_is_taken(registries: Registries) -> None:
    """The one of the nodes; the digest of the base is that of all of them."""
    base = make_index(registries, "amd64", "arm64/v8")

    made = push(base, registries.target, architecture="arm64")

    _, config = read(registries.own, made)
    assert config["architecture"] == "arm64"
    assert made.base == image_layers.identify(base, find_login)


def test_a_platform_that_there_is_not_is_told(registries: Registries) -> None:
    """With those that there are."""
    base = make_index(registries, "amd64", "arm64/v8")

    with pytest.raises(RequestRefused) as caught:
        push(base, registries.target, architecture="riscv64")

    assert str(caught.value) == (
        f"image {base!r} is there for linux/amd64, linux/arm64, and not for linux/riscv64; build it for that, too, or "
        "choose nodes that it is for"
    )


def test_an_image_of_another_platform_is_told(registries: Registries) -> None:
    """Its programs would not start."""
    base = push_base(registries.own, f"{registries.name}/base", changes={"architecture": "arm64"})

    with pytest.raises(RequestRefused, match="is there for linux/arm64, and not for linux/amd64"):
        push(base, registries.target)


def test_what_is_no_image_is_told(registries: Registries) -> None:
    """Registries hold charts of Helm, too."""
    client, repository = open_client(registries.own), f"{registries.name}/base"
    kind = "application/vnd.cncf.helm.config.v1+json"
    config = {"mediaType": kind, **put(client, repository, b"{}")}
    content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    client.put_manifest(repository, "1", OCI_MANIFEST, content)

    with pytest.raises(RequestRefused, match=f"is of type {re.escape(kind)}, and no image that can be run"):
        push(f"{registries.own.address}/{repository}:1", registries.target)


def test_an_image_that_is_not_there_is_told(registries: Registries) -> None:
    """It has no digest, and nothing can be put on it."""
    base = f"{registries.own.address}/{registries.name}/none:1"

    assert image_layers.identify(base, find_login) is None
    with pytest.raises(RequestRefused, match="is not in its registry; check the name, or push it"):
        push(base, registries.target)


@pytest.mark.parametrize("login", [None, Login(username=USER, password="wrong-one", origin="Secret 'x'")])  # noqa: S106
def test_who_may_not_is_told(registries: Registries, login: Login | None) -> None:
    """Whose login it was, and what to do; not the password."""
    address = registries.own.address

    with pytest.raises(AccessDenied) as caught:
        image_layers.identify(f"{address}/pets:1", lambda _: login)

    who = "it was asked as user 'tester', which is that of Secret 'x'" if login else "there is no login for it"
    assert str(caught.value) == (
        f"registry {address} answers 401 to HEAD pets/manifests/1; {who}: run `docker login {address}`, or give a pull "
        "secret with an account that may pull from it"
    )


def test_a_registry_that_is_not_there_is_told(registries: Registries) -> None:
    """With its address."""
    server = f"127.0.0.1:{find_port()}"

    with pytest.raises(BackendUnavailable, match=rf"registry {server} does not answer \(.*Connection refused\); check"):
        image_layers.identify(f"{server}/pets:1", find_login)


UPLOAD = r"/blobs/uploads/.+digest="


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="GET", path="/manifests/", status=429, headers={"Retry-After": "0"}, times=3),
        Fault(method="GET", path="/manifests/", times=2),
        Fault(method="HEAD", path="/blobs/", status=500, times=3),
        Fault(method="POST", path="/blobs/uploads/", status=503, times=3),
        Fault(method="POST", path="/blobs/uploads/", times=2),
        Fault(method="PUT", path=UPLOAD, status=500, times=3),
        Fault(method="PUT", path=UPLOAD, sent=100, times=3),
        Fault(method="PUT", path=UPLOAD, times=3),
        Fault(method="PUT", path="/manifests/", status=502, times=3),
        Fault(method="PUT", path="/manifests/", times=3),
    ],
    ids=lambda fault: f"{fault.method} {fault.path} {fault.status or 'cut'} {fault.sent}",
)
def test_trouble_on_the_way_is_overcome(registries: Registries, fault: Fault) -> None:
    """Errors that pass, and connections that are cut, before, in and after what is sent."""
    base = push_base(registries.other, f"{registries.name}/base", sizes=(10, 500_000))
    undisturbed = push(base, f"{registries.other.address}/{registries.name}/runs")
    registries.proxy.faults.append(fault)

    made = push(base, registries.target)

    assert fault.times == 0
    assert made.reference.partition("@")[2] == undisturbed.reference.partition("@")[2]


def test_a_copy_goes_on_where_its_source_was_cut(registries: Registries) -> None:
    """In the middle of a layer, several times; what arrives is whole."""
    push_base(registries.own, f"{registries.name}/base", sizes=(3_000_000,))
    fault = Fault(method="GET", path="/blobs/", given=700_000, times=4)
    registries.proxy.faults.append(fault)

    made = push(f"{registries.proxy.address}/{registries.name}/base:1", f"{registries.other.address}/{registries.name}")

    read(registries.other, made)
    assert fault.times == 0


def test_trouble_that_stays_is_told(registries: Registries) -> None:
    """It ends, and says what was asked."""
    base = push_base(registries.other, f"{registries.name}/base")
    registries.proxy.faults.append(Fault(method="PUT", path=UPLOAD, status=500, times=99))

    with pytest.raises(BackendUnavailable, match=r"answers 500 to PUT .*/blobs/sha256:\w+, 6 times; try again later"):
        push(base, registries.target)


def test_the_next_push_goes_on(registries: Registries) -> None:
    """What has arrived when a client was ended is not sent again."""
    base = push_base(registries.other, f"{registries.name}/base")
    registries.proxy.faults.append(Fault(method="PUT", path="/manifests/", status=500, times=6))
    with pytest.raises(BackendUnavailable):
        push(base, registries.target)
    first = registries.proxy.count("PUT", UPLOAD)

    push(base, registries.target)

    assert registries.proxy.count("PUT", UPLOAD) == first


def test_passwords_are_not_logged(registries: Registries, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where everything is."""
    caplog.set_level(logging.DEBUG)
    base = push_base(registries.own, f"{registries.name}/base")

    push(base, registries.target)

    assert registries.proxy.address.rpartition(":")[2] in caplog.text
    assert PASSWORD not in caplog.text
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in caplog.text
