"""The tests' Azure as a whole, in the process of the tests: all that clients need is in `environment`.

Blobs are kept by Azurite, images by a registry, MLflow's records by an MLflow server; jobs run in containers of this
machine's Docker daemon. Each is started when it is first asked for. What is served is told in the services' modules;
everything else is refused.
"""

from __future__ import annotations

import contextlib
import pathlib
import secrets
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests import local_registry
from tests.azure import (
    azurite,
    blobs,
    built_in_roles,
    data_planes,
    entra,
    forwarding,
    front,
    guard,
    machine_learning,
    mlflow_server,
    public_registry,
    registries,
    resource_manager,
    service_blobs,
    tls,
)
from tests.azure.cloud import Cloud, Kubernetes
from tests.azure.directory import Principal
from tests.azure.job_runs import execution, identities, images, machines, nodes
from tests.azure.resources import Resource

HOSTS = (
    "management.azure.com",
    entra.HOST,
    "*.blob.core.windows.net",
    "*.azurecr.io",
    "*.api.azureml.ms",
    public_registry.HOST,
)
"""The names that are served; a leading `*` stands for one label."""
NETWORK = ("HTTPS_PROXY", "NO_PROXY", "no_proxy")
"""The variables that lead the processes of jobs to the cloud."""
CLIENT_ID = "66666666-6666-4666-8666-666666666666"
OBJECT_ID = "77777777-7777-4777-8777-777777777777"


@dataclass(frozen=True, kw_only=True)
class Azure:
    """A running test server.

    Attributes:
        cloud: What is in it, what it was asked, and the faults that it is to have.
        environment: The variables that aim clients, of any language, at it, signed in as `owner`.
        owner: The principal that owns the subscription.
        front: The way in.
        public: The images that everybody may pull.
        authority: The certificate that the server's own is signed by.
    """

    cloud: Cloud
    environment: Mapping[str, str]
    owner: Principal
    front: front.Front
    public: public_registry.PublicRegistry
    authority: pathlib.Path
    _planes: tuple[blobs.Blobs, registries.Registries, machine_learning.MachineLearning]

    def add_principal(self, *roles: tuple[str, str]) -> tuple[Principal, dict[str, str]]:
        """A new service principal with roles, each a role's name and a scope; and its environment."""
        client_id, secret = str(uuid.uuid4()), secrets.token_urlsafe()
        principal = self.cloud.directory.add_application(client_id, str(uuid.uuid4()), secret)
        for role, scope in roles:
            assign(self.cloud, principal, role, scope)
        return principal, {**self.environment, **_build_login(self.cloud, client_id, secret)}

    def serve_docker(self) -> str:
        """Has the cloud's only registry, which is yet to be made, call itself by an address on this machine.

        The Docker daemon pushes to such an address without a proxy and without our authority, and with the same tokens.
        """
        self.cloud.registry_server = self.front.address
        return self.front.address

    def serve_kubernetes(self, server_url: str, authority: bytes) -> None:
        """Has the cloud's only managed cluster, which is yet to be made, be the Kubernetes at an address."""
        self.cloud.kubernetes = Kubernetes(server=server_url, authority=authority)

    @property
    def guard_url(self) -> str:
        """Where that Kubernetes asks who comes to it, and what they may, and its nodes who they are."""
        return f"https://{guard.HOST}:{self.front.address.rpartition(':')[2]}"

    def set_private(self, *, private: bool) -> None:
        """Lets all callers come through private endpoints from now on, or none."""
        for plane in self._planes:
            plane.private = private


