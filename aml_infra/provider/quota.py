"""Whether a subscription's quota is enough for a cluster, before Azure lets its jobs wait for ever.

It is that for Azure ML, or, for nodes of AKS, that for virtual machines (``compute_quota``).

Azure checks the quota when it allocates nodes, and not when the cluster is created. See
https://learn.microsoft.com/azure/machine-learning/how-to-manage-quotas.

The service names a family in two ways (``standardDSv2Family``, ``Standard DSv2 Family Cluster Dedicated vCPUs``), and
tells dedicated from low-priority cores by the usage's type or by its name. Both are understood. Limits of single
workspaces are not looked at.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aml_infra.azure_client import AzureClient
from aml_infra.errors import AccessDenied, RequestRefused
from aml_infra.provider import compute_quota

API = "2025-12-01"
COMPUTE_TYPE = "AmlCompute"
UNLIMITED = -1
"""The limit of a family that has none of its own, and shares the total."""

MAX_NAMES = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Service:
    """Whose quota it is.

    Attributes:
        name: in words.
        address: where it is raised.
        listing: how its sizes are listed.
    """

    name: str
    address: str
    listing: str


SERVICES = {
    "learning": Service(name="Azure ML", address="https://ml.azure.com/quota", listing="az ml compute list-sizes"),
    "compute": Service(name="Azure", address="https://aka.ms/quotas", listing="az vm list-skus"),
}

_FAMILY = re.compile(r".*?family")
_TOTAL = re.compile(r"[^/]+/(dedicated|lowpriority)cores/usages")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demand:
    """What a cluster may take.

    Attributes:
        subscription: id of the subscription.
        location: as it is in addresses, ``westeurope`` and not ``West Europe``.
        vm_size: size of its nodes.
        nodes: the most that it may have.
        low_priority: whether they are low-priority nodes, which have a quota of their own.
        exists: whether the cluster is there already: then it may be what uses the quota, and only limits count.
        service: whose quota it takes.
    """

    subscription: str
    location: str
    vm_size: str
    nodes: int
    low_priority: bool
    exists: bool = False
    service: Service = SERVICES["learning"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quota:
    """Cores that may be used, and that are."""

    name: str
    limit: int
    used: int

    def is_short(self, cores: int, *, exists: bool) -> bool:
        """Whether ``cores`` more are too many; of a cluster that exists, whether all of it is."""
        return self.limit != UNLIMITED and cores > self.limit - (0 if exists else self.used)


def read_demand(args: Mapping[str, Any]) -> Demand:
    """The arguments of the function as a demand; the engine has no whole numbers."""
    return Demand(
        subscription=args["subscriptionId"],
        location=args["location"].replace(" ", "").lower(),
        vm_size=args["vmSize"],
        nodes=int(args["nodes"]),
        low_priority=args["lowPriority"],
        exists=args.get("exists", False),
        service=SERVICES[args.get("service") or "learning"],
    )


def describe(client: AzureClient, demand: Demand) -> dict[str, Any]:
    """What ``demand`` needs and what there is, with the problem in words (empty if there is none).

    What this account may not see is no problem but a note: whoever has rights on one resource group may well make a
    cluster there, and may not see the subscription's quota.

    Raises:
        BackendUnavailable: Azure does not answer.
        RequestRefused: Azure refuses, or has no such location.
    """
    try:
        sizes, usages = _list(client, demand)
    except AccessDenied as error:
        return _build_result(note=f"whether the quota is enough is not known: {error}")
    if not sizes:
        raise RequestRefused(f"{demand.service.name} has no VM sizes in location {demand.location!r}; check its name")
    return explain(demand, sizes, usages)


def _list(client: AzureClient, demand: Demand) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The sizes and usages of the service."""
    providers = f"/subscriptions/{demand.subscription}/providers"
    if demand.service is SERVICES["learning"]:
        root = f"{providers}/Microsoft.MachineLearningServices/locations/{demand.location}"
        return client.list(f"{root}/vmSizes", API), client.list(f"{root}/usages", API)
    here = {"$filter": f"location eq '{demand.location}'"}
    skus = client.list(f"{providers}/Microsoft.Compute/skus", compute_quota.SKUS_API, here)
    used = client.list(f"{providers}/Microsoft.Compute/locations/{demand.location}/usages", compute_quota.USAGES_API)
    return compute_quota.read_sizes(skus), compute_quota.read_usages(used)


