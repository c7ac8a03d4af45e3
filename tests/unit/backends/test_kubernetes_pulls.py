"""Why a node cannot pull an image, as nodes say it."""

from __future__ import annotations

from typing import Any

import pytest

from aml_infra.backends import kubernetes_pulls

IMAGE = "registry.example:5000/pets/fastai@sha256:ab"
HEAD = (
    f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to do request: '
    'Head "https://registry.example:5000/v2/pets/fastai/manifests/sha256:ab": '
)


def build_pod(message: str, reason: str = "ErrImagePull", image: str = IMAGE) -> dict[str, Any]:
    """A pod that waits for its image."""
    waiting = {"reason": reason, "message": message}
    return {"status": {"containerStatuses": [{"name": "train", "image": image, "state": {"waiting": waiting}}]}}


@pytest.mark.parametrize("before", ["", 'Back-off pulling image "x": ErrImagePull: rpc error: code = Unknown desc = '])
@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("lookup registry.example on 10.0.0.2:53: no such host", "their DNS does not know it"),
        ("lookup registry.example: server misbehaving", "their DNS does not know it"),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", "one on your own machine is none for nodes"),
        ("dial tcp 10.1.2.3:5000: i/o timeout", "let their network reach it"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "they do not trust its certificate",
        ),
        ("server gave HTTP response to HTTPS client", "it has no TLS"),
    ],
)
def test_a_registry_that_nodes_cannot_use_is_named(before: str, said: str, fix: str) -> None:
    """With the node's own words, and what to do; also while it waits to try again."""
    found = kubernetes_pulls.find_problem(build_pod(before + HEAD + said, "ImagePullBackOff"))

    assert found is not None
    assert not found.may_pass
    assert str(found).startswith(f"nodes cannot pull from registry 'registry.example:5000': {said}; ")
    assert fix in str(found)


@pytest.mark.parametrize(
    ("image", "fix"),
    [(IMAGE, "KubernetesClusterArgs.registry"), ("pets.azurecr.io/fastai@sha256:ab", "AksClusterArgs.registry")],
)
@pytest.mark.parametrize(
    ("message", "said"),
    [
        (HEAD + "unexpected status from HEAD request: 401 Unauthorized", "401 Unauthorized"),
        ("failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden", "403 Forbidden"),
        ("pull access denied, repository does not exist or may require authorization", "pull access denied"),
        ("no basic auth credentials", "no basic auth credentials"),
    ],
)
def test_a_registry_that_takes_no_login_of_nodes_is_named(image: str, fix: str, message: str, said: str) -> None:
    """A login, or a role, may be given while the pod waits."""
    found = kubernetes_pulls.find_problem(build_pod(message, image=image))

    assert found is not None
    assert found.may_pass
    assert str(found).startswith(f"nodes cannot pull from registry {image.partition('/')[0]!r}: {said}; ")
    assert fix in str(found)


@pytest.mark.parametrize(
    "pod",
    [
        build_pod(f'failed to resolve reference "{IMAGE}": {IMAGE}: not found'),
        build_pod("lookup registry.example: no such host", "CreateContainerConfigError"),
        build_pod("", "ContainerCreating"),
        {"status": {}},
    ],
)
def test_what_is_no_matter_of_the_registry_is_none(pod: dict[str, Any]) -> None:
    """It is told as the cluster says it, and waited for as long as anything."""
    assert kubernetes_pulls.find_problem(pod) is None


def test_a_problem_that_lasts_is_found_behind_one_that_may_pass() -> None:
    """Of several workers each waits for reasons of its own."""
    refused = build_pod("401 Unauthorized", image="pets.azurecr.io/fastai:1")
    unknown = build_pod(f"{HEAD}lookup registry.example: no such host")

    found = kubernetes_pulls.find_lasting_problem([build_pod("", "PodInitializing"), refused, unknown])

    assert found is not None
    assert found.registry == "registry.example:5000"
    assert kubernetes_pulls.find_lasting_problem([refused]) is None
