"""What a region has for nodes: the sizes, usage and limits of Microsoft.Compute.

Their quota is another one than that of Machine Learning, which is counted for itself; sizes and families are the same.
See https://learn.microsoft.com/rest/api/compute/usage/list and https://learn.microsoft.com/rest/api/compute/resource-skus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.azure import authorization, reads, services
from tests.azure.arm_errors import ArmError
from tests.azure.cloud import LOCATIONS, Cloud
from tests.azure.resource_types import Answer
from tests.azure.services.container_service.shared import POOLS
from tests.azure.services.machine_learning.quotas import LIMIT, SIZES, UNAVAILABLE, Size

USAGES_VERSION = "2024-07-01"
SKUS_VERSION = "2021-07-01"
TOTAL = "cores"
LOW_PRIORITY = "lowPriorityCores"
"""The totals of a region: all families together."""

_NAMES = {TOTAL: "Total Regional vCPUs", LOW_PRIORITY: "Total Regional Low-priority vCPUs"}
_OF_LOCATION = re.compile(r"location eq '([^']*)'", re.IGNORECASE)


def find_limit(cloud: Cloud, location: str, family: str) -> int:
    """The cores that a family may use in a region."""
    return cloud.vm_quotas.get((location, family), LIMIT)


def count_cores(cloud: Cloud, location: str, family: str) -> int:
    """The cores of a family that nodes of AKS use in a region; of all families for the totals."""
    used = 0
    for pool in cloud.resources:
        if pool.type != POOLS:
            continue
        cluster = cloud.resources.get(pool.id.rpartition("/agentPools/")[0])
        size = SIZES.get(str(pool.properties.get("vmSize", "")).lower())
        if cluster is None or size is None or cluster.body["location"] != location:
            continue
        is_spot = pool.properties.get("scaleSetPriority") == "Spot"
        if family in ((LOW_PRIORITY,) if is_spot else (size.family, TOTAL)):
            used += size.cores * int(pool.properties["count"])
    return used


def list_short(cloud: Cloud, location: str, size: Size, cores: int, *, is_spot: bool) -> Iterator[tuple[str, int]]:
    """The families, or totals, that have too little left for ``cores`` more, each with what is left."""
    for family in (LOW_PRIORITY,) if is_spot else (size.family, TOTAL):
        left = find_limit(cloud, location, family) - count_cores(cloud, location, family)
        if cores > left:
            yield family, max(0, left)


def list_usages(call: services.FunctionCall) -> Answer:
    """The cores in use, and how many may be."""
    location, cloud = call.path.names[0].lower(), call.cloud
    if call.method != "GET" or location not in LOCATIONS:
        raise ArmError(404, "NoRegisteredProviderFound", f"There is no location {location!r} of Microsoft.Compute.")
    action = "Microsoft.Compute/locations/usages/read"
    authorization.require_action(cloud, call.principal, action, cloud.subscription)
    families = dict.fromkeys([TOTAL, LOW_PRIORITY, *(size.family for size in SIZES.values())])
    found = [
        {
            "name": {"value": family, "localizedValue": _NAMES.get(family, f"{family} vCPUs")},
            "unit": "Count",
            "currentValue": count_cores(cloud, location, family),
            "limit": find_limit(cloud, location, family),
        }
        for family in families
    ]
    return reads.build_page(cloud, call.path.text, call.query, found)


def list_skus(call: services.FunctionCall) -> Answer:
    """The sizes that a region has; those that this subscription cannot have are listed with the reason."""
    found = _OF_LOCATION.fullmatch(call.query.get("$filter", ""))
    if call.method != "GET" or found is None:
        raise ArmError(400, "InvalidFilter", "Only a list of one location is served: $filter=location eq 'westeurope'.")
    authorization.require_action(call.cloud, call.principal, "Microsoft.Compute/skus/read", call.cloud.subscription)
    location = found[1].lower()
    sizes = SIZES.items() if location in LOCATIONS else ()
    return reads.build_page(
        call.cloud, call.path.text, call.query, [_show_sku(size, location, key) for key, size in sizes]
    )


def _show_sku(size: Size, location: str, key: str) -> dict[str, object]:
    restriction = {
        "type": "Location",
        "values": [location],
        "restrictionInfo": {"locations": [location]},
        "reasonCode": "NotAvailableForSubscription",
    }
    capabilities = {
        "vCPUs": str(size.cores),
        "MemoryGB": f"{size.memory_gb:g}",
        "LowPriorityCapable": str(size.is_low_priority),
        **({"GPUs": str(size.gpus)} if size.gpus else {}),
    }
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        "locations": [location],
        "capabilities": [{"name": name, "value": value} for name, value in capabilities.items()],
        "restrictions": [restriction] if key in UNAVAILABLE.get(location, ()) else [],
    }


FUNCTIONS = (
    services.Function(name="Microsoft.Compute/locations/usages", versions=(USAGES_VERSION,), call=list_usages),
    services.Function(name="Microsoft.Compute/skus", versions=(SKUS_VERSION,), call=list_skus),
)