def explain(demand: Demand, sizes: Iterable[Mapping[str, Any]], usages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """As ``describe``, from what the service has listed. Pure."""
    sizes_by_name = {size["name"].lower(): size for size in sizes if _is_for_clusters(size)}
    size = sizes_by_name.get(demand.vm_size.lower())
    if size is None:
        names = [each["name"] for each in sizes_by_name.values()]
        return _build_result(problem=_explain_unknown(demand, names))
    family, cores = size["family"], size["vCPUs"] * demand.nodes
    if demand.low_priority and not size.get("lowPriorityCapable", True):
        problem = f"{size['name']} has no low-priority nodes; set low_priority to False, or choose another vm_size"
        return _build_result(family=family, cores=cores, problem=problem)
    of_family, total = read_quotas(usages, family, low_priority=demand.low_priority)
    known = [quota for quota in (of_family, total) if quota is not None]
    short = [quota for quota in known if quota.is_short(cores, exists=demand.exists)]
    problem = _explain_short(demand, cores, short) if short else ""
    told = next(iter([*short, *(quota for quota in known if quota.limit != UNLIMITED)]), None)
    return _build_result(
        family=family,
        cores=cores,
        quota=told,
        problem=problem,
        # Azure then refuses the cluster in words that tell of something else. Low-priority cores have one quota for all
        # families together, so that nothing is missing where that is listed.
        note=""
        if of_family or (demand.low_priority and total)
        else f"Azure lists no quota of {family} in {demand.location}; if it says that {size['name']} is not a "
        f"supported VM size, ask for quota at {demand.service.address}",
    )


def read_quotas(
    usages: Iterable[Mapping[str, Any]], family: str, *, low_priority: bool
) -> tuple[Quota | None, Quota | None]:
    """The quota of the family, and that of all families together, where they are listed."""
    of_family: Quota | None = None
    total: Quota | None = None
    for usage in usages:
        names = [usage["name"].get("value") or "", usage["name"].get("localizedValue") or ""]
        kind = usage["type"].lower()
        # What single workspaces and clusters use is listed too, and is in the figures of their family.
        if "/workspace" in kind or "/workspaces/" in (usage.get("id") or "").lower():
            continue
        if _is_low_priority(kind, names) != low_priority:
            continue
        quota = Quota(name=names[1] or names[0], limit=usage["limit"], used=usage["currentValue"])
        if _TOTAL.fullmatch(kind):
            total = quota
        elif "/vmfamily/" in kind and _normalize(family) in {_normalize(name) for name in names}:
            of_family = dataclasses.replace(quota, name=family)
    return of_family, total


def _is_for_clusters(size: Mapping[str, Any]) -> bool:
    types = size.get("supportedComputeTypes")
    return not types or COMPUTE_TYPE in types


def _is_low_priority(kind: str, names: Iterable[str]) -> bool:
    return "lowpriority" in kind or any("lowpriority" in name.lower() for name in names)


def _normalize(name: str) -> str:
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    found = _FAMILY.match(letters)
    return found[0] if found else letters


def _explain_short(demand: Demand, cores: int, short: Iterable[Quota]) -> str:
    tier = "low-priority " if demand.low_priority else ""
    parts = [
        f"needs {cores} {tier}cores of {quota.name} in {demand.location}; "
        + (f"its limit is {quota.limit}" if demand.exists else _explain_free(quota))
        for quota in short
    ]
    return f"{'; '.join(parts)}; raise it at {demand.service.address}, or choose a smaller vm_size or max_nodes"


def _explain_free(quota: Quota) -> str:
    return f"{max(0, quota.limit - quota.used)} of {quota.limit} are free"


def _explain_unknown(demand: Demand, names: list[str]) -> str:
    by_lower = {name.lower(): name for name in names}
    near = [by_lower[name] for name in difflib.get_close_matches(demand.vm_size.lower(), by_lower, n=MAX_NAMES)]
    choose = f"there are {', '.join(near)}" if near else f"`{demand.service.listing}` lists those that there are"
    return (
        f"is {demand.vm_size!r}, which {demand.service.name} does not have for clusters in {demand.location}; {choose}"
    )


def _build_result(
    *, family: str = "", cores: int = 0, quota: Quota | None = None, problem: str = "", note: str = ""
) -> dict[str, Any]:
    return {
        "family": family,
        "neededCores": cores,
        "usedCores": quota.used if quota else 0,
        "limitCores": quota.limit if quota else UNLIMITED,
        "problem": problem,
        "note": note,
    }
