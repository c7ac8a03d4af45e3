"""The cloud: all that the test server's services share, in one object that tests can look into."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests import api_faults
from tests.azure import cluster_contents, directory, operations, resources
from tests.azure.job_runs import runs

if TYPE_CHECKING:
    from tests.azure.service_blobs import ServiceBlobs

RESOURCE_MANAGER = "https://management.azure.com"

LOCATIONS = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "northeurope": "North Europe",
    "swedencentral": "Sweden Central",
    "uksouth": "UK South",
    "westeurope": "West Europe",
    "westus2": "West US 2",
    "westus3": "West US 3",
}
"""The regions that there are, by name."""


class Clock:
    """The time, which tests move."""

    def __init__(self) -> None:
        self._ahead = datetime.timedelta()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime.datetime:
        """The time in UTC."""
        return datetime.datetime.now(datetime.timezone.utc) + self._ahead

    def move(self, *, seconds: float) -> None:
        """Lets time pass."""
        self._ahead += datetime.timedelta(seconds=seconds)
        for listener in self._listeners:
            listener()

    def when_moved(self, listener: Callable[[], None]) -> None:
        """Has something called whenever a test has let time pass."""
        self._listeners.append(listener)

    def stamp(self) -> str:
        """The time as services write it."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """A request that was answered.

    Attributes:
        operation: method and path with the names taken out, to count different ones.
    """

    host: str
    method: str
    path: str
    operation: str
    api_version: str
    status: int
    principal: str
    user_agent: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """A Kubernetes that runs.

    Attributes:
        server: its address, https://...
        authority: the certificate that its own is checked with, as PEM.
    """

    server: str
    authority: bytes


class Cloud:
    """One tenant with one subscription.

    Attributes:
        clock: the time.
        lock: held while a request is answered.
        resources: what there is.
        deleted: what was deleted and can still be brought back, by id.
        directory: who there is.
        operations: what is under way.
        faults: what will go wrong.
        calls: what was asked, in order.
        registered: resource providers that the subscription may use, in lower case.
        quotas: cores that a family of machines may use, by region and family; 100 where nothing is said.
        vm_quotas: likewise of machines that are not Machine Learning's, which have a quota of their own.
        remembered: when clusters were deleted and which sizes they had, by id.
        cluster_contents: what is inside Kubernetes clusters, by id in lower case, where a test has said so.
        taken_names: pairs of a type and a name, in lower case, that others have somewhere in Azure.
        registry_server: the address that container registries say is theirs, for Docker's daemon, which knows no proxy;
            empty for their own names.
        kubernetes: the Kubernetes that managed clusters really are; None where nothing answers at their addresses.
        page_size: how many resources a page of a list has.
        jobs: the jobs of Machine Learning, which run where the cloud is behind a server, and are only kept else.
        blobs: the service's own way to blobs; None where there is no server.
    """

    def __init__(self) -> None:
        self.tenant_id = "11111111-1111-4111-8111-111111111111"
        self.subscription_id = "22222222-2222-4222-8222-222222222222"
        self.clock = Clock()
        self.lock = threading.RLock()
        self.resources = resources.ResourceStore()
        self.deleted = resources.ResourceStore()
        self.directory = directory.Directory(self.clock, self.tenant_id)
        self.operations = operations.Operations(RESOURCE_MANAGER)
        self.faults = api_faults.Faults()
        self.calls: list[Call] = []
        self.registered = {"microsoft.authorization", "microsoft.resources", "microsoft.features"}
        self.quotas: dict[tuple[str, str], int] = {}
        self.vm_quotas: dict[tuple[str, str], int] = {}
        self.remembered: dict[str, tuple[datetime.datetime, str]] = {}
        self.cluster_contents: dict[str, cluster_contents.Contents] = {}
        self.taken_names: set[tuple[str, str]] = set()
        self.registry_server = ""
        self.kubernetes: Kubernetes | None = None
        self.page_size = 50
        self.jobs = runs.JobRuns(self)
        self.blobs: ServiceBlobs | None = None

    def open_cluster(self, cluster_id: str) -> cluster_contents.Contents:
        """What is inside a Kubernetes cluster."""
        return self.cluster_contents.setdefault(cluster_id.lower(), cluster_contents.KnownContents())

    @property
    def subscription(self) -> str:
        """The id of the subscription as a resource."""
        return f"/subscriptions/{self.subscription_id}"
