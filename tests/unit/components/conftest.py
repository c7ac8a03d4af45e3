from __future__ import annotations

import pathlib

import pulumi
import pytest
from pulumi.runtime import settings

from tests.unit.components.engine import BASE_DIGEST, Engine

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: team
contexts:
  - {name: team, context: {cluster: large, user: me}}
  - {name: idle, context: {cluster: small, user: me, namespace: other}}
clusters:
  - {name: large, cluster: {server: "https://large.example.com"}}
  - {name: small, cluster: {server: "https://small.example.com"}}
users:
  - {name: me, user: {token: sesame}}
"""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, buildx: pathlib.Path) -> Engine:
    """A fresh engine, with buildx installed."""
    engine = Engine(images={"debian:bookworm-slim": BASE_DIGEST})
    pulumi.runtime.set_mocks(engine, project="aml-infra", stack="test")
    monkeypatch.setattr(settings.SETTINGS, "callbacks", engine, raising=False)
    return engine


@pytest.fixture
def buildx(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A buildx that says what it was called with, writes its input to a file beside it, and ends well."""
    config = tmp_path / "docker-config"
    path = config / "cli-plugins" / "docker-buildx"
    path.parent.mkdir(parents=True)
    path.write_text('#!/bin/sh\ncat > "$0.stdin"\necho "$@" > "$0.args"\necho "#1 building"\n')
    path.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def recipe_folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with a Dockerfile, a file that it may copy, and one that is ignored."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM debian:bookworm-slim\nCOPY . /x\n")
    (folder / "requirements.txt").write_text("fastai\n")
    (folder / ".dockerignore").write_text("# not for the image\n*.log\ndata/\n!data/keep.txt\n")
    (folder / "a.log").write_text("noise\n")
    return folder


@pytest.fixture
def source_folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A source folder with one script."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "train.py").write_text("print(1)\n")
    return folder


@pytest.fixture
def kubeconfig(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A kubeconfig with two contexts, which kubectl would take."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return path
