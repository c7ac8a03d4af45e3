"""Sizes of Azure's virtual machines: what their names say, which are gone, and what some of them have. Pure."""

from __future__ import annotations

import dataclasses
import re

from aml_infra.errors import Problem
from aml_infra.spec import Demand

DEFAULT = "STANDARD_NC4AS_T4_V3"

RETIRED_SIZES = "https://learn.microsoft.com/azure/virtual-machines/sizes/retirement/retired-sizes-list"

_NAME = re.compile(r"STANDARD_[A-Z]+\d+[A-Z0-9_-]*")

_T4 = {1: "STANDARD_NC4AS_T4_V3", 4: "STANDARD_NC64AS_T4_V3"}
_A100 = {1: "STANDARD_NC24ADS_A100_V4", 2: "STANDARD_NC48ADS_A100_V4", 4: "STANDARD_NC96ADS_A100_V4"}
_A10 = {1: "STANDARD_NV36ADS_A10_V5", 2: "STANDARD_NV72ADS_A10_V5"}

_RETIRED = (
    # The series, its sizes with their number of GPUs, and what has as many today, or more.
    (r"NC(6|12|24R?)(_PROMO)?", {"6": 1, "12": 2, "24": 4, "24R": 4}, {**_T4, 2: _T4[4]}),
    (r"NC(6S|12S|24R?S)_V2", {"6S": 1, "12S": 2, "24S": 4, "24RS": 4}, _A100),
    (r"NC(6S|12S|24R?S)_V3", {"6S": 1, "12S": 2, "24S": 4, "24RS": 4}, _A100),
    (r"ND(6S|12S|24R?S)", {"6S": 1, "12S": 2, "24S": 4, "24RS": 4}, _A100),
    (r"NV(6|12|24)(_PROMO)?", {"6": 1, "12": 2, "24": 4}, {**_A10, 4: _T4[4]}),
    (r"NV(12S|24S|48S)_V3", {"12S": 1, "24S": 2, "48S": 4}, {**_A10, 4: _T4[4]}),
    (r"NV(4|8|16|32)AS_V4", {"4": 1, "8": 1, "16": 1, "32": 1}, _A10),
)
"""GPU series that Azure has retired, as of ``RETIRED_SIZES`` and the announcements before it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """What a size has: processors, memory in GB (2**30 bytes), GPUs."""

    cpus: int
    memory_gb: float
    gpus: int


KNOWN = {
    "STANDARD_NC4AS_T4_V3": Size(cpus=4, memory_gb=28, gpus=1),
    "STANDARD_NC8AS_T4_V3": Size(cpus=8, memory_gb=56, gpus=1),
    "STANDARD_NC16AS_T4_V3": Size(cpus=16, memory_gb=110, gpus=1),
    "STANDARD_NC64AS_T4_V3": Size(cpus=64, memory_gb=440, gpus=4),
    "STANDARD_NC24ADS_A100_V4": Size(cpus=24, memory_gb=220, gpus=1),
    "STANDARD_NC48ADS_A100_V4": Size(cpus=48, memory_gb=440, gpus=2),
    "STANDARD_NC96ADS_A100_V4": Size(cpus=96, memory_gb=880, gpus=4),
}
"""Sizes whose content Azure's documentation tells; of others, nothing is checked."""


def normalize(name: str) -> str:
    """``name`` as the service writes it: Azure compares names of sizes without regard to case."""
    return name.upper()


def find_problems(name: str) -> list[Problem]:
    """What is wrong with the name of a size; whether a region has it is for the service to say."""
    size = normalize(name)
    if not _NAME.fullmatch(size):
        meant = f"STANDARD_{size}"
        fix = f"as in {meant if _NAME.fullmatch(meant) else DEFAULT!r}"
        return [Problem("vm_size", f"is {name!r}, no name of a size; write it with STANDARD_, {fix}")]
    for pattern, gpus, replacements in _RETIRED:
        match = re.fullmatch(f"STANDARD_{pattern}", size)
        if match:
            replacement = replacements[gpus[match[1]]]
            return [
                Problem("vm_size", f"is {name!r}, which Azure has retired; use {replacement!r}; see {RETIRED_SIZES}")
            ]
    return []


def find_demand_problems(name: str, demand: Demand, size: Size | None = None) -> list[Problem]:
    """What a worker asks for and a machine of the size ``name`` does not have; each worker has one for itself.

    ``size`` is what the service says that it has; without it, what is known here.
    """
    size = size or KNOWN.get(normalize(name))
    if size is None:
        return []
    asked = demand.resources
    return [
        Problem(
            path, f"is {value:g}; a node of size {normalize(name)} has {has}; ask for at most that, or a larger vm_size"
        )
        for path, value, has in (
            ("cpus", asked.cpus, size.cpus),
            ("memory_gb", asked.memory_gb, size.memory_gb),
            ("gpus", asked.gpus, size.gpus),
        )
        if value is not None and value > has
    ]
