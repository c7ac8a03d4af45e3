"""Amounts as Kubernetes writes them. Pure.

Follows https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"(?P<number>[0-9.]+(?:[eE][+-]?[0-9]+)?)(?P<unit>[numkKMGTPE]?i?)")
_UNITS = {
    "": 1.0,
    **{unit: 1000.0**power for power, unit in enumerate(("n", "u", "m"), -3)},
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", 1)},
}


def read_quantity(text: str) -> float:
    """The amount that a quantity is.

    Raises:
        ValueError: it is none.
    """
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no quantity")
    return float(found["number"]) * _UNITS[found["unit"]]
