"""What Microsoft.Compute lists of sizes and quota, in the form of Azure ML's lists, which ``quota`` understands.

Nodes of AKS are virtual machines of the subscription, whose quota is another one than that of Azure ML. See
https://learn.microsoft.com/rest/api/compute/resource-skus and https://learn.microsoft.com/rest/api/compute/usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

SKUS_API = "2021-07-01"
USAGES_API = "2024-07-01"

_TOTALS = {"cores": "dedicatedCores", "lowprioritycores": "lowPriorityCores"}


def read_sizes(skus: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sizes of virtual machines that this subscription can have."""
    sizes = []
    for sku in skus:
        reasons = {each.get("reasonCode") for each in sku.get("restrictions") or () if each.get("type") == "Location"}
        if sku.get("resourceType") != "virtualMachines" or "NotAvailableForSubscription" in reasons:
            continue
        has = {each["name"]: each["value"] for each in sku.get("capabilities") or ()}
        sizes.append(
            {
                "name": sku["name"],
                "family": sku["family"],
                "vCPUs": int(has.get("vCPUs") or 0),
                "lowPriorityCapable": has.get("LowPriorityCapable", "True") == "True",
            }
        )
    return sizes


def read_usages(usages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The cores of families, and the totals; what is not counted in cores is left out."""
    found = []
    for usage in usages:
        name = str(usage["name"].get("value") or "")
        total = _TOTALS.get(name.lower())
        if total is None and "family" not in name.lower():
            continue
        kind = total or "vmFamily/dedicatedCores"
        found.append({**usage, "id": "", "type": f"Microsoft.Compute/{kind}/usages"})
    return found
