"""Where the data is that a URI names.

See https://learn.microsoft.com/azure/machine-learning/how-to-read-write-data-v2.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from tests.azure.resources import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

_ACCOUNTS = "Microsoft.Storage/storageAccounts"
_WORKSPACE = (
    r"/subscriptions/[^/]+/resourcegroups/[^/]+(/providers/Microsoft\.MachineLearningServices)?/workspaces/[^/]+"
)
_DATASTORE = re.compile(
    rf"azureml:/({_WORKSPACE})?/datastores/(?P<store>[^/]+)/(paths/(?P<path>.*)|(?P<run>ExperimentRun/.*))",
    re.IGNORECASE,
)
_ASSETS = (
    re.compile(rf"(azureml:)?{_WORKSPACE}/data/(?P<name>[^/]+)/versions/(?P<version>[^/]+)", re.IGNORECASE),
    re.compile(r"azureml://locations/[^/]+/workspaces/[^/]+/data/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"),
    re.compile(r"azureml:(?P<name>[^/:]+):(?P<version>[^/:]+)"),
)
_BLOB = re.compile(
    r"https://(?P<account>[a-z0-9]+)\.blob\.core\.windows\.net(:443)?/(?P<container>[^/?]+)(/(?P<path>[^?]*))?"
)


class NoSuchPlace(Exception):
    """The URI names nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Blobs.

    Attributes:
        account: the storage account.
        container: the name of the container.
        path: what the blobs' names begin with, or the whole name of one; no slash at its end.
        by_key: whether it is opened with the account's key, which the datastore has; else by identity.
    """

    account: Resource
    container: str
    path: str
    by_key: bool = False


def find_place(cloud: Cloud, workspace: Resource, uri: str) -> Place:
    """The place that a job's URI names.

    Raises:
        NoSuchPlace: with the reason.
    """
    for pattern in _ASSETS:
        if found := pattern.fullmatch(uri):
            version = cloud.resources.get(f"{workspace.id}/data/{found['name']}/versions/{found['version']}")
            if version is None:
                raise NoSuchPlace(f"there is no data asset {found['name']}:{found['version']}")
            return find_place(cloud, workspace, str(version.properties["dataUri"]))
    if found := _DATASTORE.fullmatch(uri):
        store = cloud.resources.get(f"{workspace.id}/datastores/{found['store']}")
        if store is None:
            raise NoSuchPlace(f"there is no datastore {found['store']}")
        account = _find_account(cloud, store.properties["accountName"])
        by_key = store.properties["credentials"]["credentialsType"] == "AccountKey"
        path = (found["path"] or found["run"] or "").strip("/")
        return Place(account=account, container=store.properties["containerName"], path=path, by_key=by_key)
    if found := _BLOB.fullmatch(uri):
        account = _find_account(cloud, found["account"])
        return Place(account=account, container=found["container"], path=(found["path"] or "").strip("/"))
    raise NoSuchPlace(f"{uri} is of no kind that is served here")


def _find_account(cloud: Cloud, name: str) -> Resource:
    for each in cloud.resources:
        if each.type == _ACCOUNTS and each.name.lower() == name.lower():
            return each
    raise NoSuchPlace(f"there is no storage account {name}")
