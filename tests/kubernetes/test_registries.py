from __future__ import annotations

import base64
import functools
import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
import requests
from requests import adapters
from urllib3.util import retry

from tests import local_registry
from tests.azure import tls
from tests.docker_daemon import open_docker
from tests.kubernetes import cluster as clusters
from tests.kubernetes import images, manifests, objects
from tests.kubernetes.cluster import Cluster
from tests.local_registry import LocalRegistry

PASSWORD = "sesame-open-4711"  # noqa: S105 - of a registry that lives as long as these tests


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """A registry on this machine that asks for a password."""
    with local_registry.open_registry(tmp_path_factory.mktemp("registry"), PASSWORD, _find_port()) as registry:
        yield registry


@pytest.fixture(scope="module")
def pushed(registry: LocalRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of an image that the Docker daemon of this machine has pushed to the registry."""
    file = tmp_path_factory.mktemp("pushed") / "image.tar"
    docker = open_docker()
    repository = f"{registry.address}/busybox"
    images.write_busybox(file, f"{repository}:1")
    with file.open("rb") as archive:
        list(docker.load_image(archive))
    login = {"username": local_registry.USER, "password": PASSWORD}
    answers = list(docker.push(repository, "1", auth_config=login, stream=True, decode=True))
    assert [each for each in answers if "error" in each] == []
    yield f"{repository}:1"
    docker.remove_image(f"{repository}:1")


def _build_pod(namespace: str, image: str, password: str) -> tuple[objects.Object, objects.Object]:
    """A pod that must pull its image, and the secret with which it does."""
    account = base64.b64encode(f"{local_registry.USER}:{password}".encode()).decode()
    login = json.dumps({"auths": {image.partition("/")[0]: {"auth": account}}})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "registry", "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": login},
    }
    pod = manifests.build_pod("pod", namespace, image, "true", imagePullPolicy="Always")
    pod["spec"]["imagePullSecrets"] = [{"name": "registry"}]
    return secret, pod


def test_an_image_is_pulled_from_this_machine(
    cluster: Cluster, namespace: str, registry: LocalRegistry, pushed: str
) -> None:
    """A node pulls it by the name by which it was pushed, with the pod's password."""
    cluster.forward(int(registry.address.rpartition(":")[2]))

    for each in _build_pod(namespace, pushed, PASSWORD):
        cluster.objects.apply(each)

    cluster.objects.wait_for("v1", "Pod", "pod", lambda pod: pod["status"]["phase"] == "Succeeded", namespace=namespace)


def test_a_wrong_password_is_told(cluster: Cluster, namespace: str, registry: LocalRegistry, pushed: str) -> None:
    """The pod waits, and says that the registry did not let it in."""
    cluster.forward(int(registry.address.rpartition(":")[2]))
    for each in _build_pod(namespace, pushed, "wrong"):
        cluster.objects.apply(each)

    pod = cluster.objects.wait_for("v1", "Pod", "pod", _find_pull_error, namespace=namespace)

    assert "401 Unauthorized" in _find_pull_error(pod)


def _find_pull_error(pod: objects.Object) -> str:
    for each in pod["status"].get("containerStatuses", []):
        waiting = each["state"].get("waiting", {})
        if waiting.get("reason") == "ErrImagePull":
            return str(waiting["message"])
    return ""


def test_a_registry_has_another_name(cluster: Cluster, namespace: str, registry: LocalRegistry, pushed: str) -> None:
    """Images of a name that is nowhere in DNS are pulled from where the test says."""
    address = cluster.forward(int(registry.address.rpartition(":")[2]))
    cluster.name_registry("registry.example", f"http://{address}")

    for each in _build_pod(namespace, pushed.replace(registry.address, "registry.example"), PASSWORD):
        cluster.objects.apply(each)

    cluster.objects.wait_for("v1", "Pod", "pod", lambda pod: pod["status"]["phase"] == "Succeeded", namespace=namespace)


@pytest.fixture
def encrypted(registry: LocalRegistry, tmp_path: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    """The address at which the same registry speaks HTTPS, and who signed its certificate."""
    certificates = tls.issue(tmp_path, [])
    address = f"127.0.0.1:{_find_port()}"
    settings = {
        "REGISTRY_HTTP_ADDR": address,
        "REGISTRY_HTTP_TLS_CERTIFICATE": str(certificates.certificate),
        "REGISTRY_HTTP_TLS_KEY": str(certificates.key),
    }
    argv = ["docker-registry", "serve", str(registry.folder / "config.yml")]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(argv, env=os.environ | settings, stdout=log, stderr=log) as process,
    ):
        try:
            with requests.Session() as session:
                retries = retry.Retry(connect=10, backoff_factor=0.1)
                session.mount("https://", adapters.HTTPAdapter(max_retries=retries))
                session.get(f"https://{address}/v2/", verify=str(certificates.authority), timeout=10)
            yield address, certificates.authority
        finally:
            process.terminate()


def test_a_registrys_certificate_is_trusted(
    cluster: Cluster, namespace: str, registry: LocalRegistry, pushed: str, encrypted: tuple[str, pathlib.Path]
) -> None:
    """Nodes pull over HTTPS where they are told who signed the certificate, and not else."""
    address, authority = encrypted
    cluster.forward(int(address.rpartition(":")[2]))
    cluster.name_registry("known.example", f"https://{address}", authority)
    cluster.name_registry("unknown.example", f"https://{address}")
    for name in ("known", "unknown"):
        secret, pod = _build_pod(namespace, pushed.replace(registry.address, f"{name}.example"), PASSWORD)
        pod["spec"]["imagePullSecrets"] = [{"name": name}]
        for each in (secret, pod):
            each["metadata"]["name"] = name
            cluster.objects.apply(each)

    refused = cluster.objects.wait_for("v1", "Pod", "unknown", _find_pull_error, namespace=namespace)

    assert "certificate signed by unknown authority" in _find_pull_error(refused)
    cluster.objects.wait_for(
        "v1", "Pod", "known", lambda pod: pod["status"]["phase"] == "Succeeded", namespace=namespace
    )


def _find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.parametrize("bound", ["127.0.0.1", ""])
def test_pods_reach_this_machine(
    cluster: Cluster, namespace: str, image: str, tmp_path: pathlib.Path, bound: str
) -> None:
    """A service of the test's, as an MLflow server, whether it listens on all addresses or on 127.0.0.1 only."""
    (tmp_path / "hello").write_text("hello")
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer((bound, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        address = cluster.forward(port) if bound else f"{cluster.host_address}:{port}"
        script = f'test "$(wget -q -O - http://{address}/hello)" = hello'
        cluster.objects.apply(manifests.build_job("job", namespace, image, script))

        try:
            cluster.objects.wait_for(
                "batch/v1", "Job", "job", lambda job: clusters.has_condition(job, "Complete"), namespace=namespace
            )
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
