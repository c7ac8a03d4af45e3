"""How much of a region a subscription may use: sizes of virtual machines, usage and limits of their families.

See https://learn.microsoft.com/rest/api/azureml/usages and .../virtual-machine-sizes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.azure import authorization, reads, services
from tests.azure.arm_errors import ArmError
from tests.azure.cloud import LOCATIONS, Cloud
from tests.azure.resource_types import Answer
from tests.azure.services.machine_learning.shared import VERSIONS, WORKSPACES

DEDICATED = "Total Cluster Dedicated Regional vCPUs"
LOW_PRIORITY = "Total Cluster LowPriority Regional vCPUs"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """A size of virtual machines."""

    name: str
    family: str
    cores: int
    gpus: int
    memory_gb: float
    is_low_priority: bool = True


SIZES = {
    size.name.lower(): size
    for size in (
        Size(name="Standard_DS3_v2", family="standardDSv2Family", cores=4, gpus=0, memory_gb=14),
        Size(name="Standard_D4s_v3", family="standardDSv3Family", cores=4, gpus=0, memory_gb=16),
        Size(name="Standard_NC4as_T4_v3", family="Standard NCASv3_T4 Family", cores=4, gpus=1, memory_gb=28),
        Size(name="Standard_NC16as_T4_v3", family="Standard NCASv3_T4 Family", cores=16, gpus=1, memory_gb=110),
        Size(name="Standard_NC6s_v3", family="standardNCSv3Family", cores=6, gpus=1, memory_gb=112),
        Size(name="Standard_NC24ads_A100_v4", family="StandardNCADSA100v4Family", cores=24, gpus=1, memory_gb=220),
        Size(
            name="Standard_ND96asr_v4",
            family="standardNDASv4_A100Family",
            cores=96,
            gpus=8,
            memory_gb=900,
            is_low_priority=False,
        ),
    )
}
"""Sizes by name in lower case; a region has all of them but what ``UNAVAILABLE`` says."""

UNAVAILABLE = {"northeurope": {"standard_nc24ads_a100_v4", "standard_nd96asr_v4"}}

LIMIT = 100
"""Cores that a family has in a region, unless a test says otherwise."""


def find_size(location: str, name: str) -> Size | None:
    """A size that the region has."""
    return None if name.lower() in UNAVAILABLE.get(location, ()) else SIZES.get(name.lower())


def find_limit(cloud: Cloud, location: str, family: str) -> int:
    """The cores that a family may use in a region."""
    return cloud.quotas.get((location, family), LIMIT)


def count_cores(cloud: Cloud, location: str, family: str, *, is_low_priority: bool = False) -> int:
    """The cores of a family that the nodes in a region use; of all families for the regional totals."""
    used = 0
    for compute in cloud.resources:
        if compute.type != f"{WORKSPACES}/computes" or compute.body.get("location") != location:
            continue
        nodes: dict[str, Any] = compute.properties.get("properties") or {}
        size = SIZES.get(str(nodes.get("vmSize", "")).lower())
        is_low = nodes.get("vmPriority") == "LowPriority"
        if size is None or is_low != is_low_priority or family not in (size.family, DEDICATED, LOW_PRIORITY):
            continue
        used += size.cores * int(nodes.get("currentNodeCount", 0))
    return used


def _check(call: services.FunctionCall, action: str) -> str:
    location = call.path.names[0].lower()
    if call.method != "GET" or location not in LOCATIONS:
        raise ArmError(404, "NotFound", f"There is no location {location!r} of Machine Learning.")
    authorization.require_action(
        call.cloud, call.principal, f"Microsoft.MachineLearningServices/locations/{action}", call.cloud.subscription
    )
    return location


def list_usages(call: services.FunctionCall) -> Answer:
    """The cores in use, and how many may be."""
    location, cloud = _check(call, "usages/read"), call.cloud
    kinds = {DEDICATED: "dedicatedCores", LOW_PRIORITY: "lowPriorityCores"}
    kinds |= {size.family: "vmFamily/dedicatedCores" for size in SIZES.values()}
    found = [
        {
            "id": f"{call.path.text}/{name}",
            "type": f"Microsoft.MachineLearningServices/{kind}/usages",
            "amlWorkspaceLocation": location,
            "unit": "Count",
            "currentValue": count_cores(cloud, location, name, is_low_priority=name == LOW_PRIORITY),
            "limit": find_limit(cloud, location, name),
            "name": {"value": name, "localizedValue": name},
        }
        for name, kind in kinds.items()
    ]
    return reads.build_page(cloud, call.path.text, call.query, found)


def list_sizes(call: services.FunctionCall) -> Answer:
    """The sizes that the region has."""
    location = _check(call, "vmSizes/read")
    found = [
        {
            "name": size.name,
            "family": size.family,
            "vCPUs": size.cores,
            "gpus": size.gpus,
            "osVhdSizeMB": 1047552,
            "maxResourceVolumeMB": 180224,
            "memoryGB": size.memory_gb,
            "lowPriorityCapable": size.is_low_priority,
            "premiumIO": True,
            "supportedComputeTypes": ["AmlCompute", "ComputeInstance"],
        }
        for key, size in SIZES.items()
        if key not in UNAVAILABLE.get(location, ())
    ]
    return Answer({"value": found})


FUNCTIONS = (
    services.Function(name="Microsoft.MachineLearningServices/locations/usages", versions=VERSIONS, call=list_usages),
    services.Function(name="Microsoft.MachineLearningServices/locations/vmSizes", versions=VERSIONS, call=list_sizes),
)
