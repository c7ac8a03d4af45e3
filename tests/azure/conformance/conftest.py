"""Azure's official clients, unmodified, walk the test server: what they do not accept is wrong in it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest
from azure import identity

from tests.azure import server, totals
from tests.azure.conformance import parts


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Azure]:
    """One cloud for all of them, as starting MLflow takes seconds; each module has resource groups of its own."""
    with server.open_azure(tmp_path_factory.mktemp("azure")) as running:
        running.cloud.registered |= {namespace.lower() for namespace in parts.PROVIDERS}
        running.cloud.operations.retry_after = None
        yield running
        totals.add(running.cloud)


@pytest.fixture(scope="module", autouse=True)
def _aimed_here(azure: server.Azure) -> Iterator[None]:
    """Aims the clients in this process at the test server; no other folder's tests see that."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**azure.environment, "MLFLOW_DISABLE_TELEMETRY": "true"}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def credential() -> Iterator[identity.DefaultAzureCredential]:
    """Signs in with the client secret of the environment."""
    made = identity.DefaultAzureCredential()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An empty folder, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