@contextlib.contextmanager
def open_azure(folder: pathlib.Path) -> Iterator[Azure]:
    """Runs a new, empty cloud while the block lasts; its files are in `folder`.

    Raises:
        BaseException: Something failed inside the server, which it never may; raised when the block ends.
    """
    cloud = Cloud()
    secret = secrets.token_urlsafe()
    owner = cloud.directory.add_application(CLIENT_ID, OBJECT_ID, secret)
    assign(cloud, owner, "Owner", cloud.subscription)
    certificates = tls.issue(folder, HOSTS)
    forwarder = forwarding.Forwarder()
    emulator, tracking = azurite.Azurite(folder, certificates), mlflow_server.MlflowServer(folder)
    registry = _Registry(folder / "registry")
    storage = blobs.Blobs(cloud, emulator, forwarder, certificates)
    containers = registries.Registries(cloud, forwarder, registry.ensure)
    tokens = identities.RunTokens(cloud)
    learning = machine_learning.MachineLearning(cloud, forwarder, tracking, tokens)
    planes = (storage, containers, learning)
    beside: dict[str, front.App] = dict(zip(HOSTS[2:5], planes, strict=True))
    apps: dict[str, front.App] = {HOSTS[0]: resource_manager.build_app(cloud), HOSTS[1]: entra.build_app(cloud)}
    apps |= {name: data_planes.record(cloud, name, app) for name, app in beside.items()}
    public = public_registry.PublicRegistry()
    apps[public_registry.HOST] = public.build_app()
    apps["127.0.0.1"] = apps[HOSTS[3]]
    apps[guard.HOST] = guard.build_app(cloud)
    server = front.Front(apps, certificates, forwarder)
    environment = _build_way(server, certificates) | _build_login(cloud, CLIENT_ID, secret)
    cloud.blobs = service_blobs.ServiceBlobs(cloud, emulator, certificates)
    hosts, managed = machines.Machines(), identities.ManagedIdentities(cloud)
    services = execution.Services(
        cloud=cloud,
        blobs=cloud.blobs,
        machines=hosts,
        images=images.Images(cloud, hosts, registry.ensure),
        nodes=nodes.Nodes(cloud),
        tokens=tokens,
        identities=managed,
        folder=folder / "jobs",
        network={name: environment[name] for name in NETWORK},
        bundle=certificates.bundle,
    )
    with contextlib.ExitStack() as stack:
        for stop in (registry.stop, tracking.stop, emulator.stop, cloud.blobs.close, hosts.close, managed.close):
            stack.callback(stop)
        server.start()
        stack.callback(server.stop)
        cloud.jobs.start(lambda run: execution.Execution(services, run).execute())
        stack.callback(cloud.jobs.stop)
        yield Azure(
            cloud=cloud,
            environment=environment,
            owner=owner,
            front=server,
            public=public,
            authority=certificates.authority,
            _planes=planes,
        )
        cloud.faults.clear()
    if failures := [*server.failures, *cloud.jobs.failures]:
        raise failures[0]


def assign(cloud: Cloud, principal: Principal, role: str, scope: str) -> None:
    """Gives a principal a role, such as AcrPull, as if it had always had it."""
    definition = next(each for each in built_in_roles.DEFINITIONS.values() if each.role_name == role)
    kind = "Microsoft.Authorization/roleAssignments"
    name = str(uuid.uuid4())
    properties = {
        "principalId": principal.object_id,
        "principalType": principal.kind,
        "roleDefinitionId": definition.build_body(cloud.subscription)["id"],
        "scope": scope,
    }
    found = f"{scope}/providers/{kind}/{name}"
    cloud.resources.put(
        Resource(id=found, type=kind, body={"id": found, "name": name, "type": kind, "properties": properties})
    )


def _build_way(server: front.Front, certificates: tls.Certificates) -> dict[str, str]:
    bundle = str(certificates.bundle)
    here = "localhost,127.0.0.1"
    return {
        "HTTPS_PROXY": server.proxy_url,
        "NO_PROXY": here,
        "no_proxy": here,
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "CURL_CA_BUNDLE": bundle,
    }


def _build_login(cloud: Cloud, client_id: str, secret: str) -> dict[str, str]:
    return {
        "AZURE_TENANT_ID": cloud.tenant_id,
        "AZURE_CLIENT_ID": client_id,
        "AZURE_CLIENT_SECRET": secret,
        "AZURE_SUBSCRIPTION_ID": cloud.subscription_id,
        "ARM_TENANT_ID": cloud.tenant_id,
        "ARM_CLIENT_ID": client_id,
        "ARM_CLIENT_SECRET": secret,
        "ARM_SUBSCRIPTION_ID": cloud.subscription_id,
    }


class _Registry:
    """A container registry that is started when it is first asked for."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._running: local_registry.LocalRegistry | None = None

    def ensure(self) -> local_registry.LocalRegistry:
        with self._lock:
            if self._running is None:
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    port = free.getsockname()[1]
                self._folder.mkdir()
                password = secrets.token_urlsafe()
                self._running = self._stack.enter_context(local_registry.open_registry(self._folder, password, port))
        return self._running

    def stop(self) -> None:
        self._stack.close()
