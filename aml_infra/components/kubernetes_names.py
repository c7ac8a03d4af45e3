"""What Kubernetes allows as names, labels and amounts.

Follows https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/.
"""

from __future__ import annotations

import math
import re

MAX_NAME = 253
MAX_LABEL = 63

_DNS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_DNS}(\.{_DNS})*")
_LABEL = re.compile(_DNS)
_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def find_name_problem(name: str) -> str | None:
    """Why ``name`` cannot be the name of most objects (a DNS-1123 subdomain); None if it can."""
    if _NAME.fullmatch(name) and len(name) <= MAX_NAME:
        return None
    what = "lower-case letters, digits, '-' and '.', with a letter or a digit at each end"
    return f"is {name!r}; allowed are up to {MAX_NAME} characters: {what}"


def find_label_problem(name: str) -> str | None:
    """Why ``name`` cannot be the name of a namespace (a DNS-1123 label); None if it can."""
    if _LABEL.fullmatch(name) and len(name) <= MAX_LABEL:
        return None
    what = "lower-case letters, digits and '-', with a letter or a digit at each end"
    return f"is {name!r}; allowed are up to {MAX_LABEL} characters: {what}"


def find_key_problem(key: str) -> str | None:
    """Why ``key`` cannot be the key of a label or of a taint; None if it can."""
    prefix, slash, name = key.rpartition("/")
    if (not slash or find_name_problem(prefix) is None) and name and find_value_problem(name) is None:
        return None
    what = "letters, digits, '-', '_' and '.', with a letter or a digit at each end"
    return (
        f"is {key!r}, no key of a label; allowed are up to {MAX_LABEL} characters: {what}; before it a domain and '/'"
    )


def find_value_problem(value: str) -> str | None:
    """Why ``value`` cannot be the value of a label or of a taint; None if it can."""
    if not value or (_PART.fullmatch(value) and len(value) <= MAX_LABEL):
        return None
    what = "letters, digits, '-', '_' and '.', with a letter or a digit at each end"
    return f"is {value!r}, no value of a label; allowed are up to {MAX_LABEL} characters: {what}"


def find_amount_problem(amount: float, low: float, high: float, unit: str) -> str | None:
    """Why ``amount`` is out of its range; None if it is not."""
    if math.isfinite(amount) and low <= amount <= high:
        return None
    return f"is {amount:g}; allowed is {low:g} to {high:g} {unit}"


def write_cpus(cpus: float) -> str:
    """Processors as a quantity, in thousandths."""
    return f"{max(1, round(cpus * 1000))}m" if cpus % 1 else f"{cpus:.0f}"


def write_gb(amount: float) -> str:
    """GB (2**30 bytes) as a quantity."""
    return f"{max(1, round(amount * 1024))}Mi" if amount % 1 else f"{amount:.0f}Gi"
