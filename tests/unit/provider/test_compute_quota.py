from __future__ import annotations

from typing import Any

import pytest

from aml_infra.azure_client import AzureClient
from aml_infra.provider import compute_quota, quota
from tests.unit.azure.transport import Credential, Transport

ROOT = "/subscriptions/s/providers/Microsoft.Compute"
SKUS = f"{ROOT}/skus?api-version=2021-07-01&$filter=location%20eq%20'westeurope'"
USAGES = f"{ROOT}/locations/westeurope/usages?api-version=2024-07-01"
ARGS = {
    "subscriptionId": "s",
    "location": "West Europe",
    "vmSize": "STANDARD_NC4AS_T4_V3",
    "nodes": 6.0,
    "lowPriority": False,
    "service": "compute",
}
T4 = "Standard NCASv3_T4 Family"


def build_sku(name: str, cores: int, *, is_spot: bool = True, **more: Any) -> dict[str, Any]:
    """A size as Compute lists it."""
    has = {"vCPUs": str(cores), "LowPriorityCapable": str(is_spot)}
    capabilities = [{"name": key, "value": value} for key, value in has.items()]
    return {"resourceType": "virtualMachines", "name": name, "family": T4, "capabilities": capabilities, **more}


def describe(
    family: tuple[int, int] = (0, 100), total: tuple[int, int] = (0, 100), spot: int = 100, **args: Any
) -> dict[str, Any]:
    """What is said of a demand, where used cores and limits are as given."""
    transport = Transport()
    closed = {"type": "Location", "reasonCode": "NotAvailableForSubscription"}
    skus = [
        build_sku("Standard_NC4as_T4_v3", 4),
        build_sku("Standard_NC8as_T4_v3", 8, is_spot=False),
        build_sku("Standard_NC16as_T4_v3", 16, restrictions=[closed]),
        {"resourceType": "disks", "name": "Premium_LRS"},
    ]
    figures = {T4: family, "cores": total, "lowPriorityCores": (0, spot), "virtualMachines": (0, 1)}
    usages = [
        {"name": {"value": name, "localizedValue": name}, "currentValue": used, "limit": limit, "unit": "Count"}
        for name, (used, limit) in figures.items()
    ]
    transport.expect("GET", SKUS, {"value": skus})
    transport.expect("GET", USAGES, {"value": usages})
    return quota.describe(AzureClient(Credential(), transport), quota.read_demand({**ARGS, **args}))


def test_enough_is_no_problem() -> None:
    """With the figures of the family."""
    found = describe()

    assert (found["problem"], found["note"]) == ("", "")
    assert (found["family"], found["neededCores"], found["limitCores"]) == (T4, 24, 100)


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"family": (4, 20)}, f"needs 24 cores of {T4} in westeurope; 16 of 20 are free; raise it at https://aka.ms/q"),
        ({"total": (90, 100)}, "needs 24 cores of cores in westeurope; 10 of 100 are free"),
        ({"spot": 8, "lowPriority": True}, "needs 24 low-priority cores of lowPriorityCores in westeurope; 8 of 8"),
        ({"vmSize": "STANDARD_NC16AS_T4_V3"}, "is 'STANDARD_NC16AS_T4_V3', which Azure does not have for clusters"),
        ({"vmSize": "STANDARD_NC8AS_T4_V3", "lowPriority": True}, "Standard_NC8as_T4_v3 has no low-priority nodes"),
    ],
)
def test_what_is_short_is_told(figures: dict[str, Any], told: str) -> None:
    """The family, the region's total, spot nodes' own; sizes that are closed to the subscription are not there."""
    assert describe(**figures)["problem"].startswith(told)


def test_a_size_that_is_closed_to_some_zones_is_there() -> None:
    """Only what the whole region refuses is not."""
    zone = {"type": "Zone", "reasonCode": "NotAvailableForSubscription"}

    assert len(compute_quota.read_sizes([build_sku("Standard_NC4as_T4_v3", 4, restrictions=[zone])])) == 1
